package workflow

import "strings"

// The four ways a line can leave a cell.
const (
	goUp = 1 << iota
	goDown
	goLeft
	goRight
)

// canvas is a sheet of character cells on which lines join by themselves.
type canvas struct {
	w, h  int
	cells []cell
	plain bool
}

// cell holds a character, or what up to two lines do in it.
type cell struct {
	text   string // a character, with the marks that combine with it
	filled bool   // taken by text, by the right half of a wide character too
	lines  [2]stroke
}

// stroke is what one line does in a cell.
type stroke struct {
	net    int32 // 0: none
	ways   uint8
	dashed bool
}

func newCanvas(w, h int, plain bool) *canvas {
	return &canvas{w: w, h: h, cells: make([]cell, w*h), plain: plain}
}

func (c *canvas) at(x, y int) *cell {
	if x < 0 || y < 0 || x >= c.w || y >= c.h {
		return &cell{} // outside: drawn nowhere
	}
	return &c.cells[y*c.w+x]
}

// write puts text from (x, y) on.
func (c *canvas) write(x, y int, s string) {
	var last *cell
	for _, r := range s {
		n := columns(r)
		if n == 0 && last != nil {
			last.text += string(r)
			continue
		}
		for i := range n {
			to := c.at(x+i, y)
			to.filled, to.text = true, ""
			if i == 0 {
				to.text, last = string(r), to
			}
		}
		x += n
	}
}

// line draws from one point to another of the same row or column, both
// included; at its ends it leaves the cell only towards the other end.
func (c *canvas) line(net int32, dashed bool, x1, y1, x2, y2 int) {
	if x1 > x2 || y1 > y2 {
		x1, y1, x2, y2 = x2, y2, x1, y1
	}
	if y1 == y2 {
		for x := x1; x <= x2; x++ {
			var ways uint8
			if x > x1 {
				ways |= goLeft
			}
			if x < x2 {
				ways |= goRight
			}
			c.stroke(x, y1, net, dashed, ways)
		}
		return
	}
	for y := y1; y <= y2; y++ {
		var ways uint8
		if y > y1 {
			ways |= goUp
		}
		if y < y2 {
			ways |= goDown
		}
		c.stroke(x1, y, net, dashed, ways)
	}
}

func (c *canvas) stroke(x, y int, net int32, dashed bool, ways uint8) {
	to := c.at(x, y)
	for i := range to.lines {
		if l := &to.lines[i]; l.net == 0 || l.net == net || i == len(to.lines)-1 {
			*l = stroke{net, l.ways | ways, dashed}
			return
		}
	}
}

const solidGlyphs = " ╵╷│╴┘┐┤╶└┌├─┴┬┼"
const plainGlyphs = " ||||+++|+++-+++"

// glyph is the character of a cell without text. Where two lines cross without
// meeting, the one that leads down is drawn through.
func (c *canvas) glyph(l [2]stroke) string {
	ways, dashed := l[0].ways|l[1].ways, l[0].dashed
	if l[1].net != 0 {
		const across, along = goLeft | goRight, goUp | goDown
		switch {
		case l[0].ways == along && l[1].ways == across:
			ways = along
		case l[0].ways == across && l[1].ways == along:
			ways, dashed = along, l[1].dashed
		default:
			dashed = l[0].dashed && l[1].dashed
		}
	}
	if dashed {
		switch ways {
		case goUp | goDown:
			if c.plain {
				return ":"
			}
			return "╎"
		case goLeft | goRight:
			if c.plain {
				return "."
			}
			return "╌"
		}
	}
	if c.plain {
		switch ways {
		case goLeft, goRight:
			return "-"
		}
		return string(plainGlyphs[ways])
	}
	switch ways {
	case goUp, goDown:
		return "│"
	case goLeft, goRight:
		return "─"
	}
	return string([]rune(solidGlyphs)[ways])
}

// lines returns the sheet's lines without the blanks at their ends.
func (c *canvas) text() []string {
	out := make([]string, c.h)
	var b strings.Builder
	for y := range c.h {
		b.Reset()
		for x := range c.w {
			switch cell := &c.cells[y*c.w+x]; {
			case cell.filled:
				b.WriteString(cell.text)
			case cell.lines[0].net != 0:
				b.WriteString(c.glyph(cell.lines))
			default:
				b.WriteByte(' ')
			}
		}
		out[y] = strings.TrimRight(b.String(), " ")
	}
	return out
}
