package host

import (
	"context"
	"errors"
	"fmt"

	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/journal"
	"wasmhost/host/workflow"
)

// Resume goes on with a run whose process has died or that waits; what was done
// is not done again. Of Options only Sink counts. A run that is alive is
// followed, one that has ended gives its result. Codes: not_found, ambiguous,
// workflow_changed (the file is not what the run began with; Retry takes it),
// and those of Start.
func (h *Host) Resume(ctx context.Context, id string, o Options) (*Run, error) {
	info, err := h.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if info.Status.Ended() || info.Alive {
		return h.Follow(ctx, info.ID, o)
	}
	r, err := h.goOn(ctx, info, o, nil)
	if errors.Is(err, errTaken) {
		if r != nil {
			return r, nil
		}
		return h.Follow(ctx, info.ID, o)
	}
	return r, err
}

// errTaken says that a run is not as it was found: somebody works on it by now,
// or has done so.
var errTaken = errors.New("somebody else has taken the run")

// goOn takes a run that nobody works on and starts the engine on its history.
// before, if any, reaches into the run before it begins. The error is errTaken
// when somebody was faster; the Run is his then if he is of this process.
func (h *Host) goOn(ctx context.Context, info *journal.Run, o Options, before func(*Run)) (*Run, error) {
	// What the run began with may be at hand, whatever its file says by now.
	w := h.borrow(heldKey{info.File, info.Digest})
	if w == nil {
		var err error
		if w, err = h.reload(ctx, info); err != nil {
			return nil, err
		}
	} else if err := h.plugins.prepare(w.plan); err != nil {
		h.release(ctx, w)
		return nil, err
	}
	if w.plan.Digest != info.Digest {
		h.release(ctx, w)
		return nil, refusal("workflow_changed", fmt.Sprintf("run %s was begun with another content of %s, or of a file that it names; "+
			"put that back to go on, or run what is not done with the new one: host runs retry %s", info.ID, info.File, info.ID))
	}
	r, p, err := h.takeOver(ctx, info, w, o)
	if err != nil {
		return r, err
	}
	if before != nil {
		before(r)
	}
	h.launch(r, engine.Start{History: p.history, Seed: p.seed, Ran: r.ran})
	return r, nil
}

// takeOver makes a run that nobody works on this process's, with the workflow
// that was loaded for it. Errors are as those of goOn.
func (h *Host) takeOver(ctx context.Context, info *journal.Run, w *Workflow, o Options) (*Run, *past, error) {
	r := h.newRun(ctx, info.ID, w, o)
	r.input, r.recorded, r.shared, r.generation = info.Input, true, true, info.Generation
	old, err := h.enter(r)
	if err == nil && old != nil {
		err = errTaken
	}
	if err != nil {
		h.release(ctx, w)
		return old, nil, err
	}
	fail := func(err error) (*Run, *past, error) {
		h.release(ctx, w)
		return nil, nil, h.leave(r, err)
	}
	if r.writer, err = h.take(ctx, info); err != nil {
		return fail(err)
	}
	p, err := h.past(ctx, info.ID)
	if err != nil {
		_ = giveBack(r.writer) // err says more
		return fail(h.recorded(err))
	}
	r.seq, r.before, r.ended = p.seq, map[string]string{}, p.ended
	return r, p, nil
}

// reload loads the file that a run was started with, ready to run. Release what
// it returns.
func (h *Host) reload(ctx context.Context, info *journal.Run) (*Workflow, error) {
	w, findings, err := h.Load(ctx, info.File)
	if err != nil {
		for _, f := range findings {
			if f.Severity == workflow.Error {
				return nil, refusal("invalid_workflow", fmt.Sprintf("run %s cannot go on: %s: %s", info.ID, info.File, f.Message))
			}
		}
		return nil, err
	}
	w = h.keep(ctx, w)
	err = h.startable(w.plan)
	if err == nil {
		err = h.plugins.prepare(w.plan)
	}
	if err != nil {
		h.release(ctx, w)
		return nil, err
	}
	return w, nil
}

// take makes a run this process's, if it still stands as it was found: between
// the two somebody may have gone on with it, to its end even, and then what was
// read of it would be done again.
func (h *Host) take(ctx context.Context, info *journal.Run) (*journal.Writer, error) {
	writer, now, err := h.journal.Take(ctx, info.ID)
	var alive *journal.AliveError
	switch {
	case errors.As(err, &alive):
		return nil, errTaken
	case err != nil:
		return nil, h.recorded(err)
	case now.Generation == info.Generation && now.Status.Ended() == info.Status.Ended():
		return writer, nil
	}
	if err := giveBack(writer); err != nil {
		return nil, h.recorded(err)
	}
	return nil, errTaken
}

// giveBack gives a run back as it stands, and returns when others can take it.
func giveBack(w *journal.Writer) error {
	left := make(chan error, 1)
	w.Leave(func(err error) { left <- err })
	return <-left
}
