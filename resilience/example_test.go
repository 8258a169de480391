package resilience_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"wasmhost/resilience"
)

// A call that fails twice and is then answered.
func ExampleRetry() {
	retry := resilience.DefaultRetry()
	retry.BaseDelay = time.Millisecond
	stack := resilience.NewStack[string](resilience.Policy{Retry: retry}, nil)

	v, err := stack.Do(context.Background(), resilience.Options{}, func(_ context.Context, a resilience.Attempt) (string, error) {
		if a.Number < 3 {
			return "", errors.New("503 service unavailable")
		}
		return fmt.Sprintf("answered in attempt %d", a.Number), nil
	})
	fmt.Println(v, err)
	// Output: answered in attempt 3 <nil>
}

// The waits of the built-in retry, without jitter.
func ExampleRetry_Delay() {
	retry := resilience.DefaultRetry()
	for n := range 8 {
		fmt.Print(retry.Delay(n, 0, 0), " ")
	}
	// Output: 1s 2s 4s 8s 16s 32s 1m0s 1m0s
}

// Five failures in a row open the breaker; the sixth call is not made. A clock
// that is moved by hand lets the minute pass.
func ExampleBreaker() {
	clock := resilience.NewManualClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	breaker := resilience.NewBreaker("prices", resilience.DefaultBreaker(), clock)
	stack := resilience.NewStack[int](resilience.Policy{Breaker: breaker}, clock)
	call := func(err error) error {
		_, err = stack.Do(context.Background(), resilience.Options{}, func(context.Context, resilience.Attempt) (int, error) {
			return 0, err
		})
		return err
	}

	for range 5 {
		_ = call(errors.New("connection refused"))
	}
	err := call(nil)
	fmt.Println(err)
	fmt.Println(errors.Is(err, resilience.ErrBreakerOpen), breaker.State())

	clock.Advance(time.Minute)
	fmt.Println(breaker.State())
	fmt.Println(call(nil), breaker.State())
	// Output:
	// breaker_open: breaker "prices" is open, next probe in 1m0s; last error: connection refused
	// true open
	// half_open
	// <nil> closed
}

// A breaker's state survives the process: stored as JSON, restored later. Half
// an hour has passed meanwhile, so its time is over.
func ExampleBreaker_Restore() {
	clock := resilience.NewManualClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	before := resilience.NewBreaker("prices", resilience.DefaultBreaker(), clock)
	before.Open()
	stored, _ := json.Marshal(before.Snapshot())

	clock.Advance(30 * time.Minute)
	var snapshot resilience.BreakerSnapshot
	_ = json.Unmarshal(stored, &snapshot)
	after := resilience.NewBreaker("prices", resilience.DefaultBreaker(), clock)
	after.Restore(snapshot)
	fmt.Println(snapshot.State, after.State())
	// Output: open half_open
}

// Everything at once.
func ExampleStack() {
	stack := resilience.NewStack[string](resilience.Policy{
		Timeout:  10 * time.Second,
		Deadline: time.Minute,
		Retry:    resilience.DefaultRetry(),
		Budget:   resilience.NewBudget(0.2),
		Breaker:  resilience.NewBreaker("llm", resilience.DefaultBreaker(), nil),
		Limiter:  resilience.NewLimiter(resilience.RateLimit{Rate: 20, Burst: 5, MaxWait: 10 * time.Second}, nil),
		Bulkhead: resilience.NewBulkhead(4),
		Hedge:    &resilience.Hedge{Delay: 2 * time.Second, Max: 1},
	}, nil)

	ask := func(ctx context.Context, a resilience.Attempt) (string, error) {
		return fmt.Sprintf("answer of attempt %d", a.Number), ctx.Err()
	}
	fmt.Println(stack.Do(context.Background(), resilience.Options{Idempotent: true}, ask))
	// Output: answer of attempt 1 <nil>
}

// High quality, then basic, then an emergency that cannot fail.
func ExampleFallback() {
	stack := resilience.NewStack[string](resilience.Policy{Timeout: time.Second}, nil)
	level := func(answer string, err error) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			return stack.Do(ctx, resilience.Options{}, func(context.Context, resilience.Attempt) (string, error) {
				return answer, err
			})
		}
	}
	v, who, errs, err := resilience.Fallback(context.Background(), []func(context.Context) (string, error){
		level("", errors.New("rate limit exceeded")),
		level("", errors.New("model not found")),
		level("EMERGENCY", nil),
	}, nil)
	fmt.Println(v, "by level", who, err)
	for _, f := range errs {
		fmt.Println(f.Class, f)
	}
	// Output:
	// EMERGENCY by level 2 <nil>
	// transient rate limit exceeded
	// permanent model not found
}

// A rule of one's own comes before what the package knows.
func ExampleClassifier() {
	c := &resilience.Classifier{Rules: []resilience.Rule{{Class: resilience.Transient, Codes: []string{"409"}}}}
	fmt.Println(c.Classify(resilience.Signal{HTTPStatus: 409}))
	fmt.Println(c.Classify(resilience.Signal{HTTPStatus: 404}))
	fmt.Println(c.Classify(resilience.Signal{Message: "connection reset by peer"}))
	// Output:
	// transient
	// permanent
	// transient
}
