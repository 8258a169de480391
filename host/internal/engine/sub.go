package engine

import (
	"bytes"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// A node that is a sub-workflow is a ladder of its own under the flow. Its
// items, if it has any, are ladders in items' own list.

// startSub starts a sub-workflow, or goes on with one of an earlier round.
func (f *Flow) startSub(n *workflow.Node, item int) {
	input := f.Input(n, item)
	if n.Primary.With != nil {
		v, err := n.Primary.With.Render(f.p.ctx, f.Scope(n, item))
		if err != nil {
			f.called(n, item, failed(n, err))
			return
		}
		input = v
	}
	if item < 0 {
		f.p.put(Command{Kind: Started, Ladder: f.ladder, Flow: f, Node: n, Item: -1})
	}
	s := &f.nodes[n.Index]
	if item < 0 && s.child != nil && s.child.ended && bytes.Equal(s.child.input.JSON(), input.JSON()) {
		s.child.again()
		return
	}
	l := &Ladder{p: f.p, plan: n.Sub, input: input, parent: f, node: n.Index, item: item,
		prefix: f.path(n, item) + "/", scope: f.ladder.scope}
	if item < 0 {
		s.child = l
	} else {
		if s.items.children == nil {
			s.items.children = make([]*Ladder, len(s.items.values))
		}
		if old := s.items.children[item]; old != nil && old.ended && bytes.Equal(old.input.JSON(), input.JSON()) {
			old.again()
			return
		}
		s.items.children[item] = l
	}
	l.begin()
}

// subEnded takes the end of a sub-workflow.
func (f *Flow) subEnded(l *Ladder) {
	n := l.Node()
	level := l.Level()
	r := &event.NodeResult{Status: level.Status, Output: level.Output, Run: &level, AnsweredBy: "primary", DurationMS: level.DurationMS}
	r.Attempts = l.newAttempts()
	if !r.Kept() {
		r.AnsweredBy = ""
	}
	switch level.Status {
	case event.Refused, event.Failed:
		e := *level.Error
		e.Node = f.path(n, l.item)
		e.Message = "sub-workflow " + quote(l.plan.Name) + ": " + e.Message
		if level.Error.Node != "" {
			e.Message = "sub-workflow " + quote(l.plan.Name) + ": node " + quote(level.Error.Node) + ": " + level.Error.Message
		}
		r.Status, r.Error = event.Failed, &e
		if len(n.Fallbacks) > 0 && !f.Abandons(n) {
			r.Errors = append(r.Errors, &e)
			f.p.put(Command{Kind: Call, Ladder: f.ladder, Flow: f, Node: n, Item: l.item, From: 1, Prior: r})
			return
		}
	case event.Cancelled:
		r.Reason = level.Error.Message
	default:
		if n.Output != nil && n.ForEach == nil {
			if err := n.Output.Check(r.Output); err != nil {
				r.Status, r.Output, r.AnsweredBy = event.Failed, event.Null, ""
				r.Error = &event.Error{Class: event.Permanent, Code: "invalid_output", Message: "the output of workflow " + quote(l.plan.Name) + ": " + err.Error()}
			}
		}
	}
	f.called(n, l.item, r)
}

// cutSubs ends the sub-workflows of the nodes that match.
func (f *Flow) cutSubs(match func(*workflow.Node) bool, why *event.Error) {
	for i := range f.nodes {
		n, s := &f.plan.Nodes[i], &f.nodes[i]
		if n.Kind != workflow.WorkflowNode || !s.running || !match(n) {
			continue
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
