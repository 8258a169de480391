package engine

import (
	"context"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
)

// worker makes one call after the other on one goroutine, whose stack has grown
// to what a call needs, with one Request that is filled again for each. There
// are as many as there are calls in flight and in waits at once, at most.
type worker struct {
	run *run
	// begin carries a token for each call; closed, it ends the worker.
	begin chan struct{}

	// The call, set by the loop before the token and read by it after the answer.
	ctx     context.Context
	command Command
	request call.Request
	ticket  ticket
}

func (w *worker) work() {
	for range w.begin {
		result := w.run.local.Caller.Call(w.ctx, &w.request)
		w.run.answer(message{kind: Call, worker: w, result: result})
	}
}

// call starts the call of a command for which a slot is reserved.
func (r *run) call(c *Command) {
	f, n := c.Flow, c.Node
	path := c.Path()
	r.busy++
	w := r.worker()
	w.ctx, w.command = r.ctx(f, n), *c
	w.ticket.reserved = true
	q := &w.request
	q.Plan, q.Node, q.Level, q.Path = f.plan, n, f.ladder.number, path
	q.Scope = f.Scope(n, c.Item)
	q.Key = path
	if f.ladder.keys != f.ladder.prefix {
		q.Key = f.Key(n, c.Item)
	}
	q.Input = event.Null
	if n.Primary.With == nil { // the fallbacks have it too, or one of their own
		q.Input = f.Input(n, c.Item)
	}
	q.FirstAttempt, q.From, q.Prior, q.Resumed = f.Attempts(n, c.Item)+1, c.From, c.Prior, nil
	reason := ""
	if s := r.resumed[q.Key]; s != nil {
		q.Resumed, reason = s.resume(q.FirstAttempt, n.Idempotent), call.GoesOn
		delete(r.resumed, q.Key)
	}
	if c.From == 0 { // else it has begun as a sub-workflow
		r.emit(&event.Event{Type: event.NodeStarted, Workflow: f.plan.Name, Level: f.ladder.number, Node: path, Plugin: n.Primary.Plugin, Function: n.Primary.Function,
			Reason: reason, Key: q.Key})
	}
	w.begin <- struct{}{}
}

// worker is an idle one, or a new one.
func (r *run) worker() *worker {
	if last := len(r.idle) - 1; last >= 0 {
		w := r.idle[last]
		r.idle = r.idle[:last]
		return w
	}
	w := &worker{run: r, begin: make(chan struct{}, 1), ticket: ticket{slots: r.slots}}
	w.request = call.Request{Root: r.start.Plan, RunID: r.start.ID, Slot: &w.ticket, Emit: r.emit}
	if r.start.Journal != nil {
		w.request.Begin = r.beginAttempt
	}
	go w.work()
	return w
}

// rest gives back the slots of the workers that have answered, and keeps as many
// of them as can be busy at once.
func (r *run) rest() {
	for i, w := range r.answered {
		r.answered[i] = nil
		w.ticket.giveUp()
		w.ctx, w.command = nil, Command{}
		if len(r.idle) < r.slots.size {
			r.idle = append(r.idle, w)
		} else {
			close(w.begin)
		}
	}
	r.answered = r.answered[:0]
}

// dismiss ends the workers; all of them are idle.
func (r *run) dismiss() {
	for _, w := range r.idle {
		close(w.begin)
	}
	r.idle = nil
}
