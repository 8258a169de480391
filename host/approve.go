package host

import (
	"context"
	"errors"
	"fmt"

	"wasmhost/host/event"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/journal"
)

// Approval is a person's answer to a node that waits for one.
type Approval = event.Approval

// Approve answers a waiting node and goes on with the run, here or where it
// lives. Codes: not_found, not_waiting, unknown_node, ambiguous (several wait),
// invalid_output, run_interrupted, run_ended, closed (the host is stopping, and the
// answer was not taken).
func (h *Host) Approve(ctx context.Context, id string, a Approval, o Options) (*Run, error) {
	info, err := h.find(ctx, id)
	if err != nil {
		return nil, err
	}
	switch {
	case info.Status.Ended():
		return nil, refusal("run_ended", fmt.Sprintf("run %s has ended (%s); nothing waits for a person", info.ID, info.Status))
	case !info.Alive && info.Status == event.Running:
		return nil, refusal("run_interrupted", fmt.Sprintf("run %s was interrupted; go on with it first: host runs resume %s", info.ID, info.ID))
	}
	d := engine.Decision{Path: a.Node, Verdict: engine.Approve, Output: a.Output, HasOutput: a.HasOutput, Comment: a.Comment, By: a.By}
	if a.Reject {
		d.Verdict = engine.Reject
	}
	if d.By == "" {
		d.By = person()
	}
	return h.decide(ctx, info, []engine.Decision{d}, o)
}

// decide brings decisions to a run: to who works on it, or to itself.
func (h *Host) decide(ctx context.Context, info *journal.Run, all []engine.Decision, o Options) (*Run, error) {
	again := func(rest []engine.Decision) (*Run, error) {
		now, err := h.find(ctx, info.ID)
		if err != nil {
			return nil, err
		}
		return h.decide(ctx, now, rest, o)
	}
	here := h.here(info.ID)
	switch {
	case here != nil:
	case info.Status.Ended():
		return nil, refusal("run_ended", fmt.Sprintf("run %s has ended (%s); nothing waits for a person", info.ID, info.Status))
	case info.Alive:
		for i, d := range all {
			err := h.send(ctx, info.ID, commandDecide, d)
			if errors.Is(err, errGone) { // it waits, or has died: then it is ours
				return again(all[i:])
			}
			if err != nil {
				return nil, err
			}
		}
		return h.Follow(ctx, info.ID, o)
	}
	answers := make(chan *event.Error, len(all))
	say := func(r *Run) {
		for _, d := range all {
			r.control.Decide(d, func(err *event.Error) { answers <- err })
		}
	}
	r := here
	if r != nil {
		say(r)
	} else {
		var err error
		if r, err = h.goOn(ctx, info, o, say); errors.Is(err, errTaken) {
			return again(all)
		} else if err != nil {
			return nil, err
		}
	}
	for range all {
		err, told := r.answered(ctx, answers)
		switch {
		case ctx.Err() != nil && !told:
			return nil, context.Cause(ctx)
		case !told: // it was here, and could not begin
			return again(all)
		case err == nil:
		case (err.Code == "run_ended" || err.Code == "closed") && here != nil:
			// It was about to wait, or to be left: then it is ours to go on with, if
			// this process goes on with anything.
			if _, err := here.Wait(ctx); err != nil {
				return nil, h.recorded(err)
			}
			return again(all)
		default:
			if here == nil && len(all) == 1 {
				// The run was woken for nothing and goes back to waiting: who gives
				// another answer now must find it so.
				_, _ = r.Wait(ctx)
			}
			return nil, err
		}
	}
	return r, nil
}

// answered waits for the answer to a decision; false when none will come, for the
// run never began or ctx has ended.
func (r *Run) answered(ctx context.Context, answers <-chan *event.Error) (*event.Error, bool) {
	select {
	case err := <-answers:
		return err, true
	case <-ctx.Done():
		return nil, false
	case <-r.done:
	}
	select { // who ends a run has answered everybody
	case err := <-answers:
		return err, true
	default:
		return nil, false
	}
}
