package main

import (
	"context"
	"io"

	"wasmhost/host"
	"wasmhost/host/event"
)

// keeper has recorded runs and breakers: the state folder of this machine, or a
// server. The commands do not know which.
type keeper interface {
	Runs(ctx context.Context, f host.RunFilter) ([]host.RunInfo, error)
	RunCounts(ctx context.Context, workflow string) (map[event.Status]int, error)
	RunInfo(ctx context.Context, id string) (*host.RunInfo, error)
	RunResult(ctx context.Context, id string) (*event.Result, error)
	RunEvents(ctx context.Context, id string, after uint64, limit int) ([]*event.Event, error)
	Why(ctx context.Context, id string) ([]host.Wait, error)
	Export(ctx context.Context, id string, w io.Writer) error
	CancelRun(ctx context.Context, id, reason string) error
	DeleteRun(ctx context.Context, id string) error
	AllBreakers(ctx context.Context) ([]host.BreakerInfo, error)
	ResetBreaker(ctx context.Context, name string) (*host.BreakerInfo, error)
	OpenBreaker(ctx context.Context, name string) (*host.BreakerInfo, error)

	// watch follows a run and changes nothing; the others go on with it, in this
	// process where the keeper is here. sink takes the events, in order.
	watch(ctx context.Context, id string, sink event.Sink) (going, error)
	resume(ctx context.Context, id string, sink event.Sink) (going, error)
	retry(ctx context.Context, id, from string, sink event.Sink) (going, error)
	approve(ctx context.Context, id string, answer host.Approval, sink event.Sink) (going, error)

	// here says whether this process works on the runs that go on.
	here() bool
	// loading is how many plugins are being loaded, here.
	loading() int
}

// going is a run that is followed. *host.Run is one.
type going interface {
	ID() string
	Wait(ctx context.Context) (*event.Result, error)
	Cancel(cause error)
	Interrupt(cause error)
	Recorded() bool
}

// folder is the keeper of a state folder.
type folder struct{ *host.Host }

func (f folder) here() bool   { return true }
func (f folder) loading() int { return f.Loading() }

func (f folder) watch(ctx context.Context, id string, sink event.Sink) (going, error) {
	return orNone(f.Follow(ctx, id, host.Options{Sink: sink}))
}

func (f folder) resume(ctx context.Context, id string, sink event.Sink) (going, error) {
	return orNone(f.Resume(ctx, id, host.Options{Sink: sink}))
}

func (f folder) retry(ctx context.Context, id, from string, sink event.Sink) (going, error) {
	return orNone(f.Retry(ctx, id, host.RetryOptions{From: from, Sink: sink}))
}

func (f folder) approve(ctx context.Context, id string, answer host.Approval, sink event.Sink) (going, error) {
	return orNone(f.Approve(ctx, id, answer, host.Options{Sink: sink}))
}

// orNone keeps a nil run from becoming a going that is not nil.
func orNone(r *host.Run, err error) (going, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
}
