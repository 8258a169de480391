package engine

import (
	"context"
	"errors"

	"wasmhost/host/event"
)

// answer brings an answer to the loop, from any goroutine: through the journal
// where there is one.
func (r *run) answer(m message) {
	if r.start.Journal == nil {
		m.at = r.clock.Now()
		r.box.put(m)
		return
	}
	if errors.Is(context.Cause(r.base), errSuspended) && (m.kind != Call || !m.result.Kept()) {
		// It says only that the run was suspended; what was really done counts.
		m.dropped = true
		r.box.put(m)
		return
	}
	if m.worker != nil {
		c := &m.worker.command
		m.flow, m.node, m.item = c.Flow, c.Node, c.Item
	}
	r.keep(m)
}

// keep writes an answer into the journal and brings it to the loop when it is
// there for good.
func (r *run) keep(m message) {
	m.at, m.kept = r.clock.Now(), true
	n, key := noteOf(&m)
	e, err := n.entry(key, MarkAnswer, m.at)
	if err != nil {
		m.lost = err
		r.box.put(m)
		return
	}
	r.start.Journal.Keep(e, func(err error) {
		m.lost = err
		if !r.box.put(m) {
			m.refuse(r.box.why)
		}
	})
}

// noteOf is an answer as the history has it.
func noteOf(m *message) (n note, key string) {
	switch m.kind {
	case Call:
		res := m.result
		if m.worker != nil && m.worker.command.Prior != nil {
			copied := *res
			copied.Run = nil // of the sub-workflow before, whose own entries tell it
			res = &copied
		}
		return note{Kind: noteCalled, Result: res}, m.flow.Key(m.node, m.item)
	case Check:
		return note{Kind: noteChecked, Report: m.report}, m.flow.ladder.keys
	case Pause:
		return note{Kind: notePaused}, m.flow.ladder.keys
	case decided:
		return note{Kind: noteDecided, Decision: m.decision}, ""
	case cancelled:
		n = note{Kind: noteCancelled}
		if m.cause != nil && !errors.Is(m.cause, context.Canceled) {
			n.Reason = m.cause.Error()
		}
		return n, ""
	}
	if m.ladder != nil {
		return note{Kind: noteExpired}, m.ladder.keys
	}
	return note{Kind: noteNodeExpired}, m.flow.Key(m.node, -1)
}

// remember writes what is not an answer; nobody waits for it.
func (r *run) remember(n note, key string) {
	if r.start.Journal == nil {
		return
	}
	if e, err := n.entry(key, MarkNote, r.clock.Now()); err == nil {
		r.start.Journal.Keep(e, nil)
	}
}

// beginAttempt returns when it is known for good that an attempt begins, and
// what came before it: a process must not make one that it could forget, beside
// the one that a crash may repeat.
func (r *run) beginAttempt(ctx context.Context, key string, attempt int) error {
	e, err := note{Kind: noteAttempt, Attempt: attempt}.entry(key, MarkNote, r.clock.Now())
	if err != nil {
		return err
	}
	kept := make(chan error, 1)
	r.start.Journal.Keep(e, func(err error) { kept <- err })
	select {
	case err := <-kept:
		if err != nil {
			return asJournalError(err)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// asJournalError is an error of the journal as results carry it.
func asJournalError(err error) *event.Error {
	if err == nil {
		return nil
	}
	var e *event.Error
	if errors.As(err, &e) {
		return e
	}
	return &event.Error{Class: event.System, Code: "journal", Message: err.Error(), Cause: err}
}

// breakOff ends the run's calls because nothing more can be kept: it must not
// go on without.
func (r *run) breakOff(err error) {
	if r.broken == nil {
		r.broken = err
		r.end(asJournalError(err))
	}
}
