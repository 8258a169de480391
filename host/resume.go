package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wasmhost/host/event"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/journal"
	"wasmhost/host/workflow"
)

// Resume goes on with a run whose process has died or that waits; what was done
// is not done again. Of Options only Sink counts. A run that is alive is
// followed, one that has ended gives its result. Codes: not_found, ambiguous,
// workflow_changed (the file is not what the run began with; Retry takes it),
// and those of Start.
func (h *Host) Resume(ctx context.Context, id string, o Options) (*Run, error) {
	info, err := h.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if info.Status.Ended() || info.Alive {
		return h.Follow(ctx, info.ID, o)
	}
	r, err := h.goOn(ctx, info, o, nil)
	if errors.Is(err, errTaken) {
		if r != nil {
			return r, nil
		}
		return h.Follow(ctx, info.ID, o)
	}
	return r, err
}

// errTaken says that a run is not as it was found: somebody works on it by now,
// or has done so.
var errTaken = errors.New("somebody else has taken the run")

// goOn takes a run that nobody works on and starts the engine on its history.
// before, if any, reaches into the run before it begins. The error is errTaken
// when somebody was faster; the Run is his then if he is of this process.
func (h *Host) goOn(ctx context.Context, info *journal.Run, o Options, before func(*Run)) (*Run, error) {
	w, err := h.reload(ctx, info)
	if err != nil {
		return nil, err
	}
	if w.plan.Digest != info.Digest {
		h.Unload(ctx, w)
		return nil, refusal("workflow_changed", fmt.Sprintf("run %s was begun with another content of %s, or of a file that it names; "+
			"put that back to go on, or run what is not done with the new one: host runs retry %s", info.ID, info.File, info.ID))
	}
	r, p, err := h.takeOver(ctx, info, w, o)
	if err != nil {
		return r, err
	}
	if before != nil {
		before(r)
	}
	h.launch(r, engine.Start{History: p.history, Seed: p.seed, Ran: r.ran})
	return r, nil
}

// takeOver makes a run that nobody works on this process's, with the workflow
// that was loaded for it. Errors are as those of goOn.
func (h *Host) takeOver(ctx context.Context, info *journal.Run, w *Workflow, o Options) (*Run, *past, error) {
	r := h.newRun(ctx, info.ID, w, o)
	r.input, r.recorded, r.reloaded = info.Input, true, true
	old, err := h.enter(r)
	if err == nil && old != nil {
		err = errTaken
	}
	if err != nil {
		h.Unload(ctx, w)
		return old, nil, err
	}
	fail := func(err error) (*Run, *past, error) {
		h.Unload(ctx, w)
		return nil, nil, h.leave(r, err)
	}
	if r.writer, err = h.take(ctx, info); err != nil {
		return fail(err)
	}
	p, err := h.past(ctx, info.ID)
	if err != nil {
		_ = giveBack(r.writer) // err says more
		return fail(h.recorded(err))
	}
	r.seq, r.before, r.ended = p.seq, map[string]string{}, p.ended
	return r, p, nil
}

// reload loads the file that a run was started with, ready to run.
func (h *Host) reload(ctx context.Context, info *journal.Run) (*Workflow, error) {
	w, findings, err := h.Load(ctx, info.File)
	if err != nil {
		for _, f := range findings {
			if f.Severity == workflow.Error {
				return nil, refusal("invalid_workflow", fmt.Sprintf("run %s cannot go on: %s: %s", info.ID, info.File, f.Message))
			}
		}
		return nil, err
	}
	if err := h.startable(w.plan); err != nil {
		return nil, err
	}
	if err := h.plugins.prepare(w.plan); err != nil {
		h.Unload(ctx, w)
		return nil, err
	}
	return w, nil
}

// take makes a run this process's, if it still stands as it was found: between
// the two somebody may have gone on with it, to its end even, and then what was
// read of it would be done again.
func (h *Host) take(ctx context.Context, info *journal.Run) (*journal.Writer, error) {
	writer, now, err := h.journal.Take(ctx, info.ID)
	var alive *journal.AliveError
	switch {
	case errors.As(err, &alive):
		return nil, errTaken
	case err != nil:
		return nil, h.recorded(err)
	case now.Generation == info.Generation && now.Status.Ended() == info.Status.Ended():
		return writer, nil
	}
	if err := giveBack(writer); err != nil {
		return nil, h.recorded(err)
	}
	return nil, errTaken
}

// giveBack gives a run back as it stands, and returns when others can take it.
func giveBack(w *journal.Writer) error {
	left := make(chan error, 1)
	w.Leave(func(err error) { left <- err })
	return <-left
}

// RetryOptions say what a retry by a person does again.
type RetryOptions struct {
	// From is a node that runs again with everything that depends on it, although
	// it succeeded; "" runs only what did not succeed.
	From string
	Sink event.Sink
}

// Retry opens a run that has ended without success once more, in a new
// generation with the same id and the same idempotency keys: what succeeded is
// kept. The workflow file is read again and may have changed; with a changed
// file a run that was interrupted or waits can be retried too, for it cannot go
// on otherwise. For a run that waits because nobody knows what a node's last
// call did, it calls that node again (all such nodes, or From). Codes:
// not_found, ambiguous, run_alive, run_interrupted (resume it first),
// run_succeeded (nothing to do again; give From), not_waiting, unknown_node,
// outcome_unknown, and those of Start.
func (h *Host) Retry(ctx context.Context, id string, ro RetryOptions) (*Run, error) {
	info, err := h.find(ctx, id)
	if err != nil {
		return nil, err
	}
	switch {
	case info.Alive && info.Status != event.Waiting:
		return nil, refusal("run_alive", fmt.Sprintf("run %s is under way (%s); wait for it or cancel it first", info.ID, info.Owner))
	case info.Status == event.Succeeded && ro.From == "":
		return nil, refusal("run_succeeded", fmt.Sprintf("run %s has succeeded, nothing is left to do again; say from which node on with --from", info.ID))
	}
	w, err := h.reload(ctx, info)
	if err != nil {
		return nil, err
	}
	if !info.Status.Ended() && w.plan.Digest == info.Digest {
		h.Unload(ctx, w)
		if info.Status == event.Waiting {
			return h.callAgain(ctx, info, ro)
		}
		return nil, refusal("run_interrupted", fmt.Sprintf("run %s was interrupted and has not ended; go on with it: host runs resume %s", info.ID, info.ID))
	}
	r, err := h.retry(ctx, info, w, ro)
	if errors.Is(err, errTaken) {
		return h.Retry(ctx, info.ID, ro)
	}
	return r, err
}

// retry begins another generation of a run.
func (h *Host) retry(ctx context.Context, info *journal.Run, w *Workflow, ro RetryOptions) (*Run, error) {
	result, text, err := h.retryable(ctx, info, w, ro)
	var note []byte
	if err == nil {
		note, err = json.Marshal(seedNote{From: ro.From})
	}
	if err != nil {
		h.Unload(ctx, w)
		return nil, err
	}
	r, _, err := h.takeOver(ctx, info, w, Options{Sink: ro.Sink})
	switch {
	case err != nil && r != nil: // of this process, and not in the journal yet
		return nil, refusal("run_alive", fmt.Sprintf("run %s is under way; wait for it or cancel it first", info.ID))
	case err != nil:
		return nil, err
	}
	if result == nil { // only now nobody else can go on with it
		if result, text, err = h.cutOff(ctx, info, w, ro); err != nil {
			_ = giveBack(r.writer) // err says more
			h.Unload(ctx, w)
			return nil, h.leave(r, err)
		}
	}
	r.ended = nil
	r.writer.Reopen(info.Generation+1, w.plan.Digest, info.File, journal.Record{Mark: engine.MarkSeed, Note: note, Output: text}, nil)
	h.launch(r, engine.Start{Seed: &engine.Seed{Result: result, From: ro.From}})
	return r, nil
}

// retryable is the result that a workflow can go on from, nil where the run has
// not ended.
func (h *Host) retryable(ctx context.Context, info *journal.Run, w *Workflow, ro RetryOptions) (*event.Result, []byte, error) {
	if ro.From != "" && !engine.HasNode(w.plan, ro.From) {
		return nil, nil, refusal("unknown_node", fmt.Sprintf("workflow %q has no node %q", w.plan.Name, ro.From))
	}
	if s := w.plan.Input.Schema; s != nil {
		if err := s.Check(info.Input); err != nil {
			return nil, nil, refusal("invalid_input", fmt.Sprintf("run %s: the workflow has changed and does not take the run's input any more: %v", info.ID, err))
		}
	}
	if !info.Status.Ended() {
		return nil, nil, nil
	}
	text, err := h.journal.Result(ctx, info.ID)
	if err != nil {
		return nil, nil, h.recorded(err)
	}
	var result event.Result
	if err := json.Unmarshal(text, &result); err != nil {
		return nil, nil, refusal("journal", fmt.Sprintf("the result of run %s cannot be read: %v", info.ID, err))
	}
	return &result, text, nil
}

// cutOff is what a run that has not ended has come to. A node that must not be
// called twice is called again only when the person names it.
func (h *Host) cutOff(ctx context.Context, info *journal.Run, w *Workflow, ro RetryOptions) (*event.Result, []byte, error) {
	result, err := h.soFar(ctx, info)
	if err != nil {
		return nil, nil, h.recorded(err)
	}
	for i := range w.plan.Nodes {
		n := &w.plan.Nodes[i]
		if old := result.Nodes[n.ID]; old != nil && n.Kind == workflow.PluginNode && !n.Idempotent && !old.Status.Ended() && ro.From != n.ID {
			return nil, nil, refusal("outcome_unknown", fmt.Sprintf("nobody knows whether node %q of run %s did its work, and it must not be done twice; "+
				"if it was not done: host runs retry %s --from %s; if it was, put the workflow file back and go on with: host runs resume %s", n.ID, info.ID, info.ID, n.ID, info.ID))
		}
	}
	text, err := json.Marshal(result)
	return result, text, err
}

// callAgain answers nodes whose outcome nobody knows: call them once more.
func (h *Host) callAgain(ctx context.Context, info *journal.Run, ro RetryOptions) (*Run, error) {
	paths, err := h.unknownNodes(ctx, info.ID)
	if err != nil {
		return nil, err
	}
	if ro.From != "" {
		if !slices.Contains(paths, ro.From) {
			return nil, refusal("not_waiting", fmt.Sprintf("node %q of run %s is not one whose outcome nobody knows; these are: %s", ro.From, info.ID, strings.Join(paths, ", ")))
		}
		paths = []string{ro.From}
	}
	if len(paths) == 0 {
		return nil, refusal("not_waiting", fmt.Sprintf("run %s waits for an approval: host runs approve %s", info.ID, info.ID))
	}
	var d []engine.Decision
	for _, p := range paths {
		d = append(d, engine.Decision{Path: p, Verdict: engine.Again, By: person()})
	}
	return h.decide(ctx, info, d, Options{Sink: ro.Sink})
}

// unknownNodes are the nodes of a waiting run whose outcome nobody knows.
func (h *Host) unknownNodes(ctx context.Context, id string) ([]string, error) {
	result, err := h.RunResult(ctx, id)
	if err != nil {
		return nil, err
	}
	var paths []string
	var visit func(prefix string, nodes event.NodeMap)
	one := func(path string, n *event.NodeResult) {
		if n.Status == event.Waiting && n.Error != nil {
			paths = append(paths, path)
		}
		if n.Run != nil {
			visit(path+"/", n.Run.Nodes)
		}
	}
	visit = func(prefix string, nodes event.NodeMap) {
		for id, n := range nodes {
			one(prefix+id, n)
			for i, item := range n.Items {
				one(fmt.Sprintf("%s%s[%d]", prefix, id, i), item)
			}
		}
	}
	visit("", result.Nodes)
	// A node with items that wait does not wait itself.
	paths = slices.DeleteFunc(paths, func(p string) bool {
		return slices.ContainsFunc(paths, func(o string) bool { return strings.HasPrefix(o, p+"[") })
	})
	slices.Sort(paths)
	return paths, nil
}

// Approval is a person's answer to a node that waits for one.
type Approval struct {
	// Node is the node's path; "" when only one waits.
	Node string
	// Reject fails the node with code rejected.
	Reject bool
	// Output, with HasOutput, is what the node gives instead of its input (an
	// approval) or of null (a node whose outcome nobody knows).
	Output    event.Value
	HasOutput bool
	Comment   string
	By        string // "" is the user of this process
}

// Approve answers a waiting node and goes on with the run, here or where it
// lives. Codes: not_found, not_waiting, unknown_node, ambiguous (several wait),
// invalid_output, run_interrupted, run_ended.
func (h *Host) Approve(ctx context.Context, id string, a Approval, o Options) (*Run, error) {
	info, err := h.find(ctx, id)
	if err != nil {
		return nil, err
	}
	switch {
	case info.Status.Ended():
		return nil, refusal("run_ended", fmt.Sprintf("run %s has ended (%s); nothing waits for a person", info.ID, info.Status))
	case !info.Alive && info.Status == event.Running:
		return nil, refusal("run_interrupted", fmt.Sprintf("run %s was interrupted; go on with it first: host runs resume %s", info.ID, info.ID))
	}
	d := engine.Decision{Path: a.Node, Verdict: engine.Approve, Output: a.Output, HasOutput: a.HasOutput, Comment: a.Comment, By: a.By}
	if a.Reject {
		d.Verdict = engine.Reject
	}
	if d.By == "" {
		d.By = person()
	}
	return h.decide(ctx, info, []engine.Decision{d}, o)
}

// decide brings decisions to a run: to who works on it, or to itself.
func (h *Host) decide(ctx context.Context, info *journal.Run, all []engine.Decision, o Options) (*Run, error) {
	again := func(rest []engine.Decision) (*Run, error) {
		now, err := h.find(ctx, info.ID)
		if err != nil {
			return nil, err
		}
		return h.decide(ctx, now, rest, o)
	}
	here := h.here(info.ID)
	switch {
	case here != nil:
	case info.Status.Ended():
		return nil, refusal("run_ended", fmt.Sprintf("run %s has ended (%s); nothing waits for a person", info.ID, info.Status))
	case info.Alive:
		for i, d := range all {
			err := h.send(ctx, info.ID, commandDecide, d)
			if errors.Is(err, errGone) { // it waits, or has died: then it is ours
				return again(all[i:])
			}
			if err != nil {
				return nil, err
			}
		}
		return h.Follow(ctx, info.ID, o)
	}
	answers := make(chan *event.Error, len(all))
	say := func(r *Run) {
		for _, d := range all {
			r.control.Decide(d, func(err *event.Error) { answers <- err })
		}
	}
	r := here
	if r != nil {
		say(r)
	} else {
		var err error
		if r, err = h.goOn(ctx, info, o, say); errors.Is(err, errTaken) {
			return again(all)
		} else if err != nil {
			return nil, err
		}
	}
	for range all {
		err, told := r.answered(ctx, answers)
		switch {
		case ctx.Err() != nil && !told:
			return nil, context.Cause(ctx)
		case !told: // it was here, and could not begin
			return again(all)
		case err == nil:
		case err.Code == "run_ended" && here != nil:
			// It was about to wait: then it is ours to go on with.
			if _, err := here.Wait(ctx); err != nil {
				return nil, h.recorded(err)
			}
			return again(all)
		default:
			if here == nil && len(all) == 1 {
				// The run was woken for nothing and goes back to waiting: who gives
				// another answer now must find it so.
				_, _ = r.Wait(ctx)
			}
			return nil, err
		}
	}
	return r, nil
}

// answered waits for the answer to a decision; false when none will come, for the
// run never began or ctx has ended.
func (r *Run) answered(ctx context.Context, answers <-chan *event.Error) (*event.Error, bool) {
	select {
	case err := <-answers:
		return err, true
	case <-ctx.Done():
		return nil, false
	case <-r.done:
	}
	select { // who ends a run has answered everybody
	case err := <-answers:
		return err, true
	default:
		return nil, false
	}
}
