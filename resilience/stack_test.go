package resilience

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRetries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := NewStack[int](Policy{Retry: DefaultRetry()}, nil)
		seen := newTrace(RealClock())
		_, err := s.Do(t.Context(), Options{Observer: seen, Random: func() float64 { return 0.5 }}, always(transient("down")))
		wantFailure(t, err, "", Transient)
		wantTrace(t, seen, `
			0s start 1 until never
			0s end 1 transient//false after 0s
			0s retry 2 in 1.05s: transient//false
			1.05s start 2 until never
			1.05s end 2 transient//false after 0s
			1.05s retry 3 in 2.1s: transient//false
			3.15s start 3 until never
			3.15s end 3 transient//false after 0s
			3.15s retry 4 in 4.2s: transient//false
			7.35s start 4 until never
			7.35s end 4 transient//false after 0s`)
	})
}

func TestRetryStopsAtSuccess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := NewStack[int](Policy{Retry: DefaultRetry()}, nil)
		v, err := s.Do(t.Context(), Options{}, script(transient("a"), transient("b")))
		if v != 3 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
	})
}

func TestNotRetried(t *testing.T) {
	retry := DefaultRetry()
	for name, c := range map[string]struct {
		err   error
		o     Options
		calls int
	}{
		"permanent":                         {permanent("bad"), Options{}, 1},
		"system":                            {&Failure{Class: System}, Options{}, 1},
		"unknown":                           {errors.New("hm"), Options{}, 1},
		"transient":                         {transient("down"), Options{}, 4},
		"outcome unknown":                   {&Failure{Class: Transient, OutcomeUnknown: true}, Options{}, 1},
		"outcome unknown, but may be twice": {&Failure{Class: Transient, OutcomeUnknown: true}, Options{Idempotent: true}, 4},
	} {
		bubble(t, func(t *testing.T) {
			calls := 0
			_, err := NewStack[int](Policy{Retry: retry}, nil).Do(t.Context(), c.o, func(context.Context, Attempt) (int, error) {
				calls++
				return 0, c.err
			})
			if calls != c.calls || err == nil {
				t.Errorf("%s: %d calls, want %d; %v", name, calls, c.calls, err)
			}
		})
	}
}

func TestRetryOfOtherClasses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		retry := DefaultRetry()
		retry.On = []Class{System}
		s := NewStack[int](Policy{Retry: retry}, nil)
		if v, err := s.Do(t.Context(), Options{}, script(&Failure{Class: System})); v != 2 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
		if _, err := s.Do(t.Context(), Options{}, script(transient("down"))); err == nil {
			t.Error("a transient failure was retried")
		}
	})
}

func TestRetryAfterIsObeyedAndCut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		retry := DefaultRetry()
		retry.RetryAfter = 10 * time.Second
		s := NewStack[int](Policy{Retry: retry}, nil)
		seen := newTrace(RealClock())
		_, err := s.Do(t.Context(), Options{Observer: seen}, script(
			&Failure{Class: Transient, RetryAfter: 7 * time.Second},
			&Failure{Class: Transient, RetryAfter: time.Hour},
		))
		if err != nil {
			t.Error(err)
		}
		wantTrace(t, seen, `
			0s start 1 until never
			0s end 1 transient//false after 0s
			0s retry 2 in 7s: transient//false
			7s start 2 until never
			7s end 2 transient//false after 0s
			7s retry 3 in 10s: transient//false
			17s start 3 until never
			17s end 3 ok after 0s`)
	})
}

func TestFirstAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := NewStack[int](Policy{Retry: Retry{MaxRetries: 1}}, nil)
		var numbers []int
		_, _ = s.Do(t.Context(), Options{FirstAttempt: 5}, func(_ context.Context, a Attempt) (int, error) {
			numbers = append(numbers, a.Number)
			return 0, transient("down")
		})
		if fmt.Sprint(numbers) != "[5 6]" {
			t.Errorf("attempts %v", numbers)
		}
	})
}

func TestTimeoutWaitsForTheFunction(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := NewStack[int](Policy{Timeout: time.Second}, nil)
		start, returned := time.Now(), false
		v, err := s.Do(t.Context(), Options{Idempotent: true}, func(ctx context.Context, _ Attempt) (int, error) {
			defer func() { returned = true }()
			time.Sleep(3 * time.Second) // deaf
			return 7, nil
		})
		// A late answer is no answer.
		wantFailure(t, err, CodeTimeout, Transient)
		if v != 0 || !returned || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v, returned: %v", v, time.Since(start), returned)
		}
	})
}

func TestTimeoutTellsWhatTheFunctionSaid(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := NewStack[int](Policy{Timeout: time.Second}, nil)
		said := errors.New("gave up at chunk 7")
		_, err := s.Do(t.Context(), Options{Idempotent: true}, func(ctx context.Context, _ Attempt) (int, error) {
			<-ctx.Done()
			return 0, said
		})
		if want := "timeout: no answer within the timeout of 1s: gave up at chunk 7"; err.Error() != want || !errors.Is(err, said) {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

func TestDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := NewStack[int](Policy{Timeout: 4 * time.Second, Deadline: 10 * time.Second, Retry: Retry{MaxRetries: 9, Backoff: Constant, BaseDelay: time.Second}}, nil)
		seen := newTrace(RealClock())
		_, err := s.Do(t.Context(), Options{Idempotent: true, Observer: seen}, takes(time.Hour, nil))
		f := wantFailure(t, err, CodeDeadline, Transient)
		if !f.OutcomeUnknown || !errors.Is(err, ErrDeadline) {
			t.Errorf("got %+v", f)
		}
		// The third attempt and the deadline would end together: the deadline has it.
		wantTrace(t, seen, `
			0s start 1 until 4s
			4s end 1 transient/timeout/true after 4s
			4s retry 2 in 1s: transient/timeout/true
			5s start 2 until 9s
			9s end 2 transient/timeout/true after 4s`)
		if want := "deadline: the deadline of 10s comes before the end of the wait of 1s for a retry: timeout: no answer within the timeout of 4s"; err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	})
}

func TestDeadlineCutsAnAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, timeout := range []time.Duration{0, time.Second, 5 * time.Second} { // none, the same, longer
			s := NewStack[int](Policy{Timeout: timeout, Deadline: time.Second}, nil)
			_, err := s.Do(t.Context(), Options{Idempotent: true}, func(ctx context.Context, a Attempt) (int, error) {
				if left := time.Until(a.Deadline); left != time.Second {
					t.Errorf("%v are left", left)
				}
				<-ctx.Done()
				if !errors.Is(context.Cause(ctx), ErrDeadline) {
					t.Errorf("cause %v", context.Cause(ctx))
				}
				return 0, ctx.Err()
			})
			f := wantFailure(t, err, CodeDeadline, Transient)
			if want := "deadline: the deadline of 1s passed during attempt 1"; f.Error() != want || !f.OutcomeUnknown {
				t.Errorf("got %v, want %s", f, want)
			}
		}
	})
}

func TestDeadlineWhileQueueing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		full := NewBulkhead(1)
		full.TryAcquire()
		s := NewStack[int](Policy{Deadline: time.Second, Bulkhead: full}, nil)
		_, err := s.Do(t.Context(), Options{}, always(nil))
		f := wantFailure(t, err, CodeDeadline, Transient)
		if f.OutcomeUnknown || !errors.Is(err, ErrBulkheadFull) {
			t.Errorf("got %+v", f)
		}
		if want := "deadline: the deadline of 1s passed: no slot was free"; err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}

		limited := NewStack[int](Policy{Deadline: time.Second, Limiter: NewLimiter(RateLimit{Rate: 0.1, MaxWait: time.Minute}, nil)}, nil)
		_, _ = limited.Do(t.Context(), Options{}, always(nil))
		start := time.Now()
		_, err = limited.Do(t.Context(), Options{}, always(nil))
		wantFailure(t, err, CodeDeadline, Transient)
		if want := "deadline: the deadline of 1s comes before the end of the wait of 10s for a token"; err.Error() != want || time.Since(start) != 0 {
			t.Errorf("got %v after %v, want %s", err, time.Since(start), want)
		}
	})
}

func TestCancelEndsEveryWait(t *testing.T) {
	stop := errors.New("ctrl-C")
	full := func() *Bulkhead {
		b := NewBulkhead(1)
		b.TryAcquire()
		return b
	}
	empty := func() *Limiter {
		l := NewLimiter(RateLimit{Rate: 0.001, MaxWait: time.Hour}, nil)
		l.TryAcquire()
		return l
	}
	for name, c := range map[string]struct {
		policy func() Policy
		gate   Gate
		call   func(context.Context, Attempt) (int, error)
	}{
		"retry": {func() Policy {
			return Policy{Retry: DefaultRetry().with(func(r *Retry) { r.BaseDelay = time.Minute }), Deadline: time.Hour}
		}, nil, always(transient("down"))},
		"token":    {func() Policy { return Policy{Limiter: empty()} }, nil, always(nil)},
		"slot":     {func() Policy { return Policy{Bulkhead: full()} }, nil, always(nil)},
		"gate":     {func() Policy { return Policy{Timeout: time.Second} }, shutGate{}, always(nil)},
		"the call": {func() Policy { return Policy{Timeout: time.Hour} }, nil, takes(time.Hour, nil)},
	} {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(10*time.Second, func() { cancel(stop) })
			start := time.Now()
			_, err := NewStack[int](c.policy(), nil).Do(ctx, Options{Gate: c.gate, Idempotent: true}, c.call)
			f := wantFailure(t, err, CodeCancelled, Unknown)
			if d := time.Since(start); d != 10*time.Second {
				t.Errorf("%s: came back after %v", name, d)
			}
			if !errors.Is(err, stop) || !errors.Is(err, ErrCancelled) || f.Cause != stop {
				t.Errorf("%s: cause %v", name, f.Cause)
			}
			if f.OutcomeUnknown != (name == "the call") {
				t.Errorf("%s: outcome unknown: %v", name, f.OutcomeUnknown)
			}
			if want := "cancelled: cancelled by the caller: ctrl-C"; err.Error() != want {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

type shutGate struct{}

func (shutGate) Enter(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
func (shutGate) Leave()                          { panic("was never entered") }

func TestCancelledBeforehand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, p := range []Policy{{}, {Timeout: time.Second}, fullPolicy(nil)} {
		_, err := NewStack[int](p, nil).Do(ctx, Options{}, func(context.Context, Attempt) (int, error) {
			t.Error("called")
			return 0, nil
		})
		if f := wantFailure(t, err, CodeCancelled, Unknown); f.OutcomeUnknown || !errors.Is(err, context.Canceled) {
			t.Errorf("got %+v", f)
		}
	}
}

// What is there anyway when the caller cancels is not thrown away.
func TestCancelKeepsAnAnswer(t *testing.T) {
	for _, p := range []Policy{{}, {Timeout: time.Second}, {Retry: DefaultRetry()}} {
		ctx, cancel := context.WithCancel(t.Context())
		v, err := NewStack[int](p, nil).Do(ctx, Options{}, func(context.Context, Attempt) (int, error) {
			cancel()
			return 7, nil
		})
		if v != 7 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
	}
}

func TestOutcomeUnknown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := NewStack[int](Policy{Timeout: time.Second, Retry: DefaultRetry(), Hedge: &Hedge{Delay: time.Millisecond}}, nil)
		calls := 0
		_, err := s.Do(t.Context(), Options{}, func(ctx context.Context, a Attempt) (int, error) {
			calls++
			return takes(time.Minute, nil)(ctx, a)
		})
		f := wantFailure(t, err, CodeOutcomeUnknown, Transient)
		if calls != 1 {
			t.Errorf("%d calls, want 1: no retry and no hedge", calls)
		}
		if !f.OutcomeUnknown || !errors.Is(err, ErrOutcomeUnknown) || !errors.Is(err, ErrTimeout) {
			t.Errorf("got %+v", f)
		}
		if want := "nobody knows whether the work was done, and it must not be done twice: timeout: no answer within the timeout of 1s"; f.Message != want {
			t.Errorf("got %q, want %q", f.Message, want)
		}
	})
}

func TestGate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := slots(make(chan struct{}, 1))
		s := NewStack[int](Policy{Timeout: time.Second}, nil)
		if err := g.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Minute, g.Leave)
		// The minute at the gate is not part of the timeout.
		if v, err := s.Do(t.Context(), Options{Gate: g}, takes(time.Second-1, nil)); v != 1 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
		if len(g) != 0 {
			t.Error("the gate was not left")
		}
		_, err := s.Do(t.Context(), Options{Gate: closedGate{}}, always(nil))
		if f := wantFailure(t, err, "", Unknown); f.Message != "we are closed" {
			t.Errorf("got %v", f)
		}
	})
}

// slots is a gate as an engine has it.
type slots chan struct{}

func (g slots) Enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g slots) TryEnter() bool {
	select {
	case g <- struct{}{}:
		return true
	default:
		return false
	}
}

func (g slots) Leave() { <-g }

type closedGate struct{}

func (closedGate) Enter(context.Context) error { return errors.New("we are closed") }
func (closedGate) Leave()                      { panic("was never entered") }

func TestClassifyOption(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := NewStack[int](Policy{Retry: DefaultRetry()}, nil)
		odd := errors.New("ORA-00060")
		o := Options{Classify: func(err error) *Failure {
			if errors.Is(err, odd) {
				return &Failure{Class: Transient, Code: "deadlock", Message: err.Error(), Cause: err}
			}
			return nil
		}}
		if v, err := s.Do(t.Context(), o, script(odd)); v != 2 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
		_, err := s.Do(t.Context(), o, always(errors.New("403 Forbidden")))
		wantFailure(t, err, "", Permanent)
	})
}

// A stack inside a stack: the inner one's end is not mistaken for the outer's,
// also when it is the same stack.
func TestNested(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, p := range []Policy{{Timeout: time.Second}, {Deadline: time.Second}} {
			s := NewStack[int](p, nil)
			var inner error
			_, err := s.Do(t.Context(), Options{Idempotent: true}, func(ctx context.Context, _ Attempt) (int, error) {
				time.Sleep(time.Second / 2)
				v, err := s.Do(ctx, Options{Idempotent: true}, takes(time.Hour, nil))
				inner = err
				return v, err
			})
			wantFailure(t, inner, CodeCancelled, Unknown)
			if f := asFailure(err); f.Code != CodeTimeout && f.Code != CodeDeadline {
				t.Errorf("outer %v, inner %v", err, inner)
			}
		}
	})
}

// The whole stack at once, in the documented order.
func TestFullStack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := fullPolicy(nil)
		p.Timeout = 3 * time.Second
		p.Limiter = NewLimiter(RateLimit{Rate: 0.5, MaxWait: time.Minute}, nil)
		s := NewStack[int](p, nil)
		seen := newTrace(RealClock())
		o := Options{Idempotent: true, Observer: seen, Random: func() float64 { return 0 }, Gate: slots(make(chan struct{}, 4))}
		n := 0
		v, err := s.Do(t.Context(), o, func(ctx context.Context, a Attempt) (int, error) {
			if a.Hedge {
				return takes(time.Second/2, nil)(ctx, a)
			}
			if n++; n == 1 {
				return 0, transient("down")
			}
			return takes(time.Hour, nil)(ctx, a)
		})
		if v != 1 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
		// Attempt 2 waits from 1s to 2s for a token; at 4s the hedge finds the next.
		wantTrace(t, seen, `
			0s start 1 until 3s
			0s end 1 transient//false after 0s
			0s retry 2 in 1s: transient//false
			2s start 2 until 5s
			4s start 2 hedge until 7s
			4.5s end 2 hedge ok after 500ms
			4.5s end 2 unknown/hedge_lost/false after 2.5s`)
	})
}

func TestObserverlessStacksSayNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := fullPolicy(nil)
		if v, err := NewStack[int](p, nil).Do(t.Context(), Options{Idempotent: true}, script(transient("down"))); v != 2 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
		synctest.Wait()
	})
}

func TestFailureMessages(t *testing.T) {
	f := &Failure{Class: Transient, Message: "plain"}
	if f.Error() != "plain" {
		t.Error(f)
	}
	for _, target := range []error{ErrTimeout, ErrDeadline, ErrCancelled, ErrBreakerOpen, ErrRateLimited, ErrPanic, ErrOutcomeUnknown, ErrHedgeLost} {
		n := 0
		for _, code := range []string{"", CodeTimeout, CodeDeadline, CodeCancelled, CodeBreakerOpen, CodeRateLimited, CodePanic, CodeOutcomeUnknown, CodeHedgeLost, "plugin.timeout"} {
			if errors.Is(&Failure{Code: code}, target) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%v is the sentinel of %d codes", target, n)
		}
	}
	crash := panicked(errTransient, []byte("stack"))
	if !errors.Is(crash, errTransient) || !strings.Contains(crash.Cause.Error(), "stack") {
		t.Errorf("a panic with an error: %v", crash.Cause)
	}
}
