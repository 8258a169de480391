// Package resilience puts policies around a call: timeout, deadline, retry,
// circuit breaker, rate limit, bulkhead, hedge, and a chain of fallbacks. It
// knows errors by class and nothing of workflows, plugins or Wasm; any Go
// program can use it alone.
//
// A [Stack] is made once per callee and called many times:
//
//	stack := resilience.NewStack[string](resilience.Policy{
//		Timeout: 2 * time.Second,
//		Retry:   resilience.DefaultRetry(),
//		Breaker: resilience.NewBreaker("prices", resilience.DefaultBreaker(), nil),
//	}, nil)
//	price, err := stack.Do(ctx, resilience.Options{Idempotent: true}, fetchPrice)
//
// The order is fixed, outermost first:
//
//	deadline( retry( breaker( rate limit( bulkhead( hedge( gate( timeout( call ))))))))
//
// and [Fallback] goes around several such stacks.
//
// # Errors
//
// Every error of [Stack.Do] is a [*Failure]: a class that decides what happens
// next, a code for programs, a message for people, and what lies below.
// errors.Is finds the sentinels [ErrTimeout], [ErrDeadline], [ErrBreakerOpen],
// [ErrRateLimited], [ErrCancelled] and the rest.
//
// # What Do promises
//
//   - It returns only when everything that it started has returned: attempts
//     that timed out and hedges that lost are cancelled and waited for. The
//     function must therefore obey its context.
//   - A panic of the function becomes a failure with code "panic"; no permit of
//     a bulkhead or breaker is lost by it.
//   - Waits for a retry, a token or a slot end at once when the context does.
//   - An attempt whose time is over has failed, whatever the function returns
//     afterwards. When the caller cancels, a result that is there anyway is kept.
//
// # Time
//
// Everything takes its time from a [Clock]. The default is the real one, which
// also works inside a testing/synctest bubble; [ManualClock] is moved by hand.
//
// The machinery stands on failsafe-go, which callers never see;
// docs/RATIONALE.md tells what is taken from it and what is not.
package resilience
