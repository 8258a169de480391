package resilience

import (
	"math"
	"time"
)

// BreakerSnapshot is all that a breaker knows, to be shown, stored as JSON and
// restored, also by another process. What is under way is not in it: probes die
// with the process that made them.
type BreakerSnapshot struct {
	Key   string `json:"key"`
	State State  `json:"state"`
	// TakenAt is the wall clock when the snapshot was made, OpenedAt when the
	// breaker opened last (zero: never).
	TakenAt  time.Time `json:"taken_at"`
	OpenedAt time.Time `json:"opened_at,omitzero"`
	// Remaining is what was left of the open state at TakenAt.
	Remaining time.Duration `json:"remaining_ns,omitempty"`
	// Failures counts towards the threshold: in a row or in the window.
	Failures int `json:"failures"`
	// Successes of half_open so far.
	Successes int `json:"successes,omitempty"`
	// Window holds the outcomes of the recent past, oldest first; nil without a
	// window.
	Window []WindowSlot `json:"window,omitempty"`
	// LastFailure is the last failure that counted, without its cause.
	LastFailure *Failure `json:"last_failure,omitempty"`
}

// WindowSlot is a part of a window: what came in about Age before TakenAt.
type WindowSlot struct {
	Age       time.Duration `json:"age_ns"`
	Successes int           `json:"successes,omitempty"`
	Failures  int           `json:"failures,omitempty"`
}

// Snapshot returns the state as of now. It shares nothing with the breaker.
func (b *Breaker) Snapshot() BreakerSnapshot {
	b.mu.Lock()
	defer b.unlock()
	b.look()
	return b.snapshot()
}

func (b *Breaker) snapshot() BreakerSnapshot {
	now := b.time.now()
	s := BreakerSnapshot{
		Key: b.key, State: b.state, TakenAt: wall(b.clock.Now()), OpenedAt: wall(b.openedAt),
		Failures: b.failures, Successes: b.successes, LastFailure: withoutCause(b.last),
	}
	if b.state == Open {
		s.Remaining = b.openUntil - now
	}
	if b.cfg.Window > 0 {
		_, s.Failures = b.window.sum(now)
		for _, slot := range b.window.slots {
			s.Window = append(s.Window, WindowSlot{now - slot.at, slot.ok, slot.failed})
		}
	}
	return s
}

// wall drops the monotonic reading, which means nothing to another process.
func wall(t time.Time) time.Time { return t.Round(0) }

// Restore puts the breaker into the state of a snapshot, less the time that has
// passed since it was taken by the wall clock; when that clock went backwards
// meanwhile, none has, and no breaker stays open for longer than its recovery
// timeout. Calls under way do not count any more. The key of the snapshot is
// not looked at; an unknown state is closed.
func (b *Breaker) Restore(s BreakerSnapshot) {
	b.mu.Lock()
	defer b.unlock()
	now := b.look()
	passed := max(wall(b.clock.Now()).Sub(s.TakenAt), 0)

	b.last = withoutCause(s.LastFailure)
	switch s.State {
	case Open:
		left := min(s.Remaining, b.cfg.RecoveryTimeout) - passed
		b.openUntil, b.openedAt = now+max(left, 0), s.OpenedAt
		b.enter(Open)
		b.look()
	case HalfOpen:
		b.openedAt = s.OpenedAt
		b.enter(HalfOpen)
		b.successes = min(max(s.Successes, 0), b.cfg.SuccessThreshold-1)
	default:
		b.openedAt = s.OpenedAt
		b.enter(Closed)
		b.restoreCounts(s, now, passed)
	}
}

// restoreCounts keeps the counts below what would have opened the breaker: that
// is decided by an outcome, not by a restart with another threshold.
func (b *Breaker) restoreCounts(s BreakerSnapshot, now, passed time.Duration) {
	if b.cfg.Window <= 0 {
		b.failures = min(max(s.Failures, 0), b.cfg.FailureThreshold-1)
		return
	}
	// Times in the window are before now, so may lie before the beginning.
	newest := time.Duration(math.MaxInt64)
	for _, w := range s.Window {
		age := min(max(w.Age, 0), newest) // oldest first, whatever was stored
		newest = age
		if age <= b.cfg.Window-passed {
			b.window.slots = append(b.window.slots, slot{now - age - passed, max(w.Successes, 0), max(w.Failures, 0)})
		}
	}
}
