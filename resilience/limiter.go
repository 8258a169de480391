package resilience

import (
	"context"
	"math"
	"sync"
	"time"
)

// RateLimit bounds how often calls start.
type RateLimit struct {
	// Rate is calls per second; <= 0: no limit.
	Rate float64
	// Burst is how many may start at once after a pause; below 1 it is 1.
	Burst int
	// MaxWait is the longest wait for a token; a call that would have to wait
	// longer is refused at once. 0: calls never wait.
	MaxWait time.Duration
}

// Limiter hands out tokens at a rate, in the order in which they are asked for.
// It is safe for concurrent use and meant to be shared. A nil Limiter lets
// everything through.
type Limiter struct {
	cfg      RateLimit
	clock    Clock
	interval time.Duration // between tokens
	slack    time.Duration // how far ahead of time a burst may run

	mu   sync.Mutex
	time steady
	next time.Duration // when the bucket will be full again but for one token
}

// NewLimiter returns a limiter with a full bucket, or nil where cfg sets no
// limit. A nil clock is the real one.
func NewLimiter(cfg RateLimit, clock Clock) *Limiter {
	if cfg.Rate <= 0 {
		return nil
	}
	clock = clockOr(clock)
	l := &Limiter{cfg: cfg, clock: clock, time: newSteady(clock)}
	burst := max(cfg.Burst, 1)
	// Half of what a duration can hold, so that no sum of two overflows.
	l.interval = saturate(float64(time.Second)/cfg.Rate, math.MaxInt64/4)
	l.slack = saturate(float64(l.interval)*float64(burst-1), math.MaxInt64/4)
	return l
}

// reserve takes the next token: the wait until it is there, and the time for
// which it was taken. false: the wait would be longer than maxWait; nothing was
// taken.
func (l *Limiter) reserve(maxWait time.Duration) (wait, mark time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.time.now()
	at := max(l.next, now)
	wait = max(at-l.slack-now, 0)
	if wait > min(max(maxWait, 0), math.MaxInt64/4) {
		return wait, 0, false
	}
	l.next = at + l.interval
	return wait, l.next, true
}

// giveBack returns a token that was reserved and not used. Only the last one
// can go back: those behind it were promised their times already, and handing
// it out beside them would exceed the rate.
func (l *Limiter) giveBack(mark time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == mark {
		l.next -= l.interval
	}
}

// TryAcquire takes a token if one is there now.
func (l *Limiter) TryAcquire() bool {
	if l == nil {
		return true
	}
	_, _, ok := l.reserve(0)
	return ok
}

// Acquire waits for a token, at most MaxWait, and until ctx ends. The error is
// a *Failure: rate_limited, with the time until a token would have been there
// as RetryAfter, or cancelled.
func (l *Limiter) Acquire(ctx context.Context) error {
	if l == nil {
		return nil
	}
	wait, mark, ok := l.reserve(l.cfg.MaxWait)
	if !ok {
		return l.refusal(wait)
	}
	if err := sleep(ctx, l.clock, wait); err != nil {
		l.giveBack(mark)
		return cancelled(ctx, false)
	}
	return nil
}

func (l *Limiter) refusal(wait time.Duration) *Failure {
	return &Failure{
		Class: Transient, Code: CodeRateLimited, RetryAfter: wait,
		Message: "the next token comes in " + wait.String() + ", longer than max_wait = " + l.cfg.MaxWait.String(),
	}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, clock Clock, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := clock.NewTimer(d)
	select {
	case <-t.C():
		return ctx.Err()
	case <-ctx.Done():
		t.Stop()
		return ctx.Err()
	}
}
