package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/user"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/journal"
)

// A command is a word from one process to the one that works on a run.

const (
	commandCancel = "cancel"
	commandDecide = "decide"
)

// person is who sits before this process.
func person() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "somebody"
}

// CancelRun ends a run, also one that another process works on or nobody. It
// returns when the wish is recorded and, where somebody works on the run, taken.
// Codes: not_found, ambiguous, run_ended.
func (h *Host) CancelRun(ctx context.Context, id, reason string) error {
	info, err := h.find(ctx, id)
	if err != nil {
		return err
	}
	if info.Status.Ended() {
		return refusal("run_ended", fmt.Sprintf("run %s has ended already: %s", info.ID, info.Status))
	}
	if reason == "" {
		reason = "cancelled by " + person()
	}
	switch {
	case h.cancelHere(info.ID, reason):
		return nil
	case info.Alive:
		err := h.send(ctx, info.ID, commandCancel, reason)
		if errors.Is(err, errGone) {
			return h.CancelRun(ctx, info.ID, reason)
		}
		return err
	}
	// Nobody works on it: it ends here, with what it has come to.
	return h.cancelFree(ctx, info, reason, Options{})
}

// cancelHere tells a run of this process to end, if there is one. It is told
// under the lock under which it is removed when its engine has ended: so it
// learns of the wish before, or nobody here has it any more.
func (h *Host) cancelHere(id, reason string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.runs[id]
	if r != nil {
		r.Cancel(errors.New(reason))
	}
	return r != nil
}

// cancelFree ends a run that nobody works on.
func (h *Host) cancelFree(ctx context.Context, info *journal.Run, reason string, o Options) error {
	r, err := h.goOn(ctx, info, o, func(r *Run) { r.cancel(errors.New(reason)) })
	switch {
	case err == nil:
		_, err = r.Wait(ctx)
		return err
	case errors.Is(err, errTaken):
		return h.CancelRun(ctx, info.ID, reason)
	case errors.Is(err, ErrClosed), ctx.Err() != nil:
		return err
	}
	err = h.endDead(ctx, info, reason, err)
	if errors.Is(err, errTaken) {
		return h.CancelRun(ctx, info.ID, reason)
	}
	return err
}

// endDead ends a run whose workflow cannot be read any more.
func (h *Host) endDead(ctx context.Context, info *journal.Run, reason string, why error) error {
	writer, err := h.take(ctx, info)
	if err != nil {
		return err
	}
	result := event.Result{RunID: info.ID, Workflow: info.Workflow, LevelName: info.Workflow, Status: event.Cancelled, Nodes: event.NodeMap{},
		Error:     &event.Error{Class: event.Unknown, Code: "cancelled", Message: fmt.Sprintf("%s (what it had done is not in this result: %v)", reason, why)},
		StartedAt: info.CreatedAt, FinishedAt: h.clock.Now()}
	text, err := json.Marshal(&result)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	writer.End(journal.End{Status: event.Cancelled, Error: result.Error, Result: text}, func(err error) { done <- err })
	return <-done
}

// patience is how long a command waits for who works on the run.
const patience = 15 * time.Second

// errGone says that nobody works on the run any more.
var errGone = errors.New("nobody works on the run")

// send writes a command and waits until it is taken, or nobody is there to take
// it: then it is withdrawn.
func (h *Host) send(ctx context.Context, run, kind string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	id, err := h.journal.Send(ctx, journal.Command{Run: run, Kind: kind, Data: text, By: person(), At: h.clock.Now()})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, refusal("no_answer", fmt.Sprintf(
		"the process that works on run %s has not taken the command within %s; it stands, and is taken when the process answers again", run, patience)))
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		answer, taken, err := h.journal.Answer(ctx, id)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}
		if taken {
			if answer == "" {
				return nil
			}
			var e event.Error
			if err := json.Unmarshal([]byte(answer), &e); err != nil {
				return err
			}
			return &e
		}
		info, err := h.journal.Run(ctx, run)
		if err == nil && !info.Alive {
			if err := h.journal.Done(ctx, id, ""); err != nil {
				return err
			}
			return errGone
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// command takes a word from another process, on the journal's goroutine.
func (h *Host) command(c journal.Command) {
	done := func(e *event.Error) {
		if e != nil && (e.Code == "run_ended" || e.Code == "closed") {
			return // who asks sees what became of the run, and goes on with it if it waits or was left
		}
		answer := ""
		if e != nil {
			text, _ := json.Marshal(e)
			answer = string(text)
		}
		h.ending.Go(func() { _ = h.journal.Done(context.Background(), c.ID, answer) })
	}
	h.mu.Lock()
	r := h.runs[c.Run]
	closed := h.closed
	h.mu.Unlock()
	if closed {
		return // it stands, for who takes the run next
	}
	if r == nil {
		return
	}
	switch c.Kind {
	case commandCancel:
		var reason string
		if err := json.Unmarshal(c.Data, &reason); err != nil || reason == "" {
			reason = "cancelled by " + c.By
		}
		if h.cancelHere(c.Run, reason) {
			done(nil)
		}
	case commandDecide:
		var d engine.Decision
		if err := json.Unmarshal(c.Data, &d); err != nil {
			done(refusal("bad_command", "the answer cannot be read: "+err.Error()))
			return
		}
		r.control.Decide(d, done)
	default:
		done(refusal("bad_command", fmt.Sprintf("this version knows no command %q", c.Kind)))
	}
}
