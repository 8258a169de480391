package workflow

import "slices"

// reduceCrossings reorders the rows by the barycentres of their neighbours, up
// and down in turn, and keeps the best order seen. The larger the graph, the
// fewer the turns.
func (g *layers) reduceCrossings() {
	size := len(g.row)
	for _, d := range g.down {
		size += len(d)
	}
	turns := 3
	switch {
	case size <= carefulSize:
		turns = 24
	case size <= fairSize:
		turns = 10
	}
	best, bestRows := g.crossings(), g.copyRows()
	keys := make([]float64, len(g.row))
	for turn := 0; turn < turns && best > 0; turn++ {
		if turn%2 == 0 {
			for r := 1; r < len(g.rows); r++ {
				g.sortRow(r, g.up, keys)
			}
		} else {
			for r := len(g.rows) - 2; r >= 0; r-- {
				g.sortRow(r, g.down, keys)
			}
		}
		if size <= carefulSize {
			g.swapNeighbours()
		}
		if c := g.crossings(); c < best {
			best, bestRows = c, g.copyRows()
		}
	}
	g.rows = bestRows
	for _, row := range g.rows {
		for i, v := range row {
			g.at[v] = int32(i)
		}
	}
}

func (g *layers) copyRows() [][]int32 {
	out := make([][]int32, len(g.rows))
	for i, r := range g.rows {
		out[i] = slices.Clone(r)
	}
	return out
}

// sortRow orders a row by the mean place of each vertex's neighbours; a vertex
// without any stays where it is as well as it can.
func (g *layers) sortRow(r int, neighbours [][]int32, keys []float64) {
	row := g.rows[r]
	for i, v := range row {
		if len(neighbours[v]) == 0 {
			keys[v] = float64(i)
			continue
		}
		sum := 0.0
		for _, u := range neighbours[v] {
			sum += float64(g.at[u])
		}
		keys[v] = sum / float64(len(neighbours[v]))
	}
	slices.SortStableFunc(row, func(a, b int32) int {
		switch {
		case keys[a] < keys[b]:
			return -1
		case keys[a] > keys[b]:
			return 1
		}
		return 0
	})
	for i, v := range row {
		g.at[v] = int32(i)
	}
}

// swapNeighbours exchanges two that stand side by side where that saves
// crossings.
func (g *layers) swapNeighbours() {
	for better, rounds := true, 0; better && rounds < 8; rounds++ {
		better = false
		for _, row := range g.rows {
			for i := 0; i+1 < len(row); i++ {
				a, b := row[i], row[i+1]
				now := g.between(g.up[a], g.up[b]) + g.between(g.down[a], g.down[b])
				then := g.between(g.up[b], g.up[a]) + g.between(g.down[b], g.down[a])
				if then < now {
					row[i], row[i+1] = b, a
					g.at[a], g.at[b] = int32(i+1), int32(i)
					better = true
				}
			}
		}
	}
}

// between counts the crossings of the lines of a left vertex with those of a
// right one.
func (g *layers) between(left, right []int32) int {
	n := 0
	for _, l := range left {
		for _, r := range right {
			if g.at[l] > g.at[r] {
				n++
			}
		}
	}
	return n
}

// crossings counts all crossings between rows, with a Fenwick tree for each
// pair of rows.
func (g *layers) crossings() int {
	total := 0
	var tree, ends []int32
	for r := 0; r+1 < len(g.rows); r++ {
		width := len(g.rows[r+1])
		if len(g.rows[r]) < 2 || width < 2 {
			continue
		}
		tree = append(tree[:0], make([]int32, width+1)...)
		seen := 0
		for _, v := range g.rows[r] {
			ends = ends[:0]
			for _, w := range g.down[v] {
				ends = append(ends, g.at[w])
			}
			for _, e := range ends { // lines seen so far that end right of it
				left := 0
				for i := int(e) + 1; i > 0; i -= i & -i {
					left += int(tree[i])
				}
				total += seen - left
			}
			for _, e := range ends {
				for i := int(e) + 1; i <= width; i += i & -i {
					tree[i]++
				}
				seen++
			}
		}
	}
	return total
}
