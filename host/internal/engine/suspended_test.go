package engine_test

import (
	"context"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/enginetest"
	"wasmhost/host/internal/plugin"
)

// long is an expression that takes long enough to look at its context.
const long = "count(1..700, count(1..700, true) == 700) == 700"

// TestSuspendDecidesNothing: a call finishes while its process ends. What follows
// from its answer is what always follows, although every call's context is over.
func TestSuspendDecidesNothing(t *testing.T) {
	plan := enginetest.Plan("w",
		enginetest.Node("a"),
		enginetest.Node("b", enginetest.Needs("a"), enginetest.When(long+` && nodes.a.output == "done"`)),
		enginetest.Gives("{{ "+long+" }}"))
	plugins := enginetest.Plugins{"a": enginetest.Func(func(ctx context.Context, _ plugin.Call) (string, error) {
		<-ctx.Done() // and yet it finishes its work
		return "done", nil
	}), "b": enginetest.Func(enginetest.Echo)}
	alive(t, plan, plugins, func(t *testing.T, l *life) {
		if o := l.process(time.Second, 0); o.Result.Status != event.Running {
			t.Errorf("the process ended, and the run %s: %v", o.Result.Status, o.Result.Error)
		}
		if o := l.process(0, 0); o.Result.Status != event.Succeeded {
			t.Errorf("%s: %v", o.Result.Status, o.Result.Error)
		}
	})
	last := enginetest.Plan("w", enginetest.Node("a"), enginetest.Gives("{{ "+long+" }}"))
	alive(t, last, plugins, func(t *testing.T, l *life) {
		if o := l.process(time.Second, 0); o.Result.Status != event.Succeeded {
			t.Errorf("%s: %v", o.Result.Status, o.Result.Error)
		}
	})
}
