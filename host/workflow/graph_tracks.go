package workflow

import (
	"slices"
	"sort"
)

// tracks finds a place between two rows for every stretch of line that runs
// along them: no two in one cell, and none that leaves a row where another
// arrives may turn after it, because both would use the same way down.
type tracks struct {
	nets  []*net
	parts []*stretch
	used  []([]*stretch) // by track
	taken map[int]bool   // places that lines leave from or arrive at
}

// stretch is a turn that is yet to find its track.
type stretch struct {
	net    *net
	lo, hi int
	before int        // how many must be placed before this one
	after  []*stretch // those that wait for this one
	lowest int
	tail   bool // the second part of a split line
}

// assignTracks places all stretches and returns how many tracks that takes.
// breadth is how far the rows reach.
func assignTracks(nets []*net, breadth int) int {
	t := &tracks{nets: nets, taken: map[int]bool{}}
	leaves := map[int]*stretch{} // the net that bends and leaves there
	for _, n := range nets {
		n.turns = nil
		places := slices.Concat(n.fromAt, n.toAt)
		for _, c := range places {
			t.taken[c] = true
		}
		p := &stretch{net: n, lo: slices.Min(places), hi: slices.Max(places)}
		if p.lo == p.hi {
			continue
		}
		t.parts = append(t.parts, p)
		for _, c := range n.fromAt {
			leaves[c] = p
		}
	}
	for _, p := range t.parts {
		for _, c := range p.net.toAt {
			if q := leaves[c]; q != nil && q != p {
				q.after = append(q.after, p)
				p.before++
			}
		}
	}
	sort.SliceStable(t.parts, func(a, b int) bool { return t.parts[a].lo < t.parts[b].lo })
	for len(t.parts) > 0 {
		next := slices.IndexFunc(t.parts, func(p *stretch) bool { return p.before == 0 })
		if next < 0 { // they wait for each other in a circle
			t.split(breadth)
			continue
		}
		p := t.parts[next]
		t.parts = slices.Delete(t.parts, next, next+1)
		t.put(p)
	}
	return len(t.used)
}

func (t *tracks) put(p *stretch) {
	at := p.lowest
	for ; at < len(t.used); at++ {
		if !slices.ContainsFunc(t.used[at], func(q *stretch) bool { return p.lo <= q.hi+1 && q.lo <= p.hi+1 }) {
			break
		}
	}
	if at >= len(t.used) {
		t.used = append(t.used, make([][]*stretch, at-len(t.used)+1)...)
	}
	t.used[at] = append(t.used[at], p)
	p.net.turns = append(p.net.turns, turn{at, p.lo, p.hi})
	for _, q := range p.after {
		q.before--
		q.lowest = max(q.lowest, at+1)
	}
}

// split opens a circle: a line of it leaves its row at once, goes down at a
// place that nobody uses, and turns to its targets after those it waits for.
func (t *tracks) split(breadth int) {
	i := slices.IndexFunc(t.parts, func(p *stretch) bool { return !p.tail })
	if i < 0 {
		t.parts[0].before = 0
		return
	}
	p := t.parts[i]
	jog, found := 0, false
	for d := 0; d <= breadth && !found; d++ { // the nearest to its middle
		for _, c := range []int{(p.lo+p.hi)/2 + d, (p.lo+p.hi)/2 - d} {
			if c >= 0 && c < breadth && !t.taken[c] && !found {
				jog, found = c, true
			}
		}
	}
	if !found {
		p.before = 0 // no room at all: two lines share a way
		return
	}
	t.taken[jog] = true
	p.net.jog = jog
	tail := &stretch{net: p.net, before: p.before + 1, tail: true}
	tail.lo, tail.hi = min(jog, slices.Min(p.net.toAt)), max(jog, slices.Max(p.net.toAt))
	for _, q := range t.parts { // who kept it waiting keeps the tail waiting
		for i := range q.after {
			if q.after[i] == p {
				q.after[i] = tail
			}
		}
	}
	p.lo, p.hi, p.before = min(jog, slices.Min(p.net.fromAt)), max(jog, slices.Max(p.net.fromAt)), 0
	p.after = append(p.after, tail)
	t.parts = append(t.parts, tail)
}
