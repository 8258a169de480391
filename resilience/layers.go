package resilience

import (
	"context"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/common"
	"github.com/failsafe-go/failsafe-go/policy"
)

// layer is a policy in the sense of failsafe-go and its executor in one: it is
// made per Do, and its state is that of the call. Its base makes it complete, as
// it does for the policies of failsafe-go itself.
type layer[R any] struct {
	policy.BaseExecutor[R]
	call *call[R]
	kind kind
}

type kind uint8

const (
	retryKind kind = iota
	breakerKind
	limiterKind
	bulkheadKind
)

// inside is what a layer is put around.
type inside[R any] = func(failsafe.Execution[R]) *common.PolicyResult[R]

var _ policy.Executor[any] = &layer[any]{}

// ToExecutor is part of failsafe.Policy.
func (l *layer[R]) ToExecutor(R) any { return l }

// Apply is part of policy.Executor.
func (l *layer[R]) Apply(inner inside[R]) inside[R] {
	switch l.kind {
	case retryKind:
		return retrying(l.call, inner)
	case breakerKind:
		return breaking(l.call, inner)
	case limiterKind:
		return limiting(l.call, inner)
	default:
		return bulkheading(l.call, inner)
	}
}

// layered runs the call through failsafe-go's executor, in the order of Stack.
func (c *call[R]) layered(ctx context.Context) (R, *Failure) {
	p := &c.stack.policy
	var layers [4]layer[R]
	policies := make([]failsafe.Policy[R], 0, len(layers))
	for i, wanted := range [...]bool{
		retryKind: p.Retry.MaxRetries > 0, breakerKind: p.Breaker != nil,
		limiterKind: p.Limiter != nil, bulkheadKind: p.Bulkhead != nil,
	} {
		if wanted {
			l := &layers[i]
			l.Executor, l.call, l.kind = l, c, kind(i)
			policies = append(policies, l)
		}
	}

	v, err := failsafe.With(policies...).WithContext(ctx).Get(func() (R, error) {
		v, f, neutral := c.hedged(ctx)
		c.neutral = neutral
		if f != nil {
			return v, f
		}
		return v, nil
	})
	return v, asFailure(err)
}

// asFailure undoes the conversion to error of a *Failure.
func asFailure(err error) *Failure {
	f, _ := err.(*Failure)
	return f
}

// refuse is the result of a layer that does not call what is inside.
func (c *call[R]) refuse(f *Failure) *common.PolicyResult[R] {
	c.neutral = true
	return failed[R](f)
}

func failed[R any](f *Failure) *common.PolicyResult[R] {
	return &common.PolicyResult[R]{Error: f, Done: true}
}

// retrying tries again until there is an answer, or a reason not to.
func retrying[R any](c *call[R], inner inside[R]) inside[R] {
	return func(exec failsafe.Execution[R]) *common.PolicyResult[R] {
		ctx, first, previous := exec.Context(), 0, time.Duration(0)
		if r := c.options.Resumed; r != nil {
			first, previous = r.Retries, r.Previous
			if f := c.waitOn(ctx, r); f != nil {
				return c.refuse(f)
			}
		}
		for n := first; ; n++ {
			result := inner(exec)
			f := asFailure(result.Error)
			if f == nil || !c.retryable(n, f) {
				return result
			}
			wait := c.waitAfter(n, previous, f)
			switch {
			case ctx.Err() != nil:
				return c.refuse(c.cutAfter(ctx, f))
			case !c.leaves(wait):
				return c.refuse(c.tooLate(wait, "for a retry", f))
			case !c.stack.policy.Budget.withdraw():
				spent := *f
				spent.Message += " (not retried: the retry budget is used up)"
				return failed[R](&spent)
			}
			if o := c.options.Observer; o != nil {
				o.Retrying(c.number+1, wait, f)
			}
			if sleep(ctx, c.stack.clock, wait) != nil {
				return c.refuse(c.cutAfter(ctx, f))
			}
			exec.(policy.ExecutionInternal[R]).InitializeRetry() // its count of attempts
			previous = wait
		}
	}
}

// waitOn waits for what is left of a wait that another process began.
func (c *call[R]) waitOn(ctx context.Context, r *Resumed) *Failure {
	if r.Cause == nil {
		return nil
	}
	wait := max(r.Wait, 0)
	if !c.leaves(wait) {
		return c.tooLate(wait, "for a retry", r.Cause)
	}
	if o := c.options.Observer; o != nil && wait > 0 {
		o.Retrying(c.number+1, wait, r.Cause)
	}
	if sleep(ctx, c.stack.clock, wait) != nil {
		return c.cutAfter(ctx, r.Cause)
	}
	return nil
}

// cutAfter is the cut of a retry that was due: no call is in flight, but the one
// before may have done its work.
func (c *call[R]) cutAfter(ctx context.Context, last *Failure) *Failure {
	f := c.cut(ctx, false, last)
	f.OutcomeUnknown = last.OutcomeUnknown
	return f
}

// retryable reports whether retry n may follow a failure at all. A refusal by
// the breaker is not retried into, a call that may have done its work is not
// repeated unasked, and what the caller or the deadline has cut is over.
func (c *call[R]) retryable(n int, f *Failure) bool {
	r := &c.stack.policy.Retry
	if c.neutral && f.Code != CodeRateLimited || f.OutcomeUnknown && !c.options.Idempotent {
		return false
	}
	return n < r.MaxRetries && r.Retries(f.Class)
}

// waitAfter is the wait before retry n. Only the callee's own hint counts, not
// that of a limiter.
func (c *call[R]) waitAfter(n int, previous time.Duration, f *Failure) time.Duration {
	r := &c.stack.policy.Retry
	if !c.neutral {
		if hint, ok := r.Hint(f); ok {
			return hint
		}
	}
	return r.Delay(n, previous, c.random())
}

// breaking asks the breaker and tells it what came of it.
func breaking[R any](c *call[R], inner inside[R]) inside[R] {
	b := c.stack.policy.Breaker
	return func(exec failsafe.Execution[R]) *common.PolicyResult[R] {
		p, refused := b.acquire()
		if refused != nil {
			c.tellRejected(refused)
			return c.refuse(refused)
		}
		c.permit = p
		// Whatever happens inside, the permit comes back.
		count, f := nothing, (*Failure)(nil)
		defer func() { b.done(c.permit, count, f) }()

		result := inner(exec)
		if f = asFailure(result.Error); f == nil || !c.neutral {
			count = b.outcomeOf(f)
		}
		return result
	}
}

// limiting waits for a token.
func limiting[R any](c *call[R], inner inside[R]) inside[R] {
	limiter := c.stack.policy.Limiter
	return func(exec failsafe.Execution[R]) *common.PolicyResult[R] {
		wait, mark, ok := limiter.reserve(limiter.cfg.MaxWait)
		if !ok {
			f := limiter.refusal(wait)
			c.tellRejected(f)
			return c.refuse(f)
		}
		if wait > 0 && !c.leaves(wait) {
			limiter.giveBack(mark)
			return c.refuse(c.tooLate(wait, "for a token", nil))
		}
		if sleep(exec.Context(), c.stack.clock, wait) != nil {
			limiter.giveBack(mark)
			return c.refuse(c.cut(exec.Context(), false, nil))
		}
		return inner(exec)
	}
}

// bulkheading waits for a slot.
func bulkheading[R any](c *call[R], inner inside[R]) inside[R] {
	bulkhead := c.stack.policy.Bulkhead
	return func(exec failsafe.Execution[R]) *common.PolicyResult[R] {
		if bulkhead.Acquire(exec.Context()) != nil {
			return c.refuse(c.cut(exec.Context(), false, ErrBulkheadFull))
		}
		defer bulkhead.Release()
		return inner(exec)
	}
}
