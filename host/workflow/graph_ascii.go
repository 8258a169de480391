package workflow

import (
	"bytes"
	"fmt"
	"strings"
)

// maxBoxes is the most nodes that are drawn as boxes; more are listed.
const maxBoxes = 60

// look is one way to draw boxes, from the richest to the barest.
type look struct {
	notes, who bool
	text       int // columns of text in a box, at most
}

var looks = []look{{true, true, 44}, {true, true, 22}, {false, true, 20}, {false, false, 14}}

// drawASCII draws every section as boxes, in the richest look that fits the
// width, leading down or, where that is too wide, to the right.
func drawASCII(sections []section, o GraphOptions) []byte {
	var out bytes.Buffer
	dashes := false
	for i := range sections {
		s := &sections[i]
		if i > 0 {
			out.WriteByte('\n')
		}
		heading := fmt.Sprintf("%s: %s", oneLine(s.name), count(len(s.boxes), "node"))
		if s.lead != "" {
			heading = fmt.Sprintf("%s -> %s", s.lead, heading)
			if !o.Plain {
				heading = strings.Replace(heading, "->", "→", 1)
			}
		}
		if o.Plain {
			heading = ascii(heading)
		}
		out.WriteString(heading + "\n\n")
		lines, drawn := s.drawBoxes(o)
		if !drawn {
			lines = s.list(o)
		}
		for _, l := range lines {
			out.WriteString(l + "\n")
		}
		for _, b := range s.boxes {
			dashes = dashes || drawn && b.failed
		}
	}
	if dashes {
		sign := "╌╌▷"
		if o.Plain {
			sign = "..>"
		}
		fmt.Fprintf(&out, "\n%s taken only after a failure\n", sign)
	}
	return out.Bytes()
}

func (s *section) drawBoxes(o GraphOptions) ([]string, bool) {
	if len(s.boxes) > maxBoxes || len(s.boxes) == 0 {
		return nil, false
	}
	failed := make([]bool, len(s.boxes))
	for i, b := range s.boxes {
		failed[i] = b.failed
	}
	g := newLayers(len(s.boxes), failed, s.links)
	all := make([][]*net, len(g.rows))
	for r := range len(g.rows) - 1 {
		all[r] = g.nets(r)
	}
	for _, look := range looks {
		for _, right := range []bool{false, true} {
			d := drawing{s: s, g: g, nets: all, look: look, right: right, plain: o.Plain}
			if lines, ok := d.draw(o.Width); ok {
				return lines, true
			}
		}
	}
	return nil, false
}

// drawing is one attempt. Along means along a row of the graph, ahead from row
// to row: x and y when the graph leads down, y and x when it leads right.
type drawing struct {
	s     *section
	g     *layers
	nets  [][]*net
	look  look
	right bool
	plain bool

	texts  [][]string // lines of every box
	along  []extent   // of every vertex
	ahead  []extent   // of every row
	canvas *canvas
}

func (d *drawing) draw(most int) ([]string, bool) {
	g := d.g
	out, in := g.ports(d.nets)
	d.texts = make([][]string, g.real)
	sizes := make([]int, len(g.row))
	step := 2
	if d.right {
		step = 1
	}
	d.ahead = make([]extent, len(g.rows))
	for v := range g.row {
		sizes[v] = 1
		row := &d.ahead[g.row[v]]
		row.size = max(row.size, 1)
		if v >= g.real {
			continue
		}
		d.texts[v] = d.lines(&d.s.boxes[v])
		w, h := 0, len(d.texts[v])+2
		for _, l := range d.texts[v] {
			w = max(w, cellsOf(l))
		}
		w += 4
		ports := max(out[v], in[v])
		if d.right {
			h = max(h, ports+2)
			sizes[v], row.size = h, max(row.size, w)
		} else {
			w = max(w, ports*step+3) | 1 // odd: with a middle
			sizes[v], row.size = w, max(row.size, h)
		}
	}
	start := g.place(spacing{
		size: func(v int32) int { return sizes[v] },
		gap: func(a, b int32) int {
			boxes := int(a) < g.real && int(b) < g.real
			switch {
			case d.right && boxes && len(g.rows[g.row[a]]) > 6:
				return 0
			case d.right:
				return 1
			case boxes:
				return 3
			}
			return 2
		},
	})
	d.along = make([]extent, len(g.row))
	breadth := 0
	for v := range start {
		d.along[v] = extent{start[v], sizes[v]}
		breadth = max(breadth, start[v]+sizes[v])
	}
	if !d.right && breadth > most {
		return nil, false
	}
	depth := 0
	for r := range g.rows {
		d.ahead[r].start = depth
		depth += d.ahead[r].size
		if r+1 < len(g.rows) {
			g.dock(d.nets[r], func(v int32) extent { return d.along[v] }, step)
			depth += d.gap(assignTracks(d.nets[r], breadth), d.nets[r])
		}
	}
	if d.right {
		if depth > most {
			return nil, false
		}
		d.canvas = newCanvas(depth, breadth, d.plain)
	} else {
		d.canvas = newCanvas(breadth, depth, d.plain)
	}
	d.boxes()
	d.lead()
	return d.canvas.text(), true
}

// gap is how far two rows are apart, with so many tracks between them; the last
// cell holds the arrow heads. An error edge needs room to show its dashes.
func (d *drawing) gap(tracks int, nets []*net) int {
	if d.right {
		return 2 + 2*tracks
	}
	for _, n := range nets {
		if tracks == 0 && n.failed {
			return 2
		}
	}
	return 1 + tracks
}

// track is where a track lies, ahead.
func (d *drawing) track(row, t int) int {
	if d.right {
		return d.ahead[row].start + d.ahead[row].size + 1 + 2*t
	}
	return d.ahead[row].start + d.ahead[row].size + t
}

// lines are the texts in a box.
func (d *drawing) lines(b *box) []string {
	title := b.id
	if m := stateMark(b.state); m != "" {
		title = m + " " + title
	}
	out := []string{title}
	if d.look.who {
		out = append(out, b.who)
	}
	if d.look.notes {
		out = append(out, b.notes...)
	}
	for i, l := range out {
		if d.plain {
			out[i] = cut(ascii(l), d.look.text, "..")
		} else {
			out[i] = cut(l, d.look.text, "…")
		}
	}
	return out
}

// frames are corners, sides and the place where a line leaves, by kind of node:
// top left, top, top right, side, bottom left, bottom, bottom right, leaving
// down, leaving right.
var frames = map[Kind][9]string{
	PluginNode:   {"┌", "─", "┐", "│", "└", "─", "┘", "┬", "├"},
	WorkflowNode: {"╔", "═", "╗", "║", "╚", "═", "╝", "╤", "╟"},
	ApprovalNode: {"╭", "─", "╮", "│", "╰", "─", "╯", "┬", "├"},
}

var plainFrames = map[Kind][9]string{
	PluginNode:   {"+", "-", "+", "|", "+", "-", "+", "+", "+"},
	WorkflowNode: {"+", "=", "+", "|", "+", "=", "+", "+", "+"},
	ApprovalNode: {"(", "-", ")", "|", "(", "-", ")", "+", "+"},
}

func (d *drawing) frame(k Kind) [9]string {
	if d.plain {
		return plainFrames[k]
	}
	return frames[k]
}

// rect is where a box lies on the sheet.
func (d *drawing) rect(v int32) (x, y, w, h int) {
	along, row := d.along[v], d.ahead[d.g.row[v]]
	if d.right {
		return row.start, along.start, row.size, along.size
	}
	return along.start, row.start, along.size, len(d.texts[v]) + 2
}

func (d *drawing) boxes() {
	for v := range d.g.real {
		f := d.frame(d.s.boxes[v].kind)
		x, y, w, h := d.rect(int32(v))
		d.canvas.write(x, y, f[0]+strings.Repeat(f[1], w-2)+f[2])
		for i := range h - 2 {
			d.canvas.write(x, y+1+i, f[3]+strings.Repeat(" ", w-2)+f[3])
			if i < len(d.texts[v]) {
				d.canvas.write(x+2, y+1+i, d.texts[v][i])
			}
		}
		d.canvas.write(x, y+h-1, f[4]+strings.Repeat(f[5], w-2)+f[6])
	}
}

// lead draws the lines.
func (d *drawing) lead() {
	id := int32(0)
	for r, nets := range d.nets {
		for _, n := range nets {
			id++
			end := d.ahead[r].start + d.ahead[r].size
			next := d.ahead[min(r+1, len(d.ahead)-1)].start
			first, last := end, end
			for i, t := range n.turns {
				at := d.track(r, t.track)
				d.line(id, n.failed, t.lo, at, t.hi, at)
				if i == 0 {
					first = at
				} else {
					d.line(id, n.failed, n.jog, last, n.jog, at)
				}
				last = at
			}
			for i, v := range n.from {
				from := d.ahead[r].start
				if int(v) < d.g.real {
					from = d.leave(v, n.fromAt[i])
				}
				d.line(id, n.failed, n.fromAt[i], from, n.fromAt[i], first)
			}
			for i, w := range n.to {
				d.line(id, n.failed, n.toAt[i], last, n.toAt[i], next)
				if int(w) < d.g.real {
					d.arrow(n.toAt[i], next-1, n.failed)
				}
			}
		}
	}
}

// leave marks where a line leaves a box and returns that place.
func (d *drawing) leave(v int32, along int) int {
	f := d.frame(d.s.boxes[v].kind)
	x, y, w, h := d.rect(v)
	if d.right {
		d.canvas.write(x+w-1, along, f[8])
		return x + w - 1
	}
	d.canvas.write(along, y+h-1, f[7])
	return y + h - 1
}

func (d *drawing) line(id int32, dashed bool, along1, ahead1, along2, ahead2 int) {
	if d.right {
		d.canvas.line(id, dashed, ahead1, along1, ahead2, along2)
		return
	}
	d.canvas.line(id, dashed, along1, ahead1, along2, ahead2)
}

func (d *drawing) arrow(along, ahead int, failed bool) {
	heads := [2]string{"▼", "▽"}
	switch {
	case d.right && d.plain:
		heads = [2]string{">", ">"}
	case d.right:
		heads = [2]string{"▶", "▷"}
	case d.plain:
		heads = [2]string{"v", "v"}
	}
	head := heads[0]
	if failed {
		head = heads[1]
	}
	if d.right {
		along, ahead = ahead, along
	}
	d.canvas.write(along, ahead, head)
}

// list is the form for graphs that no terminal can show: a line a node, by rows,
// with what it waits for.
func (s *section) list(o GraphOptions) []string {
	if len(s.boxes) == 0 {
		return []string{"(no nodes)"}
	}
	ids, whos := 0, 0
	for _, b := range s.boxes {
		ids, whos = max(ids, cellsOf(b.id)), max(whos, cellsOf(b.who))
	}
	ids, whos = min(ids, 28), min(whos, 24)
	needs := make([][]string, len(s.boxes))
	for _, l := range s.links {
		needs[l.to] = append(needs[l.to], s.boxes[l.from].id)
	}
	ellipsis := "…"
	if o.Plain {
		ellipsis = ".."
	}
	out := make([]string, len(s.boxes))
	for i, b := range s.boxes {
		mark := stateMark(b.state)
		if mark != "" {
			mark += " "
		}
		line := fmt.Sprintf("  %s%s  %s", mark, pad(cut(b.id, ids, ellipsis), ids), pad(cut(b.who, whos, ellipsis), whos))
		if len(needs[i]) > 0 {
			line += "  after " + strings.Join(needs[i], ", ")
		}
		if len(b.notes) > 0 {
			line += "; " + strings.Join(b.notes, "; ")
		}
		if o.Plain {
			line = ascii(line)
		}
		out[i] = strings.TrimRight(cut(line, o.Width, ellipsis), " ")
	}
	return out
}

func pad(s string, to int) string {
	return s + strings.Repeat(" ", max(0, to-cellsOf(s)))
}
