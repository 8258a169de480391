package main

import (
	"os"
	"path/filepath"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// patience is how long a run may be silent before its reader is told why.
const patience = 500 * time.Millisecond

const preparing = "preparing plugins: the first run compiles them, which takes seconds for large ones; the result is kept"

// firstRun is the progress of a run whose plugins are probably not compiled
// yet: when nothing comes back from a plugin for a while, it says what is going
// on. Without that a newcomer's first run looks stuck.
type firstRun struct {
	progress
	timer *time.Timer
}

func newFirstRun(p progress) *firstRun {
	return &firstRun{p, time.AfterFunc(patience, func() { p.note(preparing) })}
}

// Emit passes an event on. The first that only a plugin can have caused ends
// the waiting.
func (f *firstRun) Emit(e *event.Event) {
	switch e.Type {
	case event.NodeSucceeded, event.NodeFailed, event.NodeAttemptFailed, event.HealthChecked, event.Log, event.RunFinished:
		f.timer.Stop()
	}
	f.progress.Emit(e)
}

// Close ends both.
func (f *firstRun) Close() {
	f.timer.Stop()
	f.progress.Close()
}

// uncompiled reports whether a cache of compiled plugins holds fewer than the
// workflow names: then this run compiles some. It may miss a plugin that took
// the place of another; the run is as silent then as any.
func uncompiled(cache string, p *workflow.Plan) bool {
	kept, _ := os.ReadDir(filepath.Join(cache, "compiled")) // none when it is not there yet
	sources := map[string]bool{}
	seen := map[*workflow.Plan]bool{}
	var visit func(*workflow.Plan)
	visit = func(p *workflow.Plan) {
		if seen[p] {
			return
		}
		seen[p] = true
		for _, pl := range p.Plugins {
			sources[pl.Source] = true
		}
		for i := range p.Nodes {
			if sub := p.Nodes[i].Sub; sub != nil {
				visit(sub)
			}
		}
	}
	visit(p)
	return len(kept) < len(sources)
}
