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
	// are its to set. nil: nobody wants them.
	Emit func(*event.Event)
}

// Run runs a workflow to its end and returns when nothing of it is left
// running. Cancelling ctx cancels the run, with the context's cause.
func (l *Local) Run(ctx context.Context, s Start) *event.Result {
	clock := l.Clock
	if clock == nil {
		clock = call.RealClock()
	}
	// The calls' contexts end by the run's own hand, with a cause that tells
	// why, never by the caller's context directly.
	base, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	r := &run{local: l, clock: clock, start: s, base: base,
		inbox:   make(chan message, 64),
		done:    make(chan struct{}),
		ladders: map[*Ladder]*frame{}, flows: map[*Flow]*frame{}, nodes: map[nodeKey]*frame{},
	}
	r.slots = newSlots(s.Plan.Run.Concurrency, func() { r.answer(message{kind: woken}) })
	r.began = clock.Now()
	r.emit = s.Emit
	if r.emit == nil {
		r.emit = func(*event.Event) {}
	}
	defer close(r.done)
	r.emit(&event.Event{Type: event.RunStarted, Workflow: s.Plan.Name})
	r.progress = NewProgress(base, s.Plan, s.ID, s.Input, r.began)
	r.loop(ctx)
	r.dismiss()
	return r.result()
}

type run struct {
	local    *Local
	clock    call.Clock
	start    Start
	base     context.Context
	began    time.Time
	progress *Progress
	emit     func(*event.Event)
	slots    *slots
	inbox    chan message
	done     chan struct{}

	ready []Command // calls that wait for a slot
	head  int
	cut   bool // some of them must not begin any more

	idle     []*worker
	answered []*worker // their calls have ended

	ladders map[*Ladder]*frame
	flows   map[*Flow]*frame
	nodes   map[nodeKey]*frame
}

type nodeKey struct {
	flow *Flow
	node *workflow.Node
}

// message is an answer on its way to the loop.
type message struct {
	kind   Kind
	worker *worker
	result *event.NodeResult
	flow   *Flow
	ladder *Ladder
	node   *workflow.Node
	report *event.Report
	frame  *frame
	cause  error
}

// Kinds of messages that answer no command.
const (
	expired   Kind = 255 - iota // a deadline has passed
	cancelled                   // somebody wants the run to end
	woken                       // a slot may be free
)

func (r *run) loop(ctx context.Context) {
	if ctx.Err() != nil {
		r.progress.Cancel(context.Cause(ctx))
	} else {
		defer context.AfterFunc(ctx, func() { r.answer(message{kind: cancelled, cause: context.Cause(ctx)}) })()
	}
	for {
		r.obey()
		if r.progress.Over() {
			return
		}
		r.take(<-r.inbox)
	}
}

func (r *run) take(m message) {
	p := r.progress
	p.At(r.clock.Now())
	switch m.kind {
	case Call:
		c := &m.worker.command
		r.answered = append(r.answered, m.worker)
		p.Called(c.Flow, c.Node, c.Item, m.result)
	case Check:
		r.emit(&event.Event{Type: event.HealthChecked, Workflow: m.flow.plan.Name, Level: m.flow.ladder.Number(), Health: m.report})
		p.Checked(m.flow, m.report)
	case Pause:
		p.Paused(m.flow)
	case cancelled:
		p.Cancel(m.cause)
	case woken:
		r.slots.woken.Store(false)
	case expired:
		// A timer may fire while what it was for ends, and the same ladder or node
		// may have begun another round since.
		switch {
		case m.ladder != nil && r.ladders[m.ladder] == m.frame:
			p.Expire(m.ladder)
		case m.ladder == nil && r.nodes[nodeKey{m.flow, m.node}] == m.frame:
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
		r.close(c.Ladder)
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
	case Check:
		r.check(c.Flow, r.ladders[c.Ladder].ctx)
	case Pause:
		r.pause(c)
	default:
		r.tell(c)
	}
}

// dispatch starts the calls for which there is a slot. It reports whether there
// are new commands to obey.
func (r *run) dispatch() bool {
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
		r.progress.Called(c.Flow, c.Node, c.Item, c.abandoned())
	}
	return len(gone) > 0
}

func (r *run) pop() {
	r.ready[r.head] = Command{}
	r.head++
	if r.head == len(r.ready) {
		r.ready, r.head = r.ready[:0], 0
	}
}

// answer brings a message to the loop, unless the run has ended. Workers need
// not ask for that: the run waits for them.
func (r *run) answer(m message) {
	select {
	case r.inbox <- m:
	case <-r.done:
	}
}

func (r *run) check(f *Flow, ctx context.Context) {
	go func() {
		r.answer(message{kind: Check, flow: f, report: r.local.Health.Check(ctx, f.plan, r.start.ID)})
	}()
}

func (r *run) pause(c *Command) {
	wait := r.local.Caller.Wait(&c.Flow.plan.Run.Retry, c.Round, c.Flow.lastPause, c.Error, c.Flow.ladder.keys)
	c.Flow.lastPause = wait
	r.emit(&event.Event{Type: event.NodeRetrying, Workflow: c.Flow.plan.Name, Level: c.Flow.ladder.Number(), Node: c.Flow.ladder.Path(),
		Attempt: c.Round + 1, RetryInMS: float64(wait) / 1e6, Error: c.Error, Reason: "the whole run"})
	f, ctx := c.Flow, r.ladders[c.Ladder].ctx
	timer := r.clock.NewTimer(wait)
	go func() {
		defer timer.Stop()
		select {
		case <-timer.C():
		case <-ctx.Done():
		}
		r.answer(message{kind: Pause, flow: f})
	}()
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
