package engine_test

import (
	"context"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/enginetest"
	"wasmhost/host/internal/health"
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
		caller := call.NewCaller(l.plugins, call.NewShared(nil, nil), nil)
		local := &engine.Local{Caller: caller, Health: health.NewMonitor(caller, nil)}
		c := engine.NewControl()
		time.AfterFunc(time.Second, c.Drain)
		began := time.Now()
		o, err := local.Run(t.Context(), engine.Start{ID: "r", Plan: l.plan, Input: event.Text("in"), Journal: l.book, Parks: true, Emit: l.book.emit, Control: c})
		if err != nil {
			t.Fatal(err)
		}
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
		caller := call.NewCaller(l.plugins, call.NewShared(nil, nil), nil)
		local := &engine.Local{Caller: caller, Health: health.NewMonitor(caller, nil)}
		c := engine.NewControl()
		time.AfterFunc(time.Minute, c.Drain)
		began := time.Now()
		o, err := local.Run(t.Context(), engine.Start{ID: "r", Plan: l.plan, Input: event.Text("in"), Journal: l.book, Parks: true, Emit: l.book.emit, Control: c})
		if err != nil {
			t.Fatal(err)
		}
		if o.Result.Status != event.Running || time.Since(began) != time.Minute || len(attempts) != 1 {
			t.Fatalf("drained after %s: %s, attempts %v", time.Since(began), o.Result.Status, attempts)
		}
		if o := l.process(0, 0); o.Result.Status != event.Succeeded || len(attempts) != 2 || attempts[1] != 2 || time.Since(began) < time.Hour {
			t.Errorf("gone on with after %s: %s, attempts %v", time.Since(began), o.Result.Status, attempts)
		}
	})
}
