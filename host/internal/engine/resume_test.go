package engine_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/enginetest"
	"wasmhost/host/internal/health"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
	"wasmhost/resilience"
)

// life is a run that goes through several processes.
type life struct {
	t       *testing.T
	plan    *workflow.Plan
	plugins enginetest.Plugins
	book    *book
}

// process works on the run until it ends or the process does, after d (0: not
// before the run). away is how long it then takes until somebody goes on.
func (l *life) process(d, away time.Duration, decisions ...engine.Decision) engine.Outcome {
	l.t.Helper()
	return l.until((*engine.Control).Suspend, d, away, decisions...)
}

// drained is process, and its calls in flight end.
func (l *life) drained(d time.Duration) engine.Outcome {
	l.t.Helper()
	return l.until((*engine.Control).Drain, d, 0)
}

func (l *life) until(end func(*engine.Control), d, away time.Duration, decisions ...engine.Decision) engine.Outcome {
	l.t.Helper()
	caller := call.NewCaller(l.plugins, call.NewShared(nil, nil), nil)
	local := &engine.Local{Caller: caller, Health: health.NewMonitor(caller, nil)}
	c := engine.NewControl()
	for _, d := range decisions {
		c.Decide(d, func(err *event.Error) {
			if err != nil {
				l.t.Errorf("decision %+v: %v", d, err)
			}
		})
	}
	if d > 0 {
		timer := time.AfterFunc(d, func() { end(c) })
		defer timer.Stop()
	}
	o, err := local.Run(l.t.Context(), engine.Start{ID: "r", Plan: l.plan, Input: event.Text("in"), Journal: l.book, Parks: true, Emit: l.book.emit,
		History: append([]engine.Entry(nil), l.book.entries...), Control: c})
	if err != nil {
		l.t.Fatal(err)
	}
	time.Sleep(away)
	return o
}

func alive(t *testing.T, plan *workflow.Plan, plugins enginetest.Plugins, f func(t *testing.T, l *life)) {
	synctest.Test(t, func(t *testing.T) { f(t, &life{t: t, plan: plan, plugins: plugins, book: &book{}}) })
}

// TestBackoffGoesOn: the wait before a retry is over when it would have been,
// whoever waits, and the count of retries goes on.
func TestBackoffGoesOn(t *testing.T) {
	var at []time.Duration
	var attempts []int
	start := time.Time{}
	plan := enginetest.Plan("w", enginetest.Node("a", enginetest.Retry(2, time.Hour)))
	plugins := enginetest.Plugins{"a": enginetest.Func(func(_ context.Context, c plugin.Call) (string, error) {
		at, attempts = append(at, time.Since(start)), append(attempts, c.Meta.Attempt)
		return "", enginetest.Err(event.Transient, "busy")
	})}
	alive(t, plan, plugins, func(t *testing.T, l *life) {
		start = time.Now()
		for _, d := range []time.Duration{10 * time.Minute, 5 * time.Minute, 30 * time.Minute} {
			if o := l.process(d, 2*time.Minute); o.Result.Status != event.Running {
				t.Fatalf("it %s within %s", o.Result.Status, d)
			}
		}
		o := l.process(0, 0) // 51 minutes after the beginning
		if o.Result.Status != event.Failed || o.Result.Nodes["a"].Attempts != 3 {
			t.Errorf("%s with %d attempts", o.Result.Status, o.Result.Nodes["a"].Attempts)
		}
		want := []time.Duration{0, time.Hour, 2 * time.Hour}
		for i := range want {
			if i >= len(at) || at[i] != want[i] || attempts[i] != i+1 {
				t.Fatalf("attempts %v at %v, want 1 2 3 at %v", attempts, at, want)
			}
		}
	})
}

// TestDeadlinesGoOn: of a node, of its items, of the run.
func TestDeadlinesGoOn(t *testing.T) {
	never := enginetest.Func(func(ctx context.Context, _ plugin.Call) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	})
	for name, plan := range map[string]*workflow.Plan{
		"of a node":  enginetest.Plan("w", enginetest.Node("a", enginetest.Deadline(time.Hour))),
		"of items":   enginetest.Plan("w", enginetest.Node("a", enginetest.ForEach([]any{1, 2}, 1, 1), enginetest.Deadline(time.Hour))),
		"of the run": enginetest.Plan("w", enginetest.RunDeadline(time.Hour), enginetest.Node("a")),
	} {
		for _, away := range []time.Duration{time.Minute, 2 * time.Hour} {
			t.Run(name+", away "+away.String(), func(t *testing.T) {
				calls := 0
				plugins := enginetest.Plugins{"a": enginetest.Func(func(ctx context.Context, c plugin.Call) (string, error) {
					calls++
					return never(ctx, c)
				})}
				alive(t, plan, plugins, func(t *testing.T, l *life) {
					start := time.Now()
					l.process(30*time.Minute, away)
					o := l.process(0, 0)
					want := time.Hour
					if away > want {
						want = 30*time.Minute + away // it had passed
					}
					if o.Result.Status != event.Failed || o.Result.Error.Code != "deadline" || time.Since(start) != want {
						t.Errorf("%s after %s, want failed after %s: %v", o.Result.Status, time.Since(start), want, o.Result.Error)
					}
					if away > time.Hour && name != "of a node" && calls > 1 {
						t.Errorf("%d calls, although the time was over", calls)
					}
				})
			})
		}
	}
}

// TestPauseGoesOn: the wait before another round of the whole run.
func TestPauseGoesOn(t *testing.T) {
	calls := 0
	plan := enginetest.Plan("w", enginetest.RunRetry(1, time.Hour), enginetest.Node("a"), enginetest.Node("b", enginetest.Needs("a")))
	plugins := enginetest.Plugins{"a": enginetest.Func(enginetest.Echo), "b": enginetest.Func(func(context.Context, plugin.Call) (string, error) {
		if calls++; calls == 1 {
			return "", enginetest.Err(event.Transient, "busy")
		}
		return "done", nil
	})}
	alive(t, plan, plugins, func(t *testing.T, l *life) {
		start := time.Now()
		l.process(10*time.Minute, 10*time.Minute)
		o := l.process(0, 0)
		if o.Result.Status != event.Succeeded || time.Since(start) != time.Hour || calls != 2 {
			t.Errorf("%s after %s with %d calls", o.Result.Status, time.Since(start), calls)
		}
	})
}

// TestFallbackGoesOn: who was asked is asked again, and those before him are
// not; their errors are kept.
func TestFallbackGoesOn(t *testing.T) {
	asked := map[string]int{}
	count := func(name string, f enginetest.Func) enginetest.Func {
		return func(ctx context.Context, c plugin.Call) (string, error) {
			asked[name]++
			return f(ctx, c)
		}
	}
	plan := enginetest.Plan("w", enginetest.Node("a", enginetest.Fallback("b"), enginetest.Fallback("c")))
	plugins := enginetest.Plugins{
		"a": count("a", func(context.Context, plugin.Call) (string, error) { return "", enginetest.Err(event.Permanent, "no") }),
		"b": count("b", func(ctx context.Context, _ plugin.Call) (string, error) {
			if asked["b"] == 1 {
				<-ctx.Done()
				return "", ctx.Err()
			}
			return "", enginetest.Err(event.Permanent, "neither")
		}),
		"c": count("c", enginetest.Echo),
	}
	alive(t, plan, plugins, func(t *testing.T, l *life) {
		l.process(time.Second, 0)
		o := l.process(0, 0)
		n := o.Result.Nodes["a"]
		if o.Result.Status != event.Degraded || n.AnsweredBy != "fallback[1]" || len(n.Errors) != 2 || n.Errors[0].Code != "no" || n.Errors[1].Code != "neither" {
			t.Errorf("%s, %+v", o.Result.Status, n)
		}
		if asked["a"] != 1 || asked["b"] != 2 || asked["c"] != 1 || n.Attempts != 4 {
			t.Errorf("asked %v, %d attempts", asked, n.Attempts)
		}
	})
}

// TestDecisions: what a person may say, to a node that waits and to its items.
func TestDecisions(t *testing.T) {
	plan := enginetest.Plan("w", enginetest.Node("pay", enginetest.Once(), enginetest.Timeout(time.Minute), enginetest.ForEach([]any{"x", "y"}, 0, 1)),
		enginetest.Node("after", enginetest.Needs("pay")))
	var mu sync.Mutex
	tries := map[string]int{}
	plugins := enginetest.Plugins{"after": enginetest.Func(enginetest.Echo), "pay": enginetest.Func(func(ctx context.Context, c plugin.Call) (string, error) {
		mu.Lock()
		tries[c.Meta.Node]++
		first := tries[c.Meta.Node] == 1
		mu.Unlock()
		if first {
			<-ctx.Done()
			return "", ctx.Err()
		}
		return "paid " + string(c.Input), nil
	})}
	alive(t, plan, plugins, func(t *testing.T, l *life) {
		o := l.process(0, time.Hour)
		if o.Result.Status != event.Waiting || !strings.Contains(o.Reason, "pay[0]") || !strings.Contains(o.Reason, "pay[1]") {
			t.Fatalf("%s: %s", o.Result.Status, o.Reason)
		}
		if o = l.process(0, time.Hour, engine.Decision{Path: "pay[0]", Verdict: engine.Again}); o.Result.Status != event.Waiting {
			t.Fatalf("%s: %s", o.Result.Status, o.Reason)
		}
		o = l.process(0, 0, engine.Decision{Path: "pay[1]", Verdict: engine.Approve, Output: event.Text("by hand"), HasOutput: true})
		if got := o.Result.Nodes["after"].Output.String(); o.Result.Status != event.Succeeded || got != `["paid x","by hand"]` {
			t.Errorf("%s, %s", o.Result.Status, got)
		}
		if tries["pay[0]"] != 2 || tries["pay[1]"] != 1 {
			t.Errorf("called %v", tries)
		}
	})
}

// TestStopEndsWhatWaits: a failure elsewhere ends the run, also what waits for a
// person in it.
func TestStopEndsWhatWaits(t *testing.T) {
	plan := enginetest.Plan("w", enginetest.Node("pay", enginetest.Once(), enginetest.Timeout(time.Second)), enginetest.Node("bad"))
	plugins := enginetest.Plugins{"pay": enginetest.Func(func(ctx context.Context, _ plugin.Call) (string, error) { <-ctx.Done(); return "", ctx.Err() }),
		"bad": enginetest.Func(func(context.Context, plugin.Call) (string, error) {
			time.Sleep(time.Minute)
			return "", enginetest.Err(event.Permanent, "bad")
		})}
	alive(t, plan, plugins, func(t *testing.T, l *life) {
		o := l.process(0, 0)
		if pay := o.Result.Nodes["pay"]; o.Result.Status != event.Failed || o.Result.Error.Code != "bad" || pay.Status != event.Failed || pay.Error.Code != "outcome_unknown" {
			t.Errorf("%s %v, pay: %+v", o.Result.Status, o.Result.Error, pay)
		}
	})
}

// TestSuspendKeepsWhatWasDone: a call that finishes while it is cut is done.
func TestSuspendKeepsWhatWasDone(t *testing.T) {
	plan := enginetest.Plan("w", enginetest.Breaker("b", resilience.BreakerConfig{}), enginetest.Node("a", enginetest.Behind("b")))
	calls := 0
	plugins := enginetest.Plugins{"a": enginetest.Func(func(ctx context.Context, _ plugin.Call) (string, error) {
		calls++
		<-ctx.Done() // and yet it finishes its work
		return "done", nil
	})}
	alive(t, plan, plugins, func(t *testing.T, l *life) {
		l.process(time.Second, 0)
		o := l.process(0, 0)
		if o.Result.Status != event.Succeeded || calls != 1 {
			t.Errorf("%s after %d calls: %v", o.Result.Status, calls, o.Result.Error)
		}
	})
}
