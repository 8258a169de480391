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
