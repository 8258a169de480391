package main

import (
	"time"

	"wasmhost/host/event"
)

// patience is how long a run may be silent before its reader is told why.
const patience = 500 * time.Millisecond

const preparing = "preparing plugins: the first run compiles them, which takes seconds for large ones; the result is kept"

// firstRun is the progress of a run that says why it is silent: when nothing
// has come back from a plugin for a while and plugins are being loaded, it says
// so. Without that a newcomer's first run looks stuck.
type firstRun struct {
	progress
	timer *time.Timer
}

func newFirstRun(p progress, loading func() int) *firstRun {
	return &firstRun{p, time.AfterFunc(patience, func() {
		if loading() > 0 {
			p.note(preparing)
		}
	})}
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
func (f *firstRun) Close(stopped string) {
	f.timer.Stop()
	f.progress.Close(stopped)
}
