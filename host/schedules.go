package host

import (
	"context"
	"errors"

	"wasmhost/host/event"
	"wasmhost/host/internal/journal"
	"wasmhost/host/internal/schedule"
	"wasmhost/host/internal/server"
)

// scheduleConfig lets the scheduler start runs of served workflows, with its state
// in the journal.
func (s *served) scheduleConfig() schedule.Config {
	return schedule.Config{Start: s.startDue, Follow: s.followDue, Load: s.loadSchedules, Save: s.saveSchedule, Count: s.telemetry.Due,
		Audit: func(a event.Audit) { s.Audit(context.Background(), a) }, Log: s.log, Now: s.clock.Now}
}

// startDue starts the run of a time that has come.
func (s *served) startDue(ctx context.Context, due schedule.Due) (string, <-chan struct{}, error) {
	info, _, err := s.Start(ctx, server.StartRequest{Workflow: due.Workflow, RunID: due.RunID})
	if errors.Is(err, errStopping) || errors.Is(err, ErrClosed) {
		return "", nil, schedule.ErrClosing
	}
	if err != nil {
		return "", nil, err
	}
	return info.ID, s.ended(ctx, info.ID), nil
}

// followDue finds the run that an earlier process started.
func (s *served) followDue(ctx context.Context, id string) (<-chan struct{}, bool, error) {
	info, err := s.journal.Run(ctx, id)
	switch {
	case errors.Is(err, journal.ErrNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, s.recorded(err)
	}
	return s.ended(ctx, info.ID), true, nil
}

// ended is closed when a run has ended; it stays open when the server stops
// before.
func (s *served) ended(ctx context.Context, id string) <-chan struct{} {
	done := make(chan struct{})
	s.later(func(context.Context) {
		stop, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		go func() {
			select {
			case <-s.stopping:
				cancel()
			case <-stop.Done():
			}
		}()
		var e *event.Error
		err := s.Follow(stop, id, farAhead, func(*event.Event) error { return nil })
		if err == nil || errors.As(err, &e) && e.Code == "not_found" { // deleted
			close(done)
		}
	})
	return done
}

func (s *served) loadSchedules(ctx context.Context) ([]schedule.Saved, error) {
	rows, err := s.journal.Schedules(ctx)
	all := make([]schedule.Saved, len(rows))
	for i, row := range rows {
		all[i] = schedule.Saved(row)
	}
	return all, s.recorded(err)
}

func (s *served) saveSchedule(ctx context.Context, state schedule.Saved) error {
	return s.recorded(s.journal.SaveSchedule(ctx, journal.Schedule(state)))
}
