package engine_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/enginetest"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
	"wasmhost/resilience"
)

// gauge counts the calls that are in flight.
type gauge struct {
	now, most atomic.Int64
}

func (g *gauge) around(f enginetest.Func) enginetest.Func {
	return func(ctx context.Context, c plugin.Call) (string, error) {
		n := g.now.Add(1)
		defer g.now.Add(-1)
		for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
		}
		return f(ctx, c)
	}
}

func TestConcurrencyCountsCallsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gauge
		var options []enginetest.Option
		plugins := enginetest.Plugins{"inner": g.around(enginetest.After(time.Second, enginetest.Echo))}
		for i := range 10 {
			id := fmt.Sprintf("n%d", i)
			options = append(options, enginetest.Node(id))
			plugins[id] = g.around(enginetest.After(time.Second, enginetest.Echo))
		}
		sub := enginetest.Plan("sub", enginetest.Node("inner", enginetest.ForEach(make([]any, 5), 0, 1)))
		options = append(options, enginetest.Concurrency(3), enginetest.Node("s", enginetest.Sub(sub)))
		o := enginetest.Do(t.Context(), local, enginetest.Run{Plan: enginetest.Plan("w", options...), Plugins: plugins})
		if o.Result.Status != event.Succeeded || g.most.Load() != 3 || o.Took != 5*time.Second {
			t.Errorf("%s with %d calls at once in %s", o.Result.Status, g.most.Load(), o.Took)
		}
	})
}

// Waits hold no slot: for a retry, a token, a bulkhead, a breaker's refusal.
func TestWaitsHoldNoSlot(t *testing.T) {
	for name, c := range map[string]struct {
		under  func(*workflow.Policy)
		plugin enginetest.Func
	}{
		"retry": {func(p *workflow.Policy) { p.Retry = enginetest.Retries(1, time.Hour) }, enginetest.Then(enginetest.Fails(event.Transient, "x"), enginetest.Echo)},
		"rate limit": {func(p *workflow.Policy) {
			p.RateLimit = &resilience.RateLimit{Rate: 1.0 / 3600, Burst: 1, MaxWait: 2 * time.Hour}
		}, enginetest.Echo},
		"bulkhead": {func(p *workflow.Policy) { p.Concurrency = 1 }, enginetest.After(time.Minute, enginetest.Echo)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slots := 1
				if name == "bulkhead" {
					slots = 2
				}
				plan := enginetest.Plan("w", enginetest.Concurrency(slots),
					enginetest.Node("first"), // takes the token, where there is one
					enginetest.Node("waits", enginetest.Needs("first"), enginetest.ForEach(make([]any, 3), 0, 1), enginetest.Under(c.under)),
					enginetest.Node("quick", enginetest.Needs("first")), enginetest.Node("then", enginetest.Needs("quick")))
				o := enginetest.Do(t.Context(), local, enginetest.Run{Plan: plan, Plugins: enginetest.Plugins{
					"first": enginetest.Func(enginetest.Echo), "waits": c.plugin, "quick": enginetest.Func(enginetest.Echo), "then": enginetest.Func(enginetest.Echo)}})
				for _, call := range o.Calls {
					if call.Meta.Node == "then" && call.At > time.Minute {
						t.Errorf("%s began at %s", call.Meta.Node, call.At)
					}
				}
				if o.Result.Status != event.Succeeded {
					t.Error(enginetest.Summary(o.Result))
				}
			})
		})
	}
}

func TestManyReadyNodesAreNotManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := runtime.NumGoroutine()
		var most atomic.Int64
		plan := enginetest.Plan("w", enginetest.Concurrency(4), enginetest.Node("each", enginetest.ForEach(make([]any, 10_000), 0, 1)))
		o := enginetest.Do(t.Context(), local, enginetest.Run{Plan: plan, Plugins: enginetest.Plugins{
			"each": enginetest.Func(func(context.Context, plugin.Call) (string, error) {
				if n := int64(runtime.NumGoroutine()); n > most.Load() {
					most.Store(n)
				}
				return "", nil
			})}})
		if o.Result.Nodes["each"].Attempts != 10_000 || most.Load() > int64(before)+20 {
			t.Errorf("%d calls, up to %d goroutines", o.Result.Nodes["each"].Attempts, most.Load()-int64(before))
		}
	})
}

// TestChainOfSkipped: a long chain needs no deep stack.
func TestChainOfSkipped(t *testing.T) {
	const n = 100_000
	p := &workflow.Plan{Name: "w", Run: workflow.Run{Concurrency: 1}, Nodes: make([]workflow.Node, n)}
	for i := range p.Nodes {
		p.Nodes[i] = workflow.Node{ID: fmt.Sprintf("n%d", i), MinSuccess: 1, Primary: workflow.Answerer{Plugin: "p"}}
		if i > 0 {
			p.Nodes[i].Needs = []int{i - 1}
		}
	}
	p.Seal()
	r := local(t.Context(), enginetest.Run{Plan: p, Plugins: enginetest.Plugins{"p": enginetest.Fails(event.Permanent, "boom")}, Emit: func(*event.Event) {}})
	skipped := 0
	for _, node := range r.Nodes {
		if node.Status == event.Skipped {
			skipped++
		}
	}
	if r.Status != event.Failed || skipped != n-1 {
		t.Errorf("%s, %d skipped", r.Status, skipped)
	}
}

func TestCancelledBeforeItStarts(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("too late"))
	plan := enginetest.Plan("w", enginetest.Node("a"), enginetest.Level(enginetest.Plan("l", enginetest.Node("b"))))
	o := enginetest.Do(ctx, local, enginetest.Run{Plan: plan, Plugins: enginetest.Plugins{"a": enginetest.Says(""), "b": enginetest.Says("")}})
	if got := enginetest.Summary(o.Result); got != "cancelled(cancelled) a=cancelled" || len(o.Calls) != 0 || o.Result.Error.Message != "too late" {
		t.Errorf("%s, %d calls, %v", got, len(o.Calls), o.Result.Error)
	}
}

// TestReturnsWhenNothingRuns: a plugin that does not obey at once is waited for.
func TestReturnsWhenNothingRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running atomic.Int64
		slow := enginetest.Func(func(ctx context.Context, _ plugin.Call) (string, error) {
			running.Add(1)
			defer running.Add(-1)
			<-ctx.Done()
			time.Sleep(time.Second)
			return "", ctx.Err()
		})
		plan := enginetest.Plan("w", enginetest.RunDeadline(time.Second), enginetest.Node("a"), enginetest.Node("b"))
		o := enginetest.Do(t.Context(), local, enginetest.Run{Plan: plan, Plugins: enginetest.Plugins{"a": slow, "b": slow}})
		if running.Load() != 0 || o.Took != 2*time.Second || o.Result.Error.Code != "deadline" {
			t.Errorf("%d running after %s: %s", running.Load(), o.Took, enginetest.Summary(o.Result))
		}
	})
}

// TestStorm cancels many runs at random moments; goleak sees what is left, the
// race detector the rest.
func TestStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sub := enginetest.Plan("sub", enginetest.RunDeadline(7*time.Millisecond), enginetest.Node("x"), enginetest.Node("y", enginetest.Needs("x")))
		plan := enginetest.Plan("w", enginetest.Concurrency(3), enginetest.RunDeadline(20*time.Millisecond), enginetest.RunRetry(2, time.Millisecond),
			enginetest.Node("a", enginetest.Retry(3, time.Millisecond), enginetest.Timeout(3*time.Millisecond), enginetest.Fallback("x")),
			enginetest.Node("each", enginetest.ForEach(make([]any, 9), 4, 0.5), enginetest.Deadline(9*time.Millisecond)),
			enginetest.Node("s", enginetest.Needs("a"), enginetest.Sub(sub), enginetest.FallbackValue(1)),
			enginetest.Level(enginetest.Plan("l", enginetest.Node("y"))))
		flaky := enginetest.Func(func(ctx context.Context, c plugin.Call) (string, error) {
			if enginetest.Sleep(ctx, time.Duration(len(c.Meta.Node)*c.Meta.Attempt%5)*time.Millisecond) != nil {
				return "", ctx.Err()
			}
			if c.Meta.Attempt%2 == 1 {
				return "", enginetest.Err(event.Transient, "x")
			}
			return "1", nil
		})
		plugins := enginetest.Plugins{"a": flaky, "each": flaky, "x": flaky, "y": flaky}
		shared := call.NewShared(nil, nil)
		l := &engine.Local{Caller: call.NewCaller(plugins, shared, nil)}
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%25)*time.Millisecond)
				defer cancel()
				r := run(ctx, l, engine.Start{ID: fmt.Sprint(i), Plan: plan, Emit: func(*event.Event) {}})
				if !r.Status.Ended() {
					t.Errorf("run %d: %s", i, r.Status)
				}
			})
		}
		wg.Wait()
	})
}

// TestVirtualClock: whole runs go by a clock that is moved by hand.
func TestVirtualClock(t *testing.T) {
	clock := resilience.NewManualClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	var calls atomic.Int64
	plugins := enginetest.Plugins{"a": enginetest.Func(func(context.Context, plugin.Call) (string, error) {
		if calls.Add(1) < 3 {
			return "", enginetest.Err(event.Transient, "x")
		}
		return "done", nil
	})}
	l := &engine.Local{Caller: call.NewCaller(plugins, call.NewShared(clock, nil), clock), Clock: clock}
	plan := enginetest.Plan("w", enginetest.RunDeadline(24*time.Hour), enginetest.RunRetry(1, time.Hour), enginetest.Node("a", enginetest.Retry(1, time.Hour)))
	done := make(chan *event.Result)
	go func() { done <- run(t.Context(), l, engine.Start{ID: "r", Plan: plan}) }()
	for range 2 {
		clock.BlockUntil(2) // the run's deadline, and a wait
		clock.Advance(time.Hour)
	}
	if r := <-done; r.Status != event.Succeeded || r.DurationMS != 2*3600*1000 || clock.Pending() != 0 {
		t.Errorf("%s after %gms, %d timers left", enginetest.Summary(r), r.DurationMS, clock.Pending())
	}
}
