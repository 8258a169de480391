package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"wasmhost/host/event"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/journal"
	"wasmhost/host/workflow"
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
	id       string
	workflow *Workflow // nil: followed, or ended before
	input    event.Value
	host     *Host
	sink     event.Sink
	feed     *event.Feed
	control  *engine.Control
	recorded bool
	reloaded bool            // the workflow is this run's own
	writer   *journal.Writer // nil: it is not recorded
	ctx      context.Context // of the run, not of who started it
	cancel   func(cause error)
	unfollow func(cause error) // of one that is followed
	live     bool              // under host.mu: the engine has it

	mu      sync.Mutex
	seq     uint64
	digests map[string]string // of the plugins that ran
	before  map[string]string // of those that ran before the run was resumed
	ended   *event.Event      // recorded by a process that died before the run's end was
	done    chan struct{}
	result  *event.Result
	err     error
}

// kept is how many events of a run a late watcher still gets.
const kept = 4096

var runID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

func (h *Host) newRun(ctx context.Context, id string, w *Workflow, o Options) *Run {
	r := &Run{id: id, workflow: w, host: h, sink: o.Sink, feed: event.NewFeed(kept), control: engine.NewControl(),
		digests: map[string]string{}, done: make(chan struct{})}
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
	if o.RunID != "" && !runID.MatchString(o.RunID) {
		return nil, refusal("bad_run_id", fmt.Sprintf("run id %q: use 1 to 128 of the characters A-Z a-z 0-9 . _ -", o.RunID))
	}
	input, err := inputOf(w.plan, o)
	if err != nil {
		return nil, err
	}
	if err := h.startable(w.plan); err != nil {
		return nil, err
	}
	if err := h.plugins.prepare(w.plan); err != nil {
		return nil, err
	}
	id := o.RunID
	if id == "" {
		id = ulid.Make().String()
	}
	if h.records() && o.RunID != "" && h.here(id) == nil {
		// Before it is entered: who asks at the same time would share our refusal.
		there, err := h.journal.Run(ctx, id)
		if err == nil {
			return h.again(ctx, w, input, there, o)
		}
		if !errors.Is(err, journal.ErrNotFound) {
			return nil, h.recorded(err)
		}
	}
	r := h.newRun(ctx, id, w, o)
	r.input, r.recorded = input, h.records()
	if old, err := h.enter(r); err != nil || old != nil {
		return old, err
	}
	if h.records() {
		file, err := filepath.Abs(w.plan.File)
		if err != nil {
			return nil, h.leave(r, err)
		}
		r.writer, err = h.journal.Begin(ctx, journal.NewRun{ID: id, Workflow: w.plan.Name, File: file, Digest: w.plan.Digest, Input: input})
		var there *journal.ExistsError
		if errors.As(err, &there) {
			_ = h.leave(r, refusal("run_conflict", fmt.Sprintf("run %q is recorded already", id)))
			return h.again(ctx, w, input, there.Run, o)
		}
		if err != nil {
			return nil, h.leave(r, err)
		}
	}
	h.launch(r, engine.Start{})
	return r, nil
}

// here is the run of an id that this process works on, or nil.
func (h *Host) here(id string) *Run {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.runs[id]
}

// again is the answer to a run id that the journal knows.
func (h *Host) again(ctx context.Context, w *Workflow, input event.Value, there *journal.Run, o Options) (*Run, error) {
	if there.Digest != w.plan.Digest || !bytes.Equal(there.Input.JSON(), input.JSON()) {
		return nil, refusal("run_conflict", fmt.Sprintf(
			"run %q is recorded with another workflow, file or input (workflow %s, begun %s); choose another run id", there.ID, there.Workflow, there.CreatedAt.Format(time.DateTime)))
	}
	return h.Resume(ctx, there.ID, o)
}

// enter makes r the run of its id, or returns the one that is there. Close waits
// from now on until r has been left, or has ended.
func (h *Host) enter(r *Run) (*Run, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	if old := h.runs[r.id]; old != nil {
		if r.workflow != nil && (old.workflow.plan.Digest != r.workflow.plan.Digest || !bytes.Equal(old.input.JSON(), r.input.JSON())) {
			return nil, refusal("run_conflict", fmt.Sprintf("run %q is under way with another workflow, file or input; choose another run id, or wait for it", r.id))
		}
		return old, nil
	}
	h.runs[r.id] = r
	h.ending.Add(1)
	return nil, nil
}

// leave ends a run that could not begin; whoever has it already learns why.
func (h *Host) leave(r *Run, err error) error {
	defer h.ending.Done()
	h.remove(r)
	r.cancel(nil)
	r.end(nil, err)
	return err
}

func (h *Host) remove(r *Run) {
	h.mu.Lock()
	if h.runs[r.id] == r {
		delete(h.runs, r.id)
	}
	h.mu.Unlock()
}

// launch starts the engine on a run that has been entered.
func (h *Host) launch(r *Run, s engine.Start) {
	s.ID, s.Plan, s.Input, s.Emit, s.Control = r.id, r.workflow.plan, r.input, r.emit, r.control
	if r.writer != nil {
		s.Journal, s.Parks = r, true
		h.ending.Go(r.stopWhenLost)
	}
	h.mu.Lock()
	r.live = true // and all that was set before is seen by who finds it so
	h.mu.Unlock()
	go func() {
		defer h.ending.Done()
		r.run(r.ctx, s)
		r.cancel(nil)
		if r.reloaded {
			h.Unload(context.WithoutCancel(r.ctx), r.workflow)
		}
	}()
}

// stopWhenLost ends the work on a run that cannot be written any more: another
// process may be at it.
func (r *Run) stopWhenLost() {
	select {
	case <-r.writer.Lost():
		r.control.Suspend()
	case <-r.done:
	}
}

func inputOf(p *workflow.Plan, o Options) (event.Value, error) {
	input := o.Input
	if !o.HasInput {
		input = p.Input.Default
	}
	if p.Input.Schema != nil {
		if err := p.Input.Schema.Check(input); err != nil {
			if !o.HasInput && !p.Input.HasDefault {
				return input, refusal("invalid_input", fmt.Sprintf("workflow %q needs an input, and has no default: %v", p.Name, err))
			}
			return input, refusal("invalid_input", fmt.Sprintf("the input of workflow %q: %v", p.Name, err))
		}
	}
	return input, nil
}

// startable refuses what the file may say and this engine cannot do.
func (h *Host) startable(p *workflow.Plan) error {
	return eachPlan(p, func(p *workflow.Plan) error {
		for _, name := range slices.Sorted(maps.Keys(p.Plugins)) {
			if p.Plugins[name].PublicKey != "" {
				return refusal("unsupported", fmt.Sprintf(
					"plugin %q of workflow %q must be signed (public_key), and this version cannot check signatures; pin it with sha256 instead; the run was not started", name, p.Name))
			}
			if source := p.Plugins[name].Source; strings.HasPrefix(source, "oci://") {
				return refusal("unsupported", fmt.Sprintf(
					"plugin %q of workflow %q comes from %s, and this version does not fetch from OCI registries; give a path, builtin:NAME or https:// with sha256; the run was not started", name, p.Name, source))
			}
		}
		for i := range p.Nodes {
			if n := &p.Nodes[i]; n.Kind == workflow.ApprovalNode && !h.records() {
				return refusal("unsupported", fmt.Sprintf(
					"node %q of workflow %q waits for an approval, which needs a journal, and this host keeps none (durable none); the run was not started", n.ID, p.Name))
			}
		}
		return nil
	})
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
	if result.Status.Ended() {
		m := h.metricsOf(s.Plan)
		m.count(result)
		result.Metrics = m.snapshot(h.shared.Breakers(s.Plan.Name))
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

// cancelLeft ends a run that was told to end when its engine had just left it: at
// once when it had begun to wait. When the process ends, too, the wish stands in
// the journal for who takes the run next.
func (r *Run) cancelLeft(left *event.Result, cause error) (*event.Result, error) {
	h, ctx := r.host, context.WithoutCancel(r.ctx)
	info, err := h.find(ctx, r.id)
	if err != nil {
		return nil, err
	}
	if info.Status.Ended() { // somebody was faster
		return h.RunResult(ctx, r.id)
	}
	if left.Status == event.Waiting && !info.Alive {
		o := Options{Sink: event.SinkFunc(func(e *event.Event) { // the Host's has it already
			if r.sink != nil {
				r.sink.Emit(e)
			}
			r.feed.Emit(e)
		})}
		if err := h.cancelFree(ctx, info, cause.Error(), o); !errors.Is(err, ErrClosed) {
			if err != nil {
				return nil, err
			}
			return h.RunResult(ctx, r.id)
		}
	}
	reason, err := json.Marshal(cause.Error())
	if err == nil {
		_, err = h.journal.Send(ctx, journal.Command{Run: r.id, Kind: commandCancel, Data: reason, By: person(), At: h.clock.Now()})
	}
	return left, h.recorded(err)
}

// end lets those go who wait.
func (r *Run) end(result *event.Result, err error) {
	r.result, r.err = result, err
	r.feed.Close()
	close(r.done)
}

// emit numbers an event of the run, records it and hands it on.
func (r *Run) emit(e *event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.otherDigest(e); w != nil {
		r.number(w)
		r.record(w)
		r.hand(w)
	}
	r.number(e)
	if r.writer != nil {
		r.record(e)
	}
	r.hand(e)
}

// tell is emit for what was recorded already.
func (r *Run) tell(e *event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Seq == 0 {
		r.number(e)
	}
	r.hand(e)
}

func (r *Run) number(e *event.Event) {
	r.seq++
	e.V, e.Seq, e.Run, e.Time = event.Version, r.seq, r.id, r.host.clock.Now()
}

func (r *Run) hand(e *event.Event) {
	if r.sink != nil {
		r.sink.Emit(e)
	}
	if s := r.host.config.Sink; s != nil {
		s.Emit(e)
	}
	r.feed.Emit(e)
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
		r.control.Suspend()
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
