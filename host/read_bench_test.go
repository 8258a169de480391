package host

import (
	"fmt"
	"testing"

	"wasmhost/host/event"
	"wasmhost/host/internal/journal"
)

// BenchmarkLargeRun is what the page of a run that goes on asks for, its result so
// far and what it waits for: of 10,000 nodes that have succeeded.
func BenchmarkLargeRun(b *testing.B) {
	ctx := b.Context()
	h, err := Open(ctx, Config{CacheDir: "-", State: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close(ctx)
	w, err := h.journal.Begin(ctx, journal.NewRun{ID: "large", Workflow: "w", File: "/w.toml", Digest: "sha256:0"})
	if err != nil {
		b.Fatal(err)
	}
	seq := uint64(0)
	put := func(e event.Event) {
		seq++
		e.V, e.Seq, e.Run, e.Workflow, e.Time = event.Version, seq, "large", "w", h.clock.Now()
		r := journal.Record{Event: &e}
		if e.Output != nil {
			r.Output = e.Output.JSON()
		}
		w.Append(r, nil)
	}
	out := event.Text("an answer of some length, as plugins give")
	for i := range 10_000 {
		id := fmt.Sprintf("n%d", i)
		put(event.Event{Type: event.NodeStarted, Node: id, Plugin: "p"})
		put(event.Event{Type: event.NodeSucceeded, Node: id, Plugin: "p", Status: event.Succeeded, Attempt: 1, Digest: "sha256:0", Output: &out, DurationMS: 1.5})
	}
	put(event.Event{Type: event.NodeStarted, Node: "last", Plugin: "p"})
	if err := h.journal.Flush(ctx); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := h.RunResult(ctx, "large")
		if err != nil || len(r.Nodes) != 10_001 {
			b.Fatal(len(r.Nodes), err)
		}
		waits, err := h.Why(ctx, "large")
		if err != nil || len(waits) != 1 {
			b.Fatal(waits, err)
		}
	}
	b.StopTimer()
	w.Leave(nil)
}
