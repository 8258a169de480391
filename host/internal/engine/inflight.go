package engine

import (
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
)

// inFlight is how far calls had come when their process died, by key: what
// their events told.
type inFlight map[string]*callState

type callState struct {
	call.Resumed
	// began is true while an attempt is known for good to be under way, flying
	// while one may be.
	began, flying bool
}

// resume is the state as a call takes it, whose first attempt would have had
// the number first.
func (s *callState) resume(first int, idempotent bool) *call.Resumed {
	r := s.Resumed
	r.NextAttempt = max(r.NextAttempt, first)
	if s.flying && idempotent {
		r.NextAttempt++ // it counts, whatever became of it
	}
	return &r
}

// see takes one entry that is not an answer.
func (in inFlight) see(e *Entry) error {
	if e.Mark == MarkNote {
		n, err := e.note()
		if err != nil {
			return err
		}
		if s := in[e.Key]; s != nil && n.Kind == noteAttempt {
			s.began, s.flying, s.NextAttempt, s.RetryAt = true, false, n.Attempt+1, time.Time{}
		}
		return nil
	}
	ev := e.Event
	if ev == nil || e.Key == "" {
		return nil
	}
	s := in[e.Key]
	switch {
	case ev.Type == event.NodeStarted:
		if s == nil || ev.Reason != call.GoesOn {
			in[e.Key] = &callState{Resumed: call.Resumed{Began: ev.Time}, flying: true}
		}
	case s == nil && ev.Type == event.FallbackUsed: // behind a sub-workflow
		in[e.Key] = &callState{Resumed: call.Resumed{Who: answererNumber(ev.AnsweredBy), Began: ev.Time, Errors: []*event.Error{ev.Error}}, flying: true}
	case s == nil:
	case ev.Type == event.NodeAttemptFailed:
		// A cut says that the attempt is over, not what it did.
		s.began = s.began && ev.Error != nil && ev.Error.OutcomeUnknown
		s.flying, s.NextAttempt, s.Last, s.RetryAt = false, ev.Attempt+1, ev.Error, time.Time{}
	case ev.Type == event.NodeRetrying && ev.Reason != call.GoesOn:
		s.flying, s.NextAttempt, s.Last = false, ev.Attempt, ev.Error
		s.Waited = time.Duration(ev.RetryInMS * 1e6)
		s.RetryAt = ev.Time.Add(s.Waited)
		s.Retries++
	case ev.Type == event.FallbackUsed:
		s.flying, s.Who, s.Began, s.Retries, s.RetryAt, s.Last, s.Waited = true, answererNumber(ev.AnsweredBy), ev.Time, 0, time.Time{}, nil, 0
		s.Errors = append(s.Errors, ev.Error)
	}
	return nil
}
