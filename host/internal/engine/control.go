package engine

import (
	"errors"

	"wasmhost/host/event"
)

// Control reaches into one run from outside. It is safe for concurrent use, and
// may be used before Run begins and after it has ended.
type Control struct{ box *mailbox }

// NewControl makes the Control of one run.
func NewControl() *Control { return &Control{box: newMailbox()} }

// Decide brings a person's answer. done is told when it is kept and counts, or
// why not: not_waiting, unknown_node, ambiguous, invalid_output, run_ended, closed
// (the work on the run ends here, and the run does not: the answer did not count
// and has to be given again), or an error of the journal. It must not block.
func (c *Control) Decide(d Decision, done func(*event.Error)) {
	m := message{kind: decided, decision: &d, done: done}
	if !c.box.put(m) {
		m.refuse(c.box.why)
	}
}

// Suspend ends what is in flight without ending the run: what has not been done
// by then is for whoever goes on with the history. Only for runs with a journal.
func (c *Control) Suspend() { c.box.put(message{kind: suspended}) }

// Drain lets the calls in flight end, with the fallback that takes over at once
// from one that fails, and begins no others: no node, no further attempt, no hedge.
// Then it is as Suspend. Only for runs with a journal.
func (c *Control) Drain() { c.box.put(message{kind: drained}) }

var errSuspended = errors.New("the process that works on the run ends")

func (r *run) suspend() {
	if r.suspended || r.start.Journal == nil {
		return
	}
	r.suspended = true
	r.end(errSuspended)
}

// refuse answers a decision that comes too late, or whose run ended while it was
// on its way through the journal.
func (m *message) refuse(why *event.Error) {
	switch {
	case m.done == nil:
	case m.lost != nil:
		m.done(asJournalError(m.lost))
	default:
		m.done(why)
	}
}

var (
	errEnded   = &event.Error{Class: event.Permanent, Code: "run_ended", Message: "the run does not wait for anybody any more"}
	errLeaving = &event.Error{Class: event.Transient, Code: "closed",
		Message: "the host that works on the run is stopping, and the answer was not taken; give it again when the run goes on"}
)

// late is why nobody may decide any more.
func (r *run) late() *event.Error {
	if r.suspended && !r.progress.Over() {
		return errLeaving
	}
	return errEnded
}

// close refuses what nobody has looked at, and stops the deadlines of a run that
// has not ended.
func (r *run) close() {
	for _, f := range r.ladders {
		r.endFrame(f, nil)
	}
	for _, f := range r.nodes {
		r.endFrame(f, nil)
	}
	why := r.late()
	for _, m := range append(r.box.close(why), r.later...) {
		m.refuse(why)
	}
}
