package resilience

import "time"

// Clock is where time comes from. Implementations are safe for concurrent use.
//
// A clock that runs backwards is harmless: breakers and limiters let time stand
// still until it goes forward again.
type Clock interface {
	Now() time.Time
	// NewTimer returns a timer that sends the time on its channel once, d from
	// now; at once when d <= 0.
	NewTimer(d time.Duration) Timer
	// AfterFunc calls f in a goroutine of its own, d from now, unless stopped.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a running timer of a [Clock].
type Timer interface {
	// C is the channel of a NewTimer; that of an AfterFunc is nil.
	C() <-chan time.Time
	// Stop reports whether it kept the timer from firing.
	Stop() bool
}

// RealClock is the clock of package time.
func RealClock() Clock { return realClock{} }

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) NewTimer(d time.Duration) Timer { return realTimer{time.NewTimer(d)} }

func (realClock) AfterFunc(d time.Duration, f func()) Timer { return realTimer{time.AfterFunc(d, f)} }

type realTimer struct{ t *time.Timer }

func (t realTimer) C() <-chan time.Time { return t.t.C }
func (t realTimer) Stop() bool          { return t.t.Stop() }

func clockOr(c Clock) Clock {
	if c == nil {
		return realClock{}
	}
	return c
}

// steady measures time that never runs backwards: what the clock went forward
// since the steady was made. It is guarded by the lock of its owner.
type steady struct {
	clock Clock
	seen  time.Time
	total time.Duration
}

func newSteady(c Clock) steady { return steady{clock: c, seen: c.Now()} }

// now is the time since the beginning.
func (s *steady) now() time.Duration {
	t := s.clock.Now()
	if d := t.Sub(s.seen); d > 0 {
		s.total += d
	}
	s.seen = t
	return s.total
}
