// Package engine decides which node runs when. It does not know what a plugin
// is, and keeps no policy: one node's retries, breakers and fallbacks are the
// business of package call.
//
// Progress is the decision itself, a state machine without goroutines, clocks
// or randomness: outcomes go in, commands come out. Local is the loop around it
// that runs a workflow in this process. A run is a tree: a Ladder is a workflow
// with its fallback levels, a Flow is one of the levels with its nodes, and a
// node that is a sub-workflow holds a Ladder of its own.
package engine

import (
	"context"
	"errors"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// Progress is one run as a state machine. It is not safe for concurrent use.
//
// The caller takes commands from Take until there are none, does them, and
// answers with Called, Checked, Paused, Expire, ExpireNode, Decide and Cancel; each
// answer may bring new commands. The run is over when Over says so.
type Progress struct {
	runID string
	root  *Ladder
	ctx   context.Context
	now   time.Time

	commands []Command
	taken    int
	decide   []decision
	over     bool

	parks   bool // what only a person can settle waits instead of failing
	parked  []*parked
	waiting bool // for nothing else
}

type decision struct {
	flow *Flow
	node int
}

// Options are what else a Progress may begin with.
type Options struct {
	// Parks lets nodes wait for a person: without it an approval fails, and so does
	// a node whose outcome nobody knows.
	Parks bool
	// Seed is what is kept of an earlier generation of the run, or nil.
	Seed *Seed
}

// NewProgress begins a run of plan with an input that was checked already.
// Expressions that nodes carry are evaluated under ctx.
func NewProgress(ctx context.Context, plan *workflow.Plan, runID string, input event.Value, now time.Time, o Options) *Progress {
	p := &Progress{runID: runID, ctx: ctx, now: now, parks: o.Parks}
	p.root = &Ladder{p: p, plan: plan, input: input, node: -1, item: -1, seed: o.Seed.root()}
	p.root.begin()
	p.settle()
	return p
}

// At tells the time of what is answered next. Durations are taken from it.
func (p *Progress) At(now time.Time) { p.now = now }

// since is the time from a start to now, in milliseconds.
func (p *Progress) since(start time.Time) float64 {
	return float64(p.now.Sub(start).Microseconds()) / 1e3
}

// Take returns the next command. The Command is valid until the next call of
// any method.
func (p *Progress) Take() (*Command, bool) {
	if p.taken == len(p.commands) {
		p.commands, p.taken = p.commands[:0], 0
		return nil, false
	}
	p.taken++
	return &p.commands[p.taken-1], true
}

// Over reports whether the run has ended and every command was answered.
func (p *Progress) Over() bool { return p.over }

// Root is the run's outermost ladder.
func (p *Progress) Root() *Ladder { return p.root }

// Called answers a Call.
func (p *Progress) Called(f *Flow, n *workflow.Node, item int, r *event.NodeResult) {
	f.called(n, item, r)
	p.settle()
}

// Checked answers a Check.
func (p *Progress) Checked(f *Flow, report *event.Report) {
	f.checked(report)
	p.settle()
}

// Paused answers a Pause.
func (p *Progress) Paused(f *Flow) {
	f.paused()
	p.settle()
}

// Expire tells that the deadline of a ladder has passed. It may come late: an
// ended ladder ignores it. A ladder that was opened again has a new deadline;
// telling that of an earlier Open is the caller's mistake.
func (p *Progress) Expire(l *Ladder) {
	l.kill(&event.Error{Class: event.Transient, Code: "deadline",
		Message: "the deadline of " + l.limit() + " of workflow " + quote(l.plan.Name) + " passed", OutcomeUnknown: true}, event.Failed)
	p.settle()
}

// ExpireNode tells that the deadline of a node with items, or of an approval, has
// passed.
func (p *Progress) ExpireNode(f *Flow, n *workflow.Node) {
	f.expireNode(n)
	p.settle()
}

// Cancel tells that somebody wants the run to end.
func (p *Progress) Cancel(cause error) {
	reason := "cancelled"
	if cause != nil && !errors.Is(cause, context.Canceled) {
		reason = cause.Error()
	}
	p.root.kill(&event.Error{Class: event.Unknown, Code: "cancelled", Message: reason}, event.Cancelled)
	p.settle()
}

func (p *Progress) put(c Command) { p.commands = append(p.commands, c) }

// settle decides nodes until nothing more follows from what is known. A queue,
// not recursion: a chain of 100,000 skipped nodes is only a long queue.
func (p *Progress) settle() {
	for i := 0; i < len(p.decide); i++ {
		d := p.decide[i]
		d.flow.decideNode(d.node)
	}
	p.decide = p.decide[:0]
}

func quote(s string) string { return `"` + s + `"` }
