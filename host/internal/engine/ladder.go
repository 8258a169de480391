package engine

import (
	"strings"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// Ladder is one execution of a workflow with its fallback levels: the primary
// flow first, then one level after the other until one answers.
type Ladder struct {
	p     *Progress
	plan  *workflow.Plan
	input event.Value
	// Where it hangs: a node of parent, a level of up, or nowhere (the root).
	parent     *Flow
	node, item int
	up         *Ladder
	number     int    // see Number
	prefix     string // of its nodes' paths
	keys       string // of their idempotency keys
	seed       *seed

	primary *Flow
	child   *Ladder // the level that is tried now
	levels  []event.Level
	killed  *event.Error
	status  event.Status // with which a killed ladder ends
	answer  int          // the level that answered, or was tried last
	counted int          // attempts under primary that were reported upwards
	ended   bool
}

// Plan is the workflow that the ladder runs.
func (l *Ladder) Plan() *workflow.Plan { return l.plan }

// Parent is the flow that the ladder is a node of, nil for the root and for
// levels. Up is the ladder that it is a level of.
func (l *Ladder) Parent() *Flow { return l.parent }

// Up is the ladder of which this one is a fallback level, or nil.
func (l *Ladder) Up() *Ladder { return l.up }

// Node is the node of Parent that the ladder answers for.
func (l *Ladder) Node() *workflow.Node { return &l.parent.plan.Nodes[l.node] }

// Deadline is how long the ladder may take from its Open, 0 for ever.
func (l *Ladder) Deadline() time.Duration {
	d := l.plan.Run.Deadline
	if l.parent != nil {
		// With items the node's deadline spans them all, not each.
		if n := l.Node(); n.Deadline > 0 && n.ForEach == nil && (d == 0 || n.Deadline < d) {
			d = n.Deadline
		}
	}
	return d
}

func (l *Ladder) limit() string {
	if l.parent != nil {
		if n := l.Node(); n.Deadline > 0 && n.Deadline == l.Deadline() {
			return "node " + quote(n.ID) + " (" + n.Deadline.String() + ")"
		}
	}
	return "the run (" + l.Deadline().String() + ")"
}

// Number is the place of the ladder's flows among the levels of the run's root:
// 0 for everything under the primary.
func (l *Ladder) Number() int { return l.number }

// Path names the node that the ladder answers for, "" for the root's levels.
func (l *Ladder) Path() string { return strings.TrimSuffix(l.prefix, "/") }

// level is the ladder of the next level of l.
func (l *Ladder) level(plan *workflow.Plan) *Ladder {
	place := len(l.levels)
	next := &Ladder{p: l.p, plan: plan, input: l.input, up: l, node: -1, item: -1, number: l.number, seed: l.seed.next(place),
		prefix: l.prefix, keys: l.keys + "level" + itoa(place) + ":"}
	if l.up == nil && l.parent == nil {
		next.number = place
	}
	return next
}

func (l *Ladder) begin() {
	l.p.put(Command{Kind: Open, Ladder: l, Item: -1})
	if s := l.plan.Input.Schema; s != nil && (l.parent != nil || l.up != nil) {
		if err := s.Check(l.input); err != nil {
			l.levels = append(l.levels, event.Level{Workflow: l.plan.Name, Status: event.Failed, Error: &event.Error{
				Class: event.Permanent, Code: "invalid_input", Message: "the input of workflow " + quote(l.plan.Name) + ": " + err.Error()}})
			l.climb()
			return
		}
	}
	l.primary = newFlow(l)
	l.primary.begin()
}

// again starts the same workflow once more after its node failed: what
// succeeded in its primary flow is kept.
func (l *Ladder) again() {
	l.levels, l.killed, l.status, l.answer, l.ended, l.child = nil, nil, "", 0, false, nil
	if l.primary == nil { // its input was not what it takes
		l.begin()
		return
	}
	l.p.put(Command{Kind: Open, Ladder: l, Item: -1})
	f := l.primary
	f.reset()
	f.started, f.round, f.lastPause = l.p.now, 0, 0
	f.begin()
}

// done takes the result of the level that was tried last.
func (l *Ladder) done(level event.Level) {
	l.child = nil
	l.levels = append(l.levels, level)
	l.climb()
}

// climb goes on to the next level, or ends.
func (l *Ladder) climb() {
	last := &l.levels[len(l.levels)-1]
	l.answer = len(l.levels) - 1
	if l.killed != nil {
		l.end()
		return
	}
	switch last.Status {
	case event.Failed, event.Refused:
	default:
		l.end()
		return
	}
	cause := last.Error
	for next := len(l.levels) - 1; next < len(l.plan.Levels); next = len(l.levels) - 1 {
		level := &l.plan.Levels[next]
		if level.On != nil && !lists(level.On, cause.Class) {
			l.levels = append(l.levels, event.Level{Workflow: level.Plan.Name, Status: event.Skipped,
				Reason: "a " + cause.Class + " failure is not one that `on` lists"})
			continue
		}
		l.child = l.level(level.Plan)
		l.p.put(Command{Kind: Level, Ladder: l.child, Item: -1, Error: cause})
		l.child.begin()
		return
	}
	l.end()
}

func (l *Ladder) end() {
	if l.ended {
		return
	}
	l.ended = true
	l.p.put(Command{Kind: Close, Ladder: l, Item: -1})
	switch {
	case l.parent != nil:
		l.parent.subEnded(l)
	case l.up != nil:
		l.up.done(l.Level())
	default:
		l.p.over = true
	}
}

// kill ends everything under the ladder and lets no level follow.
func (l *Ladder) kill(why *event.Error, status event.Status) {
	if l.ended || l.killed != nil {
		return
	}
	l.mark(why, status)
	l.p.put(Command{Kind: Kill, Ladder: l, Item: -1, Error: why})
	l.sweep()
}

func (l *Ladder) mark(why *event.Error, status event.Status) {
	l.killed, l.status = why, status
}

// sweep ends what has not started under a killed ladder; what is in flight
// answers by itself.
func (l *Ladder) sweep() {
	if l.child != nil {
		l.child.mark(l.killed, l.status)
		l.child.sweep()
		return
	}
	if l.primary != nil {
		l.primary.killed()
	}
}

// Level is the ladder's result in the shape of a level.
func (l *Ladder) Level() event.Level {
	at := l.levels[l.answer]
	r := event.Level{Workflow: l.plan.Name, Status: l.finalStatus(), Error: l.finalError(), Output: at.Output,
		Nodes: at.Nodes, Health: l.levels[0].Health}
	if len(l.plan.Levels) > 0 {
		r.Levels = l.levels
	}
	for i := range l.levels {
		r.DurationMS += l.levels[i].DurationMS
	}
	return r
}

func (l *Ladder) finalStatus() event.Status {
	at := l.levels[l.answer].Status
	switch {
	case at == event.Succeeded && l.answer > 0:
		return event.Degraded
	case at == event.Succeeded || at == event.Degraded:
		return at
	case l.killed != nil:
		return l.status
	case l.levels[0].Status == event.Refused:
		return event.Refused
	}
	// A level that its own gate refused, after the primary had run and failed,
	// does not make the run one that never began.
	return event.Failed
}

func (l *Ladder) finalError() *event.Error {
	switch l.finalStatus() {
	case event.Succeeded, event.Degraded:
		return nil
	case event.Refused:
		return l.levels[0].Error
	}
	if l.killed != nil {
		return l.killed
	}
	return l.levels[l.answer].Error
}
