package engine_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wasmhost/host/event"
	"wasmhost/host/internal/enginetest"
	"wasmhost/host/internal/plugin"
)

// TestDrainEndsCallsAndBeginsNone: what is in flight ends and counts, what comes
// after it is for the next process, and nothing is done twice.
func TestDrainEndsCallsAndBeginsNone(t *testing.T) {
	plan := enginetest.Plan("w",
		enginetest.Node("a", enginetest.Once()),
		enginetest.Node("b", enginetest.Once(), enginetest.Needs("a")))
	calls := map[string]int{}
	slow := func(_ context.Context, c plugin.Call) (string, error) {
		calls[c.Meta.Node]++
		time.Sleep(10 * time.Second)
		return "done", nil
	}
	plugins := enginetest.Plugins{"a": enginetest.Func(slow), "b": enginetest.Func(slow)}
	alive(t, plan, plugins, func(t *testing.T, l *life) {
		began := time.Now()
		o := l.drained(time.Second)
		if o.Result.Status != event.Running || time.Since(began) != 10*time.Second || calls["a"] != 1 || calls["b"] != 0 {
			t.Fatalf("drained after %s: %s, calls %v", time.Since(began), o.Result.Status, calls)
		}
		if o := l.process(0, 0); o.Result.Status != event.Succeeded || calls["a"] != 1 || calls["b"] != 1 {
			t.Errorf("gone on with: %s, calls %v", o.Result.Status, calls)
		}
	})
}

// TestDrainCutsWaits: a node that waits for its next attempt keeps nobody, and has
// its attempts and the rest of its wait when the run goes on.
func TestDrainCutsWaits(t *testing.T) {
	plan := enginetest.Plan("w", enginetest.Node("a", enginetest.Retry(3, time.Hour)))
	var attempts []int
	fails := func(_ context.Context, c plugin.Call) (string, error) {
		attempts = append(attempts, c.Meta.Attempt)
		if len(attempts) == 1 {
			return "", &event.Error{Class: event.Transient, Message: "not yet"}
		}
		return "done", nil
	}
	alive(t, plan, enginetest.Plugins{"a": enginetest.Func(fails)}, func(t *testing.T, l *life) {
		began := time.Now()
		o := l.drained(time.Minute)
		if o.Result.Status != event.Running || time.Since(began) != time.Minute || len(attempts) != 1 {
			t.Fatalf("drained after %s: %s, attempts %v", time.Since(began), o.Result.Status, attempts)
		}
		if o := l.process(0, 0); o.Result.Status != event.Succeeded || len(attempts) != 2 || attempts[1] != 2 || time.Since(began) < time.Hour {
			t.Errorf("gone on with after %s: %s, attempts %v", time.Since(began), o.Result.Status, attempts)
		}
	})
}

// TestDrainBeginsNoAttempt: while another node's call is let end, the wait of a
// node ends: its next attempt is for the next process, whether a slot is free for
// it, or it queues for one by then or already.
func TestDrainBeginsNoAttempt(t *testing.T) {
	for name, c := range map[string]struct {
		slots int
		after time.Duration
	}{"free": {2, time.Second}, "queues later": {1, time.Second}, "queues": {1, 10 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			plan := enginetest.Plan("w", enginetest.Concurrency(c.slots),
				enginetest.Node("a", enginetest.Retry(3, 5*time.Second)), enginetest.Node("b", enginetest.Once()))
			var attempts []int
			fails := func(_ context.Context, c plugin.Call) (string, error) {
				attempts = append(attempts, c.Meta.Attempt)
				if len(attempts) == 1 {
					return "", &event.Error{Class: event.Transient, Message: "not yet"}
				}
				return "done", nil
			}
			alive(t, plan, enginetest.Plugins{"a": enginetest.Func(fails), "b": enginetest.After(time.Minute, enginetest.Says("done"))}, func(t *testing.T, l *life) {
				began := time.Now()
				o := l.drained(c.after)
				if o.Result.Status != event.Running || time.Since(began) != time.Minute || len(attempts) != 1 {
					t.Fatalf("drained after %s: %s, attempts %v", time.Since(began), o.Result.Status, attempts)
				}
				if o := l.process(0, 0); o.Result.Status != event.Succeeded || len(attempts) != 2 || attempts[1] != 2 || time.Since(began) != time.Minute {
					t.Errorf("gone on with after %s: %s, attempts %v", time.Since(began), o.Result.Status, attempts)
				}
			})
		})
	}
}

// TestDrainAnywhere: a run that is drained again and again, at any moment, makes
// the calls that it makes otherwise, each once, and comes to the same.
func TestDrainAnywhere(t *testing.T) {
	sub := enginetest.Plan("sub", enginetest.Node("x", enginetest.Once()), enginetest.Node("y", enginetest.Once(), enginetest.Needs("x")))
	plan := enginetest.Plan("w", enginetest.Concurrency(2), enginetest.RunRetry(1, 7*time.Second), enginetest.Gate("sound"),
		enginetest.Node("a", enginetest.Once()),
		enginetest.Node("flaky", enginetest.Once(), enginetest.Needs("a"), enginetest.Retry(2, 5*time.Second)),
		enginetest.Node("broken", enginetest.Once(), enginetest.Needs("a"), enginetest.Fallback("good")),
		enginetest.Node("each", enginetest.Once(), enginetest.ForEach([]any{"p", "q", "r"}, 0, 1)),
		enginetest.Node("sub", enginetest.Needs("broken"), enginetest.Sub(sub)),
		enginetest.Node("late", enginetest.Once(), enginetest.Needs("each", "sub", "flaky")),
	)
	plugins := func(c *counted) enginetest.Plugins {
		slow := enginetest.After(3*time.Second, enginetest.Says("done"))
		once := func() enginetest.Func {
			return enginetest.Then(enginetest.After(3*time.Second, enginetest.Fails(event.Transient, "busy")), slow)
		}
		return enginetest.Plugins{"sound": enginetest.Says(""), "a": c.plugin(slow), "flaky": c.plugin(once()), "late": c.plugin(once()),
			"broken": c.plugin(enginetest.Fails(event.Permanent, "no")), "good": c.plugin(slow), "each": c.plugin(slow), "x": c.plugin(slow), "y": c.plugin(slow)}
	}
	whole := &counted{}
	var want any
	alive(t, plan, plugins(whole), func(t *testing.T, l *life) {
		o := l.process(0, 0)
		if o.Result.Status != event.Degraded || whole.calls["flaky"] != 2 || whole.calls["late"] != 2 {
			t.Fatalf("%s: %v, %v", o.Result.Status, o.Result.Error, whole.calls)
		}
		want = essence(o.Result)
	})
	for d := 500 * time.Millisecond; d < 40*time.Second; d += 500 * time.Millisecond {
		c := &counted{}
		alive(t, plan, plugins(c), func(t *testing.T, l *life) {
			o, processes := l.drained(d), 1
			for ; !o.Result.Status.Ended() && processes < 200; processes++ {
				o = l.drained(d)
			}
			if diff := cmp.Diff(want, essence(o.Result)); diff != "" || !maps.Equal(c.calls, whole.calls) {
				t.Errorf("drained every %s, %d times: %v calls, want %v (-whole +drained):\n%s", d, processes, c.calls, whole.calls, diff)
			}
		})
	}
}
