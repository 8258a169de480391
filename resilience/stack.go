package resilience

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Policy is what a [Stack] puts around a call. Parts that are nil or zero are
// left out and cost nothing.
type Policy struct {
	// Timeout bounds one attempt, Deadline all attempts and waits of one Do.
	Timeout, Deadline time.Duration
	Retry             Retry
	// Budget is asked before every retry. When nil and Retry.Budget > 0, the
	// stack has one of its own.
	Budget   *Budget
	Breaker  *Breaker
	Limiter  *Limiter
	Bulkhead *Bulkhead
	Hedge    *Hedge
}

// Hedge starts further calls when the first is slow; the first answer wins and
// the others are cancelled. An answer is a success or a permanent failure; after
// another failure the calls under way are waited for. Only for calls that may
// be repeated: without Options.Idempotent it does nothing.
type Hedge struct {
	Delay time.Duration // from the start of one call to that of the next
	Max   int           // calls besides the first; below 1 it is 1
}

// Stack calls a function under a policy. It is immutable and safe for concurrent
// use; make one per callee and keep it.
type Stack[R any] struct {
	policy Policy
	clock  Clock
	real   bool
	// plain: nothing but time limits and hedges; see Do.
	plain bool

	timedOut, deadlinePassed *Failure // causes of a cut context
}

// NewStack returns a stack. A nil clock is the real one; the breaker and the
// limiter keep those that they were made with. Negative values mean 0.
func NewStack[R any](p Policy, clock Clock) *Stack[R] {
	s := &Stack[R]{policy: p, clock: clockOr(clock)}
	_, s.real = s.clock.(realClock)
	s.policy.Retry.On = slices.Clone(p.Retry.On)
	if p.Hedge != nil {
		h := *p.Hedge
		h.Max = max(h.Max, 1)
		s.policy.Hedge = &h
	}
	if p.Budget == nil && p.Retry.Budget > 0 && p.Retry.MaxRetries > 0 {
		s.policy.Budget = NewBudget(p.Retry.Budget)
	}
	s.plain = p.Retry.MaxRetries <= 0 && p.Breaker == nil && p.Limiter == nil && p.Bulkhead == nil
	s.timedOut = &Failure{
		Class: Transient, Code: CodeTimeout, OutcomeUnknown: true,
		Message: fmt.Sprintf("no answer within the timeout of %s", p.Timeout),
	}
	s.deadlinePassed = &Failure{
		Class: Transient, Code: CodeDeadline,
		Message: fmt.Sprintf("the deadline of %s passed", p.Deadline),
	}
	return s
}

// Do calls fn under the policy and returns what it answered. The error is nil or
// a *Failure. The context that fn gets ends, with a cause, at the timeout, at
// the deadline, when a hedge lost and when the caller cancels; fn must return
// then, for Do waits for it. With the real clock that context knows its
// Deadline; with another one only Attempt.Deadline tells.
func (s *Stack[R]) Do(ctx context.Context, o Options, fn func(ctx context.Context, a Attempt) (R, error)) (R, error) {
	c := call[R]{stack: s, options: o, fn: fn, number: max(o.FirstAttempt, 1) - 1}
	c.first = c.number
	v, f := c.do(ctx)
	if f != nil {
		return v, f
	}
	return v, nil
}

// call is one Do.
type call[R any] struct {
	stack   *Stack[R]
	options Options
	fn      func(context.Context, Attempt) (R, error)

	ctx      context.Context // of the caller
	deadline time.Time       // zero: none
	number   int             // of the last attempt that was started
	first    int             // what number was before the first
	permit   permit          // of the breaker
	neutral  bool            // of the last failure, see attempt
}

func (c *call[R]) do(ctx context.Context) (v R, f *Failure) {
	s := c.stack
	c.ctx = ctx
	if ctx.Err() != nil {
		return v, cancelled(ctx, false)
	}
	if d := s.policy.Deadline; d > 0 {
		if r := c.options.Resumed; r != nil {
			d -= max(s.clock.Now().Sub(r.Began), 0)
		}
		c.deadline = s.clock.Now().Add(d)
		limited, stop := s.limit(ctx, c.deadline, d, s.deadlinePassed)
		defer stop()
		ctx = limited
	}
	if s.plain {
		// failsafe-go's executor around no policy returns what the function
		// returns; not asking it saves 16 allocations of 21.
		v, f, _ = c.hedged(ctx)
	} else {
		v, f = c.layered(ctx)
	}
	if f != nil && f.OutcomeUnknown && !c.options.Idempotent {
		f = &Failure{
			Class: f.Class, Code: CodeOutcomeUnknown, OutcomeUnknown: true, Cause: f,
			Message: "nobody knows whether the work was done, and it must not be done twice: " + f.Error(),
		}
	}
	return v, f
}

// limit returns a context that ends at an instant of the stack's clock, which is
// d away.
func (s *Stack[R]) limit(ctx context.Context, at time.Time, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	if s.real {
		return context.WithDeadlineCause(ctx, at, cause)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	timer := s.clock.AfterFunc(d, func() { cancel(cause) })
	return ctx, func() {
		timer.Stop()
		cancel(nil)
	}
}

// cut is the failure of a context that has ended: by the deadline of this call,
// or by the caller. err is what the attempt in flight returned or what was
// waited for; nil when there is nothing to tell.
func (c *call[R]) cut(ctx context.Context, inFlight bool, err error) *Failure {
	passed := c.stack.deadlinePassed
	if context.Cause(ctx) != error(passed) || context.Cause(c.ctx) == error(passed) {
		return cancelled(ctx, inFlight)
	}
	f := *passed
	f.OutcomeUnknown, f.Cause = inFlight, err
	if inFlight {
		f.Message += fmt.Sprintf(" during attempt %d", c.number)
	}
	if err != nil && !isContextError(err) {
		f.Message += ": " + err.Error()
	}
	return &f
}

// leaves reports whether the deadline lies after a wait that would begin now.
func (c *call[R]) leaves(wait time.Duration) bool {
	return c.deadline.IsZero() || c.stack.clock.Now().Add(wait).Before(c.deadline)
}

// tooLate is the failure of a wait that the deadline would cut: it is not even
// begun, so that a fallback has the time.
func (c *call[R]) tooLate(wait time.Duration, what string, cause *Failure) *Failure {
	f := *c.stack.deadlinePassed
	f.Message = fmt.Sprintf("the deadline of %s comes before the end of the wait of %s %s", c.stack.policy.Deadline, wait, what)
	if cause != nil {
		f.Message += ": " + cause.Error()
		f.Cause, f.OutcomeUnknown = cause, cause.OutcomeUnknown
	}
	return &f
}

func (c *call[R]) tellRejected(f *Failure) {
	if o := c.options.Observer; o != nil {
		o.Rejected(f)
	}
}

// random is a number in [0, 1).
func (c *call[R]) random() float64 {
	if c.options.Random != nil {
		return c.options.Random()
	}
	return rand.Float64()
}
