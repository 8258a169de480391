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
	track        int // -1: straight, needs none
}

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
				n = &net{failed: failed, to: to, track: -1}
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
	for i := range out {
		out[i] = min(max(first+i*apart, e.start+1), e.start+e.size-2)
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

// assignTracks gives every net that bends a track between the rows such that no
// two share a place, and returns how many tracks that takes. A net that leaves
// where another arrives must turn first.
func assignTracks(nets []*net) int {
	type span struct{ lo, hi int }
	spans := make([]span, len(nets))
	leaves := map[int]int{} // place -> net that bends and leaves there
	var bent []int
	for i, n := range nets {
		lo, hi := n.fromAt[0], n.fromAt[0]
		for _, c := range slices.Concat(n.fromAt, n.toAt) {
			lo, hi = min(lo, c), max(hi, c)
		}
		spans[i] = span{lo, hi}
		if lo == hi {
			continue
		}
		bent = append(bent, i)
		for _, c := range n.fromAt {
			leaves[c] = i
		}
	}
	after := make([][]int, len(nets)) // nets that must turn after this one
	before := make([]int, len(nets))
	for _, i := range bent {
		for _, c := range nets[i].toAt {
			if j, ok := leaves[c]; ok && j != i {
				after[j] = append(after[j], i)
				before[i]++
			}
		}
	}
	sort.SliceStable(bent, func(a, b int) bool { return spans[bent[a]].lo < spans[bent[b]].lo })
	var tracks [][]span
	lowest := make([]int, len(nets))
	for len(bent) > 0 {
		pick := 0 // in a circle, which is rare, the first goes
		for k, i := range bent {
			if before[i] == 0 {
				pick = k
				break
			}
		}
		i := bent[pick]
		bent = slices.Delete(bent, pick, pick+1)
		t := lowest[i]
		for ; t < len(tracks); t++ {
			if !slices.ContainsFunc(tracks[t], func(s span) bool {
				return spans[i].lo <= s.hi+1 && s.lo <= spans[i].hi+1
			}) {
				break
			}
		}
		if t >= len(tracks) {
			tracks = append(tracks, make([][]span, t-len(tracks)+1)...)
		}
		tracks[t] = append(tracks[t], spans[i])
		nets[i].track = t
		for _, j := range after[i] {
			before[j]--
			lowest[j] = max(lowest[j], t+1)
		}
	}
	return len(tracks)
}
