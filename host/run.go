package host

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/oklog/ulid/v2"

	"wasmhost/host/event"
	"wasmhost/host/internal/engine"
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

// Run is a run that was started.
type Run struct {
	id       string
	workflow *Workflow
	input    event.Value
	host     *Host
	sink     event.Sink
	feed     *event.Feed
	cancel   context.CancelCauseFunc

	mu     sync.Mutex
	seq    uint64
	done   chan struct{}
	result *event.Result
}

// kept is how many events of a run a late watcher still gets.
const kept = 4096

var runID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// Start checks the input and starts a run, which goes on when ctx ends: see
// Cancel. What keeps a run from starting is an *event.Error with code
// invalid_input, bad_run_id, run_conflict, missing_secret, bad_setting or
// unsupported.
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
	r := &Run{id: o.RunID, workflow: w, input: input, host: h, sink: o.Sink, feed: event.NewFeed(kept), done: make(chan struct{})}
	if r.id == "" {
		r.id = ulid.Make().String()
	}

	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	if old := h.runs[r.id]; old != nil {
		if old.workflow.plan.Digest != w.plan.Digest || !bytes.Equal(old.input.JSON(), input.JSON()) {
			return nil, refusal("run_conflict", fmt.Sprintf("run %q is under way with another workflow, file or input; choose another run id, or wait for it", r.id))
		}
		return old, nil
	}
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	r.cancel = cancel
	h.runs[r.id] = r
	h.ending.Go(func() { r.run(run) })
	return r, nil
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
			if n := &p.Nodes[i]; n.Kind == workflow.ApprovalNode {
				return refusal("unsupported", fmt.Sprintf(
					"node %q of workflow %q waits for an approval, which needs a journal; this version keeps none, so the run was not started", n.ID, p.Name))
			}
		}
		return nil
	})
}

func (r *Run) run(ctx context.Context) {
	defer r.cancel(nil)
	h := r.host
	h.plugins.warm(ctx, r.workflow.plan)
	o, _ := h.local.Run(ctx, engine.Start{ID: r.id, Plan: r.workflow.plan, Input: r.input, Emit: r.emit})
	result := o.Result

	m := h.metricsOf(r.workflow.plan)
	m.count(result)
	result.Metrics = m.snapshot(h.shared.Breakers(r.workflow.plan.Name))
	h.mu.Lock()
	delete(h.runs, r.id)
	h.mu.Unlock()
	r.result = result
	r.emit(&event.Event{Type: event.RunFinished, Workflow: result.Workflow, Status: result.Status, Level: result.Level,
		Error: result.Error, DurationMS: result.DurationMS, Result: result})
	r.feed.Close()
	close(r.done)
}

// emit numbers an event of the run and hands it on.
func (r *Run) emit(e *event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	e.V, e.Seq, e.Run, e.Time = event.Version, r.seq, r.id, r.host.clock.Now()
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

// Wait returns the result when the run has ended, or ctx's error before; the
// run goes on then.
func (r *Run) Wait(ctx context.Context) (*event.Result, error) {
	select {
	case <-r.done:
		return r.result, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
