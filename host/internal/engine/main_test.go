package engine_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/enginetest"
	"wasmhost/host/internal/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// local runs a plan on a Local of its own.
func local(ctx context.Context, r enginetest.Run) *event.Result {
	caller := call.NewCaller(r.Plugins, call.NewShared(nil, r.Changed), nil)
	caller.Rand = r.Rand
	l := &engine.Local{Caller: caller, Health: health.NewMonitor(caller, nil)}
	return run(ctx, l, engine.Start{ID: r.ID, Plan: r.Plan, Input: r.Input, Emit: r.Emit})
}

// run is a run that keeps no history, and so always ends.
func run(ctx context.Context, l *engine.Local, s engine.Start) *event.Result {
	o, err := l.Run(ctx, s)
	if err != nil {
		panic(err)
	}
	return o.Result
}

// TestProperty is the meaning of workflows, drawn at random.
func TestProperty(t *testing.T) { enginetest.Property(t, local, 300) }

// TestSuite is what every engine passes.
func TestSuite(t *testing.T) { enginetest.Suite(t, local) }
