package workflow

import "fmt"

// upstreamQuery is the question whether node is downstream of target, asked by
// an expression.
type upstreamQuery struct {
	node, target int
	v            *item
	at           int // in the string of v
}

// nearbySteps bounds the walk that answers most questions at once: expressions
// mostly name what stands next to them.
const nearbySteps = 64

// upstream notes that an expression of node names target, which must be
// upstream. What a short walk cannot answer is answered for all together.
func (b *builder) upstream(node, target int, v *item, at int) {
	q := upstreamQuery{node, target, v, at}
	if target > node {
		b.notUpstream(q)
		return
	}
	steps := 0
	var walk func(i int) (found, complete bool)
	walk = func(i int) (bool, bool) {
		for _, n := range b.plan.Nodes[i].Needs {
			if n == target {
				return true, true
			}
		}
		complete := true
		for _, n := range b.plan.Nodes[i].Needs {
			if n < target {
				continue // every node comes after what it needs
			}
			if steps++; steps > nearbySteps {
				return false, false
			}
			found, whole := walk(n)
			if found {
				return true, true
			}
			complete = complete && whole
		}
		return false, complete
	}
	switch found, complete := walk(node); {
	case found:
	case complete:
		b.notUpstream(q)
	default:
		b.queries = append(b.queries, q)
	}
}

func (b *builder) notUpstream(q upstreamQuery) {
	id, target := b.plan.Nodes[q.node].ID, b.plan.Nodes[q.target].ID
	hint := fmt.Sprintf("add it to the needs of %s", id)
	if q.target > q.node && b.reaches(q.target, q.node) {
		hint = fmt.Sprintf("%s itself waits for %s", target, id)
	}
	b.sayIn(q.v, q.at, len(target), "not_upstream", hint, "node %q is not upstream of %q: it may not have ended yet", target, id)
}

// reaches walks up from a node, for a hint; long walks give up.
func (b *builder) reaches(from, to int) bool {
	seen := map[int]bool{}
	stack := []int{from}
	for len(stack) > 0 && len(seen) < 1000 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, n := range b.plan.Nodes[i].Needs {
			if n == to {
				return true
			}
			if n > to && !seen[n] {
				seen[n] = true
				stack = append(stack, n)
			}
		}
	}
	return false
}

// answerUpstream answers the open questions, 64 targets in one pass over the
// nodes: bit t of a node says that target t is upstream of it.
func (b *builder) answerUpstream() {
	for len(b.queries) > 0 {
		bits := map[int]uint64{}
		first, last := len(b.plan.Nodes), 0
		var batch, rest []upstreamQuery
		for _, q := range b.queries {
			if _, ok := bits[q.target]; !ok {
				if len(bits) == 64 {
					rest = append(rest, q)
					continue
				}
				bits[q.target] = 1 << len(bits)
			}
			batch = append(batch, q)
			first, last = min(first, q.target), max(last, q.node)
		}
		own := make([]uint64, last-first+1)   // the target that a node is
		above := make([]uint64, last-first+1) // the targets upstream of it
		for target, bit := range bits {
			own[target-first] = bit
		}
		for i := first; i <= last; i++ {
			for _, n := range b.plan.Nodes[i].Needs {
				if n >= first {
					above[i-first] |= above[n-first] | own[n-first]
				}
			}
		}
		for _, q := range batch {
			if above[q.node-first]&bits[q.target] == 0 {
				b.notUpstream(q)
			}
		}
		b.queries = rest
	}
}
