package engine

import (
	"bytes"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/workflow"
)

// A node that is a sub-workflow is a ladder of its own under the flow. Its
// items, if it has any, are ladders in items' own list.

// startSub starts a sub-workflow, or goes on with one of an earlier round.
func (f *Flow) startSub(n *workflow.Node, item int) {
	f.p.put(Command{Kind: Started, Ladder: f.ladder, Flow: f, Node: n, Item: item})
	var input event.Value
	if n.Primary.With == nil {
		input = f.Input(n, item)
	} else {
		v, err := n.Primary.With.Render(f.p.ctx, f.Scope(n, item))
		if err != nil {
			f.subFailed(n, item, failed(n, err))
			return
		}
		input = v
	}
	at := f.child(n, item)
	if old := *at; old != nil && old.ended && bytes.Equal(old.input.JSON(), input.JSON()) {
		old.again()
		return
	}
	*at = &Ladder{p: f.p, plan: n.Sub, input: input, parent: f, node: n.Index, item: item, number: f.ladder.number,
		prefix: f.path(n, item) + "/", keys: f.Key(n, item) + "/", seed: f.subSeed(n, item)}
	(*at).begin()
}

// child is where the ladder of a node or an item is kept.
func (f *Flow) child(n *workflow.Node, item int) **Ladder {
	s := &f.nodes[n.Index]
	if item < 0 {
		return &s.child
	}
	if s.items.children == nil {
		s.items.children = make([]*Ladder, len(s.items.values))
	}
	return &s.items.children[item]
}

// subEnded takes the end of a sub-workflow.
func (f *Flow) subEnded(l *Ladder) {
	n := l.Node()
	level := l.Level()
	r := &event.NodeResult{Status: level.Status, Output: level.Output, Run: &level, DurationMS: level.DurationMS, Attempts: l.newAttempts()}
	f.tally(n, l.item).inside = r.Attempts
	switch {
	case level.Status == event.Cancelled:
		e := *level.Error
		e.Node = ""
		r.Output, r.Reason, r.Error = event.Null, e.Message, &e
		f.called(n, l.item, r)
	case !r.Kept():
		e := *level.Error
		e.Node = ""
		e.Message = "sub-workflow " + quote(l.plan.Name) + ": " + e.Message
		if level.Error.Node != "" {
			e.Message = "sub-workflow " + quote(l.plan.Name) + ": node " + quote(level.Error.Node) + ": " + level.Error.Message
		}
		r.Status, r.Output, r.Error = event.Failed, event.Null, &e
		f.subFailed(n, l.item, r)
	default:
		if n.Output != nil {
			if err := n.Output.Check(r.Output); err != nil {
				r.Status, r.Output = event.Failed, event.Null
				r.Error = &event.Error{Class: event.Permanent, Code: "invalid_output", Message: "the output of workflow " + quote(l.plan.Name) + ": " + err.Error()}
				f.subFailed(n, l.item, r)
				return
			}
		}
		r.AnsweredBy = "primary"
		f.called(n, l.item, r)
	}
}

// subFailed asks the node's fallbacks for what its sub-workflow could not give.
func (f *Flow) subFailed(n *workflow.Node, item int, r *event.NodeResult) {
	if r.Error.Node == "" {
		r.Error.Node = f.path(n, item)
	}
	// As with plugins: what may have been done must not be done by another.
	if len(n.Fallbacks) == 0 || r.Error.Code == call.OutcomeUnknown || f.Abandons(n) || f.itemCut(n, item) {
		f.called(n, item, r)
		return
	}
	r.Errors = append(r.Errors, r.Error)
	f.p.put(Command{Kind: Call, Ladder: f.ladder, Flow: f, Node: n, Item: item, From: 1, Prior: r})
}

// cutSubs ends the sub-workflows of a node.
func (f *Flow) cutSubs(n *workflow.Node, why *event.Error) {
	s := &f.nodes[n.Index]
	if n.Kind != workflow.WorkflowNode || !s.running {
		return
	}
	if s.child != nil {
		s.child.cut(why)
	}
	if s.items != nil {
		for _, c := range s.items.children {
			if c != nil {
				c.cut(why)
			}
		}
	}
}

// cut is kill from above: the contexts of its calls end with the one above.
func (l *Ladder) cut(why *event.Error) {
	if l.ended || l.killed != nil {
		return
	}
	l.mark(why, event.Cancelled)
	l.sweep()
}

// newAttempts counts the plugin calls since the ladder last reported them: its
// primary flow goes on counting over the rounds of the run, its levels do not.
func (l *Ladder) newAttempts() int {
	n := attempts(&l.levels[0]) - l.counted
	l.counted += n
	for i := 1; i < len(l.levels); i++ {
		n += attempts(&l.levels[i])
	}
	return n
}

func attempts(level *event.Level) int {
	n := 0
	if len(level.Levels) > 0 {
		for i := range level.Levels {
			n += attempts(&level.Levels[i])
		}
		return n
	}
	for _, r := range level.Nodes {
		n += r.Attempts
	}
	return n
}
