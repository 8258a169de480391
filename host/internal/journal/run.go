package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wasmhost/host/event"
)

var errNotOpen = errors.New("the journal is not open")

// Run is a run as the journal knows it.
type Run struct {
	ID, Workflow string
	File         string // absolute path of the workflow file
	Digest       string // of the plan
	Input        event.Value
	Status       event.Status // running or waiting while it lives
	Alive        bool         // somebody owns it now
	Owner        string       // who, where Alive: "host serve, pid 4711"
	Generation   int          // from 1; a retry by a person begins the next
	Reason       string       // waiting: for what, in words
	Wake         time.Time    // waiting: when its next deadline passes; zero: none

	CreatedAt, UpdatedAt, FinishedAt time.Time

	DurationMS float64
	Error      *event.Error      // of a run that has ended
	Plugins    map[string]string // name → digest that ran, the last one
	Records    uint64            // how many
}

// NewRun is what a run begins with.
type NewRun struct {
	ID, Workflow, File, Digest string
	Input                      event.Value
}

// The errors to compare with.
var (
	ErrNotFound = errors.New("no such run in the journal")
	// ErrLost: the run has another owner now, its writer must stop.
	ErrLost   = errors.New("the run has another owner now")
	ErrServed = errors.New("another host serve uses this state folder")
	ErrClosed = errors.New("the journal is closed")
)

// ExistsError is Begin's answer for an id that is taken.
type ExistsError struct{ Run *Run }

func (e *ExistsError) Error() string { return fmt.Sprintf("run %s exists already", e.Run.ID) }

// AliveError is the answer of Take and Delete for a run that somebody owns.
type AliveError struct{ Run *Run }

func (e *AliveError) Error() string {
	return fmt.Sprintf("run %s is alive: %s works on it", e.Run.ID, e.Run.Owner)
}

// Begin records a new run, owned by this process.
func (j *Journal) Begin(ctx context.Context, n NewRun) (*Writer, error) { return nil, errNotOpen }

// Take takes a run that nobody owns; its status becomes running. A run that has
// ended can be taken too: Writer.Reopen then begins its next generation.
func (j *Journal) Take(ctx context.Context, id string) (*Writer, *Run, error) {
	return nil, nil, errNotOpen
}

// Run returns one run.
func (j *Journal) Run(ctx context.Context, id string) (*Run, error) { return nil, errNotOpen }

// Find returns the ids that begin with prefix, at most 10, sorted.
func (j *Journal) Find(ctx context.Context, prefix string) ([]string, error) { return nil, errNotOpen }

// Filter chooses runs.
type Filter struct {
	Status   []event.Status // none: all
	Workflow string
	Before   string    // id of the last run of the page before
	Since    time.Time // created then or later
	Limit    int       // 0: no limit
}

// Runs lists runs, newest first.
func (j *Journal) Runs(ctx context.Context, f Filter) ([]*Run, error) { return nil, errNotOpen }

// Counts counts the runs of a workflow ("": of all) by status.
func (j *Journal) Counts(ctx context.Context, workflow string) (map[event.Status]int, error) {
	return nil, errNotOpen
}

// Result returns the result that End recorded, as JSON; nil when there is none.
func (j *Journal) Result(ctx context.Context, run string) ([]byte, error) { return nil, errNotOpen }

// Delete forgets a run that nobody owns.
func (j *Journal) Delete(ctx context.Context, id string) error { return errNotOpen }

// Retain deletes runs that have ended: those older than age (0: none for their
// age) and all but the newest count (0: any number). It returns how many.
func (j *Journal) Retain(ctx context.Context, age time.Duration, count int) (int, error) {
	return 0, errNotOpen
}
