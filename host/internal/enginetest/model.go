package enginetest

import (
	"fmt"
	"slices"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
	"wasmhost/resilience"
)

// model is what a workflow means, as a simulation: sequential, in a time of its
// own, and written from the text of the design. It knows sketches only.
type model struct {
	clockwork
	root      *sketch
	free      int      // slots
	waiting   []*actor // for a slot, having been in flight before
	ready     []*job   // calls that have not begun
	undecided []func() // nodes whose needs have ended
	breakers  map[string]*modelBreaker
	budgets   map[string]int // millionths of a token
	trace     trace
}

// trace is what can be seen of a run, apart from its result.
type trace struct {
	starts, waits, breakers, fallbacks []string
	result                             string
	took                               time.Duration
}

// simulate runs a sketch, and reports whether there is one right answer: none
// where it depends on the order of what happens at one instant. A failure that
// cuts several calls is such a thing: which of them ends first, nobody can say.
func simulate(s *sketch) (*trace, bool) {
	want := simulateIn(s, nil)
	for i := range 8 {
		order := func(seq int) int { return -seq }
		if i > 0 {
			order = func(seq int) int { return int(draw(uint64(i), "order", seq).Uint32()) }
		}
		if simulateIn(s, order).text() != want.text() {
			return want, false
		}
	}
	return want, true
}

func simulateIn(s *sketch, order func(int) int) *trace {
	m := &model{clockwork: clockwork{order: order}, root: s, free: s.concurrency, breakers: map[string]*modelBreaker{}, budgets: map[string]int{}}
	for key, cfg := range s.breakers {
		m.breakers[key] = &modelBreaker{cfg: cfg, state: "closed", changed: func(from, to string) {
			m.trace.breakers = append(m.trace.breakers, fmt.Sprintf("%s %s: %s > %s", m.now, key, from, to))
		}}
	}
	l := &modelLadder{m: m, s: s, deadline: s.deadline}
	if s.cancelAt > 0 {
		m.after(s.cancelAt, func() { l.kill("cancelled", event.Cancelled) })
	}
	m.start(func(a *actor) {
		level := l.run(a)
		m.trace.took = m.now
		m.trace.result = full(&level, l.levels, l.answer)
	})
	m.run()
	m.trace.sort()
	return &m.trace
}

func (t *trace) sort() {
	for _, list := range [][]string{t.starts, t.waits, t.breakers, t.fallbacks} {
		slices.Sort(list)
	}
}

// modelLadder is a workflow with its levels.
type modelLadder struct {
	m      *model
	s      *sketch
	prefix string // of the nodes' paths
	keys   string // of their keys

	over     *modelLadder // of which it is a level, or in which it is a node
	deadline time.Duration
	calls    int // begun under it

	course  *actor
	flow    *modelFlow // the level that is under way
	primary *modelFlow // kept for another round of what is around it
	child   *modelLadder
	levels  []event.Level
	answer  int
	ended   bool
	killed  string // the code of what ended it from outside
	as      event.Status
	rounds  int // how often it was begun
}

// run tries one level after the other.
func (l *modelLadder) run(a *actor) event.Level {
	l.course, l.levels, l.answer, l.ended, l.killed = a, nil, 0, false, ""
	l.rounds++
	if l.deadline > 0 {
		round := l.rounds
		l.m.after(l.deadline, func() {
			if l.rounds == round {
				l.kill("deadline", event.Failed)
			}
		})
	}
	if l.primary == nil {
		l.primary = newModelFlow(l)
	}
	l.flow = l.primary
	l.levels = append(l.levels, l.flow.run(a))
	l.flow = nil
	for i := range l.s.levels {
		last := &l.levels[l.answer]
		if l.killed != "" || last.Status != event.Failed {
			break
		}
		next := &l.s.levels[i]
		if next.on != nil && !slices.Contains(next.on, resilience.Class(last.Error.Class)) {
			l.levels = append(l.levels, event.Level{Workflow: next.s.name, Status: event.Skipped})
			continue
		}
		l.m.trace.fallbacks = append(l.m.trace.fallbacks, fmt.Sprintf("%s %q: level %s", l.m.now, l.prefix, next.s.name))
		l.answer = len(l.levels)
		l.child = &modelLadder{m: l.m, s: next.s, over: l, deadline: next.s.deadline, prefix: l.prefix, keys: fmt.Sprintf("%slevel%d:", l.keys, len(l.levels))}
		level := l.child.run(a)
		l.child = nil
		l.levels = append(l.levels, level)
	}
	l.ended = true

	at := &l.levels[l.answer]
	level := event.Level{Workflow: l.s.name, Status: at.Status, Error: at.Error, Nodes: at.Nodes}
	if len(l.s.levels) > 0 {
		level.Levels = l.levels
	}
	switch {
	case at.Status == event.Succeeded || at.Status == event.Degraded:
		if l.answer > 0 {
			level.Status = event.Degraded
		}
	case l.killed != "":
		level.Status, level.Error = l.as, &event.Error{Code: l.killed, Class: classOf(l.killed)}
	}
	return level
}

func classOf(code string) string {
	if code == "deadline" {
		return event.Transient
	}
	return event.Unknown
}

// kill ends everything under the ladder, and no level follows.
func (l *modelLadder) kill(code string, as event.Status) {
	if l.ended || l.killed != "" {
		return
	}
	l.killed, l.as = code, as
	if l.child != nil {
		l.child.kill(code, as)
	}
	if l.flow != nil {
		l.flow.cut(code, func(*sketchNode) bool { return true })
		l.m.decide()
		if l.flow.pausing {
			l.course.stop()
		}
	}
}

// modelFlow is the nodes of one workflow.
type modelFlow struct {
	m        *model
	l        *modelLadder
	s        *sketch
	nodes    []modelNode
	round    int
	stopping bool
	pausing  bool
	failure  *event.Error
}

type modelNode struct {
	result   *event.NodeResult
	running  bool
	round    int  // in which it ended
	judged   bool // its failure is known to be absorbed or not
	absorbed bool
	attempts int // in all rounds
	direct   int // of them: not inside a sub-workflow
	calls    []*job
	child    *modelLadder
	items    *modelItems
}

type modelItems struct {
	results  []*event.NodeResult
	attempts []int
	direct   []int
	children []*modelLadder
	round    int
	timed    bool
	todo     []int
	inFlight int
	cut      bool // no further item begins
	late     bool // by the node's deadline: what is cut has failed
	first    *event.Error
}

func newModelFlow(l *modelLadder) *modelFlow {
	return &modelFlow{m: l.m, l: l, s: l.s, nodes: make([]modelNode, len(l.s.nodes))}
}

// run goes through rounds until the nodes succeed or no round is left.
func (f *modelFlow) run(a *actor) event.Level {
	pause := time.Duration(0)
	for round := 1; ; round++ {
		f.begin()
		for f.pending() {
			a.park()
		}
		level := f.judgement()
		if f.failure == nil || level.Status == event.Cancelled || f.l.killed != "" || round > f.s.retry.MaxRetries ||
			!slices.Contains(f.s.retry.On, resilience.Class(f.failure.Class)) || f.unknown() {
			return level
		}
		pause = modelDelay(&f.s.retry, round-1, pause, f.failure.RetryAfter(), jitter(f.s.seed)(f.l.keys, round))
		f.m.trace.waits = append(f.m.trace.waits, fmt.Sprintf("%s %q: round %d in %s", f.m.now, f.l.prefix, round+1, pause.Truncate(time.Microsecond)))
		f.pausing = true
		a.cut = false
		cut := a.sleep(pause)
		f.pausing, a.cut = false, false
		if cut {
			level.Status, level.Error = f.l.as, &event.Error{Code: f.l.killed, Class: classOf(f.l.killed)}
			return level
		}
	}
}

// begin makes pending what another round has to do again.
func (f *modelFlow) begin() {
	f.stopping, f.failure = false, nil
	f.round++
	for i := range f.nodes {
		n := &f.nodes[i]
		if !n.result.Kept() && !n.absorbed {
			n.result, n.judged = nil, false
		}
	}
	for i := range f.nodes {
		f.ask(i)
	}
	f.m.decide()
}

func (f *modelFlow) pending() bool {
	return slices.ContainsFunc(f.nodes, func(n modelNode) bool { return n.result == nil })
}

// ask puts a node whose needs have all ended in the queue of those to decide.
func (f *modelFlow) ask(i int) {
	if f.nodes[i].result != nil || f.nodes[i].running {
		return
	}
	for _, need := range f.s.nodes[i].needs {
		if f.nodes[need].result == nil {
			return
		}
	}
	f.m.undecided = append(f.m.undecided, func() {
		if f.nodes[i].result == nil && !f.nodes[i].running {
			f.start(i)
		}
	})
}

// decide settles what becomes of the nodes in the queue: first come, first
// served, in sub-workflows too.
func (m *model) decide() {
	for len(m.undecided) > 0 {
		do := m.undecided[0]
		m.undecided = m.undecided[1:]
		do()
	}
	m.dispatch()
}

func (f *modelFlow) start(i int) {
	n := &f.s.nodes[i]
	var good, failed, cancelled int
	for _, need := range n.needs {
		switch f.nodes[need].result.Status {
		case event.Succeeded, event.Degraded:
			good++
		case event.Failed:
			failed++
		case event.Cancelled:
			cancelled++
		}
	}
	runs := true
	switch n.runIf {
	case workflow.IfSucceeded:
		runs = len(n.needs) == 0 || good > 0 && failed+cancelled == 0
	case workflow.IfFailed:
		runs = failed > 0
	}
	switch {
	case !runs:
		f.ended(i, &event.NodeResult{Status: event.Skipped})
	case f.forbids(n):
		f.ended(i, &event.NodeResult{Status: event.Cancelled})
	case n.when >= 0 && f.nodes[n.when].result.Status != event.Succeeded:
		f.ended(i, &event.NodeResult{Status: event.Skipped})
	case n.items >= 0:
		f.startItems(i)
	default:
		f.nodes[i].running = true
		f.startOne(i, -1)
	}
}

// forbids: a failure stops what does not always run, a kill stops everything.
func (f *modelFlow) forbids(n *sketchNode) bool {
	return f.l.killed != "" || f.stopping && n.runIf != workflow.IfDone
}

// oneEnded takes the end of a call or a sub-workflow: of a node, or of an item.
func (f *modelFlow) oneEnded(i, item int, r *event.NodeResult, attempts int) {
	s := &f.nodes[i]
	s.attempts += attempts
	if item < 0 {
		f.ended(i, r)
		f.m.decide()
		return
	}
	it := s.items
	it.inFlight--
	it.attempts[item] += attempts
	r.Attempts = it.attempts[item]
	if r.Status == event.Cancelled && it.late {
		r.Status, r.Error = event.Failed, &event.Error{Code: "deadline", Class: event.Transient}
	}
	it.results[item] = r
	if r.Status == event.Failed {
		if it.first == nil {
			it.first = r.Error
		}
		if !f.s.continues && !it.cut && f.failedItems(i) > f.allowed(i) {
			f.cutItems(i, "cancelled", false)
			f.m.decide()
			return
		}
	}
	f.moreItems(i)
	f.m.decide()
}

// ended: what follows from the end of a node.
func (f *modelFlow) ended(i int, r *event.NodeResult) {
	s := &f.nodes[i]
	s.running, s.result, s.calls, s.round = false, r, nil, f.round
	r.Attempts = s.attempts
	for k := range f.nodes {
		f.judge(k)
	}
	for k := range f.s.nodes {
		if slices.Contains(f.s.nodes[k].needs, i) {
			f.ask(k)
		}
	}
	if !f.pending() {
		f.l.course.unpark()
	}
}

// judge finds out what becomes of a failure once its error edges have ended.
func (f *modelFlow) judge(i int) {
	s := &f.nodes[i]
	if s.judged || s.result == nil || s.result.Status != event.Failed {
		return
	}
	open := false
	for k := range f.s.nodes {
		if n := &f.s.nodes[k]; n.runIf == workflow.IfFailed && slices.Contains(n.needs, i) {
			switch r := f.nodes[k].result; {
			case r == nil:
				open = true
			case r.Kept() && f.nodes[k].round == f.round: // an earlier one handled another failure
				s.judged, s.absorbed = true, true
				return
			}
		}
	}
	if open {
		return
	}
	s.judged = true
	if f.failure == nil {
		f.failure = s.result.Error
	}
	if !f.s.continues && !f.stopping {
		f.stopping = true
		f.cut("cancelled", func(n *sketchNode) bool { return n.runIf != workflow.IfDone })
	}
}

// cut ends what matches and has begun or waits for a slot.
func (f *modelFlow) cut(code string, match func(*sketchNode) bool) {
	for i := range f.nodes {
		if n := &f.s.nodes[i]; f.nodes[i].running && match(n) {
			if n.items >= 0 {
				f.cutItems(i, code, false)
			}
			f.cutCalls(i, code)
		}
	}
}

// judgement is the level's result when every node has ended.
func (f *modelFlow) judgement() event.Level {
	level := event.Level{Workflow: f.s.name, Status: event.Succeeded, Nodes: event.NodeMap{}}
	cancelled := false
	for i := range f.nodes {
		r := f.nodes[i].result
		level.Nodes[f.s.nodes[i].id] = r
		if r.Status == event.Degraded || f.nodes[i].absorbed {
			level.Status = event.Degraded
		}
		cancelled = cancelled || r.Status == event.Cancelled
	}
	switch {
	case f.failure != nil:
		level.Status, level.Error = event.Failed, f.failure
	case f.l.killed != "" && cancelled:
		level.Status, level.Error = f.l.as, &event.Error{Code: f.l.killed, Class: classOf(f.l.killed)}
	}
	return level
}

// unknown: what must not be done twice may have been done.
func (f *modelFlow) unknown() bool {
	for i := range f.nodes {
		if s := &f.nodes[i]; !s.result.Kept() && !s.absorbed && unknownOutcome(s.result) {
			return true
		}
	}
	return false
}

func unknownOutcome(r *event.NodeResult) bool {
	if r.Error != nil && r.Error.Code == "outcome_unknown" || slices.ContainsFunc(r.Items, unknownOutcome) {
		return true
	}
	return r.Run != nil && unknownLevel(r.Run)
}

func unknownLevel(l *event.Level) bool {
	for i := range l.Levels {
		if unknownLevel(&l.Levels[i]) {
			return true
		}
	}
	for _, r := range l.Nodes {
		if unknownOutcome(r) {
			return true
		}
	}
	return false
}
