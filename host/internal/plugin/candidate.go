package plugin

import (
	"context"
	"time"

	"wasmhost/host/event"
)

// Gate is what a new version has to pass.
type Gate struct {
	// Module is the new version; nil: Spec.Module, or else the source, is read.
	Module []byte
	// AcceptPermissions lets it do more than the old one.
	AcceptPermissions bool
	// Health are functions that must answer well, besides an export health, which
	// is called when it is there.
	Health []string
	// Timeout bounds all that is run of it together; 0: one minute.
	Timeout time.Duration
	// Replay are calls to be repeated without permissions; Same is the share of
	// those that can be compared that must be answered alike; 0: all.
	Replay []Recording
	Same   float64
}

// Candidate reads, checks and compiles a new version, and puts it through the
// gates. The plugin is nil when a step fails, with the report's Refused saying
// why, and when the module is old's already (Unchanged). old may be nil: there
// is nothing to compare with. Mode is left to the caller.
func (r *Runtime) Candidate(ctx context.Context, s Spec, old *Plugin, g Gate) (*Plugin, *event.SwapReport) {
	return nil, &event.SwapReport{}
}
