package engine_test

import (
	"context"
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

// TestDecisionWhileStopping: who answers while the process ends is told that it
// ends, and that the answer did not count, not that nobody waits for it.
func TestDecisionWhileStopping(t *testing.T) {
	plan := enginetest.Plan("w", enginetest.Node("a"), enginetest.Node("ask"), func(p *workflow.Plan) {
		p.Nodes[1].Kind, p.Nodes[1].Approval = workflow.ApprovalNode, "Well?"
	})
	plugins := enginetest.Plugins{"a": enginetest.Func(func(ctx context.Context, _ plugin.Call) (string, error) {
		<-ctx.Done()
		time.Sleep(time.Second) // it takes its time to end
		return "", ctx.Err()
	})}
	alive(t, plan, plugins, func(t *testing.T, l *life) {
		caller := call.NewCaller(plugins, call.NewShared(nil, nil), nil)
		local := &engine.Local{Caller: caller, Health: health.NewMonitor(caller, nil)}
		c := engine.NewControl()
		ended := make(chan engine.Outcome, 1)
		go func() {
			o, err := local.Run(t.Context(), engine.Start{ID: "r", Plan: plan, Journal: l.book, Parks: true, Emit: l.book.emit, Control: c})
			if err != nil {
				t.Error(err)
			}
			ended <- o
		}()
		synctest.Wait()
		decide := func(when string) {
			t.Helper()
			said := make(chan *event.Error, 1)
			c.Decide(engine.Decision{Path: "ask", Verdict: engine.Approve}, func(err *event.Error) { said <- err })
			if err := <-said; err == nil || err.Code != "closed" || err.Class != event.Transient {
				t.Errorf("%s: %v, want code closed", when, err)
			}
		}
		c.Suspend()
		synctest.Wait()
		decide("while calls end")
		if o := <-ended; o.Result.Status != event.Running {
			t.Errorf("%s: %v", o.Result.Status, o.Result.Error)
		}
		decide("afterwards")
	})
}
