package resilience

import (
	"context"
	"sync"
)

// hedgeLost is the cause of the context of a call that lost, and its failure.
var hedgeLost = &Failure{Class: Unknown, Code: CodeHedgeLost, Message: ErrHedgeLost.Error()}

// hedged makes one attempt, with further calls beside it when it is slow.
func (c *call[R]) hedged(ctx context.Context) (v R, f *Failure, neutral bool) {
	if c.stack.policy.Hedge == nil || !c.options.Idempotent {
		return c.attempt(ctx, nil, false)
	}
	r := &race[R]{call: c}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.end()

	v, f, neutral = c.attempt(r.ctx, r, false)
	r.answer(v, f, neutral)
	r.end()
	if r.decided {
		return r.v, r.f, false
	}
	return v, f, neutral
}

// race is a call and the hedges beside it. The first call runs on the goroutine
// of Do, each hedge on one of its own; nobody leaves before all are back.
type race[R any] struct {
	call   *call[R]
	ctx    context.Context
	cancel context.CancelCauseFunc
	under  sync.WaitGroup

	mu      sync.Mutex
	timer   Timer
	hedges  int
	over    bool // no hedge may start any more
	decided bool
	v       R
	f       *Failure
}

// begin is called when the first call starts: time in a queue is not slowness.
func (r *race[R]) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.schedule()
}

func (r *race[R]) schedule() {
	r.timer = r.call.stack.clock.AfterFunc(r.call.stack.policy.Hedge.Delay, r.hedge)
}

// hedge runs on a goroutine of the clock.
func (r *race[R]) hedge() {
	p := &r.call.stack.policy
	r.mu.Lock()
	if r.over || r.ctx.Err() != nil {
		r.mu.Unlock()
		return
	}
	r.under.Add(1)
	defer r.under.Done()
	if r.hedges++; r.hedges < p.Hedge.Max {
		r.schedule()
	}
	r.mu.Unlock()

	if p.Breaker != nil && !p.Breaker.fresh(r.call.permit) {
		return
	}
	if !p.Bulkhead.TryAcquire() {
		return
	}
	defer p.Bulkhead.Release()
	if !p.Limiter.TryAcquire() {
		return
	}
	v, f, neutral := r.call.attempt(r.ctx, r, true)
	r.answer(v, f, neutral)
}

// answer takes what a call came back with; the first answer ends the race.
func (r *race[R]) answer(v R, f *Failure, neutral bool) {
	if f != nil && (neutral || f.Class != Permanent) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.decided {
		return
	}
	r.decided, r.over, r.v, r.f = true, true, v, f
	r.cancel(hedgeLost)
}

// end starts no further hedge and waits for those under way. It may be called
// twice: the second time for a function that left by runtime.Goexit.
func (r *race[R]) end() {
	r.mu.Lock()
	r.over = true
	if r.timer != nil {
		r.timer.Stop()
	}
	r.mu.Unlock()
	r.under.Wait()
	r.cancel(nil)
}
