package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/workflow"
)

// Verdict is what a person says about a node that waits for one.
type Verdict string

// The verdicts.
const (
	Approve Verdict = "approve" // it is done, or may go on
	Reject  Verdict = "reject"  // it has failed
	Again   Verdict = "again"   // call it once more, whatever the last call did
)

// Decision is a person's answer to a node or item that waits.
type Decision struct {
	// Path names it; "" is the only one that waits.
	Path    string  `json:"path,omitempty"`
	Verdict Verdict `json:"verdict"`
	// Output, with HasOutput, is what an approved node gives: without it an
	// approval gives its input and a node whose outcome nobody knows gives null.
	Output    event.Value `json:"output"`
	HasOutput bool        `json:"has_output,omitempty"`
	Comment   string      `json:"comment,omitempty"`
	By        string      `json:"by,omitempty"`
}

func (d *Decision) reason(what string) string {
	by := d.By
	if by == "" {
		by = "somebody"
	}
	if d.Comment != "" {
		return what + " by " + by + ": " + d.Comment
	}
	return what + " by " + by
}

// parked is a node or an item that waits for a person: an approval, or a call
// that must not be repeated although nobody knows what it did.
type parked struct {
	flow   *Flow
	node   *workflow.Node
	item   int
	result *event.NodeResult // of the call; nil: an approval
	since  time.Time
}

func (k *parked) path() string { return k.flow.path(k.node, k.item) }

// why says what it waits for.
func (k *parked) why() string {
	if k.result == nil {
		return k.node.Approval
	}
	return k.result.Error.Message // it says that nobody knows
}

func (p *Progress) park(f *Flow, n *workflow.Node, item int, r *event.NodeResult) {
	k := &parked{flow: f, node: n, item: item, result: r, since: p.now}
	if r != nil {
		// The calls are counted now; whatever follows counts its own.
		t := f.tally(n, item)
		t.add(r.Attempts)
		if item >= 0 {
			f.nodes[n.Index].tally.all += r.Attempts
		}
		r.Attempts = 0
	}
	p.parked = append(p.parked, k)
	p.put(Command{Kind: Ask, Ladder: f.ladder, Flow: f, Node: n, Item: item, Result: r, Reason: k.why()})
}

// parks reports whether a call's failure is one that only a person can settle.
func (f *Flow) parks(n *workflow.Node, item int, r *event.NodeResult) bool {
	return f.p.parks && n.Kind == workflow.PluginNode && r.Status == event.Failed && r.Error != nil && r.Error.Code == call.OutcomeUnknown &&
		!f.Abandons(n) && !f.itemCut(n, item)
}

// find is what a decision is about, or the reason for which it cannot be taken.
func (p *Progress) find(d *Decision) (*parked, *event.Error) {
	no := func(code, format string, args ...any) (*parked, *event.Error) {
		return nil, &event.Error{Class: event.Permanent, Code: code, Message: fmt.Sprintf(format, args...)}
	}
	if len(p.parked) == 0 {
		return no("not_waiting", "no node of the run waits for a person")
	}
	var found *parked
	var paths []string
	for _, k := range p.parked {
		if d.Path == "" || d.Path == k.path() {
			found = k
		}
		paths = append(paths, k.path())
	}
	slices.Sort(paths)
	switch {
	case found == nil:
		return no("unknown_node", "node %q does not wait for a person; these do: %s", d.Path, strings.Join(paths, ", "))
	case d.Path == "" && len(paths) > 1:
		return no("ambiguous", "several nodes wait: %s; say which one", strings.Join(paths, ", "))
	case d.Verdict == Again && found.result == nil:
		return no("not_waiting", "node %q waits for an approval, it is not one that could be called again", found.path())
	case d.Verdict == Approve && d.HasOutput && found.node.Output != nil:
		if err := found.node.Output.Check(d.Output); err != nil {
			return no("invalid_output", "the output that was given for node %q: %v", found.path(), err)
		}
	}
	return found, nil
}

// Decide takes a person's answer. One that is about nothing is ignored: see
// Check.
func (p *Progress) Decide(d *Decision) {
	k, err := p.find(d)
	if err != nil {
		return
	}
	p.unpark(k)
	f, n := k.flow, k.node
	switch {
	case d.Verdict == Again:
		p.put(Command{Kind: Call, Ladder: f.ladder, Flow: f, Node: n, Item: k.item})
	case d.Verdict == Approve:
		r := &event.NodeResult{Status: event.Succeeded, AnsweredBy: "person", Reason: d.reason("approved")}
		switch {
		case d.HasOutput:
			r.Output = d.Output
		case k.result == nil:
			r.Output = f.Input(n, k.item)
		}
		f.personSaid(k, r)
	case k.result == nil:
		f.personSaid(k, &event.NodeResult{Status: event.Failed, Error: &event.Error{Class: event.Permanent, Code: "rejected", Message: d.reason("rejected")}})
	default:
		k.result.Reason = d.reason("given up")
		f.settled(n, k.item, k.result)
	}
	p.settle()
}

// personSaid ends what was parked with a result of a person's making.
func (f *Flow) personSaid(k *parked, r *event.NodeResult) {
	r.DurationMS = f.p.since(k.since)
	if k.result != nil {
		r.DurationMS = k.result.DurationMS
		r.Plugin, r.Digest, r.Errors = k.result.Plugin, k.result.Digest, append(k.result.Errors, k.result.Error)
	}
	f.settled(k.node, k.item, r)
}

func (p *Progress) unpark(k *parked) {
	p.parked = slices.DeleteFunc(p.parked, func(o *parked) bool { return o == k })
}

// Parked is how many nodes and items wait for a person.
func (p *Progress) Parked() int { return len(p.parked) }

// cutParked ends what of a node waits for a person: nobody needs to answer any
// more. What was called keeps its failure, for it is still not known.
func (f *Flow) cutParked(n *workflow.Node, why *event.Error) {
	var cut []*parked
	f.p.parked = slices.DeleteFunc(f.p.parked, func(k *parked) bool {
		if k.flow == f && k.node == n {
			cut = append(cut, k)
			return true
		}
		return false
	})
	for _, k := range cut {
		if k.result != nil {
			f.settled(n, k.item, k.result)
			continue
		}
		e := *why
		e.Node = ""
		f.settled(n, k.item, &event.NodeResult{Status: event.Cancelled, Reason: why.Message, Error: &e, DurationMS: f.p.since(k.since)})
	}
}

// approvalExpired ends an approval that nobody has given in time.
func (f *Flow) approvalExpired(n *workflow.Node) {
	for _, k := range f.p.parked {
		if k.flow == f && k.node == n {
			f.p.unpark(k)
			f.settled(n, -1, &event.NodeResult{Status: event.Failed, DurationMS: f.p.since(k.since), Error: &event.Error{Class: event.Transient, Code: "deadline",
				Message: "nobody has approved within the deadline of node " + quote(n.ID) + " (" + n.Deadline.String() + ")"}})
			return
		}
	}
}
