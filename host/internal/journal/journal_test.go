package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wasmhost/host/event"
)

var values = cmp.Comparer(func(a, b event.Value) bool { return string(a.JSON()) == string(b.JSON()) })

func sameRecords(t testing.TB, run string, got []Record, first, last int) {
	t.Helper()
	if len(got) != max(last-first+1, 0) {
		t.Fatalf("%d records, want %d to %d", len(got), first, last)
	}
	for i, r := range got {
		want := step(run, first+i)
		want.N = uint64(first + i)
		if alike(want, r) {
			continue // cmp takes its time
		}
		if diff := cmp.Diff(want, r, values, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("record %d: -want +got\n%s", first+i, diff)
		}
	}
}

func alike(a, b Record) bool {
	x, _ := a.encode()
	y, _ := b.encode()
	return a.N == b.N && x.sum() == y.sum() && string(a.Output) == string(b.Output) && (a.Event == nil) == (b.Event == nil)
}

func TestRunLife(t *testing.T) {
	ctx, dir := t.Context(), filepath.Join(t.TempDir(), "state")
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	now := func() time.Time { at = at.Add(time.Second); return at }
	j := open(t, dir, Options{Now: now, Lease: time.Hour, Role: "serve"})
	w := begin(t, j, "r1")
	for n := 1; n <= 50; n++ {
		if n < 50 {
			w.Append(step("r1", n), nil)
		} else {
			must(t, append1(w, step("r1", n)))
		}
	}
	if n := j.Stats().Backlog; n != 0 {
		t.Errorf("backlog %d", n)
	}
	list, err := j.Records(ctx, "r1", 0, 0)
	must(t, err)
	sameRecords(t, "r1", list, 1, 50)
	list, err = j.Records(ctx, "r1", 10, 5)
	must(t, err)
	sameRecords(t, "r1", list, 11, 15)
	list, err = j.Records(ctx, "r1", 50, 0)
	must(t, err)
	sameRecords(t, "r1", list, 51, 50)

	r, err := j.Run(ctx, "r1")
	must(t, err)
	if !r.Alive || r.Owner == "" || r.Status != event.Running || r.Records != 50 || r.Input.String() != "in" || !r.UpdatedAt.After(r.CreatedAt) {
		t.Errorf("alive: %+v", r)
	}
	if _, err := j.Begin(ctx, NewRun{ID: "r1"}); !errors.As(err, new(*ExistsError)) {
		t.Errorf("begun twice: %v", err)
	}
	if _, _, err := j.Take(ctx, "r1"); !errors.As(err, new(*AliveError)) {
		t.Errorf("taken alive: %v", err)
	}
	if err := j.Delete(ctx, "r1"); !errors.As(err, new(*AliveError)) {
		t.Errorf("deleted alive: %v", err)
	}

	// It waits, is taken again, and ends.
	wake := at.Add(time.Hour)
	must(t, wait(func(done func(error)) {
		w.End(End{Status: event.Waiting, Reason: "approval", Wake: wake}, done)
	}))
	if err := append1(w, step("r1", 51)); err == nil {
		t.Error("a record after the end")
	}
	if r, err = j.Run(ctx, "r1"); err != nil || r.Alive || r.Status != event.Waiting || r.Reason != "approval" || !r.Wake.Equal(wake) || !r.FinishedAt.IsZero() {
		t.Errorf("waiting: %+v %v", r, err)
	}
	w, found, err := j.Take(ctx, "r1")
	must(t, err)
	if found.Status != event.Waiting {
		t.Errorf("found %+v", found)
	}
	must(t, append1(w, step("r1", 51)))
	result := []byte(`{"output":"` + string(make32k()) + `"}`)
	failure := &event.Error{Class: event.Permanent, Message: "boom"}
	must(t, wait(func(done func(error)) {
		w.End(End{Status: event.Failed, Error: failure, Result: result, Plugins: map[string]string{"p": "sha256:2"}, DurationMS: 1.5}, done)
	}))
	r, err = j.Run(ctx, "r1")
	must(t, err)
	if r.Status != event.Failed || r.Alive || r.Error.Message != "boom" || r.Plugins["p"] != "sha256:2" || r.DurationMS != 1.5 || r.FinishedAt.IsZero() || r.Records != 51 || r.Wake != (time.Time{}) {
		t.Errorf("ended: %+v", r)
	}
	if got, err := j.Result(ctx, "r1"); err != nil || string(got) != string(result) {
		t.Errorf("result of %d bytes, %v", len(got), err)
	}

	// A person retries it.
	w, found, err = j.Take(ctx, "r1")
	must(t, err)
	if found.Status != event.Failed || found.Generation != 1 {
		t.Errorf("found %+v", found)
	}
	asked, err := j.Send(ctx, Command{Run: "r1", Kind: "cancel", By: "me", Data: []byte("{}")})
	must(t, err)
	must(t, wait(func(done func(error)) { w.Reopen(2, "sha256:9", "/v.toml", step("r1", 52), done) }))
	must(t, append1(w, step("r1", 53)))
	if list, err := j.Records(ctx, "r1", 51, 0); err != nil || len(list) != 2 || list[0].N != 52 || list[1].N != 53 {
		t.Errorf("the second generation: %+v, %v", list, err)
	}
	if answer, taken, err := j.Answer(ctx, asked); err != nil || !taken || !strings.Contains(answer, "run_ended") {
		t.Errorf("what was asked of the first generation: %q, %v, %v", answer, taken, err)
	}
	if r, err = j.Run(ctx, "r1"); err != nil || r.Status != event.Running || r.Generation != 2 || r.Error != nil || !r.FinishedAt.IsZero() || r.Digest != "sha256:9" || r.File != "/v.toml" {
		t.Errorf("reopened: %+v %v", r, err)
	}
	if got, err := j.Result(ctx, "r1"); err != nil || got != nil {
		t.Errorf("a result is left: %s %v", got, err)
	}
	must(t, wait(w.Leave))
	must(t, j.Delete(ctx, "r1"))
	if _, err := j.Run(ctx, "r1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
	for table, want := range map[string]int64{"runs": 0, "records": 0, "outputs": 0} {
		must(t, j.read(ctx, func(c *conn) error {
			n, err := c.one("SELECT count(*) FROM " + table)
			if n != want {
				t.Errorf("%d rows in %s", n, table)
			}
			return err
		}))
	}
}

func make32k() []byte {
	b := make([]byte, 32<<10)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return b
}

func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "state")
	j := open(t, dir, Options{})
	begin(t, j, "r")
	for name, want := range map[string]os.FileMode{"": 0o700, fileName: 0o600, fileName + "-wal": 0o600, fileName + "-shm": 0o600, markName: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%q has mode %o, want %o", name, got, want)
		}
	}
}

func TestReopenedJournalGoesOn(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	j := open(t, dir, Options{Durability: Normal})
	w := begin(t, j, "r")
	for n := 1; n <= 10; n++ {
		w.Append(step("r", n), nil)
	}
	shut(t, j)
	if err := w.Err(); !errors.Is(err, ErrClosed) {
		t.Errorf("the writer of a closed journal: %v", err)
	}
	if err := append1(w, step("r", 11)); !errors.Is(err, ErrClosed) {
		t.Errorf("appended to a closed journal: %v", err)
	}
	if _, err := j.Run(ctx, "r"); !errors.Is(err, ErrClosed) {
		t.Errorf("read from a closed journal: %v", err)
	}
	if _, err := j.Begin(ctx, NewRun{ID: "x"}); !errors.Is(err, ErrClosed) {
		t.Errorf("begun in a closed journal: %v", err)
	}
	j = open(t, dir, Options{})
	w, r, err := j.Take(ctx, "r")
	must(t, err)
	if r.Status != event.Running || r.Records != 10 || r.Alive {
		t.Errorf("found %+v", r)
	}
	must(t, append1(w, step("r", 11)))
	list, err := j.Records(ctx, "r", 0, 0)
	must(t, err)
	sameRecords(t, "r", list, 1, 11)
}
