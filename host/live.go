package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"wasmhost/host/event"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/journal"
)

// here is the run of an id that this process works on, or nil.
func (h *Host) here(id string) *Run {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.runs[id]
}

// enter makes r the run of its id, or returns the one that is there. Close waits
// from now on until r has been left, or has ended.
func (h *Host) enter(r *Run) (*Run, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	if old := h.runs[r.id]; old != nil {
		if r.workflow != nil && (old.workflow.plan.Digest != r.workflow.plan.Digest || !bytes.Equal(old.input.JSON(), r.input.JSON())) {
			return nil, refusal("run_conflict", fmt.Sprintf("run %q is under way with another workflow, file or input; choose another run id, or wait for it", r.id))
		}
		return old, nil
	}
	h.runs[r.id] = r
	h.ending.Add(1)
	return nil, nil
}

// leave ends a run that could not begin; whoever has it already learns why.
func (h *Host) leave(r *Run, err error) error {
	defer h.ending.Done()
	h.remove(r)
	r.cancel(nil)
	r.end(nil, err)
	return err
}

func (h *Host) remove(r *Run) {
	h.mu.Lock()
	if h.runs[r.id] == r {
		delete(h.runs, r.id)
	}
	h.mu.Unlock()
	h.read.forget(r.id)
}

// arrived tells those who follow a run that it is at work here.
func (h *Host) arrived(r *Run) {
	if s := h.served.Load(); s != nil {
		s.arrivals.tell(r.id)
	}
}

// launch starts the engine on a run that has been entered.
func (h *Host) launch(r *Run, s engine.Start) {
	s.ID, s.Plan, s.Input, s.Emit, s.Control = r.id, r.workflow.plan, r.input, r.emit, r.control
	if r.writer != nil {
		s.Journal, s.Parks = r, true
		h.ending.Go(r.stopWhenLost)
	}
	h.mu.Lock()
	r.live = true // and all that was set before is seen by who finds it so
	h.mu.Unlock()
	go func() {
		defer h.ending.Done()
		h.arrived(r)
		if h.slots.enter(r) {
			h.observer.Load().begin(r)
			r.run(r.ctx, s)
			h.slots.leave(r)
			h.observer.Load().left(r)
		} else {
			r.leaveQueue()
		}
		r.cancel(nil)
		if r.shared {
			h.release(context.WithoutCancel(r.ctx), r.workflow)
		}
	}()
}

// stopWhenLost ends the work on a run that cannot be written any more: another
// process may be at it.
func (r *Run) stopWhenLost() {
	select {
	case <-r.writer.Lost():
		r.suspend()
	case <-r.done:
	}
}

// cancelLeft ends a run that was told to end when its engine had just left it: at
// once when it had begun to wait. When the process ends, too, the wish stands in
// the journal for who takes the run next.
func (r *Run) cancelLeft(left *event.Result, cause error) (*event.Result, error) {
	h, ctx := r.host, context.WithoutCancel(r.ctx)
	info, err := h.find(ctx, r.id)
	if err != nil {
		return nil, err
	}
	if info.Status.Ended() { // somebody was faster
		return h.RunResult(ctx, r.id)
	}
	if left.Status == event.Waiting && !info.Alive {
		o := Options{Sink: event.SinkFunc(func(e *event.Event) { // the Host's has it already
			if r.sink != nil {
				r.sink.Emit(e)
			}
			r.feed.Emit(e)
		})}
		if err := h.cancelFree(ctx, info, cause.Error(), o); !errors.Is(err, ErrClosed) {
			if err != nil {
				return nil, err
			}
			return h.RunResult(ctx, r.id)
		}
	}
	reason, err := json.Marshal(cause.Error())
	if err == nil {
		_, err = h.journal.Send(ctx, journal.Command{Run: r.id, Kind: commandCancel, Data: reason, By: person(), At: h.clock.Now()})
	}
	return left, h.recorded(err)
}
