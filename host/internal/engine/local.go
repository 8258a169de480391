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
	draining  bool  // no call begins any more
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
	case r.draining && (r.busy == 0 || r.slots.idle()):
		r.suspend() // who still is at it waits for another attempt, and may as well do so later
		return r.busy == 0
	}
	return false
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
