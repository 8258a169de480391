package engine_test

import (
	"context"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/enginetest"
	"wasmhost/host/internal/plugin"
)

// TestStoppedCallIsNotMadeTwice: a payment was under way when another node
// failed and the process died. The failure stops it, so nobody calls it any more
// in this round; but it began, and another round of the run must not pay again.
func TestStoppedCallIsNotMadeTwice(t *testing.T) {
	paid, tried := 0, 0
	plan := enginetest.Plan("w", enginetest.RunRetry(1, time.Minute),
		enginetest.Node("pay", enginetest.Once()), enginetest.Node("bad"))
	plugins := enginetest.Plugins{
		"pay": enginetest.Func(func(ctx context.Context, _ plugin.Call) (string, error) {
			paid++
			select {
			case <-ctx.Done():
				return "", ctx.Err()
			case <-time.After(time.Hour):
				return "paid", nil
			}
		}),
		"bad": enginetest.Func(func(context.Context, plugin.Call) (string, error) {
			if tried++; tried > 1 {
				return "good", nil
			}
			time.Sleep(time.Second)
			return "", enginetest.Err(event.Transient, "busy")
		}),
	}
	alive(t, plan, plugins, func(t *testing.T, l *life) {
		if o := l.process(0, 0); o.Result.Nodes["pay"].Error.Code != "outcome_unknown" || paid != 1 {
			t.Fatalf("without a crash: %+v after %d payments", o.Result.Nodes["pay"], paid)
		}
		for i, e := range l.book.entries {
			if e.Mark == engine.MarkAnswer { // that of bad; the process dies before that of pay
				l.book.entries = l.book.entries[:i+1]
				break
			}
		}
		paid, tried = 0, 1
		o := l.process(0, 0)
		if n := o.Result.Nodes["pay"]; paid != 0 || n.Status != event.Failed || n.Error == nil || n.Error.Code != "outcome_unknown" {
			t.Errorf("after the crash: %d payments more, %+v, %v", paid, n, n.Error)
		}
	})
}
