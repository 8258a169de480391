package workflow

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// net is a bundle of lines between two rows that may be drawn as one: each of
// its sources leads to each of its targets, for the same reason. A fan-out and a
// fan-in are one net each.
type net struct {
	failed   bool
	from, to []int32
	// Where the lines leave and arrive, along the row, as from and to.
	fromAt, toAt []int
	// turns are where it runs along the rows: nowhere when it is straight, once
	// as a rule, twice when it must make way. Then it changes tracks at jog.
	turns []turn
	jog   int
}

// turn is a stretch of a line along the rows, on a track between them.
type turn struct{ track, lo, hi int }

// nets bundles the lines between row r and the next one.
func (g *layers) nets(r int) []*net {
	var out []*net
	byKey := map[string]*net{}
	var key strings.Builder
	for _, v := range g.rows[r] {
		for _, failed := range []bool{false, true} {
			var to []int32
			for _, w := range g.down[v] {
				if g.failed[w] == failed {
					to = append(to, w)
				}
			}
			if len(to) == 0 {
				continue
			}
			slices.SortFunc(to, func(a, b int32) int { return int(g.at[a] - g.at[b]) })
			key.Reset()
			fmt.Fprint(&key, failed, to)
			n := byKey[key.String()]
			if n == nil {
				n = &net{failed: failed, to: to}
				byKey[key.String()] = n
				out = append(out, n)
			}
			n.from = append(n.from, v)
		}
	}
	return out
}

// ports says how many nets leave and reach every vertex.
func (g *layers) ports(all [][]*net) (out, in []int) {
	out, in = make([]int, len(g.row)), make([]int, len(g.row))
	for _, nets := range all {
		for _, n := range nets {
			for _, v := range n.from {
				out[v]++
			}
			for _, w := range n.to {
				in[w]++
			}
		}
	}
	return out, in
}

// extent is where a vertex lies along its row.
type extent struct{ start, size int }

func (e extent) middle() int { return e.start + e.size/2 }

// inside says whether a line may meet the box at c: not in its corners.
func (e extent) inside(c int) bool { return c > e.start && c < e.start+e.size-1 }

// dock settles where the lines between two rows leave and arrive. step is the
// least distance of two on one box.
func (g *layers) dock(nets []*net, at func(v int32) extent, step int) {
	leaving, arriving := map[int32][]*net{}, map[int32][]*net{}
	var order []int32
	for _, n := range nets {
		n.fromAt, n.toAt = make([]int, len(n.from)), make([]int, len(n.to))
		for _, v := range n.from {
			leaving[v] = append(leaving[v], n)
		}
		for _, w := range n.to {
			if arriving[w] == nil {
				order = append(order, w)
			}
			arriving[w] = append(arriving[w], n)
		}
	}
	for v, ns := range leaving {
		mean := func(n *net) float64 { return meanOf(n.to, at) }
		sort.SliceStable(ns, func(i, j int) bool { return mean(ns[i]) < mean(ns[j]) })
		want := make([]int, len(ns))
		for i, n := range ns {
			want[i] = -1
			if len(n.to) == 1 && len(n.from) == 1 && at(n.to[0]).size == 1 {
				want[i] = at(n.to[0]).start
			}
		}
		for i, c := range spread(at(v), want, step) {
			ns[i].fromAt[slices.Index(ns[i].from, v)] = c
		}
	}
	for _, w := range order {
		ns := arriving[w]
		mean := func(n *net) float64 {
			sum := 0.0
			for _, c := range n.fromAt {
				sum += float64(c)
			}
			return sum / float64(len(n.fromAt))
		}
		sort.SliceStable(ns, func(i, j int) bool { return mean(ns[i]) < mean(ns[j]) })
		want := make([]int, len(ns))
		for i, n := range ns {
			want[i] = -1
			if len(n.from) == 1 && (len(ns) > 1 || len(n.to) == 1) {
				want[i] = n.fromAt[0]
			}
		}
		for i, c := range spread(at(w), want, step) {
			ns[i].toAt[slices.Index(ns[i].to, w)] = c
		}
	}
}

func meanOf(vs []int32, at func(v int32) extent) float64 {
	sum := 0.0
	for _, v := range vs {
		sum += float64(at(v).middle())
	}
	return sum / float64(len(vs))
}

// spread gives len(want) places on a box, in order, each as it is wanted where
// that is possible (-1: no wish), else evenly around the middle.
func spread(e extent, want []int, step int) []int {
	out := make([]int, len(want))
	if e.size < 3 { // a bend
		for i := range out {
			out[i] = e.start
		}
		return out
	}
	apart := min(max(step, (e.size-2)/len(want)), 8)
	if (len(want)-1)*apart > e.size-3 {
		apart = max(1, (e.size-3)/max(1, len(want)-1))
	}
	first := e.middle() - (len(want)-1)*apart/2
	first = max(min(first, e.start+e.size-2-(len(want)-1)*apart), e.start+1)
	for i := range out {
		out[i] = first + i*apart
	}
	wished := slices.Clone(out)
	for i, w := range want {
		if w >= 0 && e.inside(w) {
			wished[i] = w
		}
	}
	for i := 1; i < len(wished); i++ {
		if wished[i]-wished[i-1] < step {
			return out
		}
	}
	return wished
}
