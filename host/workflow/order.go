package workflow

import (
	"fmt"
	"strings"
)

// order fills plan.Nodes with ids and needs, every node after what it needs and
// else in the order of the file. A circle is reported; its nodes are put in
// anyway, so that the rest of them is checked.
func (b *builder) order(t *item) {
	type mark uint8
	const (
		unseen mark = iota
		open
		done
	)
	n := len(t.entries)
	needs := make([][]need, n)
	for i := range t.entries {
		needs[i] = b.needs(t, &t.entries[i])
	}
	marks := make([]mark, n)
	sorted := make([]int, 0, n)
	// A walk down the needs with a stack of its own: chains may be long.
	type frame struct{ node, next int }
	var stack []frame
	for root := range t.entries {
		if marks[root] != unseen {
			continue
		}
		marks[root] = open
		stack = append(stack[:0], frame{root, 0})
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			if f.next == len(needs[f.node]) {
				marks[f.node] = done
				sorted = append(sorted, f.node)
				stack = stack[:len(stack)-1]
				continue
			}
			to := needs[f.node][f.next]
			f.next++
			switch marks[to.index] {
			case unseen:
				marks[to.index] = open
				stack = append(stack, frame{to.index, 0})
			case open:
				b.cyclic = true
				var path []string
				for i := len(stack) - 1; i >= 0; i-- {
					path = append(path, t.entries[stack[i].node].key)
					if stack[i].node == to.index {
						break
					}
				}
				b.say(to.at, "cycle", "", "nodes need each other in a circle: %s", needsCircle(path))
			}
		}
	}

	place := make([]int, n)
	for i, file := range sorted {
		place[file] = i
	}
	b.plan.Nodes = make([]Node, n)
	b.entries = make([]*entry, n)
	b.ids = make(map[string]int, n)
	for i, file := range sorted {
		e := &t.entries[file]
		b.entries[i] = e
		b.ids[e.key] = i
		node := &b.plan.Nodes[i]
		node.ID, node.Index = e.key, i
		if len(needs[file]) > 0 {
			node.Needs = make([]int, len(needs[file]))
			for k, to := range needs[file] {
				node.Needs[k] = place[to.index]
			}
		}
	}
	b.plan.Seal()
}

// need is one name in needs.
type need struct {
	index int // of the table's entries
	at    *item
}

// needs are the nodes that one node needs; unknown ones have been reported.
func (b *builder) needs(t *item, e *entry) []need {
	list := e.item.get("needs")
	if list == nil || list.kind != arrayKind {
		return nil
	}
	out := make([]need, 0, len(list.items))
	var seen map[string]bool
	if len(list.items) > 1 {
		seen = make(map[string]bool, len(list.items))
	}
	for _, v := range list.items {
		if v.kind != stringKind {
			continue
		}
		if seen[v.text] {
			b.say(v, "bad_value", "name it once", "node %q needs %q twice", e.key, v.text)
			continue
		}
		if seen != nil {
			seen[v.text] = true
		}
		if i, ok := t.place(v.text); ok {
			out = append(out, need{i, v})
		}
	}
	return out
}

// place returns the number of a key among a table's entries.
func (t *item) place(key string) (int, bool) {
	if t.index != nil {
		i, ok := t.index[key]
		return int(i), ok
	}
	for i := range t.entries {
		if t.entries[i].key == key {
			return i, true
		}
	}
	return 0, false
}

// needsCircle writes a circle that was walked backwards: the first of path was
// entered last.
func needsCircle(path []string) string {
	if len(path) > 12 {
		short := append(append([]string{}, path[:5]...), fmt.Sprintf("(%d more)", len(path)-10))
		path = append(short, path[len(path)-5:]...)
	}
	var s strings.Builder
	for i := len(path) - 1; i >= 0; i-- {
		s.WriteString(path[i])
		s.WriteString(" → ")
	}
	return s.String() + path[len(path)-1]
}

// Seal computes Index and Dependents of the nodes. Load does it; a Plan that is
// built in Go needs it once Nodes and their Needs are complete.
func (p *Plan) Seal() {
	count := make([]int, len(p.Nodes))
	total := 0
	for i := range p.Nodes {
		p.Nodes[i].Index = i
		for _, n := range p.Nodes[i].Needs {
			count[n]++
			total++
		}
	}
	// One array holds them all: a node costs no allocation of its own.
	all := make([]int, total)
	for i := range p.Nodes {
		p.Nodes[i].Dependents = nil
		if count[i] > 0 {
			p.Nodes[i].Dependents, all = all[:0:count[i]], all[count[i]:]
		}
	}
	for i := range p.Nodes {
		for _, n := range p.Nodes[i].Needs {
			p.Nodes[n].Dependents = append(p.Nodes[n].Dependents, i)
		}
	}
}
