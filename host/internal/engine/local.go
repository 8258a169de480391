package engine

import (
	"context"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/workflow"
)

// Health runs the checks of a plan.
type Health interface {
	Check(ctx context.Context, plan *workflow.Plan, runID string) *event.Report
}

// Local runs workflows in this process. It is safe for concurrent use.
type Local struct {
	Caller *call.Caller
	Health Health
	// Clock is the source of time; nil is the real one.
	Clock call.Clock
}

// Start describes one run.
type Start struct {
	ID    string
	Plan  *workflow.Plan
	Input event.Value
	// Emit takes the run's events, from several goroutines; V, Seq, Time and Run
	// are its to set, and Key and Mark are for the Journal. nil: nobody wants them.
	Emit func(*event.Event)
	// Journal keeps the run's history, to which Emit's events belong, too. nil:
	// nothing is kept.
	Journal Journal
	// Parks lets nodes wait for a person. It needs a Journal.
	Parks bool
	// History is what an earlier process has kept, since the generation began.
	History []Entry
	// Ran, if not nil, is told which versions of plugins the history has, before
	// anything else is done.
	Ran func(plugin, digest string)
	// Seed is what is kept of the generation before, or nil.
	Seed *Seed
	// Control is the run's, or nil.
	Control *Control
}

// Outcome is how Run ended.
type Outcome struct {
	// Result is that of the run. Its status is waiting when there is nothing to do
	// but wait for a person, running when the run was suspended: both go on with
	// their history.
	Result *event.Result
	// Reason says what a waiting run waits for, Wake when its next deadline passes
	// (zero: it has none).
	Reason string
	Wake   time.Time
}

// Run runs a workflow to its end, or until nothing but a person can bring it
// on, and returns when nothing of it is left running. Cancelling ctx cancels
// the run, with the context's cause. An error is one of the journal or of the
// history: the run did not end, and what was kept stands.
func (l *Local) Run(ctx context.Context, s Start) (Outcome, error) {
	clock := l.Clock
	if clock == nil {
		clock = call.RealClock()
	}
	if s.Emit == nil {
		s.Emit = func(*event.Event) {}
	}
	if s.Control == nil {
		s.Control = NewControl()
	}
	// The calls' contexts end by the run's own hand, with a cause that tells
	// why, never by the caller's context directly.
	base, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	r := &run{local: l, clock: clock, start: s, base: base, end: end, emit: s.Emit, box: s.Control.box,
		ladders: map[*Ladder]*frame{}, flows: map[*Flow]*frame{}, nodes: map[nodeKey]*frame{},
	}
	r.slots = newSlots(s.Plan.Run.Concurrency, func() { r.box.put(message{kind: woken}) })
	r.began = clock.Now()
	if len(s.History) > 0 {
		r.began = s.History[0].time(r.began)
	}
	defer r.close()
	if err := r.begin(); err != nil {
		return Outcome{}, err
	}
	r.loop(ctx)
	r.dismiss()
	if r.broken != nil {
		return Outcome{}, r.broken
	}
	return r.outcome(), nil
}

type run struct {
	local    *Local
	clock    call.Clock
	start    Start
	base     context.Context
	end      context.CancelCauseFunc
	began    time.Time
	progress *Progress
	emit     func(*event.Event)
	slots    *slots
	box      *mailbox

	ready []Command // calls that wait for a slot
	head  int
	cut   bool      // some of them must not begin any more
	later []message // decisions that wait for that
	hold  int       // deadlines that had passed before the run went on: they come first
	busy  int       // answers that will come

	suspended bool
	broken    error // of the journal

	idle     []*worker
	answered []*worker // their calls have ended

	ladders map[*Ladder]*frame
	flows   map[*Flow]*frame
	nodes   map[nodeKey]*frame

	replay  *replay  // while the history is given again
	resumed inFlight // calls that another process began
	retold  int      // events that were told before and are not told again
}

type nodeKey struct {
	flow *Flow
	node *workflow.Node
}

// message is what the loop is told: an answer on its way to Progress, mostly.
type message struct {
	kind   Kind
	at     time.Time
	worker *worker // of a Call, unless it never began
	result *event.NodeResult
	flow   *Flow
	ladder *Ladder
	node   *workflow.Node
	item   int
	report *event.Report
	frame  *frame
	cause  error
	kept   bool  // it is in the journal
	lost   error // it could not be kept
	held   bool  // no call begins before it was taken
	// dropped: the answer is only that the run was suspended.
	dropped  bool
	decision *Decision
	done     func(*event.Error)
}

// Kinds of messages that answer no command.
const (
	expired   Kind = 255 - iota // a deadline has passed
	cancelled                   // somebody wants the run to end
	woken                       // a slot may be free
	decided                     // a person has answered
	suspended                   // the process ends, the run shall not
)

// begin makes the Progress, and gives it the history if there is one.
func (r *run) begin() error {
	s := &r.start
	for i := range s.History {
		if s.History[i].Mark == MarkTold {
			r.retold++
		}
	}
	r.tellOnce(&event.Event{Type: event.RunStarted, Workflow: s.Plan.Name})
	// No context may end an expression: the outcome would follow from something
	// that is no answer, and a replay would come to another. Budgets end it.
	r.progress = NewProgress(context.WithoutCancel(r.base), s.Plan, s.ID, s.Input, r.began, Options{Parks: s.Parks, Seed: s.Seed})
	if len(s.History) == 0 {
		return nil
	}
	return r.goOn(s.History)
}

func (r *run) loop(ctx context.Context) {
	if ctx.Err() != nil {
		r.first(message{kind: cancelled, cause: context.Cause(ctx)})
	} else {
		defer context.AfterFunc(ctx, func() { r.box.put(message{kind: cancelled, cause: context.Cause(ctx)}) })()
	}
	r.obey()
	for !r.over() {
		for _, m := range r.box.take() {
			r.take(&m)
			r.obey()
		}
	}
}

// over reports whether the loop has nothing to wait for.
func (r *run) over() bool {
	p := r.progress
	switch {
	case p.Over():
		return true
	case r.broken != nil || r.suspended:
		return r.busy == 0
	case r.busy == 0 && r.hold == 0 && r.head == len(r.ready) && p.Parked() > 0 && r.box.empty():
		p.waiting = true
		return true
	}
	return false
}

// take takes a message. What is an answer to Progress must be in the journal
// before it counts: calls, checks and pauses see to it themselves.
func (r *run) take(m *message) {
	switch m.kind {
	case woken:
		r.slots.woken.Store(false)
		return
	case suspended:
		r.suspend()
		return
	case Call:
		if m.worker != nil {
			c := &m.worker.command
			m.flow, m.node, m.item = c.Flow, c.Node, c.Item
			r.answered = append(r.answered, m.worker)
		}
		r.busy--
	case Check, Pause:
		r.busy--
	default:
		if !m.kept {
			r.wish(m)
			return
		}
		if r.start.Journal != nil {
			r.busy--
		}
	}
	why := asJournalError(m.lost)
	if m.kind == decided && why == nil {
		// Somebody else may have been first while this answer was on its way.
		_, why = r.progress.find(m.decision)
	}
	switch {
	case m.lost != nil:
		r.breakOff(m.lost)
	case m.dropped || r.broken != nil:
	default:
		r.apply(m)
	}
	if m.done != nil {
		m.done(why)
	}
}

// wish takes what was not asked for: the end of a deadline, a person's answer.
// It counts when it is kept.
func (r *run) wish(m *message) {
	if r.broken != nil || r.suspended || r.progress.Over() {
		m.refuse()
		return
	}
	if m.kind == decided {
		if r.hold > 0 { // a deadline that has passed comes before what is said after it
			r.later = append(r.later, *m)
			return
		}
		if _, err := r.progress.find(m.decision); err != nil {
			m.done(err)
			return
		}
	}
	if !r.means(m) {
		r.letGo(m)
		return
	}
	if r.start.Journal == nil {
		m.kept, m.at = true, r.clock.Now()
		r.take(m)
		return
	}
	r.busy++
	r.keep(*m)
}

// means reports whether a deadline is still that of its ladder or node: a timer
// may fire while what it was for ends, and the same ladder or node may have
// begun another round since.
func (r *run) means(m *message) bool {
	if m.kind != expired {
		return true
	}
	if m.ladder != nil {
		return r.ladders[m.ladder] == m.frame
	}
	return r.nodes[nodeKey{m.flow, m.node}] == m.frame
}

// first lets no call begin before m is taken.
func (r *run) first(m message) {
	m.held = true
	r.hold++
	r.box.put(m)
}

func (r *run) letGo(m *message) {
	if !m.held {
		return
	}
	if r.hold--; r.hold == 0 {
		for _, m := range r.later {
			r.box.put(m)
		}
		r.later = nil
	}
}

// apply gives Progress an answer.
func (r *run) apply(m *message) {
	p := r.progress
	if m.at.After(p.now) {
		p.At(m.at)
	}
	switch m.kind {
	case Call:
		p.Called(m.flow, m.node, m.item, m.result)
	case Check:
		r.tellOnce(&event.Event{Type: event.HealthChecked, Workflow: m.flow.plan.Name, Level: m.flow.ladder.Number(), Health: m.report})
		p.Checked(m.flow, m.report)
	case Pause:
		p.Paused(m.flow)
	case cancelled:
		r.letGo(m)
		p.Cancel(m.cause)
	case decided:
		p.Decide(m.decision)
	case expired:
		r.letGo(m)
		switch {
		case !r.means(m):
		case m.ladder != nil:
			p.Expire(m.ladder)
		default:
			p.ExpireNode(m.flow, m.node)
		}
	}
}

// obey does what Progress wants until there is nothing left to do.
func (r *run) obey() {
	for {
		c, more := r.progress.Take()
		if more {
			r.do(c)
			continue
		}
		// Only when all that follows from the end of a call has been done may its
		// slot go to somebody else: who would be cut must not begin.
		r.rest()
		if !r.dispatch() {
			return
		}
	}
}

func (r *run) do(c *Command) {
	switch c.Kind {
	case Open:
		r.open(c.Ladder)
	case Close:
		r.closeLadder(c.Ladder)
	case Stop:
		r.cut = true
		if c.Node != nil {
			r.endFrame(r.nodes[nodeKey{c.Flow, c.Node}], c.Error)
			return
		}
		if f := r.flows[c.Flow]; f != nil {
			f.cancel(c.Error)
			delete(r.flows, c.Flow) // another round gets a new one
		}
	case Kill:
		r.cut = true
		r.ladders[c.Ladder].cancel(c.Error)
	case Call:
		r.ready = append(r.ready, *c)
		if r.replay != nil {
			r.replay.asked(r, c)
		}
	case Check:
		if r.replay != nil {
			r.replay.checks[c.Ladder.keys] = c.Flow
			return
		}
		r.check(c.Flow)
	case Pause:
		r.pause(c)
	default:
		r.tell(c)
	}
}

// dispatch starts the calls for which there is a slot. It reports whether there
// are new commands to obey.
func (r *run) dispatch() bool {
	if r.replay != nil || r.hold > 0 || r.broken != nil || r.suspended {
		return false
	}
	if r.cut {
		r.cut = false
		if r.abandon() {
			return true
		}
	}
	for r.head < len(r.ready) {
		if !r.slots.reserve() {
			return false
		}
		r.call(&r.ready[r.head])
		r.pop()
	}
	return false
}

// abandon answers for the calls in the queue that must not begin any more: at
// once, not when a slot would have been free for them.
func (r *run) abandon() bool {
	var gone []Command
	kept := r.ready[:r.head]
	for _, c := range r.ready[r.head:] {
		if c.Flow.Abandons(c.Node) || c.Flow.itemCut(c.Node, c.Item) {
			gone = append(gone, c)
		} else {
			kept = append(kept, c)
		}
	}
	clear(r.ready[len(kept):])
	r.ready = kept
	for i := range gone {
		c := &gone[i]
		r.busy++
		m := message{kind: Call, flow: c.Flow, node: c.Node, item: c.Item, result: c.abandoned()}
		if r.start.Journal != nil {
			r.keep(m)
			continue
		}
		m.at = r.clock.Now()
		r.take(&m)
	}
	return len(gone) > 0 && r.start.Journal == nil
}

func (r *run) pop() {
	r.ready[r.head] = Command{}
	r.head++
	if r.head == len(r.ready) {
		r.ready, r.head = r.ready[:0], 0
	}
}

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
	if p := r.replay; p != nil && (r.retold > 0 || p.looking) { // the wait was chosen already
		r.retold--
		p.pauses[c.Ladder.keys] = c.Flow
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

// outcome is the end of the run, or where it stands.
func (r *run) outcome() Outcome {
	if r.progress.Over() {
		return Outcome{Result: r.result()}
	}
	o := Outcome{Result: r.progress.unfinished(r.start.ID, r.began, r.clock.Now())}
	for _, k := range r.progress.parked {
		if o.Reason != "" {
			o.Reason += "; "
		}
		o.Reason += k.path() + ": " + k.why()
	}
	due := func(f *frame) {
		if !f.due.IsZero() && (o.Wake.IsZero() || f.due.Before(o.Wake)) {
			o.Wake = f.due
		}
	}
	for _, f := range r.ladders {
		due(f)
	}
	for _, f := range r.nodes {
		due(f)
	}
	return o
}

func (r *run) result() *event.Result {
	root := r.progress.Root()
	level := root.Level()
	now := r.clock.Now()
	res := &event.Result{
		RunID: r.start.ID, Workflow: r.start.Plan.Name, Status: level.Status, Output: level.Output, Error: level.Error,
		Level: root.answer, LevelName: root.levels[root.answer].Workflow,
		Nodes: level.Nodes, Levels: root.levels, Health: level.Health,
		StartedAt: r.began, FinishedAt: now, DurationMS: float64(now.Sub(r.began).Microseconds()) / 1e3,
	}
	if res.Nodes == nil { // a level that did not take the input
		res.Nodes = event.NodeMap{}
	}
	return res
}
