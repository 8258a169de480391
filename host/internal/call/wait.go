package call

import (
	"math/rand/v2"
	"time"

	"wasmhost/host/event"
	"wasmhost/resilience"
)

// Wait is the time before round n, from 1, of a whole run that is tried again
// after err; previous is the wait before the round before. A retry-after hint of
// the failure replaces the computed delay.
func (c *Caller) Wait(r *resilience.Retry, n int, previous time.Duration, err *event.Error, key string) time.Duration {
	if hint, ok := r.Hint(&resilience.Failure{RetryAfter: err.RetryAfter()}); ok {
		return hint
	}
	if c.Rand != nil {
		return r.Delay(n-1, previous, c.Rand(key, n))
	}
	return r.Delay(n-1, previous, rand.Float64())
}

// random is where one answerer's jitter comes from; nil: math/rand/v2.
func (k *attempts) random() func() float64 {
	if k.caller.Rand == nil {
		return nil
	}
	return func() float64 { return k.caller.Rand(k.req.Key, k.next-1) }
}
