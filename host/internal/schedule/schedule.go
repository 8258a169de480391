// Package schedule starts runs by the clock: it knows which times are due, which
// of them a run that still goes on holds back, and which were missed. It does
// not know what a run is: it is given a function that starts one.
package schedule

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"wasmhost/host/event"
)

// ErrClosing is what Start says when the process is about to end: the time is
// left to the process after this one.
var ErrClosing = errors.New("the host is stopping")

// Due is a time at which a run is to start.
type Due struct {
	Workflow string
	Index    int // among the workflow's schedules, from 0
	Time     time.Time
	// RunID follows from the workflow, the schedule and the time alone. It is the
	// run's idempotency key: a second start of it must give the same run.
	RunID string
	// Late is true for a time that was missed and is made up for.
	Late bool
}

// Saved is what must outlive the process, of one schedule.
type Saved struct {
	Workflow, Key string
	State         []byte // empty: forget it
}

// Config says how runs are started and where states lie.
type Config struct {
	// Start starts a run and returns as soon as it is accepted, with a channel that
	// is closed when it has ended. A run that waits for a person has not ended. It
	// is called on a goroutine of its own. ErrClosing (or an error of ctx): the
	// process ends, nothing was started.
	Start func(ctx context.Context, due Due) (runID string, done <-chan struct{}, err error)
	// Follow finds a run that an earlier process started, and starts nothing.
	// found is false when there is none. nil: nothing is found. It is called on a
	// goroutine of its own.
	Follow func(ctx context.Context, runID string) (done <-chan struct{}, found bool, err error)
	// Load returns every state that was saved, Save keeps one before it returns.
	// nil: states live as long as the process, and nothing is made up for after a
	// downtime.
	Load func(ctx context.Context) ([]Saved, error)
	Save func(ctx context.Context, s Saved) error
	// Audit is told of times at which nothing started, and why; of several in a row
	// that were skipped for the same reason, of the first. What did start is a run,
	// and recorded as one. nil: nobody.
	Audit func(event.Audit)
	// Count is told how many times of a workflow's schedules were started, skipped,
	// missed or failed: every one that was due, once. nil: nobody.
	Count func(workflow, outcome string, n int)
	// Log is told what went wrong beside the runs; nil: nobody.
	Log *slog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}
