package resilience

import (
	"context"
	"time"
)

// Options belong to one Do, not to the stack.
type Options struct {
	// Gate is entered for each call, after bulkhead and hedge and before the
	// timeout starts: waiting there is not part of the timeout. nil: none.
	Gate Gate
	// Observer is told what happens. nil: nobody.
	Observer Observer
	// Classify turns an error of the function into a failure; nil, or a nil
	// result: DefaultClassifier.Failure.
	Classify func(error) *Failure
	// Idempotent says that the call may be repeated although it may have done its
	// work already. Without it (the default) a failure with OutcomeUnknown, such
	// as a timeout, is not retried and no hedge is started: Do returns the code
	// outcome_unknown, with the class of the failure and the failure as cause.
	Idempotent bool
	// FirstAttempt is the number of the first attempt; 0 means 1.
	FirstAttempt int
	// Random gives the numbers in [0, 1) that spread delays; nil: math/rand/v2.
	Random func() float64
	// Resumed is where an earlier process left this call; nil: it begins now.
	Resumed *Resumed
}

// Resumed is what is left of a call that another process began: Do goes on with
// what remains of the deadline, of the retries and of a wait.
type Resumed struct {
	// Began is when the call began; the deadline counts from there. By a clock
	// that went backwards since, it begins now.
	Began time.Time
	// Retries is how many of Retry.MaxRetries were used.
	Retries int
	// Cause is the failure after which a retry was waited for, Wait what is left of
	// the wait and Previous how long it was in all. A nil Cause: there was none.
	Cause          *Failure
	Wait, Previous time.Duration
}

// Gate lets calls in one by one. An error of Enter is the failure of the call;
// every nil error is followed by one Leave.
type Gate interface {
	Enter(ctx context.Context) error
	Leave()
}

// TryGate is a Gate that can say no at once. Hedges ask it so, and do not start
// then; a Gate without it makes them wait.
type TryGate interface {
	Gate
	TryEnter() bool
}

// Attempt is one call of the function.
type Attempt struct {
	// Number counts attempts of one Do; a hedge has the number of the attempt
	// beside which it runs.
	Number int
	// Deadline is the earlier of timeout and deadline by the stack's clock; zero
	// when there is neither.
	Deadline time.Time
	Hedge    bool
}

// Observer is told what happens, synchronously; it must not block. It is called
// on the goroutine of Do; for hedges, on theirs at the same time.
type Observer interface {
	AttemptStarted(Attempt)
	// AttemptEnded tells an attempt's failure, nil for success, and how long it
	// took. A call that lost against another has the code hedge_lost.
	AttemptEnded(a Attempt, err *Failure, d time.Duration)
	// Retrying comes before the wait; next is the number of the attempt to come.
	Retrying(next int, wait time.Duration, cause *Failure)
	// Rejected tells that the breaker or the limiter said no: not an attempt.
	Rejected(*Failure)
}
