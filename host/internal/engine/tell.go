package engine

import "wasmhost/host/event"

// tell turns what Progress tells into events.
func (r *run) tell(c *Command) {
	if c.Kind == Level {
		r.emit(&event.Event{Type: event.FallbackUsed, Workflow: c.Ladder.plan.Name, Level: c.Ladder.Number(), Node: c.Ladder.Path(), Error: c.Error})
		return
	}
	e := &event.Event{Workflow: c.Flow.plan.Name, Level: c.Flow.ladder.Number(), Node: c.Path(), Plugin: c.Node.Primary.Plugin}
	if c.Kind == Started {
		e.Type = event.NodeStarted
		r.emit(e)
		return
	}
	if c.Item < 0 && c.Node.ForEach != nil {
		key := nodeKey{c.Flow, c.Node}
		r.endFrame(r.nodes[key], nil)
		delete(r.nodes, key)
	}
	res := c.Result
	e.Status, e.Reason, e.Error, e.DurationMS = res.Status, res.Reason, res.Error, res.DurationMS
	e.Attempt, e.Digest, e.AnsweredBy = res.Attempts, res.Digest, res.AnsweredBy
	if res.Plugin != "" {
		e.Plugin = res.Plugin
	}
	switch res.Status {
	case event.Succeeded, event.Degraded:
		e.Type = event.NodeSucceeded
		e.Output = &res.Output
	case event.Skipped:
		e.Type = event.NodeSkipped
	case event.Cancelled:
		e.Type = event.NodeFailed
		if res.Error == nil { // it never began
			e.Type = event.NodeSkipped
		}
	default:
		e.Type = event.NodeFailed
	}
	r.emit(e)
}
