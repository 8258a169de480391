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
		h.release(ctx, w)
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
		h.release(ctx, w)
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
			h.release(ctx, w)
			return nil, h.leave(r, err)
		}
	}
	r.ended, r.generation = nil, info.Generation+1
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
		return nil, nil, err
	}
	for i := range w.plan.Nodes {
		n := &w.plan.Nodes[i]
		if old := result.Nodes[n.ID]; old != nil && n.Kind == workflow.PluginNode && !n.Idempotent && !old.Status.Ended() && ro.From != n.ID {
			return nil, nil, refusal("outcome_unknown", fmt.Sprintf("nobody knows whether node %q of run %s did its work, and it must not be done twice; "+
				"if it was not done: host runs retry %s --from %s; if it was, put the workflow file back and go on with: host runs resume %s", n.ID, info.ID, info.ID, n.ID, info.ID))
		}
	}
	text, err := json.Marshal(result)
	if err != nil {
		return nil, nil, err
	}
	var own event.Result // the engine goes on with it, and what there is may be shown to others
	return &own, text, json.Unmarshal(text, &own)
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
