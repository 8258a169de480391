package journal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wasmhost/host/event"
)

func ids(runs []*Run) string {
	var list []string
	for _, r := range runs {
		list = append(list, r.ID)
	}
	return strings.Join(list, " ")
}

// tenRuns: run0 to run9, of flow a and b in turn, one a minute; 0 to 3
// succeeded, 4 and 5 failed, 6 and 7 wait, 8 and 9 run.
func tenRuns(t *testing.T) (*Journal, *time.Time) {
	at := time.Unix(1_700_000_000, 0)
	j := open(t, t.TempDir(), Options{Now: func() time.Time { return at }, Lease: 24 * time.Hour})
	for i, status := range []event.Status{0: event.Succeeded, 4: event.Failed, 6: event.Waiting, 9: event.Running} {
		switch i {
		case 1, 2, 3:
			status = event.Succeeded
		case 5:
			status = event.Failed
		case 7:
			status = event.Waiting
		case 8:
			status = event.Running
		}
		id := fmt.Sprint("run", i)
		w, err := j.Begin(t.Context(), NewRun{ID: id, Workflow: string(rune('a' + i%2))})
		must(t, err)
		w.Append(step(id, 1), nil)
		if status != event.Running {
			must(t, wait(func(done func(error)) { w.End(End{Status: status, Result: make32k()}, done) }))
		}
		at = at.Add(time.Minute)
	}
	must(t, j.Flush(t.Context()))
	return j, &at
}

func TestRuns(t *testing.T) {
	ctx := t.Context()
	j, at := tenRuns(t)
	for _, c := range []struct {
		f    Filter
		want string
	}{
		{Filter{}, "run9 run8 run7 run6 run5 run4 run3 run2 run1 run0"},
		{Filter{Limit: 3}, "run9 run8 run7"},
		{Filter{Limit: 3, Before: "run7"}, "run6 run5 run4"},
		{Filter{Before: "nobody"}, ""},
		{Filter{Workflow: "b"}, "run9 run7 run5 run3 run1"},
		{Filter{Workflow: "b", Status: []event.Status{event.Succeeded, event.Running}}, "run9 run3 run1"},
		{Filter{Status: []event.Status{event.Waiting, event.Failed}}, "run7 run6 run5 run4"},
		{Filter{Since: at.Add(-2*time.Minute - time.Second)}, "run9 run8"},
		{Filter{Since: time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)}, ""},
		{Filter{Since: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), Limit: 1}, "run9"},
		{Filter{Workflow: "none"}, ""},
	} {
		list, err := j.Runs(ctx, c.f)
		must(t, err)
		if got := ids(list); got != c.want {
			t.Errorf("%+v: %s, want %s", c.f, got, c.want)
		}
		for _, r := range list {
			one, err := j.Run(ctx, r.ID)
			must(t, err)
			if one.Records != 1 || r.Records != 1 || r.Alive != one.Alive || r.Alive != (r.Status == event.Running) || !r.UpdatedAt.Equal(one.UpdatedAt) {
				t.Errorf("in the list %+v, alone %+v", r, one)
			}
		}
	}
	counts, err := j.Counts(ctx, "")
	must(t, err)
	if fmt.Sprint(counts) != "map[failed:2 running:2 succeeded:4 waiting:2]" {
		t.Error(counts)
	}
	if counts, err = j.Counts(ctx, "a"); err != nil || fmt.Sprint(counts) != "map[failed:1 running:1 succeeded:2 waiting:1]" {
		t.Error(counts, err)
	}
	for prefix, want := range map[string]int{"run": 10, "run3": 1, "run33": 0, "%": 0, "": 10} {
		if found, err := j.Find(ctx, prefix); err != nil || len(found) != want || !slices.IsSorted(found) {
			t.Errorf("%q: %v %v", prefix, found, err)
		}
	}
	for _, err := range []error{
		func() error { _, err := j.Run(ctx, "nobody"); return err }(),
		func() error { _, err := j.Records(ctx, "nobody", 0, 0); return err }(),
		func() error { _, err := j.Result(ctx, "nobody"); return err }(),
		func() error { _, _, err := j.Take(ctx, "nobody"); return err }(),
		j.Delete(ctx, "nobody"),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
	}
}

func TestRetain(t *testing.T) {
	ctx := t.Context()
	for _, c := range []struct {
		age   time.Duration
		count int
		want  string
	}{
		{0, 0, "run9 run8 run7 run6 run5 run4 run3 run2 run1 run0"},
		{0, 2, "run9 run8 run7 run6 run5 run4"},
		{7*time.Minute + time.Second, 0, "run9 run8 run7 run6 run5 run4 run3"},
		{7*time.Minute + time.Second, 1, "run9 run8 run7 run6 run5"},
		{time.Second, 1, "run9 run8 run7 run6"},
	} {
		j, _ := tenRuns(t)
		deleted, err := j.Retain(ctx, c.age, c.count)
		must(t, err)
		list, err := j.Runs(ctx, Filter{})
		must(t, err)
		if got := ids(list); got != c.want || len(deleted) != 10-len(list) {
			t.Errorf("%v %d: %s left, %v deleted", c.age, c.count, got, deleted)
		}
		for _, id := range deleted {
			if slices.ContainsFunc(list, func(r *Run) bool { return r.ID == id }) {
				t.Errorf("%v %d: %s is said to be deleted", c.age, c.count, id)
			}
		}
		kept := int64(0)
		for _, r := range list {
			if r.Status.Ended() || r.Status == event.Waiting {
				kept = 1
			}
		}
		must(t, j.read(ctx, func(conn *conn) error {
			n, err := conn.one("SELECT count(*) FROM outputs") // all results are the same
			if n != kept {
				t.Errorf("%v %d: %d outputs", c.age, c.count, n)
			}
			return err
		}))
		// The ids are free again, and histories do not mix.
		if len(deleted) > 0 {
			w := begin(t, j, "run0")
			must(t, append1(w, step("run0", 1)))
			records, err := j.Records(ctx, "run0", 0, 0)
			must(t, err)
			sameRecords(t, "run0", records, 1, 1)
		}
	}
}
