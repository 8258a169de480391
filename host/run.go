package host

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"wasmhost/host/event"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/journal"
)

// Options are those of one run.
type Options struct {
	// RunID is an idempotency key of the caller's: starting it again while it
	// lives follows the run that is there. "" makes one, sortable by time.
	RunID string
	// Input is the run's input when HasInput is set, else the workflow's default.
	Input    event.Value
	HasInput bool
	// Sink takes this run's events, in order; the run waits for it. nil: nobody.
	Sink event.Sink
}

// Run is a run that was started, here or in another process.
type Run struct {
	id         string
	workflow   *Workflow // nil: followed, or ended before
	input      event.Value
	host       *Host
	sink       event.Sink
	feed       *event.Feed
	control    *engine.Control
	recorded   bool
	shared     bool            // the workflow is to be released
	writer     *journal.Writer // nil: it is not recorded
	ctx        context.Context // of the run, not of who started it
	cancel     func(cause error)
	hurry      chan struct{} // closed when the work on it is to end before it has begun
	hurried    sync.Once
	slot       chan struct{} // of its goroutine: it has one of Host.slots
	generation int
	unfollow   func(cause error) // of one that is followed
	live       bool              // under host.mu: the engine has it

	mu      sync.Mutex
	seq     uint64
	digests map[string]string // of the plugins that ran
	before  map[string]string // of those that ran before the run was resumed
	ended   *event.Event      // recorded by a process that died before the run's end was
	over    bool              // its last event is told or recorded: nothing may follow
	done    chan struct{}
	result  *event.Result
	err     error
}

// kept is how many events of a run a late watcher still gets.
const kept = 4096

var runID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

func (h *Host) newRun(ctx context.Context, id string, w *Workflow, o Options) *Run {
	r := &Run{id: id, workflow: w, host: h, sink: o.Sink, feed: event.NewFeed(kept), control: engine.NewControl(),
		generation: 1, digests: map[string]string{}, hurry: make(chan struct{}), done: make(chan struct{})}
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	r.ctx, r.cancel = run, cancel
	return r
}

// Start checks the input and starts a run, which goes on when ctx ends: see
// Cancel. With a journal the run is recorded first; an id that the journal
// knows gives the run that is there: its result when it has ended, the live run
// when somebody works on it, and else it goes on where it was left. What keeps
// a run from starting is an *event.Error with code invalid_input, bad_run_id,
// run_conflict, missing_secret, bad_setting, unsupported or journal.
func (h *Host) Start(ctx context.Context, w *Workflow, o Options) (*Run, error) {
	r, there, _, err := h.begin(ctx, w, o, false)
	if err != nil || there == nil {
		return r, err
	}
	if err := h.sameRun(w, o, there); err != nil {
		return nil, err
	}
	return h.Resume(ctx, there.ID, o)
}

// begin starts a run; fresh is false for one of this process that has its id
// already. A run that the journal knows, and this process does not work on, comes
// back as there is. Only a fresh one keeps a shared workflow.
func (h *Host) begin(ctx context.Context, w *Workflow, o Options, shared bool) (r *Run, there *journal.Run, fresh bool, err error) {
	if o.RunID != "" && (!runID.MatchString(o.RunID) || strings.Trim(o.RunID, ".") == "") { // dots alone are no path of a server's
		return nil, nil, false, refusal("bad_run_id", fmt.Sprintf("run id %q: use 1 to 128 of the characters A-Z a-z 0-9 . _ -, and not dots alone", o.RunID))
	}
	input, err := inputOf(w.plan, o)
	if err == nil {
		err = h.startable(w.plan)
	}
	if err == nil {
		err = h.plugins.prepare(w.plan)
	}
	if err != nil {
		return nil, nil, false, err
	}
	id := o.RunID
	if id == "" {
		id = ulid.Make().String()
	}
	if h.records() && o.RunID != "" && h.here(id) == nil {
		// Before it is entered: who asks at the same time would share our refusal.
		there, err := h.journal.Run(ctx, id)
		if err == nil {
			return nil, there, false, nil
		}
		if !errors.Is(err, journal.ErrNotFound) {
			return nil, nil, false, h.recorded(err)
		}
	}
	r = h.newRun(ctx, id, w, o)
	r.input, r.recorded, r.shared = input, h.records(), shared
	if old, err := h.enter(r); err != nil || old != nil {
		return old, nil, false, err
	}
	if h.records() {
		file, err := filepath.Abs(w.plan.File)
		if err != nil {
			return nil, nil, false, h.leave(r, err)
		}
		r.writer, err = h.journal.Begin(ctx, journal.NewRun{ID: id, Workflow: w.plan.Name, File: file, Digest: w.plan.Digest, Input: input})
		var exists *journal.ExistsError
		if errors.As(err, &exists) {
			_ = h.leave(r, refusal("run_conflict", fmt.Sprintf("run %q is recorded already", id)))
			return nil, exists.Run, false, nil
		}
		if err != nil {
			return nil, nil, false, h.leave(r, err)
		}
	}
	h.launch(r, engine.Start{})
	return r, nil, true, nil
}

// sameRun refuses an id that the journal knows for something else.
func (h *Host) sameRun(w *Workflow, o Options, there *journal.Run) error {
	input, err := inputOf(w.plan, o)
	if err != nil {
		return err
	}
	if there.Digest != w.plan.Digest || !bytes.Equal(there.Input.JSON(), input.JSON()) {
		return refusal("run_conflict", fmt.Sprintf(
			"run %q is recorded with another workflow, file or input (workflow %s, begun %s); choose another run id", there.ID, there.Workflow, there.CreatedAt.Format(time.DateTime)))
	}
	return nil
}

// info is what the journal has of a run that has just begun.
func (r *Run) info() *RunInfo {
	now, p := r.host.clock.Now(), r.workflow.plan
	return &RunInfo{ID: r.id, Workflow: p.Name, File: keyOf(r.workflow).file, Digest: p.Digest, Status: event.Running, Alive: true, Owner: journal.OwnerName(cmp.Or(r.host.config.Role, "run"), int64(os.Getpid())),
		Generation: 1, Input: r.input, CreatedAt: now, UpdatedAt: now}
}

func (r *Run) run(ctx context.Context, s engine.Start) {
	h := r.host
	h.plugins.warm(ctx, s.Plan)
	o, err := h.local.Run(ctx, s)
	if err != nil {
		r.leaveBehind()
		h.remove(r)
		r.end(nil, h.recorded(err))
		return
	}
	result := o.Result
	var last *event.Event
	m := h.metricsOf(s.Plan)
	if result.Status.Ended() {
		m.count(result)
	}
	result.Metrics = m.snapshot(h.shared.Breakers(s.Plan.Name))
	if result.Status.Ended() {
		last = &event.Event{Type: event.RunFinished, Workflow: result.Workflow, Status: result.Status, Level: result.Level,
			Error: result.Error, DurationMS: result.DurationMS, Result: result}
	}
	h.saveBreakers(s.Plan.Name)
	if r.writer != nil {
		if err := r.conclude(o, last); err != nil {
			h.remove(r)
			r.end(nil, h.recorded(err))
			return
		}
	}
	h.remove(r)
	if !result.Status.Ended() && ctx.Err() != nil {
		r.end(r.cancelLeft(result, context.Cause(ctx)))
		return
	}
	if last != nil {
		r.tell(last)
	}
	r.end(result, nil)
}

// end lets those go who wait.
func (r *Run) end(result *event.Result, err error) {
	r.result, r.err = result, err
	r.feed.Close()
	close(r.done)
}

// ID is the run's id.
func (r *Run) ID() string { return r.id }

// Watch follows the run's events from the beginning, as far as they are kept
// (the last 4,096). A watcher more than 1,024 events behind is dropped.
func (r *Run) Watch() *event.Watch { return r.feed.Watch(0, 1024) }

// Cancel asks the run to end; calls in flight are cancelled. Wait still gives
// its result. A nil cause says nothing.
func (r *Run) Cancel(cause error) { r.cancel(cause) }

// Interrupt ends the work on a run in this process: calls in flight are
// cancelled. A recorded run is kept as it stands, to go on with Resume: its
// result's status is running. One that is not recorded is cancelled; one that
// another process works on goes on there, and is only no longer followed.
func (r *Run) Interrupt(cause error) {
	switch {
	case r.unfollow != nil:
		r.unfollow(cause)
	case r.recorded:
		r.suspend()
	default:
		r.cancel(cause)
	}
}

// Recorded reports whether the run is in the journal.
func (r *Run) Recorded() bool { return r.workflow == nil || r.recorded }

// Wait returns the result when the run has ended or waits for a person, or
// ctx's error before; the run goes on then. Another error is one of the
// journal: what was recorded stands, and the run has not ended.
func (r *Run) Wait(ctx context.Context) (*event.Result, error) {
	select {
	case <-r.done:
		return r.result, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
