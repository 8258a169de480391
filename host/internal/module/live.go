package module

import "math/bits"

// liveness finds out which locals are alive at the start of each block of a
// function: those that the compiler must carry around. It is asked only for
// functions where assuming all of them would be far too much.
type liveness struct {
	words int // of a set of locals
	cur   int32
	use   []uint64 // by block: locals read before they are written
	def   []uint64 // by block: locals written
	loop  []bool   // by block: begins a loop
	joins []int32  // by block: locals that can differ on the ways in, -1: no join
	edges []int32  // by block: ways in
	from  []int32  // edges of the control flow
	to    []int32
	in    []uint64
	work  int // words gone over, in this module
}

// reset prepares for a function with so many locals in use, and at most so
// many blocks.
func (v *liveness) reset(locals int32, blocks int) {
	v.words = int(locals+63) / 64
	v.use, v.def, v.in = room(v.use, blocks*v.words), room(v.def, blocks*v.words), room(v.in, blocks*v.words)
}

func room(s []uint64, n int) []uint64 {
	if cap(s) < n {
		return make([]uint64, 0, n)
	}
	return s[:0]
}

func (v *liveness) start() {
	v.use, v.def = v.use[:0], v.def[:0]
	v.loop, v.joins, v.edges = v.loop[:0], v.joins[:0], v.edges[:0]
	v.from, v.to = v.from[:0], v.to[:0]
	v.cur = v.allocate()
}

// allocate makes a block.
func (v *liveness) allocate() int32 {
	for range v.words {
		v.use = append(v.use, 0)
		v.def = append(v.def, 0)
	}
	v.loop = append(v.loop, false)
	v.joins = append(v.joins, -1)
	v.edges = append(v.edges, 1)
	return int32(len(v.loop) - 1)
}

func (v *liveness) edge(from, to int32) {
	v.from = append(v.from, from)
	v.to = append(v.to, to)
}

// next goes on in a new block behind the present one.
func (v *liveness) next(loop bool) int32 {
	b := v.branch(v.cur)
	v.loop[b] = loop
	if loop {
		v.edges[b] = 2 // in, and back from the meter
	}
	return b
}

// branch goes on in a new block behind the given one.
func (v *liveness) branch(from int32) int32 {
	b := v.allocate()
	v.edge(from, b)
	v.cur = b
	return b
}

// join says that ways meet in b, and how many writes of locals lie on them.
func (v *liveness) join(b, sets, edges int32) {
	v.joins[b], v.edges[b] = sets, edges
}

func (v *liveness) access(local int32, set bool) {
	i := int(v.cur)*v.words + int(local/64)
	bit := uint64(1) << (local % 64)
	if set {
		v.def[i] |= bit
	} else if v.def[i]&bit == 0 {
		v.use[i] |= bit
	}
}

// liveWork bounds how many words all functions of a module may take to be
// solved, so that looking closely does not become the attack.
const liveWork = 100_000_000

// cost solves the flow equations and adds up what the values alive cost; the
// rounds of phi elimination follow the nesting of loops. ok is false when
// solving would take too long.
func (v *liveness) cost(deepest int32) (ns int64, ok bool) {
	v.in = append(v.in[:0], v.use...)
	// Edges were made in the order of the code, so going backwards settles all
	// but loops in one round.
	for changed := true; changed; {
		if v.work += len(v.from) * v.words; v.work > liveWork {
			return 0, false
		}
		changed = false
		for i := len(v.from) - 1; i >= 0; i-- {
			a, b := int(v.from[i])*v.words, int(v.to[i])*v.words
			for w := range v.words {
				was := v.in[a+w]
				now := was | v.in[b+w]&^v.def[a+w]
				if now != was {
					v.in[a+w] = now
					changed = true
				}
			}
		}
	}
	total := 0.0
	rounds := float64(deepest) + 2
	for b := range v.loop {
		n := 0
		for _, w := range v.in[b*v.words : (b+1)*v.words] {
			n += bits.OnesCount64(w)
		}
		alive := float64(n)
		total += costLive * alive * 3 // the compiler has more blocks than these
		switch {
		case v.loop[b]:
			total += costPhi * rounds * alive * alive * float64(v.edges[b]+1)
		case v.joins[b] >= 0:
			k := min(alive, float64(v.joins[b]))
			total += costPhi * rounds * k * k * float64(v.edges[b])
		}
	}
	return nanoseconds(total), true
}
