package engine

import (
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

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
	drained                     // the process ends when the calls in flight have
)

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
	case drained:
		if r.start.Journal != nil {
			r.draining = true
			r.slots.shut.Store(true)
		}
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
		m.refuse(r.late())
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
