// Package enginetest holds one suite that every engine passes: what a workflow
// means, told with plugins that are Go functions. It also holds a small model of
// the same meaning, written from the text and not from the code, and workflows
// drawn at random on which an engine and the model have to agree.
//
// It is used by tests only. Everything runs inside testing/synctest bubbles,
// where hours pass in no time.
package enginetest

import (
	"context"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/workflow"
)

// Engine runs a plan to its end. Cancelling ctx cancels the run.
type Engine func(ctx context.Context, r Run) *event.Result

// Run is what an engine is given.
type Run struct {
	ID      string
	Plan    *workflow.Plan
	Input   event.Value
	Plugins call.Plugins
	// Emit takes the run's events, from several goroutines.
	Emit func(*event.Event)
	// Rand is the source of jitter, see call.Caller; nil: any.
	Rand func(key string, n int) float64
	// Changed is told of breakers that change their state; nil: nobody.
	Changed func(root, key, from, to string, s event.BreakerState)
}
