package resilience

import (
	"context"
	"errors"
	"testing"
	"time"
)

func benchmarkStack(b *testing.B, p Policy, o Options, fail int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := NewStack[int](p, nil)
	n := 0
	fn := func(context.Context, Attempt) (int, error) {
		if n++; fail > 0 && n%(fail+1) != 0 {
			return 0, errTransient
		}
		return 1, nil
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Do(ctx, o, fn); err != nil {
			b.Fatal(err)
		}
	}
}

var errTransient = &Failure{Class: Transient, Message: "try again"}

func BenchmarkEmpty(b *testing.B) { benchmarkStack(b, Policy{}, Options{}, 0) }

func BenchmarkDefault(b *testing.B) {
	benchmarkStack(b, Policy{Timeout: 30 * time.Second}, Options{}, 0)
}

func BenchmarkTimeoutAndDeadline(b *testing.B) {
	benchmarkStack(b, Policy{Timeout: 30 * time.Second, Deadline: 5 * time.Minute}, Options{}, 0)
}

func BenchmarkRetryUnused(b *testing.B) {
	benchmarkStack(b, Policy{Timeout: 30 * time.Second, Retry: DefaultRetry()}, Options{Idempotent: true}, 0)
}

func BenchmarkOneRetry(b *testing.B) {
	retry := DefaultRetry()
	retry.BaseDelay = 0
	benchmarkStack(b, Policy{Timeout: 30 * time.Second, Retry: retry}, Options{Idempotent: true}, 1)
}

func BenchmarkFull(b *testing.B) {
	benchmarkStack(b, fullPolicy(nil), Options{Idempotent: true, Gate: openGate{}, Observer: silence{}}, 0)
}

func BenchmarkRefusedByBreaker(b *testing.B) {
	breaker := NewBreaker("b", DefaultBreaker(), nil)
	breaker.Open()
	s := NewStack[int](Policy{Timeout: time.Second, Breaker: breaker}, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Do(context.Background(), Options{}, nil); !errors.Is(err, ErrBreakerOpen) {
			b.Fatal(err)
		}
	}
}

// fullPolicy has one of everything.
func fullPolicy(clock Clock) Policy {
	return Policy{
		Timeout: 30 * time.Second, Deadline: 5 * time.Minute,
		Retry: DefaultRetry(), Budget: NewBudget(0.2),
		Breaker:  NewBreaker("b", DefaultBreaker(), clock),
		Limiter:  NewLimiter(RateLimit{Rate: 1e9, Burst: 1e6, MaxWait: time.Second}, clock),
		Bulkhead: NewBulkhead(8),
		Hedge:    &Hedge{Delay: 2 * time.Second, Max: 1},
	}
}

type openGate struct{}

func (openGate) Enter(context.Context) error { return nil }
func (openGate) Leave()                      {}

type silence struct{}

func (silence) AttemptStarted(Attempt)                         {}
func (silence) AttemptEnded(Attempt, *Failure, time.Duration)  {}
func (silence) Retrying(next int, _ time.Duration, _ *Failure) {}
func (silence) Rejected(*Failure)                              {}

// What the timeout alone costs in package context: the floor of a default stack.
func BenchmarkContextWithTimeout(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		_, stop := context.WithTimeoutCause(ctx, 30*time.Second, ErrTimeout)
		stop()
	}
}

// The default stack, sent through the executor that it is spared.
func BenchmarkDefaultThroughExecutor(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := NewStack[int](Policy{Timeout: 30 * time.Second}, nil)
	s.plain = false
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Do(ctx, Options{}, func(context.Context, Attempt) (int, error) { return 1, nil }); err != nil {
			b.Fatal(err)
		}
	}
}
