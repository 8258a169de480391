package engine

import (
	"strconv"
	"strings"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// Seed is what an earlier generation of a run came to: a retry by a person
// keeps what succeeded in it.
type Seed struct {
	Result *event.Result
	// From is the path of a node that runs again, with all that depends on it,
	// although it succeeded; "": none.
	From string
}

// seed is the part of a Seed that a ladder looks at.
type seed struct {
	level *event.Level
	from  string
}

func (s *Seed) root() *seed {
	if s == nil || s.Result == nil {
		return nil
	}
	return &seed{level: &event.Level{Nodes: s.Result.Nodes, Levels: s.Result.Levels}, from: s.From}
}

// primary are the results of the nodes of the ladder's own flow.
func (s *seed) primary() event.NodeMap {
	if len(s.level.Levels) > 0 {
		return s.level.Levels[0].Nodes
	}
	return s.level.Nodes
}

// next is the seed of fallback level number i, from 1. What is to run again is
// named in the primary one only.
func (s *seed) next(i int) *seed {
	if s == nil || i >= len(s.level.Levels) {
		return nil
	}
	return &seed{level: &s.level.Levels[i]}
}

// seeds are what the nodes of one flow were in an earlier generation.
type seeds struct {
	nodes event.NodeMap
	again map[int]bool // nodes that run again whatever they were
	head  string       // the node that From leads into, "" for none
	item  int          // of head, -1: all of it
	rest  string       // of From, inside head
}

func newSeeds(s *seed, plan *workflow.Plan) *seeds {
	if s == nil {
		return nil
	}
	k := &seeds{nodes: s.primary(), item: -1}
	if s.from == "" {
		return k
	}
	k.head, k.rest, _ = strings.Cut(s.from, "/")
	if name, index, ok := strings.Cut(k.head, "["); ok {
		if i, err := strconv.Atoi(strings.TrimSuffix(index, "]")); err == nil {
			k.head, k.item = name, i
		}
	}
	k.again = map[int]bool{}
	for i := range plan.Nodes {
		if plan.Nodes[i].ID == k.head {
			downstream(plan, i, k.again)
		}
	}
	return k
}

func downstream(plan *workflow.Plan, i int, all map[int]bool) {
	if all[i] {
		return
	}
	all[i] = true
	for _, d := range plan.Nodes[i].Dependents {
		downstream(plan, d, all)
	}
}

// HasNode reports whether a path that a person gave leads to a node of a plan.
func HasNode(plan *workflow.Plan, path string) bool {
	head, rest, inside := strings.Cut(path, "/")
	head, _, _ = strings.Cut(head, "[")
	for i := range plan.Nodes {
		if n := &plan.Nodes[i]; n.ID == head {
			return !inside || n.Sub != nil && HasNode(n.Sub, rest)
		}
	}
	return false
}

// kept is a node's result if it need not run again.
func (f *Flow) kept(n *workflow.Node) *event.NodeResult {
	if f.seeds == nil || f.seeds.again[n.Index] {
		return nil
	}
	old := f.seeds.nodes[n.ID]
	if !old.Kept() {
		return nil
	}
	r := *old
	if old.Reason == "" { // else it says who answered, or that it was kept before
		r.Reason = "kept: done before the retry"
	}
	return &r
}

// parts are the results of a node's items, or of its sub-workflow, that need
// not run again: only when all that it needs was kept, for then it gets the
// same as before.
func (f *Flow) parts(n *workflow.Node) *event.NodeResult {
	if f.seeds == nil || f.seeds.again[n.Index] && n.ID != f.seeds.head {
		return nil
	}
	if f.seeds.again[n.Index] && f.seeds.item < 0 && f.seeds.rest == "" {
		return nil // all of it runs again
	}
	for _, need := range n.Needs {
		if s := &f.nodes[need]; !s.seeded && s.result.Status != event.Skipped {
			return nil
		}
	}
	return f.seeds.nodes[n.ID]
}

// itemSeeds are the results of a node's items that are kept, nil where one runs
// again.
func (f *Flow) itemSeeds(n *workflow.Node, count int) []*event.NodeResult {
	old := f.parts(n)
	if old == nil || len(old.Items) != count {
		return nil
	}
	all := make([]*event.NodeResult, count)
	for i, item := range old.Items {
		if item.Kept() && !(n.ID == f.seeds.head && (i == f.seeds.item || f.seeds.item < 0)) {
			r := *item
			all[i] = &r
		}
	}
	return all
}

// subSeed is what the sub-workflow of a node or an item begins with.
func (f *Flow) subSeed(n *workflow.Node, item int) *seed {
	old := f.parts(n)
	if old == nil {
		return nil
	}
	if item >= 0 {
		if item >= len(old.Items) || old.Items[item] == nil {
			return nil
		}
		old = old.Items[item]
	}
	if old.Run == nil || old.Run.Workflow != n.Sub.Name {
		return nil
	}
	s := &seed{level: old.Run}
	if n.ID == f.seeds.head && (f.seeds.item < 0 || f.seeds.item == item) {
		if s.from = f.seeds.rest; s.from == "" {
			return nil
		}
	}
	return s
}
