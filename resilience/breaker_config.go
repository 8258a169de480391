package resilience

import (
	"slices"
	"time"
)

// The built-in values of a [BreakerConfig].
const (
	DefaultFailureThreshold = 5
	DefaultMinCalls         = 10
	DefaultRateWindow       = time.Minute
	DefaultRecoveryTimeout  = time.Minute
	DefaultSuccessThreshold = 1
	DefaultHalfOpenMax      = 1
)

// BreakerConfig says when a breaker opens and how it closes again. Zero fields
// take the values of [DefaultBreaker].
type BreakerConfig struct {
	// FailureThreshold opens the breaker: that many failures in a row, or, with
	// a Window, within it (successes between them do not matter then).
	FailureThreshold int
	// Window is how far back failures count; 0: failures in a row. An age of
	// exactly Window still counts.
	Window time.Duration
	// FailureRate, from 0 to 1, is used instead of FailureThreshold when > 0:
	// that share of failures among at least MinCalls calls in the Window, which
	// is DefaultRateWindow when 0.
	FailureRate float64
	MinCalls    int
	// RecoveryTimeout is the time from opening to half_open.
	RecoveryTimeout time.Duration
	// SuccessThreshold is the number of successes in half_open that close it. One
	// failure there opens it again.
	SuccessThreshold int
	// HalfOpenMax is how many probes may be under way at once.
	HalfOpenMax int
	// Counts are the classes that count as failures. Others count as nothing at
	// all, as do cancellation, a cut by a deadline, refusals and hedges that
	// lost.
	Counts []Class
}

// DefaultBreaker returns the built-in breaker: 5 failures in a row open it for
// 60s, then one probe at a time, one success closes it; permanent failures do
// not count.
func DefaultBreaker() BreakerConfig {
	return BreakerConfig{
		FailureThreshold: DefaultFailureThreshold, MinCalls: DefaultMinCalls,
		RecoveryTimeout: DefaultRecoveryTimeout, SuccessThreshold: DefaultSuccessThreshold,
		HalfOpenMax: DefaultHalfOpenMax, Counts: []Class{Transient, System, Unknown},
	}
}

func (c BreakerConfig) withDefaults() BreakerConfig {
	d := DefaultBreaker()
	positive := func(v, otherwise int) int {
		if v > 0 {
			return v
		}
		return otherwise
	}
	c.FailureThreshold = positive(c.FailureThreshold, d.FailureThreshold)
	c.MinCalls = positive(c.MinCalls, d.MinCalls)
	c.SuccessThreshold = positive(c.SuccessThreshold, d.SuccessThreshold)
	c.HalfOpenMax = positive(c.HalfOpenMax, d.HalfOpenMax)
	if c.RecoveryTimeout <= 0 {
		c.RecoveryTimeout = d.RecoveryTimeout
	}
	if c.FailureRate > 0 && c.Window <= 0 {
		c.Window = DefaultRateWindow
	}
	if c.Counts == nil {
		c.Counts = d.Counts
	}
	c.Counts = slices.Clone(c.Counts)
	return c
}
