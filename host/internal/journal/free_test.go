package journal_test

import (
	"slices"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/journal"
)

// TestFree: a run is free to go on with when it was interrupted, when its deadline
// has passed, or when it was told something; not when it is at work or waits.
func TestFree(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	open := func() *journal.Journal {
		j, err := journal.Open(ctx, dir, journal.Options{Durability: journal.Normal, Lease: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	begin := func(j *journal.Journal, id string) *journal.Writer {
		w, err := j.Begin(ctx, journal.NewRun{ID: id, Workflow: "w", File: "/w.toml", Digest: "d"})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	done := func(do func(func(error))) {
		t.Helper()
		told := make(chan error, 1)
		do(func(err error) { told <- err })
		if err := <-told; err != nil {
			t.Fatal(err)
		}
	}
	wait := func(w *journal.Writer, wake time.Time) {
		t.Helper()
		done(func(tell func(error)) {
			w.End(journal.End{Status: event.Waiting, Reason: "an approval", Wake: wake, Result: []byte("{}")}, tell)
		})
	}
	a, b := open(), open()
	begin(a, "at-work-here")
	begin(b, "at-work-there")
	done(begin(a, "interrupted").Leave)
	wait(begin(a, "waits"), time.Time{})
	wait(begin(a, "waits-longer"), time.Now().Add(time.Hour))
	wait(begin(b, "due"), time.Now().Add(-time.Second))
	wait(begin(a, "told"), time.Time{})
	command, err := a.Send(ctx, journal.Command{Run: "told", Kind: "cancel"})
	if err != nil {
		t.Fatal(err)
	}
	done(func(tell func(error)) {
		begin(a, "ended").End(journal.End{Status: event.Succeeded, Result: []byte("{}")}, tell)
	})

	free := func(want ...string) {
		t.Helper()
		got, err := a.Free(ctx)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("free: %v, %v; want %v", got, err, want)
		}
	}
	free("interrupted", "due", "told")
	if err := a.Done(ctx, command, ""); err != nil {
		t.Fatal(err)
	}
	free("interrupted", "due")
	if err := b.Close(ctx); err != nil {
		t.Fatal(err)
	}
	free("at-work-there", "interrupted", "due")
	if s := a.Stats(); s.Bytes == 0 || s.Commits == 0 || s.Failed || s.Backlog != 0 {
		t.Errorf("stats: %+v", s)
	}
	if err := a.Close(ctx); err != nil {
		t.Fatal(err)
	}
}
