package engine

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// Flow is one execution of the nodes of one workflow. It may go through several
// rounds, when the whole run is retried: what succeeded is kept.
type Flow struct {
	p      *Progress
	plan   *workflow.Plan
	ladder *Ladder
	scope  workflow.Scope

	nodes    []nodeState
	unended  int
	stopping bool // a failure stops the rest
	degraded bool
	failure  *event.Error // the first failure that nothing absorbs
	round    int
	report   *event.Report
	waiting  bool // for Checked or Paused
	finished bool
	started  time.Time
	// lastPause is the wait before the round, for backoffs that build on it.
	lastPause time.Duration
	seeds     *seeds
}

// nodeState is where one node stands.
type nodeState struct {
	left     int32 // needs that have not ended
	handlers int32 // of a failed node: error edges that have not ended
	running  bool
	absorbed bool
	seeded   bool // done in an earlier generation
	tally    tally
	result   *event.NodeResult
	items    *items
	child    *Ladder
	started  time.Time // of a node that is more than one call
}

// tally counts the attempts of a node or an item in all rounds.
type tally struct {
	all    int
	direct int // without those inside a sub-workflow
	inside int // of those to come: inside the sub-workflow that has ended
}

// add takes the attempts of a call, or of a sub-workflow, that has ended.
func (t *tally) add(attempts int) {
	t.all += attempts
	t.direct += attempts - t.inside
	t.inside = 0
}

func newFlow(l *Ladder) *Flow {
	f := &Flow{p: l.p, plan: l.plan, ladder: l, started: l.p.now, seeds: newSeeds(l.seed, l.plan)}
	f.nodes = make([]nodeState, len(l.plan.Nodes))
	f.unended = len(f.nodes)
	for i := range f.nodes {
		f.nodes[i].left = int32(len(l.plan.Nodes[i].Needs))
	}
	f.scope = workflow.Scope{Input: l.input, Node: f.view, RunID: l.p.runID, Workflow: l.plan.Name}
	return f
}

// Plan is the workflow whose nodes these are.
func (f *Flow) Plan() *workflow.Plan { return f.plan }

// Ladder is the execution that the flow is the primary level of.
func (f *Flow) Ladder() *Ladder { return f.ladder }

// Stopping reports whether a failure has stopped what may be stopped.
func (f *Flow) Stopping() bool { return f.stopping || f.ladder.killed != nil }

// Abandons reports whether a call of n that has not begun must not begin.
func (f *Flow) Abandons(n *workflow.Node) bool {
	return f.ladder.killed != nil || f.stopping && n.RunIf != workflow.IfDone
}

// Health is the report of the flow's own health gate, if it had one.
func (f *Flow) Health() *event.Report { return f.report }

func (f *Flow) view(i int) workflow.NodeView {
	r := f.nodes[i].result
	if r == nil {
		return workflow.NodeView{Status: event.Pending}
	}
	return workflow.NodeView{Output: r.Output, Error: r.Error, Status: r.Status}
}

// Scope is what expressions of node n see; item is -1 or the item's index.
func (f *Flow) Scope(n *workflow.Node, item int) *workflow.Scope {
	if item < 0 {
		return &f.scope
	}
	s := f.scope
	s.InItem, s.Index, s.Item = true, item, f.nodes[n.Index].items.values[item]
	return &s
}

// Input is what a node without `with` receives.
func (f *Flow) Input(n *workflow.Node, item int) event.Value {
	switch {
	case item >= 0:
		return f.nodes[n.Index].items.values[item]
	case len(n.Needs) == 0:
		return f.ladder.input
	case len(n.Needs) == 1:
		if r := f.nodes[n.Needs[0]].result; r != nil {
			return r.Output
		}
		return event.Null
	}
	all := make(map[string]event.Value, len(n.Needs))
	for _, need := range n.Needs {
		if r := f.nodes[need].result; r != nil && r.Status != event.Skipped {
			all[f.plan.Nodes[need].ID] = r.Output
		}
	}
	return event.Object(all)
}

// Attempts is how many calls of a node, or an item, were made in earlier rounds;
// of a sub-workflow, only those of the fallbacks behind it.
func (f *Flow) Attempts(n *workflow.Node, item int) int { return f.tally(n, item).direct }

func (f *Flow) tally(n *workflow.Node, item int) *tally {
	if item >= 0 {
		return &f.nodes[n.Index].items.tallies[item]
	}
	return &f.nodes[n.Index].tally
}

func (f *Flow) path(n *workflow.Node, item int) string { return f.name(f.ladder.prefix, n, item) }

func (f *Flow) name(prefix string, n *workflow.Node, item int) string {
	name := n.ID
	if prefix != "" {
		name = prefix + n.ID
	}
	if item >= 0 {
		name += "[" + itoa(item) + "]"
	}
	return name
}

// Key names a node or an item for its idempotency key: like the path, but
// different for every fallback level.
func (f *Flow) Key(n *workflow.Node, item int) string { return f.name(f.ladder.keys, n, item) }

// begin starts a round: in the first one the gate, then the nodes that need
// nothing.
func (f *Flow) begin() {
	if f.round == 0 && f.plan.Run.HealthGate && len(f.plan.Health) > 0 {
		f.waiting = true
		f.p.put(Command{Kind: Check, Ladder: f.ladder, Flow: f, Item: -1})
		return
	}
	f.release()
}

func (f *Flow) release() {
	if f.unended == 0 {
		f.finish()
		return
	}
	for i := range f.nodes {
		if s := &f.nodes[i]; s.left == 0 && s.result == nil && !s.running {
			f.p.decide = append(f.p.decide, decision{f, i})
		}
	}
}

func (f *Flow) checked(report *event.Report) {
	if !f.waiting {
		return
	}
	f.waiting = false
	f.report = report
	if f.ladder.killed != nil {
		f.killed()
		return
	}
	if report.OverallHealthy {
		f.release()
		return
	}
	var names []string
	for name, c := range report.Checks {
		if c.Critical && !c.Healthy {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	e := &event.Error{Class: event.Transient, Code: "unhealthy", Message: "critical health checks failed:"}
	for i, name := range names {
		if i > 0 {
			e.Message += ";"
		}
		e.Message += " " + name
		if why := report.Checks[name].Error; why != nil {
			e.Message += " (" + why.Error() + ")"
		}
	}
	f.close(event.Level{Status: event.Refused, Error: e})
}

// decideNode settles what becomes of a node whose needs have all ended.
func (f *Flow) decideNode(i int) {
	s, n := &f.nodes[i], &f.plan.Nodes[i]
	if s.result != nil || s.running || f.finished {
		return
	}
	if reason := f.excluded(n); reason != "" {
		f.ended(n, &event.NodeResult{Status: event.Skipped, Reason: reason})
		return
	}
	if f.Abandons(n) {
		f.ended(n, f.abandoned())
		return
	}
	if n.When != nil {
		yes, err := n.When.Bool(f.p.ctx, &f.scope)
		if err != nil {
			f.ended(n, failed(n, err))
			return
		}
		if !yes {
			f.ended(n, &event.NodeResult{Status: event.Skipped, Reason: "its `when` is false: " + n.When.String()})
			return
		}
	}
	if r := f.kept(n); r != nil {
		s.seeded, s.tally.all = true, r.Attempts
		f.ended(n, r)
		return
	}
	if n.ForEach != nil {
		f.startItems(n)
		return
	}
	s.running = true
	f.startOne(n, -1)
}

// startOne starts a node, or one item of it.
func (f *Flow) startOne(n *workflow.Node, item int) {
	switch n.Kind {
	case workflow.WorkflowNode:
		f.startSub(n, item)
		return
	case workflow.ApprovalNode:
		f.nodes[n.Index].started = f.p.now
		f.p.park(f, n, -1, nil)
		return
	}
	f.p.put(Command{Kind: Call, Ladder: f.ladder, Flow: f, Node: n, Item: item})
}

// excluded gives the reason for which run_if keeps a node from running, or "".
func (f *Flow) excluded(n *workflow.Node) string {
	if len(n.Needs) == 0 {
		if n.RunIf == workflow.IfFailed {
			return "it handles failures and needs nothing that could fail"
		}
		return ""
	}
	ran, bad := 0, -1
	for _, need := range n.Needs {
		switch f.nodes[need].result.Status {
		case event.Succeeded, event.Degraded:
			ran++
		case event.Failed:
			if n.RunIf == workflow.IfFailed {
				return ""
			}
			bad = need
		case event.Cancelled:
			if bad < 0 {
				bad = need
			}
		}
	}
	switch n.RunIf {
	case workflow.IfDone:
		return ""
	case workflow.IfFailed:
		return "nothing that it needs failed"
	}
	if bad >= 0 {
		return fmt.Sprintf("%s, which it needs, %s", quote(f.plan.Nodes[bad].ID), verb(f.nodes[bad].result.Status))
	}
	if ran == 0 {
		return "everything that it needs was skipped"
	}
	return ""
}

func verb(s event.Status) string {
	if s == event.Cancelled {
		return "was cancelled"
	}
	return string(s)
}

// abandoned is the result of what never began. Unlike what was cut in flight it
// has a reason and no error.
func (f *Flow) abandoned() *event.NodeResult {
	reason := "cancelled before it started"
	switch {
	case f.ladder.killed != nil:
		reason = f.ladder.killed.Message
	case f.stopping:
		reason = f.stopped().Message
	}
	return &event.NodeResult{Status: event.Cancelled, Reason: reason}
}

// stopped is the cause with which a failure cuts the rest of the flow.
func (f *Flow) stopped() *event.Error {
	return &event.Error{Class: event.Unknown, Code: "cancelled", Message: "the run stopped when " + quote(f.failure.Node) + " failed"}
}

// called takes the outcome of a call.
func (f *Flow) called(n *workflow.Node, item int, r *event.NodeResult) {
	if f.parks(n, item, r) {
		f.p.park(f, n, item, r)
		return
	}
	f.settled(n, item, r)
}

// settled ends a call.
func (f *Flow) settled(n *workflow.Node, item int, r *event.NodeResult) {
	if item >= 0 {
		f.itemEnded(n, item, r)
		return
	}
	f.nodes[n.Index].tally.add(r.Attempts)
	f.ended(n, r)
}

// ended records how a node ended and lets what depends on it be decided.
func (f *Flow) ended(n *workflow.Node, r *event.NodeResult) {
	s := &f.nodes[n.Index]
	s.running = false
	s.result = r
	r.Attempts = s.tally.all // in earlier rounds too, if it did not run in this one
	f.unended--
	if r.Error != nil && r.Error.Node == "" {
		r.Error.Node = f.path(n, -1)
	}
	f.p.put(Command{Kind: Ended, Ladder: f.ladder, Flow: f, Node: n, Item: -1, Result: r})

	if r.Status == event.Degraded {
		f.degraded = true
	}
	if n.RunIf == workflow.IfFailed {
		f.handled(n, r)
	}
	if r.Status == event.Failed {
		for _, d := range n.Dependents {
			// A handler of an earlier round has had its say.
			if f.plan.Nodes[d].RunIf == workflow.IfFailed && f.nodes[d].result == nil {
				s.handlers++
			}
		}
		if s.handlers == 0 {
			f.fail(r.Error)
		}
	}
	for _, d := range n.Dependents {
		t := &f.nodes[d]
		t.left--
		if t.left == 0 && t.result == nil {
			f.p.decide = append(f.p.decide, decision{f, d})
		}
	}
	if f.unended == 0 {
		f.finish()
	}
}

// handled settles the failures that an error edge was for, now that its handler
// has ended.
func (f *Flow) handled(handler *workflow.Node, r *event.NodeResult) {
	for _, need := range handler.Needs {
		s := &f.nodes[need]
		if s.result.Status != event.Failed || s.absorbed || s.handlers == 0 {
			continue
		}
		s.handlers--
		switch {
		case r.Kept():
			s.absorbed = true
			f.degraded = true
		case s.handlers == 0:
			f.fail(s.result.Error)
		}
	}
}

// fail takes a failure that nothing absorbs.
func (f *Flow) fail(e *event.Error) {
	if f.failure == nil {
		f.failure = e
	}
	if f.plan.Run.Continue || f.stopping {
		return
	}
	f.stopping = true
	why := f.stopped()
	f.p.put(Command{Kind: Stop, Ladder: f.ladder, Flow: f, Item: -1, Error: why})
	f.cut(why, func(n *workflow.Node) bool { return n.RunIf != workflow.IfDone })
}

// cut lets no further item of the matching nodes start and ends their
// sub-workflows; their calls in flight are the engine's to cancel.
func (f *Flow) cut(why *event.Error, match func(*workflow.Node) bool) {
	for i := range f.nodes {
		if n := &f.plan.Nodes[i]; f.nodes[i].running && match(n) {
			f.cutItems(n, why, event.Cancelled)
			f.cutSubs(n, why)
			f.cutParked(n, why)
		}
	}
}

// killed ends what has not begun under a killed ladder.
func (f *Flow) killed() {
	if f.finished {
		return
	}
	if f.waiting {
		return // Checked or Paused will come, at once
	}
	why := f.ladder.killed
	f.cut(why, func(*workflow.Node) bool { return true })
	if f.unended == 0 {
		f.finish()
		return
	}
	f.release()
}

func failed(n *workflow.Node, err error) *event.NodeResult {
	e := asError(err)
	return &event.NodeResult{Status: event.Failed, Error: e, Plugin: n.Primary.Plugin}
}

// lists reports whether class is one of classes.
func lists[C ~string](classes []C, class string) bool {
	return slices.Contains(classes, C(class))
}

func itoa(n int) string { return strconv.Itoa(n) }
