package enginetest

import (
	"math"
	"slices"
	"time"

	"wasmhost/host/event"
	"wasmhost/resilience"
)

// modelBreaker is a breaker as the text has it.
type modelBreaker struct {
	cfg       resilience.BreakerConfig
	state     string
	period    int
	openUntil time.Duration
	failures  int // in a row, or in the window, which no run outlives here
	calls     int // counted ones, where a rate decides
	successes int
	probes    int
	changed   func(from, to string)
}

func (b *modelBreaker) enter(state string) {
	from := b.state
	b.state, b.successes, b.probes = state, 0, 0
	b.period++
	if state == "closed" {
		b.failures, b.calls = 0, 0
	}
	b.changed(from, state)
}

func (b *modelBreaker) look(now time.Duration) {
	if b.state == "open" && now >= b.openUntil {
		b.enter("half_open")
	}
}

// admit lets a call through; the period is what its outcome will be tagged with.
func (b *modelBreaker) admit(now time.Duration) (period int, ok bool) {
	b.look(now)
	switch b.state {
	case "open":
		return 0, false
	case "half_open":
		if b.probes == b.cfg.HalfOpenMax {
			return 0, false
		}
		b.probes++
	}
	return b.period, true
}

// refusal says when the next probe will be let through.
func (b *modelBreaker) refusal(now time.Duration) *event.Error {
	e := &event.Error{Class: event.Transient, Code: "breaker_open"}
	if b.state == "open" {
		e.RetryAfterMS = (b.openUntil - now).Milliseconds()
	}
	return e
}

// done takes the outcome of a call: "" is success, "-" is nothing at all.
func (b *modelBreaker) done(now time.Duration, period int, class string) {
	b.look(now)
	if period != b.period {
		return
	}
	failed := slices.Contains(b.cfg.Counts, resilience.Class(class))
	if b.state == "half_open" {
		b.probes--
		if failed {
			b.open(now)
		} else if class == "" {
			if b.successes++; b.successes == b.cfg.SuccessThreshold {
				b.enter("closed")
			}
		}
		return
	}
	switch {
	case failed:
		b.failures++
		b.calls++
	case class != "":
		return
	default:
		b.calls++
		if b.cfg.Window == 0 {
			b.failures = 0
		}
	}
	switch {
	case b.cfg.FailureRate > 0:
		if b.calls >= b.cfg.MinCalls && float64(b.failures) >= b.cfg.FailureRate*float64(b.calls) {
			b.open(now)
		}
	case failed && b.failures >= b.cfg.FailureThreshold:
		b.open(now)
	}
}

func (b *modelBreaker) open(now time.Duration) {
	b.openUntil = now + b.cfg.RecoveryTimeout
	b.enter("open")
}

// modelDelay is the wait before retry n, from 0.
func modelDelay(r *resilience.Retry, n int, previous, hint time.Duration, u float64) time.Duration {
	if hint > 0 {
		return min(hint, r.RetryAfter)
	}
	base, limit := float64(r.BaseDelay), float64(r.MaxDelay)
	exponential := min(base*math.Pow(r.Multiplier, float64(n)), limit)
	switch r.Backoff {
	case resilience.Constant:
		return r.BaseDelay
	case resilience.Exponential:
		return time.Duration(exponential)
	case resilience.Decorrelated:
		if previous == 0 {
			previous = r.BaseDelay
		}
		return time.Duration(min(limit, base+u*max(3*float64(previous)-base, 0)))
	}
	delay := time.Duration(exponential)
	spread := time.Duration(float64(delay) * r.JitterRatio * u)
	if delay+spread > r.MaxDelay {
		return delay - spread
	}
	return delay + spread
}
