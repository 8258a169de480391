package host

import (
	"context"
	"fmt"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
)

// pluginChanged is told by a plugin's versions of every change.
func (h *Host) pluginChanged(e *entry, c plugin.VersionChange) {
	if e.quiet.Load() {
		return
	}
	switch c.What {
	case plugin.ChangeSwap, plugin.ChangePromote:
		h.tellRoot(e.at.root, func() *event.Event {
			return &event.Event{Type: event.PluginSwapped, Workflow: e.at.root, Plugin: e.spec.Name, From: c.From, To: c.To, Reason: c.Reason}
		})
	}
}

// trialEnded is told when a canary or shadow is over, whoever ended it.
func (h *Host) trialEnded(e *entry, end plugin.TrialEnd) {
	r := h.trialResult(end)
	e.trial.Store(r)
	h.observer.Load().trialEnded(e, r)
	h.Audit(context.Background(), event.Audit{By: string(end.Mode), Action: "plugin.trial", Target: e.at.String(), OK: end.Promoted || end.Mode == event.SwapShadow,
		Detail: fmt.Sprintf("%s: %s: %s", end.Digest, r.Outcome, end.Reason)})
	if end.Promoted {
		// The goroutine of a call waits for us.
		h.later(func(ctx context.Context) { h.keepSwap(ctx, e, string(end.Mode)) })
	}
}

func (h *Host) trialResult(end plugin.TrialEnd) *event.TrialResult {
	r := &event.TrialResult{Mode: end.Mode, Digest: end.Digest, EndedAt: h.clock.Now(), Outcome: "ended", Reason: end.Reason,
		Calls: end.Calls, Failures: end.Failures, Differ: end.Differ, Skipped: end.Skipped, Differences: end.Differences}
	switch {
	case end.Promoted:
		r.Outcome = "promoted"
	case end.Judged && end.Mode == event.SwapCanary:
		r.Outcome = "rolled_back"
	}
	return r
}

// tellRoot tells every live run of a root workflow, or the Host's Sink alone
// where there is none.
func (h *Host) tellRoot(root string, make func() *event.Event) {
	live := h.liveOf(root)
	for _, r := range live {
		r.emit(make())
	}
	if len(live) == 0 {
		e := make()
		e.V, e.Time = event.Version, h.clock.Now()
		if s := h.config.Sink; s != nil {
			s.Emit(e)
		}
		h.observer.Load().event(e)
	}
}

// liveOf are the runs of a root workflow that have an engine.
func (h *Host) liveOf(root string) []*Run {
	h.mu.Lock()
	defer h.mu.Unlock()
	var live []*Run
	for _, r := range h.runs {
		if r.live && r.workflow.plan.Name == root {
			live = append(live, r)
		}
	}
	return live
}

// later does something that is not to be waited for; Close waits for it.
func (h *Host) later(do func(context.Context)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.ending.Go(func() { do(context.Background()) })
	}
}
