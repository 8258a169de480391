package resilience

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Backoff names how the waits between attempts grow.
type Backoff string

// The backoffs. n counts retries from 0, u is random in [0, 1).
const (
	// Constant always waits BaseDelay.
	Constant Backoff = "constant"
	// Exponential waits min(BaseDelay * Multiplier^n, MaxDelay).
	Exponential Backoff = "exponential"
	// Jittered waits as Exponential plus delay * JitterRatio * u, or minus it
	// where the sum would pass MaxDelay: delays at the cap spread too.
	Jittered Backoff = "jittered"
	// Decorrelated waits min(MaxDelay, U[BaseDelay, 3 * previous)); the delay
	// before the first counts as BaseDelay.
	Decorrelated Backoff = "decorrelated"
)

// ParseBackoff reads the name of a backoff.
func ParseBackoff(s string) (Backoff, error) {
	switch b := Backoff(s); b {
	case Constant, Exponential, Jittered, Decorrelated:
		return b, nil
	}
	return "", fmt.Errorf("unknown backoff %q: it is one of constant, exponential, jittered and decorrelated", s)
}

// The built-in values of a [Retry].
const (
	DefaultMaxRetries  = 3
	DefaultBaseDelay   = time.Second
	DefaultMultiplier  = 2.0
	DefaultMaxDelay    = time.Minute
	DefaultJitterRatio = 0.1
	DefaultRetryAfter  = time.Minute
)

// Retry says when a failed call is tried again. The zero value never retries.
type Retry struct {
	// MaxRetries is the number of calls after the first; <= 0: none.
	MaxRetries int
	// Backoff is Jittered when empty.
	Backoff Backoff
	// BaseDelay is the first wait; 0: retries follow at once.
	BaseDelay time.Duration
	// Multiplier is DefaultMultiplier when 0; below 1 delays shrink.
	Multiplier float64
	// MaxDelay is the longest computed wait, DefaultMaxDelay when 0. Constant
	// does not look at it.
	MaxDelay time.Duration
	// JitterRatio is the share of a Jittered delay that is random; 0: none. At
	// most 1.
	JitterRatio float64
	// On are the classes that are retried, [Transient] when nil.
	On []Class
	// RetryAfter is the longest wait that a failure's own RetryAfter may ask
	// for, DefaultRetryAfter when 0. Below 0 such hints are ignored.
	RetryAfter time.Duration
	// Budget bounds the share of retries in all calls, 0.2 for 20 %; 0: no
	// budget. See [Budget]; a Policy.Budget, shared by several stacks, comes
	// before it.
	Budget float64
}

// DefaultRetry returns the built-in retry: 3 retries, jittered, 1s doubling up
// to 60s with a tenth of jitter, on transient failures, hints up to 60s.
func DefaultRetry() Retry {
	return Retry{
		MaxRetries: DefaultMaxRetries, Backoff: Jittered, BaseDelay: DefaultBaseDelay,
		Multiplier: DefaultMultiplier, MaxDelay: DefaultMaxDelay, JitterRatio: DefaultJitterRatio,
		On: []Class{Transient}, RetryAfter: DefaultRetryAfter,
	}
}

// Retries reports whether failures of class c are retried.
func (r *Retry) Retries(c Class) bool {
	if r.On == nil {
		return c == Transient
	}
	return slices.Contains(r.On, c)
}

// Delay is the wait before retry n (from 0), where previous was the wait before
// the one before (0: there was none) and u is random in [0, 1). It is pure, is
// never negative and overflows for no n.
func (r Retry) Delay(n int, previous time.Duration, u float64) time.Duration {
	base := max(r.BaseDelay, 0)
	limit := r.MaxDelay
	if limit <= 0 {
		limit = DefaultMaxDelay
	}
	switch r.Backoff {
	case Constant:
		return base
	case Decorrelated:
		if previous <= 0 {
			previous = base
		}
		span := 3*float64(previous) - float64(base)
		return saturate(float64(base)+u*max(span, 0), limit)
	}

	multiplier := r.Multiplier
	if multiplier <= 0 {
		multiplier = DefaultMultiplier
	}
	delay := saturate(float64(base)*math.Pow(multiplier, float64(max(n, 0))), limit)
	if r.Backoff == Exponential {
		return delay
	}
	jitter := time.Duration(float64(delay) * min(max(r.JitterRatio, 0), 1) * u)
	if jitter > limit-delay {
		return delay - min(jitter, delay)
	}
	return delay + jitter
}

// Hint is the wait that a failure asks for, cut to what is allowed; false when
// it asks for none or hints are ignored.
func (r *Retry) Hint(f *Failure) (time.Duration, bool) {
	if f.RetryAfter <= 0 || r.RetryAfter < 0 {
		return 0, false
	}
	limit := r.RetryAfter
	if limit == 0 {
		limit = DefaultRetryAfter
	}
	return min(f.RetryAfter, limit), true
}

// saturate turns nanoseconds into a duration of at most limit. 0 * Inf, a NaN,
// is 0: no base, no delay.
func saturate(ns float64, limit time.Duration) time.Duration {
	switch {
	case math.IsNaN(ns):
		return 0
	case ns >= float64(limit):
		return limit
	}
	return time.Duration(ns)
}
