package workflow

import "sort"

// layers is a graph cut into rows: every edge leads from a row to the next one,
// because an edge that spans several rows is led through bends. Edges that leave
// a node for the same reason share their bends, so that a node that many others
// need draws one line and not a bundle.
type layers struct {
	real int     // vertices below it are boxes, the others bends
	row  []int32 // of every vertex
	rows [][]int32
	at   []int32 // place of a vertex in its row

	up, down [][]int32 // neighbours in the row above and below
	failed   []bool    // the lines into this vertex are error edges

	links []link
	paths [][]int32 // bends of every link; nil when it needs none
	// direct links are drawn straight across the rows: there were too many to
	// lead around.
	direct []bool
}

// Bounds that keep a drawing of ten thousand nodes well under a second. Up to
// carefulSize vertices the crossings are reduced with all we have.
const (
	maxBends    = 60_000
	carefulSize = 400
	fairSize    = 4_000
)

// newLayers assigns rows by longest path. links must lead from lower to higher
// indexes, as they do in a plan.
func newLayers(n int, failed []bool, links []link) *layers {
	g := &layers{real: n, row: make([]int32, n), failed: append([]bool(nil), failed...), links: links}
	needs, wanted := make([]int32, n), make([]int32, n)
	for _, l := range links {
		g.row[l.to] = max(g.row[l.to], g.row[l.from]+1)
		needs[l.to]++
	}
	// A node that needs nothing moves down to the first that needs it: a short
	// line reads better than a box far above.
	for i := range wanted {
		wanted[i] = -1
	}
	for _, l := range links {
		if w := g.row[l.to] - 1; wanted[l.from] < 0 || w < wanted[l.from] {
			wanted[l.from] = w
		}
	}
	for v := range n {
		if needs[v] == 0 && wanted[v] >= 0 {
			g.row[v] = wanted[v]
		}
	}
	g.bend()
	g.fill()
	return g
}

// bend leads the long links through the rows between their ends, the short ones
// first, as long as there is room.
func (g *layers) bend() {
	g.paths, g.direct = make([][]int32, len(g.links)), make([]bool, len(g.links))
	long := make([]int, 0, len(g.links))
	for i, l := range g.links {
		if g.row[l.to]-g.row[l.from] > 1 {
			long = append(long, i)
		}
	}
	span := func(i int) int32 { return g.row[g.links[i].to] - g.row[g.links[i].from] }
	sort.SliceStable(long, func(a, b int) bool { return span(long[a]) < span(long[b]) })
	type trunk struct {
		from   int
		failed bool
	}
	trunks := map[trunk][]int32{}
	budget := maxBends
	for _, i := range long {
		l := g.links[i]
		need := int(span(i)) - 1
		if budget -= need; budget < 0 {
			g.direct[i] = true
			continue
		}
		t := trunk{l.from, g.failed[l.to]}
		bends := trunks[t]
		for len(bends) < need {
			bends = append(bends, int32(len(g.row)))
			g.row = append(g.row, g.row[l.from]+1+int32(len(bends)-1))
			g.failed = append(g.failed, t.failed)
		}
		trunks[t] = bends
		g.paths[i] = bends[:need]
	}
}

// fill makes rows and neighbours, each pair of neighbours once.
func (g *layers) fill() {
	total := len(g.row)
	g.up, g.down = make([][]int32, total), make([][]int32, total)
	joinedTo := make([]int32, total) // the bend that already leads to it, +1
	join := func(a, b int32) {
		if int(b) >= g.real { // a bend has one line in
			if joinedTo[b] != 0 {
				return
			}
			joinedTo[b] = a + 1
		}
		g.down[a] = append(g.down[a], b)
		g.up[b] = append(g.up[b], a)
	}
	for i, l := range g.links {
		if g.direct[i] {
			continue
		}
		last := int32(l.from)
		for _, b := range g.paths[i] {
			join(last, b)
			last = b
		}
		join(last, int32(l.to))
	}
	height := int32(0)
	for _, r := range g.row {
		height = max(height, r+1)
	}
	g.rows = make([][]int32, height)
	g.at = make([]int32, total)
	g.firstOrder()
	g.reduceCrossings()
}

// firstOrder walks from every start down, so that what hangs together starts
// side by side.
func (g *layers) firstOrder() {
	seen := make([]bool, len(g.row))
	var stack []int32
	place := func(v int32) {
		seen[v] = true
		r := g.row[v]
		g.at[v] = int32(len(g.rows[r]))
		g.rows[r] = append(g.rows[r], v)
	}
	for v := range g.real {
		if seen[v] || len(g.up[v]) > 0 {
			continue
		}
		stack = append(stack[:0], int32(v))
		for len(stack) > 0 {
			v := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if seen[v] {
				continue
			}
			place(v)
			for i := len(g.down[v]) - 1; i >= 0; i-- {
				if w := g.down[v][i]; !seen[w] {
					stack = append(stack, w)
				}
			}
		}
	}
}
