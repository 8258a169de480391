package workflow

import (
	"testing"

	"pgregory.net/rapid"
)

// drawLinks makes a graph in which every link leads to a higher index.
func drawLinks(t *rapid.T) (n int, failed []bool, links []link) {
	n = rapid.IntRange(1, 30).Draw(t, "nodes")
	failed = make([]bool, n)
	for to := 1; to < n; to++ {
		failed[to] = rapid.IntRange(0, 5).Draw(t, "failed") == 0
		for _, from := range rapid.SliceOfNDistinct(rapid.IntRange(0, to-1), 0, min(to, 4), rapid.ID).Draw(t, "needs") {
			links = append(links, link{from, to})
		}
	}
	return n, failed, links
}

func TestLayoutProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, failed, links := drawLinks(t)
		g := newLayers(n, failed, links)
		seen := 0
		for r, row := range g.rows {
			for i, v := range row {
				seen++
				if int(g.row[v]) != r || int(g.at[v]) != i {
					t.Fatalf("vertex %d stands at (%d,%d) and thinks (%d,%d)", v, r, i, g.row[v], g.at[v])
				}
				for _, w := range g.down[v] {
					if g.row[w] != g.row[v]+1 {
						t.Fatalf("the line %d-%d spans %d rows", v, w, g.row[w]-g.row[v])
					}
				}
			}
		}
		if seen != len(g.row) {
			t.Fatalf("%d of %d vertices are in rows", seen, len(g.row))
		}
		for i, l := range links { // every link is led from end to end
			at := int32(l.from)
			for _, next := range append(append([]int32(nil), g.paths[i]...), int32(l.to)) {
				found := false
				for _, w := range g.down[at] {
					found = found || w == next
				}
				if !found {
					t.Fatalf("link %d-%d is broken between %d and %d", l.from, l.to, at, next)
				}
				at = next
			}
		}
		slow := 0
		for _, row := range g.rows {
			for i := range row {
				for j := i + 1; j < len(row); j++ {
					slow += g.between(g.down[row[i]], g.down[row[j]])
				}
			}
		}
		if fast := g.crossings(); fast != slow {
			t.Fatalf("counted %d crossings, there are %d", fast, slow)
		}

		size := func(v int32) int { return 3 + int(v)%9 }
		gap := func(a, b int32) int { return 1 + int(a+b)%3 }
		start := g.place(spacing{size, gap})
		for _, row := range g.rows {
			for i := 1; i < len(row); i++ {
				if a, b := row[i-1], row[i]; start[b] < start[a]+size(a)+gap(a, b) {
					t.Fatalf("%d (at %d, wide %d) and %d (at %d) are too close", a, start[a], size(a), b, start[b])
				}
			}
		}
	})
}

// Two lines may cross, never run in one cell: a reader could not tell them
// apart.
func TestLinesNeverRunTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, failed, links := drawLinks(t)
		s := &section{links: links, boxes: make([]box, n)}
		for i := range s.boxes {
			s.boxes[i] = box{id: "n", who: "plugin", failed: failed[i]}
		}
		g := newLayers(n, failed, links)
		all := make([][]*net, len(g.rows))
		for r := range len(g.rows) - 1 {
			all[r] = g.nets(r)
		}
		for _, right := range []bool{false, true} {
			d := drawing{s: s, g: g, nets: all, look: looks[2], right: right}
			lines, ok := d.draw(10_000)
			if !ok {
				t.Fatal("not drawn")
			}
			for i, c := range d.canvas.cells {
				a, b := c.lines[0], c.lines[1]
				if b.net == 0 || c.filled {
					continue
				}
				const across, along = goLeft | goRight, goUp | goDown
				crossing := a.ways == across && b.ways == along || a.ways == along && b.ways == across
				handover := a.ways&b.ways == 0 && (a.ways|b.ways == along || a.ways|b.ways == across)
				if !crossing && !handover {
					for _, l := range lines {
						t.Log(l)
					}
					t.Fatalf("two lines share cell (%d,%d): %+v %+v", i%d.canvas.w, i/d.canvas.w, a, b)
				}
			}
		}
	})
}
