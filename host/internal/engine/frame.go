package engine

import (
	"context"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/workflow"
)

// frame is the context of a ladder, of what a flow may stop, or of a node with
// items, with the deadline that ends it.
type frame struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	due     time.Time // of the deadline; zero: none
	expired message   // what then is told
	timer   call.Timer
}

// open makes a ladder's context and starts its deadline.
func (r *run) open(l *Ladder) {
	parent := r.base
	switch {
	case l.parent != nil:
		parent = r.ctx(l.parent, l.Node())
	case l.up != nil:
		parent = r.ladders[l.up].ctx
	}
	f := newFrame(parent)
	r.ladders[l] = f
	if r.replay != nil {
		r.replay.ladders[l.keys] = l
	}
	if d := l.Deadline(); d > 0 {
		r.deadline(f, d, message{kind: expired, ladder: l})
	}
}

func (r *run) closeLadder(l *Ladder) {
	r.endFrame(r.ladders[l], nil)
	delete(r.ladders, l)
	if f := r.flows[l.primary]; f != nil {
		f.cancel(nil)
		delete(r.flows, l.primary)
	}
}

// ctx is the context under which a node's calls run.
func (r *run) ctx(f *Flow, n *workflow.Node) context.Context {
	parent := r.ladders[f.ladder].ctx
	if n.RunIf != workflow.IfDone { // what always runs is not stopped by a failure
		s := r.flows[f]
		if s == nil {
			s = newFrame(parent)
			r.flows[f] = s
		}
		parent = s.ctx
	}
	if n.ForEach == nil && n.Kind != workflow.ApprovalNode {
		return parent
	}
	key := nodeKey{f, n}
	s := r.nodes[key]
	if s == nil {
		s = newFrame(parent)
		r.nodes[key] = s
		if r.replay != nil {
			r.replay.nodes[f.Key(n, -1)] = key
		}
		if n.Deadline > 0 {
			r.deadline(s, n.Deadline, message{kind: expired, flow: f, node: n})
		}
	}
	return s.ctx
}

func newFrame(parent context.Context) *frame {
	ctx, cancel := context.WithCancelCause(parent)
	return &frame{ctx: ctx, cancel: cancel}
}

// deadline tells the loop when d has passed. Only the loop cuts what is in
// flight: an outcome that came from the cut must not reach Progress before the
// cut itself does, or it would look like somebody else's.
func (r *run) deadline(f *frame, d time.Duration, m message) {
	m.frame = f
	// Progress may not have been asked for a while: a slot has become free, say.
	now := r.clock.Now()
	if r.replay != nil {
		now = r.progress.now
	}
	f.due, f.expired = now.Add(d), m
	if r.replay == nil {
		r.arm(f)
	}
}

// arm starts the deadline of a frame, or tells at once that it has passed.
func (r *run) arm(f *frame) {
	if f.due.IsZero() {
		return
	}
	left := f.due.Sub(r.clock.Now())
	if left <= 0 {
		r.first(f.expired)
		return
	}
	f.timer = r.clock.AfterFunc(left, func() { r.box.put(f.expired) })
}

func (r *run) endFrame(f *frame, cause *event.Error) {
	if f == nil {
		return
	}
	if f.timer != nil {
		f.timer.Stop()
	}
	if cause != nil {
		f.cancel(cause)
		return
	}
	f.cancel(nil)
}
