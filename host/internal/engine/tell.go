package engine

import (
	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// tell turns what Progress tells into events.
func (r *run) tell(c *Command) {
	if c.Kind == Level {
		r.tellOnce(&event.Event{Type: event.FallbackUsed, Workflow: c.Ladder.plan.Name, Level: c.Ladder.Number(), Node: c.Ladder.Path(), Error: c.Error})
		return
	}
	e := &event.Event{Workflow: c.Flow.plan.Name, Level: c.Flow.ladder.Number(), Node: c.Path(), Plugin: c.Node.Primary.Plugin}
	if c.Kind == Started {
		e.Type = event.NodeStarted
		r.tellOnce(e)
		return
	}
	if c.Kind == Ask {
		if c.Node.Kind == workflow.ApprovalNode {
			r.ctx(c.Flow, c.Node) // its deadline begins
		}
		e.Type, e.Status, e.Reason = event.NodeWaiting, event.Waiting, c.Reason
		if c.Result != nil {
			e.Error = c.Result.Error
		}
		r.tellOnce(e)
		return
	}
	if c.Item < 0 && (c.Node.ForEach != nil || c.Node.Kind == workflow.ApprovalNode) {
		key := nodeKey{c.Flow, c.Node}
		r.endFrame(r.nodes[key], nil)
		delete(r.nodes, key)
	}
	res := c.Result
	e.Status, e.Reason, e.Error, e.DurationMS = res.Status, res.Reason, res.Error, res.DurationMS
	e.Attempt, e.Digest, e.AnsweredBy = res.Attempts, res.Digest, res.AnsweredBy
	e.Steps, e.MemoryBytes, e.HostCalls = res.Steps, res.MemoryBytes, res.HostCalls
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
	r.tellOnce(e)
}

// tellOnce tells what follows from the answers alone, unless another process,
// that had the same answers, has told it already.
func (r *run) tellOnce(e *event.Event) {
	if r.retold > 0 {
		r.retold--
		return
	}
	e.Mark = MarkTold
	r.emit(e)
}
