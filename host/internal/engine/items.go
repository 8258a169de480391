package engine

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// items are the calls of one node with for_each.
type items struct {
	values   []event.Value
	results  []*event.NodeResult // of the round; nil: not ended
	attempts []int               // in all rounds
	order    []int               // what this round runs
	next     int                 // into order
	inFlight int
	ended    int
	failed   int
	first    int          // index of the first failed item, -1
	cut      *event.Error // why no further item starts
	cutAs    event.Status
	children []*Ladder // of a sub-workflow for each item
}

// startItems starts a node with for_each, or goes on where an earlier round of
// the run left it.
func (f *Flow) startItems(n *workflow.Node) {
	values, err := n.ForEach.List(f.p.ctx, &f.scope)
	if err != nil {
		f.ended(n, failed(n, err))
		return
	}
	s := &f.nodes[n.Index]
	old := s.items
	it := &items{values: values, results: make([]*event.NodeResult, len(values)), attempts: make([]int, len(values)), first: -1}
	it.order = make([]int, 0, len(values))
	same := old != nil && len(old.values) == len(values)
	for i := range values {
		if same && bytes.Equal(old.values[i].JSON(), values[i].JSON()) {
			it.attempts[i] = old.attempts[i]
			if old.results[i].Kept() {
				it.results[i] = old.results[i]
				it.ended++
				continue
			}
		}
		it.order = append(it.order, i)
	}
	if same {
		it.children = old.children
	}
	s.items = it
	s.running, s.started = true, f.p.now
	f.p.put(Command{Kind: Started, Ladder: f.ladder, Flow: f, Node: n, Item: -1})
	if it.ended == len(values) {
		f.endItems(n)
		return
	}
	f.moreItems(n)
}

// moreItems starts as many items as max_parallel allows.
func (f *Flow) moreItems(n *workflow.Node) {
	it := f.nodes[n.Index].items
	for it.cut == nil && it.next < len(it.order) && (n.MaxParallel == 0 || it.inFlight < n.MaxParallel) {
		i := it.order[it.next]
		it.next++
		it.inFlight++
		f.startOne(n, i)
	}
}

func (f *Flow) itemEnded(n *workflow.Node, i int, r *event.NodeResult) {
	s := &f.nodes[n.Index]
	it := s.items
	it.inFlight--
	it.ended++
	it.attempts[i] += r.Attempts
	s.attempts += r.Attempts
	r.Attempts = it.attempts[i]
	if it.cut != nil && r.Status == event.Cancelled && it.cutAs == event.Failed {
		// Cut by the node's own deadline: a failure, not somebody's wish.
		r.Status, r.Error = event.Failed, it.cut
	}
	it.results[i] = r
	if r.Error != nil && r.Error.Node == "" {
		r.Error.Node = f.path(n, i)
	}
	f.p.put(Command{Kind: Ended, Ladder: f.ladder, Flow: f, Node: n, Item: i, Result: r})
	if r.Status == event.Failed {
		it.failed++
		if it.first < 0 {
			it.first = i
		}
		if it.cut == nil && !f.plan.Run.Continue && it.failed > tolerated(len(it.values), n.MinSuccess) {
			// The node has failed whatever the rest does: stop paying for it.
			f.cutNodeItems(n, &event.Error{Class: event.Unknown, Code: "cancelled",
				Message: "more items failed than min_success allows"}, event.Cancelled)
			f.p.put(Command{Kind: Stop, Ladder: f.ladder, Flow: f, Node: n, Item: -1, Error: it.cut})
		}
	}
	if it.cut == nil {
		f.moreItems(n)
	}
	if it.inFlight == 0 && (it.cut != nil || it.next == len(it.order)) {
		f.endItems(n)
	}
}

// tolerated is how many of n items may fail.
func tolerated(n int, minSuccess float64) int {
	// The margin keeps 0.9 of 10 at 9 although 0.9 is not exact in binary.
	return n - int(math.Ceil(minSuccess*float64(n)-1e-9))
}

// cutNodeItems lets no further item of a node start.
func (f *Flow) cutNodeItems(n *workflow.Node, why *event.Error, as event.Status) {
	it := f.nodes[n.Index].items
	if it == nil || it.cut != nil || !f.nodes[n.Index].running {
		return
	}
	it.cut, it.cutAs = why, as
	for ; it.next < len(it.order); it.next++ {
		i := it.order[it.next]
		r := &event.NodeResult{Status: as, Reason: why.Message}
		if as == event.Failed {
			r.Reason, r.Error = "", why
			it.failed++
			if it.first < 0 {
				it.first = i
			}
		}
		it.results[i] = r
		it.ended++
		f.p.put(Command{Kind: Ended, Ladder: f.ladder, Flow: f, Node: n, Item: i, Result: r})
	}
	if it.inFlight == 0 {
		f.endItems(n)
	}
}

// itemCut reports whether a call of an item that has not begun must not begin.
func (f *Flow) itemCut(n *workflow.Node, item int) bool {
	return item >= 0 && f.nodes[n.Index].items.cut != nil
}

// cutItems lets no further item of any node start, but of nodes with the run_if
// that is spared.
func (f *Flow) cutItems(why *event.Error, spared workflow.RunIf) {
	for i := range f.nodes {
		n := &f.plan.Nodes[i]
		if n.ForEach != nil && f.nodes[i].running && n.RunIf != spared {
			f.cutNodeItems(n, why, event.Cancelled)
		}
	}
}

func (f *Flow) expireNode(n *workflow.Node) {
	s := &f.nodes[n.Index]
	if !s.running || s.items == nil {
		return
	}
	why := &event.Error{Class: event.Transient, Code: "deadline", OutcomeUnknown: true,
		Message: "the deadline of node " + quote(n.ID) + " (" + n.Deadline.String() + ", for all items) passed"}
	f.cutNodeItems(n, why, event.Failed)
	if s.items.inFlight > 0 {
		f.cutSubs(func(m *workflow.Node) bool { return m == n }, why)
	}
}

// endItems makes the node's result of its items'.
func (f *Flow) endItems(n *workflow.Node) {
	s := &f.nodes[n.Index]
	if s.result != nil {
		return
	}
	it := s.items
	r := &event.NodeResult{Status: event.Succeeded, Items: it.results, Plugin: n.Primary.Plugin, Attempts: s.attempts, DurationMS: f.p.since(s.started)}
	list := make([]any, len(it.values))
	cancelled := false
	for i, item := range it.results {
		switch item.Status {
		case event.Succeeded:
			list[i] = item.Output.Any()
		case event.Degraded:
			list[i] = item.Output.Any()
			r.Status = event.Degraded
		case event.Cancelled:
			cancelled = true
			r.Status = event.Degraded
		default:
			r.Status = event.Degraded
		}
		r.Warnings = append(r.Warnings, item.Warnings...)
		if r.Digest == "" {
			r.Digest = item.Digest
		}
	}
	switch {
	case it.failed > tolerated(len(it.values), n.MinSuccess):
		first := it.results[it.first].Error
		r.Status = event.Failed
		r.Error = &event.Error{Class: first.Class, Code: first.Code, Plugin: first.Plugin, Message: fmt.Sprintf(
			"%d of %d items failed, min_success = %v tolerates %d: item %d: %s", it.failed, len(it.values), n.MinSuccess,
			tolerated(len(it.values), n.MinSuccess), it.first, first.Error()), OutcomeUnknown: first.OutcomeUnknown}
	case cancelled:
		r.Status, r.Reason = event.Cancelled, it.cut.Message
	default:
		r.Output = event.Of(list)
		if n.Output != nil {
			if err := n.Output.Check(r.Output); err != nil {
				r.Status, r.Output = event.Failed, event.Null
				r.Error = &event.Error{Class: event.Permanent, Code: "invalid_output", Message: "the list of outputs: " + err.Error()}
			}
		}
	}
	f.ended(n, r)
}

func asError(err error) *event.Error {
	var e *event.Error
	if errors.As(err, &e) {
		return e
	}
	return &event.Error{Class: event.Permanent, Code: "expression", Message: err.Error(), Cause: err}
}
