package host

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/journal"
)

// Follow is a run as it goes on, in this process or another: its events so far
// come first. Nothing of the run depends on who follows it; Cancel sends the
// wish to whoever works on it. It ends when the run has ended, waits for a
// person, or nobody works on it any more: the result then says so with its
// status. Of Options only Sink counts.
func (h *Host) Follow(ctx context.Context, id string, o Options) (*Run, error) {
	info, err := h.find(ctx, id)
	if err != nil {
		return nil, err
	}
	r := h.newRun(ctx, info.ID, nil, o)
	r.input = info.Input
	follow, cancel := r.ctx, r.cancel
	r.unfollow = cancel
	r.cancel = func(cause error) {
		reason := ""
		if cause != nil {
			reason = cause.Error()
		}
		h.later(func(context.Context) { _ = h.CancelRun(follow, r.id, reason) })
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		cancel(nil)
		return nil, ErrClosed
	}
	h.followed[r] = true
	h.ending.Go(func() {
		defer cancel(nil)
		result, err := h.follow(follow, r)
		h.mu.Lock()
		delete(h.followed, r)
		h.mu.Unlock()
		r.end(result, err)
	})
	return r, nil
}

// follow hands on a run's records until nothing more will come.
func (h *Host) follow(ctx context.Context, r *Run) (*event.Result, error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	after := uint64(0)
	var finished *event.Event
	for {
		// First how it stands, then what has happened: so nothing is missed.
		info, err := h.journal.Run(ctx, r.id)
		if err != nil {
			return nil, h.recorded(err)
		}
		for {
			records, err := h.journal.Records(ctx, r.id, after, chunk)
			if err != nil {
				return nil, h.recorded(err)
			}
			for i := range records {
				after = records[i].N
				switch e := records[i].Event; {
				case e == nil:
				case e.Type == event.RunFinished:
					finished = e // told with its result, when there is one
				default:
					finished = nil
					r.tell(e)
				}
			}
			if len(records) < chunk {
				break
			}
		}
		if info.Status.Ended() || !info.Alive {
			result, err := h.RunResult(ctx, r.id)
			if err == nil && finished != nil {
				finished.Result = result
				r.tell(finished)
			}
			return result, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// RunResult is the result of a run: as recorded when it has ended or waits, else
// what stands so far.
func (h *Host) RunResult(ctx context.Context, id string) (*event.Result, error) {
	info, err := h.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if info.Status.Ended() || info.Status == event.Waiting {
		text, err := h.journal.Result(ctx, info.ID)
		if err != nil {
			return nil, h.recorded(err)
		}
		if text != nil {
			var result event.Result
			if err := json.Unmarshal(text, &result); err != nil {
				return nil, refusal("journal", fmt.Sprintf("the result of run %s cannot be read: %v", info.ID, err))
			}
			return &result, nil
		}
	}
	return h.soFar(ctx, info)
}

// soFar is what a run that has not ended has come to, as its events tell it.
func (h *Host) soFar(ctx context.Context, info *journal.Run) (*event.Result, error) {
	events, err := h.eventsOf(ctx, info)
	if err != nil {
		return nil, h.recorded(err)
	}
	r := &event.Result{RunID: info.ID, Workflow: info.Workflow, LevelName: info.Workflow, Status: info.Status, Nodes: event.NodeMap{}, StartedAt: info.CreatedAt,
		Metrics:    event.Metrics{SuccessRatePercent: 100, CircuitBreakerState: map[string]string{}},
		DurationMS: float64(h.clock.Now().Sub(info.CreatedAt).Milliseconds())}
	for _, e := range events {
		r.Add(e)
	}
	r.Levels = append(r.Levels, event.Level{Workflow: r.LevelName, Status: info.Status, Nodes: r.Nodes, DurationMS: r.DurationMS})
	return r, nil
}
