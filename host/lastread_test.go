package host

import (
	"fmt"
	"strings"
	"testing"

	"wasmhost/host/event"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/journal"
)

// TestEventsAreReadOn: what was read of a run is not read again, and is given up when
// a generation begins, or when the run is deleted and another one has its id.
func TestEventsAreReadOn(t *testing.T) {
	ctx := t.Context()
	h, err := Open(ctx, Config{CacheDir: "-", State: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(ctx)
	begin := func(id string) *journal.Writer {
		t.Helper()
		w, err := h.journal.Begin(ctx, journal.NewRun{ID: id, Workflow: "w", File: "/w.toml", Digest: "sha256:0"})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	put := func(w *journal.Writer, nodes ...string) {
		for _, n := range nodes {
			w.Append(journal.Record{Event: &event.Event{V: event.Version, Run: w.ID(), Type: event.NodeStarted, Node: n}}, nil)
		}
	}
	want := func(id, nodes string) {
		t.Helper()
		if err := h.journal.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		info, err := h.find(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		all, err := h.eventsOf(ctx, info)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range all {
			got = append(got, e.Node)
		}
		if s := strings.Join(got, " "); s != nodes {
			t.Errorf("run %s: %s, want %s", id, s, nodes)
		}
	}
	one, two := begin("one-run"), begin("two-run")
	put(one, "a", "b")
	put(two, "x")
	want("one-run", "a b")
	before := h.read.is
	put(one, "c")
	want("one-run", "a b c")
	if before == nil || h.read.is != before || before.n != 3 {
		t.Error("it was read from the beginning")
	}
	want("two-run", "x")
	want("one-run", "a b c")
	one.Reopen(2, "sha256:0", "/w.toml", journal.Record{Mark: engine.MarkSeed, Note: []byte("{}")}, nil)
	put(one, "again")
	want("one-run", "again")
	if err := giveBack(one); err != nil {
		t.Fatal(err)
	}
	if err := h.DeleteRun(ctx, "one-run"); err != nil {
		t.Fatal(err)
	}
	one = begin("one-run")
	put(one, "1", "2", "3", "4", "5", "6")
	want("one-run", "1 2 3 4 5 6")
	for i := range 20 { // more than is kept
		r := journal.Record{Event: &event.Event{V: event.Version, Run: "two-run", Type: event.Log, Node: fmt.Sprint(i), Message: strings.Repeat("x", 2<<20)}}
		two.Append(r, nil)
	}
	want("two-run", "x 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19")
	if e := h.read.is; e != nil && e.run == "two-run" {
		t.Errorf("%d bytes are kept", e.bytes)
	}
	for _, w := range []*journal.Writer{one, two} {
		if err := giveBack(w); err != nil {
			t.Fatal(err)
		}
	}
}
