package workflow

import "math"

// spacing is what placing has to know of the vertices: how wide they are along
// their row, and how far apart two that stand side by side must be.
type spacing struct {
	size func(v int32) int
	gap  func(a, b int32) int
}

// place gives every vertex the start of its extent along its row, so that rows
// keep their order and their gaps and lines are as straight as that allows:
// each row in turn goes where its neighbours' middles are, in the sense of least
// squares, solved exactly by merging what collides.
func (g *layers) place(s spacing) []int {
	start := make([]int, len(g.row))
	for _, row := range g.rows {
		x := 0
		for i, v := range row {
			if i > 0 {
				x += s.gap(row[i-1], v)
			}
			start[v] = x
			x += s.size(v)
		}
	}
	p := placer{g: g, s: s, start: start, middle: make([]float64, len(g.row))}
	for v := range start {
		p.middle[v] = float64(start[v]) + p.half(int32(v))
	}
	turns := 6
	if len(g.row) <= fairSize {
		turns = 16
	}
	for turn := range turns {
		// At first each pass looks back only, so that a place travels the whole
		// length of a graph in one of them; then both neighbours pull.
		both := turn >= 2
		if turn%2 == 0 {
			for r := range g.rows {
				p.row(r, true, both)
			}
		} else {
			for r := len(g.rows) - 1; r >= 0; r-- {
				p.row(r, both, true)
			}
		}
	}
	p.straighten()
	least := math.MaxInt
	for _, x := range start {
		least = min(least, x)
	}
	for v := range start {
		start[v] -= least
	}
	return start
}

type placer struct {
	g      *layers
	s      spacing
	start  []int
	middle []float64
	blocks []block
}

// block is a run of vertices of a row that touch each other.
type block struct {
	sum, weight float64
	end         int // one past its last vertex
}

// half is the distance from the start to the middle; whole, so that a line that
// leaves in the middle can meet one that arrives there.
func (p *placer) half(v int32) float64 { return float64(p.s.size(v) / 2) }

// row moves one row to where its neighbours above, below or both pull it.
func (p *placer) row(r int, above, below bool) {
	g := p.g
	row := g.rows[r]
	blocks := p.blocks[:0]
	offset := 0
	offsets := make([]int, len(row))
	for i, v := range row {
		if i > 0 {
			offset += p.s.size(row[i-1]) + p.s.gap(row[i-1], v)
		}
		offsets[i] = offset
		sum, weight := 0.0, 0.0
		pull := func(us []int32) {
			for _, u := range us {
				w := 1.0
				if int(u) >= g.real && int(v) >= g.real {
					w = 8 // long lines stay straight
				} else if int(u) >= g.real || int(v) >= g.real {
					w = 2
				}
				w /= math.Sqrt(float64(len(us)))
				sum += w * p.middle[u]
				weight += w
			}
		}
		if above || len(g.down[v]) == 0 {
			pull(g.up[v])
		}
		if below || len(g.up[v]) == 0 {
			pull(g.down[v])
		}
		if weight == 0 {
			sum, weight = p.middle[v]*0.01, 0.01
		}
		want := sum/weight - p.half(v) - float64(offset)
		blocks = append(blocks, block{sum: want * weight, weight: weight, end: i + 1})
		for n := len(blocks); n > 1; n-- {
			a, b := blocks[n-2], blocks[n-1]
			if a.sum/a.weight <= b.sum/b.weight {
				break
			}
			blocks[n-2] = block{a.sum + b.sum, a.weight + b.weight, b.end}
			blocks = blocks[:n-1]
		}
	}
	i := 0
	for _, b := range blocks {
		x := int(math.Floor(b.sum/b.weight + 0.5))
		for ; i < b.end; i++ {
			v := row[i]
			p.start[v] = x + offsets[i]
			p.middle[v] = float64(p.start[v]) + p.half(v)
		}
	}
	p.blocks = blocks[:0]
}

// straighten takes out the small jogs that rounding leaves: a vertex whose only
// line comes from one whose only line it is moves under it where there is room.
func (p *placer) straighten() {
	g := p.g
	move := func(v, to int32) {
		row, i := g.rows[g.row[v]], int(g.at[v])
		x := int(p.middle[to]) - p.s.size(v)/2
		if i > 0 {
			l := row[i-1]
			x = max(x, p.start[l]+p.s.size(l)+p.s.gap(l, v))
		}
		if i+1 < len(row) {
			r := row[i+1]
			x = min(x, p.start[r]-p.s.gap(v, r)-p.s.size(v))
		}
		p.start[v] = x
		p.middle[v] = float64(x) + p.half(v)
	}
	for range 2 {
		for r := 1; r < len(g.rows); r++ {
			for _, v := range g.rows[r] {
				if len(g.up[v]) == 1 && len(g.down[g.up[v][0]]) == 1 {
					move(v, g.up[v][0])
				}
			}
		}
		for r := len(g.rows) - 2; r >= 0; r-- {
			for _, v := range g.rows[r] {
				if len(g.down[v]) == 1 && len(g.up[g.down[v][0]]) == 1 {
					move(v, g.down[v][0])
				}
			}
		}
	}
}
