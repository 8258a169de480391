package journal

import (
	"fmt"
	"testing"
	"time"

	"wasmhost/host/event"

	sqlite3 "modernc.org/sqlite/lib"
)

// TestAuditsAreARing: the last 10,000 are kept, in order, over processes.
func TestAuditsAreARing(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	const many = auditsKept + 250
	j := open(t, dir, Options{Durability: Normal})
	for n := range many {
		if n == many/2 {
			shut(t, j)
			j = open(t, dir, Options{Durability: Normal})
		}
		j.Audit(event.Audit{By: "me", Action: "run.start", Target: fmt.Sprint(n), OK: n%2 == 0})
		if n%1000 == 0 {
			must(t, j.Flush(ctx))
		}
	}
	must(t, j.Flush(ctx))
	for _, n := range []int{0, 3, auditsKept + 100} {
		list, err := j.Audits(ctx, n)
		must(t, err)
		want := n
		if n == 0 || n > auditsKept {
			want = auditsKept
		}
		if len(list) != want {
			t.Fatalf("%d of %d", len(list), want)
		}
		for i, a := range list {
			if k := many - 1 - i; a.Target != fmt.Sprint(k) || a.OK != (k%2 == 0) || time.Since(a.Time) > time.Hour {
				t.Fatalf("%d: %+v", i, a)
			}
		}
	}
}

// TestAuditsWaitForTheDisk: what could not be written is written later, and does
// not grow without end.
func TestAuditsWaitForTheDisk(t *testing.T) {
	must(t, faulty())
	j := open(t, t.TempDir(), Options{vfs: faultyVFS})
	well := failing(sqlite3.SQLITE_IOERR_WRITE, func(op string, _ int32) bool { return op == "write" })
	defer well()
	for n := range auditsKept + 10 {
		j.Audit(event.Audit{Target: fmt.Sprint(n)})
	}
	if err := j.Flush(t.Context()); err == nil {
		t.Fatal("the disk did not fail")
	}
	well()
	must(t, j.Flush(t.Context()))
	list, err := j.Audits(t.Context(), 0)
	must(t, err)
	if len(list) != auditsKept || list[0].Target != fmt.Sprint(auditsKept+9) {
		t.Errorf("%d, the last is %+v", len(list), list[0])
	}
}

func TestSwaps(t *testing.T) {
	ctx, now := t.Context(), time.Unix(100, 0).UTC()
	j := open(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	must(t, j.SaveSwap(ctx, Swap{Root: "w", Plugin: "b", Digest: "1"}))
	must(t, j.SaveSwap(ctx, Swap{Root: "w", Plugin: "a", Digest: "1", From: "upload"}))
	must(t, j.SaveSwap(ctx, Swap{Root: "w", Plugin: "a", Digest: "2", Previous: "1", From: "source", By: "me"}))
	must(t, j.DeleteSwap(ctx, "w", "b"))
	must(t, j.DeleteSwap(ctx, "w", "never was"))
	list, err := j.Swaps(ctx)
	must(t, err)
	if want := (Swap{Root: "w", Plugin: "a", Digest: "2", Previous: "1", From: "source", By: "me", At: now}); len(list) != 1 || list[0] != want {
		t.Errorf("%+v", list)
	}
	for _, data := range []string{"first", "second"} {
		must(t, j.SaveRecordings(ctx, "w", "a", []byte(data)))
		if b, err := j.Recordings(ctx, "w", "a"); string(b) != data || err != nil {
			t.Errorf("%q %v", b, err)
		}
	}
	must(t, j.SaveRecordings(ctx, "w", "a", nil))
	if b, err := j.Recordings(ctx, "w", "a"); b != nil || err != nil {
		t.Errorf("%q %v", b, err)
	}
	for _, state := range []string{"1", "2"} {
		must(t, j.SaveSchedule(ctx, Schedule{"w", "k", []byte(state)}))
		if list, err := j.Schedules(ctx); err != nil || len(list) != 1 || string(list[0].State) != state {
			t.Errorf("%+v %v", list, err)
		}
	}
	must(t, j.SaveSchedule(ctx, Schedule{Workflow: "w", Key: "k"}))
	if list, err := j.Schedules(ctx); err != nil || len(list) != 0 {
		t.Errorf("%+v %v", list, err)
	}
}
