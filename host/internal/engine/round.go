package engine

import (
	"maps"
	"slices"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
)

// A flow ends in rounds: when all its nodes have ended, it either gives its
// ladder a result or, after a pause, does again what did not succeed.

// finish ends the round when all nodes have ended.
func (f *Flow) finish() {
	if f.finished {
		return
	}
	if f.ladder.killed != nil && f.failure == nil && !f.untouched() {
		f.close(event.Level{Status: f.ladder.status, Error: f.ladder.killed})
		return
	}
	if f.failure == nil {
		out, err := f.plan.RenderOutput(f.p.ctx, &f.scope)
		if err == nil {
			status := event.Succeeded
			if f.degraded {
				status = event.Degraded
			}
			f.close(event.Level{Status: status, Output: out})
			return
		}
		f.failure = asError(err)
	}
	why := ""
	if f.retries() {
		unknown := f.unrepeatable()
		if unknown == "" {
			f.round++
			f.waiting = true
			f.p.put(Command{Kind: Pause, Ladder: f.ladder, Flow: f, Item: -1, Round: f.round, Error: f.failure})
			return
		}
		why = "not retried: nobody knows whether " + quote(unknown) + " did its work, and it must not be done twice"
	}
	f.close(event.Level{Status: event.Failed, Error: f.failure, Reason: why})
}

// retries reports whether the failure is one after which the whole run is
// tried again.
func (f *Flow) retries() bool {
	retry := &f.plan.Run.Retry
	return f.ladder.killed == nil && f.round < retry.MaxRetries &&
		(lists(retry.On, f.failure.Class) || retry.On == nil && f.failure.Class == event.Transient)
}

// unrepeatable names a node that another round would call again although it is
// not idempotent and nobody knows what its last call did; "": there is none.
func (f *Flow) unrepeatable() string {
	for i := range f.nodes {
		if s := &f.nodes[i]; !s.result.Kept() && !s.absorbed {
			if id := unknownIn(f.plan.Nodes[i].ID, s.result); id != "" {
				return id
			}
		}
	}
	return ""
}

// unknownIn looks into items, sub-workflows and their levels, too.
func unknownIn(id string, r *event.NodeResult) string {
	if r.Error != nil && r.Error.Code == call.OutcomeUnknown {
		return id
	}
	for i, item := range r.Items {
		if found := unknownIn(id+"["+itoa(i)+"]", item); found != "" {
			return found
		}
	}
	if r.Run != nil {
		return unknownInLevel(id+"/", r.Run)
	}
	return ""
}

func unknownInLevel(prefix string, l *event.Level) string {
	for i := range l.Levels {
		if found := unknownInLevel(prefix, &l.Levels[i]); found != "" {
			return found
		}
	}
	// In one order: a replay has to name the same.
	for _, id := range slices.Sorted(maps.Keys(l.Nodes)) {
		if found := unknownIn(prefix+id, l.Nodes[id]); found != "" {
			return found
		}
	}
	return ""
}

// untouched reports whether a cancel came too late to change anything.
func (f *Flow) untouched() bool {
	for i := range f.nodes {
		if r := f.nodes[i].result; r == nil || r.Status == event.Cancelled {
			return false
		}
	}
	return true
}

func (f *Flow) close(level event.Level) {
	f.finished = true
	level.Workflow = f.plan.Name
	level.Health = f.report
	level.DurationMS = f.p.since(f.started)
	level.Nodes = make(event.NodeMap, len(f.nodes))
	for i := range f.nodes {
		if r := f.nodes[i].result; r != nil {
			level.Nodes[f.plan.Nodes[i].ID] = r
		}
	}
	f.ladder.done(level)
}

func (f *Flow) paused() {
	if !f.waiting {
		return
	}
	f.waiting = false
	if f.ladder.killed != nil {
		f.close(event.Level{Status: f.ladder.status, Error: f.ladder.killed})
		return
	}
	f.reset()
	f.begin()
}

// reset makes everything pending again but what succeeded and the failures that
// were absorbed: finished work is never repeated.
func (f *Flow) reset() {
	f.failure, f.stopping, f.finished, f.degraded, f.unended = nil, false, false, false, 0
	for i := range f.nodes {
		s := &f.nodes[i]
		if s.result.Kept() || s.absorbed {
			f.degraded = f.degraded || s.absorbed || s.result.Status == event.Degraded
			continue
		}
		s.result, s.running, s.handlers = nil, false, 0
		f.unended++
	}
	for i := range f.nodes {
		s := &f.nodes[i]
		if s.result != nil {
			continue
		}
		s.left = 0
		for _, need := range f.plan.Nodes[i].Needs {
			if f.nodes[need].result == nil {
				s.left++
			}
		}
	}
}
