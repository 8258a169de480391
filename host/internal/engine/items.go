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
	tallies  []tally
	order    []int // what this round runs
	next     int   // into order
	inFlight int
	ended    int
	failed   int
	first    int          // index of the first failed item, -1
	cut      *event.Error // why no further item starts
	cutAs    event.Status
	starting bool      // moreItems is under way
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
	it := &items{values: values, results: make([]*event.NodeResult, len(values)), tallies: make([]tally, len(values)), first: -1}
	it.order = make([]int, 0, len(values))
	same := old != nil && len(old.values) == len(values)
	for i := range values {
		if same && bytes.Equal(old.values[i].JSON(), values[i].JSON()) {
			it.tallies[i] = old.tallies[i]
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
	if old == nil {
		f.plant(n, it)
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

// plant takes over what an earlier generation has done of the items.
func (f *Flow) plant(n *workflow.Node, it *items) {
	kept := f.itemSeeds(n, len(it.values))
	if kept == nil {
		return
	}
	it.order = it.order[:0]
	for i, r := range kept {
		if r == nil {
			it.order = append(it.order, i)
			continue
		}
		it.results[i] = r
		it.tallies[i].all = r.Attempts
		f.nodes[n.Index].tally.all += r.Attempts
		it.ended++
	}
}

// moreItems starts as many items as max_parallel allows. An item that ends while
// it starts asks for more, too: the loop that is under way sees to it.
func (f *Flow) moreItems(n *workflow.Node) {
	it := f.nodes[n.Index].items
	if it.starting {
		return
	}
	it.starting = true
	defer func() { it.starting = false }()
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
	it.tallies[i].add(r.Attempts)
	s.tally.all += r.Attempts
	r.Attempts = it.tallies[i].all
	if it.cut != nil && r.Status == event.Cancelled && it.cutAs == event.Failed {
		// Cut by the node's own deadline: a failure, not somebody's wish.
		e := *it.cut
		e.OutcomeUnknown = r.Error != nil && r.Error.OutcomeUnknown
		r.Status, r.Error, r.Reason = event.Failed, &e, ""
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
			why := &event.Error{Class: event.Unknown, Code: "cancelled", Message: "more items failed than min_success allows"}
			f.p.put(Command{Kind: Stop, Ladder: f.ladder, Flow: f, Node: n, Item: -1, Error: why})
			f.cutItems(n, why, event.Cancelled)
			f.cutSubs(n, why)
			f.cutParked(n, why)
			return
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

// cutItems lets no further item of a node start; those that have not begun end
// as cancelled or failed.
func (f *Flow) cutItems(n *workflow.Node, why *event.Error, as event.Status) {
	it := f.nodes[n.Index].items
	if it == nil || it.cut != nil || !f.nodes[n.Index].running {
		return
	}
	it.cut, it.cutAs = why, as
	for ; it.next < len(it.order); it.next++ {
		i := it.order[it.next]
		r := &event.NodeResult{Status: as, Attempts: it.tallies[i].all}
		if as == event.Failed {
			e := *why
			e.Node = f.path(n, i)
			r.Error = &e
			it.failed++
			if it.first < 0 {
				it.first = i
			}
		} else {
			r.Reason = why.Message
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

func (f *Flow) expireNode(n *workflow.Node) {
	s := &f.nodes[n.Index]
	if n.Kind == workflow.ApprovalNode {
		f.approvalExpired(n)
		return
	}
	if !s.running || s.items == nil || s.items.cut != nil {
		return
	}
	why := &event.Error{Class: event.Transient, Code: "deadline",
		Message: "the deadline of node " + quote(n.ID) + " (" + n.Deadline.String() + ", for all items) passed"}
	f.p.put(Command{Kind: Stop, Ladder: f.ladder, Flow: f, Node: n, Item: -1, Error: why})
	f.cutItems(n, why, event.Failed)
	f.cutSubs(n, why)
	f.cutParked(n, why)
}

// endItems makes the node's result of its items'.
func (f *Flow) endItems(n *workflow.Node) {
	s := &f.nodes[n.Index]
	if s.result != nil {
		return
	}
	it := s.items
	r := &event.NodeResult{Status: event.Succeeded, Items: it.results, Plugin: n.Primary.Plugin, DurationMS: f.p.since(s.started)}
	list := make([]event.Value, len(it.values))
	cancelled := false
	for i, item := range it.results {
		switch item.Status {
		case event.Succeeded:
			list[i] = item.Output
		case event.Degraded:
			list[i] = item.Output
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
		why, where := it.results[it.first].Error, "item "+itoa(it.first)+": "
		if it.cutAs == event.Failed {
			why, where = it.cut, "" // the node's deadline decided
		}
		r.Status = event.Failed
		r.Error = &event.Error{Class: why.Class, Code: why.Code, Plugin: why.Plugin, Message: fmt.Sprintf(
			"%d of %d items failed, min_success = %v tolerates %d: %s%s", it.failed, len(it.values), n.MinSuccess,
			tolerated(len(it.values), n.MinSuccess), where, why.Error()), OutcomeUnknown: why.OutcomeUnknown}
	case cancelled:
		e := *it.cut
		r.Status, r.Reason, r.Error = event.Cancelled, e.Message, &e
	default:
		r.Output = event.List(list)
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
