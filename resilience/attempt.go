package resilience

import (
	"context"
	"errors"
	"runtime/debug"
	"time"
)

// attempt is the inside of every stack: one call, in the gate and under its
// timeout. race is nil where there is no hedge. neutral failures say nothing
// about the callee: a cut by the deadline, a cancellation, a refusal.
func (c *call[R]) attempt(ctx context.Context, race *race[R], hedge bool) (v R, f *Failure, neutral bool) {
	s := c.stack
	if g := c.options.Gate; g != nil {
		if f := c.enter(ctx, g, hedge); f != nil {
			return v, f, true
		}
		defer g.Leave()
	}
	a := Attempt{Deadline: c.deadline, Hedge: hedge}
	if !hedge {
		if f := c.stillWanted(ctx); f != nil {
			return v, f, true
		}
		if c.number == c.first {
			s.policy.Budget.deposit()
		}
		c.number++
	}
	a.Number = c.number

	var began time.Time
	if s.policy.Timeout > 0 || c.options.Observer != nil {
		began = s.clock.Now()
	}
	inner := ctx
	if d := s.policy.Timeout; d > 0 {
		// Where the deadline comes first, or with it, it alone decides.
		if end := began.Add(d); c.deadline.IsZero() || end.Before(c.deadline) {
			a.Deadline = end
			limited, stop := s.limit(ctx, end, d, s.timedOut)
			defer stop()
			inner = limited
		}
	}
	if race != nil && !hedge {
		race.begin()
	}
	o := c.options.Observer
	if o != nil {
		o.AttemptStarted(a)
	}
	v, f, neutral = c.judge(ctx, inner, a)
	if o != nil {
		o.AttemptEnded(a, f, s.clock.Now().Sub(began))
	}
	return v, f, neutral
}

// enter waits at the gate; a hedge does not, where the gate can say so.
func (c *call[R]) enter(ctx context.Context, g Gate, hedge bool) *Failure {
	if try, ok := g.(TryGate); ok && hedge {
		if !try.TryEnter() {
			return hedgeLost
		}
		return nil
	}
	err := g.Enter(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return c.cut(ctx, false, nil)
	}
	return c.failure(err)
}

// stillWanted asks once more after the waits for a token, a slot and the gate:
// the call may have been cancelled meanwhile, and the breaker may have opened.
func (c *call[R]) stillWanted(ctx context.Context) *Failure {
	p := &c.stack.policy
	if p.Limiter == nil && p.Bulkhead == nil && c.options.Gate == nil {
		return nil
	}
	if ctx.Err() != nil {
		return c.cut(ctx, false, nil)
	}
	if p.Breaker == nil {
		return nil
	}
	renewed, refused := p.Breaker.renew(c.permit)
	c.permit = renewed
	if refused != nil {
		c.tellRejected(refused)
	}
	return refused
}

// judge calls the function and says what came of it. What ended the context
// first decides: its own timeout, the deadline, a faster call, the caller. A
// cause that the caller's context has too came from there: from another use of
// the same stack further out.
func (c *call[R]) judge(ctx, inner context.Context, a Attempt) (v R, f *Failure, neutral bool) {
	v, err := c.guarded(inner, a)
	if inner.Err() != nil {
		var zero R
		switch cause := context.Cause(inner); {
		case cause == error(c.stack.timedOut) && context.Cause(ctx) != cause:
			return zero, c.timeout(err), false
		case cause == error(hedgeLost) && context.Cause(c.ctx) != cause:
			return zero, hedgeLost, true
		case cause == error(c.stack.deadlinePassed) && context.Cause(c.ctx) != cause:
			return zero, c.cut(ctx, true, err), true
		case err != nil && !errors.Is(err, ErrPanic):
			return zero, c.cut(ctx, true, err), true
		}
	}
	if err != nil {
		return *new(R), c.failure(err), false
	}
	return v, nil, false
}

// guarded calls the function and turns a panic into an error, so that no permit
// on the way is lost.
func (c *call[R]) guarded(ctx context.Context, a Attempt) (v R, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p, debug.Stack())
		}
	}()
	return c.fn(ctx, a)
}

// failure gives an error of the function its class; a panic has it already.
func (c *call[R]) failure(err error) *Failure {
	if f, ok := err.(*Failure); ok && f.Code == CodePanic {
		return f
	}
	if classify := c.options.Classify; classify != nil {
		if f := classify(err); f != nil {
			return f
		}
	}
	return DefaultClassifier.Failure(err)
}

func (c *call[R]) timeout(err error) *Failure {
	f := *c.stack.timedOut
	f.Cause = err
	if err != nil && !isContextError(err) {
		f.Message += ": " + err.Error()
	}
	return &f
}

// isContextError is true for errors that only repeat that the context has ended.
func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
