package resilience

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Each test here closes one trap of failsafe-go that was found by running it;
// the names are those of the traps.

func TestTrapPanicLeaksPermit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := Policy{
			Breaker:  NewBreaker("b", BreakerConfig{FailureThreshold: 1}, nil),
			Bulkhead: NewBulkhead(1),
			Timeout:  time.Second,
		}
		s := NewStack[int](p, nil)
		crash := func(context.Context, Attempt) (int, error) { panic("boom") }
		_, err := s.Do(t.Context(), Options{Idempotent: true}, crash)
		f := wantFailure(t, err, CodePanic, System)
		if !errors.Is(err, ErrPanic) || f.Message != "the call panicked: boom" || !f.OutcomeUnknown {
			t.Errorf("got %+v", f)
		}
		wantState(t, p.Breaker, Open)
		time.Sleep(time.Minute)
		_, _ = s.Do(t.Context(), Options{}, crash) // the probe
		time.Sleep(time.Minute)
		if _, err := s.Do(t.Context(), Options{}, always(nil)); err != nil {
			t.Errorf("slot or probe is gone: %v", err)
		}
		wantState(t, p.Breaker, Closed)
	})
}

// runtime.Goexit (t.FailNow in a test's callee) is no panic and cannot be
// recovered; permits come back all the same.
func TestTrapGoexitLeaksPermit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := Policy{
			Breaker:  NewBreaker("b", DefaultBreaker(), nil),
			Bulkhead: NewBulkhead(1),
			Hedge:    &Hedge{Delay: time.Second},
			Timeout:  time.Hour,
		}
		p.Breaker.Open()
		time.Sleep(time.Minute)
		s := NewStack[int](p, nil)
		var gone sync.WaitGroup
		gone.Go(func() {
			_, _ = s.Do(context.Background(), Options{Idempotent: true}, func(context.Context, Attempt) (int, error) {
				runtime.Goexit()
				return 0, nil
			})
		})
		gone.Wait()
		if _, err := s.Do(t.Context(), Options{}, always(nil)); err != nil {
			t.Errorf("slot or probe is gone: %v", err)
		}
	})
}

func TestTrapRetryIntoOpenBreaker(t *testing.T) {
	bubble(t, func(t *testing.T) {
		retry := DefaultRetry()
		retry.MaxRetries = 10
		breaker := NewBreaker("b", DefaultBreaker(), nil)
		breaker.Open()
		s := NewStack[int](Policy{Retry: retry, Breaker: breaker}, nil)
		seen := newTrace(RealClock())
		_, err := s.Do(t.Context(), Options{Observer: seen}, always(nil))
		wantFailure(t, err, CodeBreakerOpen, Transient)
		wantTrace(t, seen, `0s rejected transient/breaker_open/false in 1m0s`)
	})
}

// The limiter's refusal is another matter: it is retried like any transient
// failure, and is no attempt.
func TestRefusalByLimiterIsRetried(t *testing.T) {
	bubble(t, func(t *testing.T) {
		retry := Retry{MaxRetries: 3, Backoff: Constant, BaseDelay: time.Second}
		breaker := NewBreaker("b", BreakerConfig{FailureThreshold: 1}, nil)
		limiter := NewLimiter(RateLimit{Rate: 0.5}, nil)
		s := NewStack[int](Policy{Retry: retry, Limiter: limiter, Breaker: breaker}, nil)
		_, _ = s.Do(t.Context(), Options{}, always(nil))
		seen := newTrace(RealClock())
		if _, err := s.Do(t.Context(), Options{Observer: seen}, always(nil)); err != nil {
			t.Error(err)
		}
		wantTrace(t, seen, `
			0s rejected transient/rate_limited/false in 2s
			0s retry 1 in 1s: transient/rate_limited/false
			1s rejected transient/rate_limited/false in 1s
			1s retry 1 in 1s: transient/rate_limited/false
			2s start 1 until never
			2s end 1 ok after 0s`)
		wantState(t, breaker, Closed)
	})
}

func TestTrapCancellationCountsAsFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		breaker := NewBreaker("b", BreakerConfig{FailureThreshold: 1}, nil)
		s := NewStack[int](Policy{Breaker: breaker, Timeout: time.Hour}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Do(ctx, Options{Idempotent: true}, takes(time.Minute, nil))
		wantFailure(t, err, CodeCancelled, Unknown)
		wantState(t, breaker, Closed)

		deadline := NewStack[int](Policy{Breaker: breaker, Deadline: time.Second}, nil)
		_, err = deadline.Do(t.Context(), Options{Idempotent: true}, takes(time.Minute, nil))
		wantFailure(t, err, CodeDeadline, Transient)
		wantState(t, breaker, Closed)

		// A timeout of the attempt itself does count.
		_, err = NewStack[int](Policy{Breaker: breaker, Timeout: time.Second}, nil).Do(t.Context(), Options{Idempotent: true}, takes(time.Minute, nil))
		wantFailure(t, err, CodeTimeout, Transient)
		wantState(t, breaker, Open)
	})
}

// In half-open, cancellation gives the permit back and says nothing.
func TestCancelledProbeGivesThePermitBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		breaker := NewBreaker("b", DefaultBreaker(), nil)
		breaker.Open()
		time.Sleep(time.Minute)
		s := NewStack[int](Policy{Breaker: breaker}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = s.Do(ctx, Options{}, takes(time.Minute, nil))
		wantState(t, breaker, HalfOpen)
		_, _ = s.Do(t.Context(), Options{}, always(permanent("no such thing"))) // not in counts
		wantState(t, breaker, HalfOpen)
		if _, err := s.Do(t.Context(), Options{}, always(nil)); err != nil {
			t.Error(err)
		}
		wantState(t, breaker, Closed)
	})
}

func TestTrapFiveProbesInHalfOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		breaker := NewBreaker("b", BreakerConfig{FailureThreshold: 5}, nil)
		breaker.Open()
		time.Sleep(time.Minute)
		s := NewStack[int](Policy{Breaker: breaker}, nil)
		var called, refused atomic.Int32
		var callers sync.WaitGroup
		for range 50 {
			callers.Go(func() {
				_, err := s.Do(t.Context(), Options{}, func(ctx context.Context, _ Attempt) (int, error) {
					called.Add(1)
					return takes(time.Second, nil)(ctx, Attempt{})
				})
				if errors.Is(err, ErrBreakerOpen) {
					refused.Add(1)
				}
			})
		}
		callers.Wait()
		if called.Load() != 1 || refused.Load() != 49 {
			t.Errorf("%d probes, %d refused; want 1 and 49", called.Load(), refused.Load())
		}
		wantState(t, breaker, Closed)
	})
}

func TestFifthFailureOpensSixthCallIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		breaker := NewBreaker("openai", DefaultBreaker(), nil)
		s := NewStack[int](Policy{Breaker: breaker}, nil)
		called := 0
		down := func(context.Context, Attempt) (int, error) {
			called++
			return 0, transient("503 from upstream")
		}
		for range 5 {
			_, err := s.Do(t.Context(), Options{}, down)
			wantFailure(t, err, "", Transient)
		}
		time.Sleep(15 * time.Second)
		_, err := s.Do(t.Context(), Options{}, down)
		f := wantFailure(t, err, CodeBreakerOpen, Transient)
		if called != 5 {
			t.Errorf("%d calls, want 5", called)
		}
		if f.RetryAfter != 45*time.Second {
			t.Errorf("retry after %v, want 45s", f.RetryAfter)
		}
		var cause *Failure
		if !errors.As(f.Cause, &cause) || cause.Message != "503 from upstream" {
			t.Errorf("cause %v", f.Cause)
		}
	})
}

// 50 callers at once see every failure: none is lost between them, and those
// who queued for a slot when the breaker opened do not call any more.
func TestBreakerUnderConcurrency(t *testing.T) {
	bubble(t, func(t *testing.T) {
		breaker := NewBreaker("b", DefaultBreaker(), nil)
		s := NewStack[int](Policy{Breaker: breaker, Bulkhead: NewBulkhead(1)}, nil)
		var called atomic.Int32
		var callers sync.WaitGroup
		for range 50 {
			callers.Go(func() {
				_, _ = s.Do(t.Context(), Options{}, func(ctx context.Context, a Attempt) (int, error) {
					called.Add(1)
					return takes(time.Second, transient("down"))(ctx, a)
				})
			})
		}
		callers.Wait()
		if n := called.Load(); n != 5 {
			t.Errorf("%d calls before it opened, want 5", n)
		}
	})
}

func TestTrapHalfOpenIsEnteredLazily(t *testing.T) {
	bubble(t, func(t *testing.T) {
		breaker := NewBreaker("b", DefaultBreaker(), nil)
		breaker.Open()
		time.Sleep(time.Minute - 1)
		wantState(t, breaker, Open)
		time.Sleep(time.Nanosecond)
		wantState(t, breaker, HalfOpen)
		if s := breaker.Snapshot(); s.State != HalfOpen {
			t.Errorf("the snapshot says %s", s.State)
		}
	})
}

func TestTrapLateSuccessClosesBreaker(t *testing.T) {
	bubble(t, func(t *testing.T) {
		breaker := NewBreaker("b", DefaultBreaker(), nil)
		s := NewStack[int](Policy{Breaker: breaker}, nil)
		var slow sync.WaitGroup
		for _, d := range []time.Duration{30 * time.Second, 70 * time.Second} { // back while open, and while half open
			slow.Go(func() {
				if _, err := s.Do(t.Context(), Options{}, takes(d, nil)); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		for range 5 {
			_, _ = s.Do(t.Context(), Options{}, always(transient("down")))
		}
		time.Sleep(31 * time.Second)
		wantState(t, breaker, Open)
		time.Sleep(40 * time.Second)
		slow.Wait()
		wantState(t, breaker, HalfOpen)
	})
}

func TestTrapFallbackSkippedOnCancel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		// A deadline of the first answerer is not the caller's cancellation: the
		// next is asked. failsafe-go skips its fallback whenever the context that
		// it sees has ended.
		slow := NewStack[string](Policy{Deadline: time.Second}, nil)
		v, who, errs, err := Fallback(t.Context(), []func(context.Context) (string, error){
			func(ctx context.Context) (string, error) {
				return slow.Do(ctx, Options{}, func(ctx context.Context, _ Attempt) (string, error) {
					<-ctx.Done()
					return "", ctx.Err()
				})
			},
			func(ctx context.Context) (string, error) { return "basic", ctx.Err() },
		}, nil)
		if v != "basic" || who != 1 || err != nil || len(errs) != 1 || !errors.Is(errs[0], ErrDeadline) {
			t.Errorf("%q by %d, %v, %v", v, who, errs, err)
		}
	})
}

func TestTrapHedgeLoserKeepsRunning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := NewStack[int](Policy{Hedge: &Hedge{Delay: time.Second}}, nil)
		var running atomic.Int32
		var cause error
		v, err := s.Do(t.Context(), Options{Idempotent: true}, func(ctx context.Context, a Attempt) (int, error) {
			running.Add(1)
			defer running.Add(-1)
			if a.Hedge {
				return 2, nil
			}
			<-ctx.Done()
			cause = context.Cause(ctx)
			time.Sleep(5 * time.Second) // cleaning up
			return 1, nil
		})
		if v != 2 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
		if n := running.Load(); n != 0 {
			t.Errorf("%d still running after Do", n)
		}
		if !errors.Is(cause, ErrHedgeLost) {
			t.Errorf("the loser's context says %v", cause)
		}
	})
}

func TestTrapTimeoutWithoutDeadlineOrCause(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := NewStack[int](Policy{Timeout: time.Second}, nil)
		_, err := s.Do(t.Context(), Options{Idempotent: true}, func(ctx context.Context, a Attempt) (int, error) {
			at, ok := ctx.Deadline()
			if want := time.Now().Add(time.Second); !ok || !at.Equal(want) || !a.Deadline.Equal(want) {
				t.Errorf("deadline %v %v and %v, want %v", at, ok, a.Deadline, want)
			}
			<-ctx.Done()
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(ctx), ErrTimeout) {
				t.Errorf("ended with %v because of %v", ctx.Err(), context.Cause(ctx))
			}
			return 0, ctx.Err()
		})
		f := wantFailure(t, err, CodeTimeout, Transient)
		if !f.OutcomeUnknown || !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %+v", f)
		}
		if want := "timeout: no answer within the timeout of 1s"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	})
}

// failsafe-go's builders and executors change when they are used; a stack does
// not, whoever changes what it was made from.
func TestTrapSharedBuildersChange(t *testing.T) {
	hedge, retry := Hedge{Delay: time.Second}, Retry{MaxRetries: 1, On: []Class{Transient}}
	s := NewStack[int](Policy{Hedge: &hedge, Retry: retry}, nil)
	hedge.Delay, retry.On[0] = time.Hour, Permanent
	if s.policy.Hedge.Delay != time.Second || !s.policy.Retry.Retries(Transient) {
		t.Errorf("the stack changed: %+v", s.policy)
	}
	cfg := DefaultBreaker()
	b := NewBreaker("b", cfg, nil)
	cfg.Counts[0] = Permanent
	b.Config().Counts[1] = Permanent
	if b.outcomeOf(transient("")) != failure || b.outcomeOf(&Failure{Class: System}) != failure {
		t.Error("the breaker changed")
	}
}
