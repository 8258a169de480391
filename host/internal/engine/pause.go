package engine

import (
	"time"

	"wasmhost/host/event"
)

// check runs the health checks of a flow.
func (r *run) check(f *Flow) {
	ctx := r.ladders[f.ladder].ctx
	r.busy++
	go func() {
		r.answer(message{kind: Check, flow: f, report: r.local.Health.Check(ctx, f.plan, r.start.ID)})
	}()
}

// pause waits before another round of a flow.
func (r *run) pause(c *Command) {
	if r.replay != nil && r.retold > 0 { // the wait was chosen already
		r.retold--
		r.replay.pauses[c.Ladder.keys] = c.Flow
		return
	}
	f := c.Flow
	wait := r.local.Caller.Wait(&f.plan.Run.Retry, c.Round, f.lastPause, c.Error, f.ladder.keys)
	f.lastPause = wait
	r.remember(note{Kind: notePausing, Wait: wait}, f.ladder.keys)
	r.tellOnce(&event.Event{Type: event.NodeRetrying, Workflow: f.plan.Name, Level: f.ladder.Number(), Node: f.ladder.Path(),
		Attempt: c.Round + 1, RetryInMS: float64(wait) / 1e6, Error: c.Error, Reason: "the whole run"})
	r.wait(f, wait)
}

// wait answers a Pause after d.
func (r *run) wait(f *Flow, d time.Duration) {
	ctx := r.ladders[f.ladder].ctx
	timer := r.clock.NewTimer(d)
	r.busy++
	go func() {
		defer timer.Stop()
		select {
		case <-timer.C():
		case <-ctx.Done():
		}
		r.answer(message{kind: Pause, flow: f})
	}()
}
