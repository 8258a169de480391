package workflow

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// Measures of the drawing, in pixels of CSS.
const (
	svgMargin  = 24
	svgPad     = 12 // inside a box
	svgTitle   = 20 // height of a box's first line
	svgLine    = 16 // height of every other
	svgBeside  = 24 // between boxes of a row
	svgBend    = 14 // between a long line and what is beside it
	svgAhead   = 44 // between rows, at least
	svgHead    = 8  // length of an arrow's head
	svgHeading = 44
	svgText    = 44   // characters of a line in a box, at most
	svgPage    = 1000 // what is wider is turned to lead right
)

// svgStyle colours the drawing by classes and custom properties alone, so that
// a page that shows it inline can change a node's state by changing its class.
const svgStyle = `
.host-graph{--bg:#fff;--ink:#1c2024;--dim:#60646c;--box:#f9f9fb;--edge:#8b8d98;--line:#cdced6;--bad:#ce2c31;--good:#218358;--warn:#ab6400;--busy:#0d74ce;--off:#8b8d98;
background:var(--bg);font:12px ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
@media (prefers-color-scheme:dark){.host-graph{--bg:#111113;--ink:#edeef0;--dim:#b0b4ba;--box:#18191b;--edge:#777b84;--line:#43484e;--bad:#ff9592;--good:#3dd68c;--warn:#ffca16;--busy:#70b8ff;--off:#777b84}}
.host-graph text{fill:var(--ink)}
.host-graph .heading{font-size:14px;font-weight:600}
.host-graph .lead,.host-graph .note{fill:var(--dim)}
.host-graph .note.else{fill:var(--warn)}
.host-graph .id{font-size:13px;font-weight:600}
.host-graph .frame,.host-graph .inner{fill:var(--box);stroke:var(--line);stroke-width:1.25}
.host-graph .inner{fill:none}
.host-graph .approval .frame{stroke-dasharray:6 3}
.host-graph .edge{fill:none;stroke:var(--edge);stroke-width:1.5}
.host-graph .edge.failed{stroke:var(--bad);stroke-dasharray:5 4}
.host-graph .head{fill:var(--edge)}.host-graph .head.failed{fill:var(--bad)}
.host-graph .level{stroke:var(--line);stroke-dasharray:2 4}
.host-graph .mark{font-weight:700;text-anchor:end}
.host-graph .state-succeeded .frame{stroke:var(--good)}.host-graph .state-succeeded .mark{fill:var(--good)}
.host-graph .state-degraded .frame{stroke:var(--warn)}.host-graph .state-degraded .mark{fill:var(--warn)}
.host-graph .state-failed .frame,.host-graph .state-refused .frame{stroke:var(--bad);stroke-width:2}.host-graph .state-failed .mark,.host-graph .state-refused .mark{fill:var(--bad)}
.host-graph .state-running .frame,.host-graph .state-waiting .frame{stroke:var(--busy);stroke-width:2}.host-graph .state-running .mark,.host-graph .state-waiting .mark{fill:var(--busy)}
.host-graph .state-skipped,.host-graph .state-cancelled,.host-graph .state-pending{opacity:.62}
@media (prefers-reduced-motion:no-preference){.host-graph .state-running .frame{animation:host-graph-pulse 1.6s ease-in-out infinite}}
@keyframes host-graph-pulse{50%{stroke-opacity:.35}}
`

// drawSVG draws all sections below each other as one self-contained SVG. Every
// node is a group with the class "node", its kind and "state-…", the id
// "node-LEVEL-PATH", and data-level and data-node to be found by.
func drawSVG(sections []section) []byte {
	var body bytes.Buffer
	width, y := 0, svgMargin
	for i := range sections {
		s := &sections[i]
		if i > 0 {
			fmt.Fprintf(&body, `<path class="level" d="M%d %dH@W@"/>`+"\n", svgMargin, y)
			y += svgMargin
		}
		sheet := newSheet(s)
		fmt.Fprintf(&body, `<g class="section" data-level="%s" data-prefix="%s">`+"\n", esc(s.level), esc(s.prefix))
		fmt.Fprintf(&body, `<text class="heading" x="%d" y="%d">%s</text>`, svgMargin, y+14, esc(cut(oneLine(s.name), 60, "…")))
		lead := s.lead
		if lead == "" {
			lead = count(len(s.boxes), "node")
		}
		fmt.Fprintf(&body, `<text class="lead" x="%d" y="%d">%s</text>`+"\n", svgMargin, y+30, esc(lead))
		width = max(width, svgMargin*2+max(sheet.w, 8*min(60, len(s.name)), 6*len(lead)))
		y += svgHeading
		sheet.draw(&body, svgMargin, y)
		body.WriteString("</g>\n")
		y += sheet.h + svgMargin
	}
	name := ""
	if len(sections) > 0 {
		name = sections[0].name
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" class="host-graph" role="img" aria-label="%s" width="%d" height="%d" viewBox="0 0 %[2]d %[3]d">`+"\n",
		esc("Graph of the workflow "+oneLine(name)), width, y)
	out.WriteString("<style>" + svgStyle + "</style>\n<defs>")
	for _, failed := range []string{"", " failed"} {
		fmt.Fprintf(&out, `<marker id="host-graph-head%s" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path class="head%s" d="M0 0L8 4L0 8z"/></marker>`,
			strings.Replace(failed, " ", "-", 1), failed)
	}
	out.WriteString("</defs>\n")
	out.Write(bytes.ReplaceAll(body.Bytes(), []byte("H@W@"), []byte("H"+strconv.Itoa(width-svgMargin))))
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// esc makes text safe inside an element or a quoted attribute; what XML cannot
// carry becomes U+FFFD.
func esc(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		c := s[i]
		plain = c >= ' ' && c < 0x7f && c != '<' && c != '>' && c != '&' && c != '"' && c != '\''
	}
	if plain {
		return s
	}
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return "" // a strings.Builder does not fail
	}
	return b.String()
}

// sheet is a section with places for everything, along and ahead as in drawing.
type sheet struct {
	s     *section
	g     *layers
	right bool
	texts [][]string
	boxW  []int
	boxH  []int
	along []extent
	ahead []extent
	w, h  int
}

func newSheet(s *section) *sheet {
	n := len(s.boxes)
	failed := make([]bool, n)
	for i, b := range s.boxes {
		failed[i] = b.failed
	}
	sh := &sheet{s: s, g: newLayers(n, failed, s.links), texts: make([][]string, n), boxW: make([]int, n), boxH: make([]int, n)}
	for i := range s.boxes {
		b := &s.boxes[i]
		texts := append([]string{b.id, b.who}, b.notes...)
		w := 0.0
		for j, t := range texts {
			texts[j] = cut(t, svgText, "…")
			each := 6.5
			if j == 0 {
				each = 7.8
			}
			w = max(w, float64(cellsOf(texts[j]))*each)
		}
		sh.texts[i] = texts
		sh.boxW[i] = int(w) + 2*svgPad + 18 // room for the mark
		sh.boxH[i] = svgPad + svgTitle + svgLine*(len(texts)-1) + svgPad/2
	}
	sh.right = sh.turns()
	sh.place()
	return sh
}

// turns reports whether the graph reads better from left to right: when its
// widest row does not fit a page and that makes it narrower.
func (sh *sheet) turns() bool {
	down, right := 0, 0
	for _, row := range sh.g.rows {
		across, widest := 0, 0
		for _, v := range row {
			w := svgBend
			if int(v) < sh.g.real {
				w = sh.boxW[v] + svgBeside
				widest = max(widest, sh.boxW[v])
			}
			across += w
		}
		down = max(down, across)
		right += widest + svgAhead
	}
	return down > svgPage && right < down
}

func (sh *sheet) place() {
	g := sh.g
	size := func(v int32) int {
		switch {
		case int(v) >= g.real:
			return 1
		case sh.right:
			return sh.boxH[v]
		}
		return sh.boxW[v]
	}
	start := g.place(spacing{
		size: size,
		gap: func(a, b int32) int {
			if int(a) < g.real && int(b) < g.real {
				return svgBeside
			}
			return svgBend
		},
	})
	breadth := 0
	sh.along = make([]extent, len(g.row))
	for v := range start {
		sh.along[v] = extent{start[v], size(int32(v))}
		breadth = max(breadth, start[v]+sh.along[v].size)
	}
	// Where rows are long, their lines need room to turn.
	apart := svgAhead
	if breadth > 400 {
		apart = min(svgAhead+(breadth-400)/12, 3*svgAhead)
	}
	depth := 0
	sh.ahead = make([]extent, len(g.rows))
	for r, row := range g.rows {
		most := 0
		for _, v := range row {
			if int(v) >= g.real {
				continue
			}
			if sh.right {
				most = max(most, sh.boxW[v])
			} else {
				most = max(most, sh.boxH[v])
			}
		}
		if sh.right {
			for _, v := range row {
				if int(v) < g.real {
					sh.boxW[v] = most
				}
			}
		}
		sh.ahead[r] = extent{depth, most}
		depth += most + apart
	}
	depth = max(0, depth-apart)
	sh.w, sh.h = breadth, depth
	if sh.right {
		sh.w, sh.h = depth, breadth
	}
}

func (sh *sheet) draw(out *bytes.Buffer, x, y int) {
	for i, l := range sh.s.links {
		class, head := "edge", ""
		if sh.s.boxes[l.to].failed {
			class, head = "edge failed", "-failed"
		}
		fmt.Fprintf(out, `<path class="%s" data-from="%s" data-to="%s" marker-end="url(#host-graph-head%s)" d="%s"/>`+"\n",
			class, esc(sh.s.boxes[l.from].path), esc(sh.s.boxes[l.to].path), head, sh.path(i, x, y))
	}
	for v := range sh.s.boxes {
		sh.box(out, v, x, y)
	}
}

// path leads a link smoothly through its bends.
func (sh *sheet) path(link, x, y int) string {
	g, l := sh.g, sh.s.links[link]
	var b []byte
	num := func(along, ahead int) {
		if sh.right {
			along, ahead = ahead, along
		}
		b = strconv.AppendInt(b, int64(along+x), 10)
		b = append(b, ' ')
		b = strconv.AppendInt(b, int64(ahead+y), 10)
	}
	from := sh.along[l.from].middle()
	_, end := sh.depth(l.from)
	b = append(b, 'M')
	num(from, end)
	curve := func(along, ahead int) {
		half := (ahead - end) / 2
		b = append(b, 'C')
		num(from, end+half)
		b = append(b, ' ')
		num(along, ahead-half)
		b = append(b, ' ')
		num(along, ahead)
		from, end = along, ahead
	}
	// A box that is shorter than its row has its line led down beside the others.
	if row := sh.ahead[g.row[l.from]]; end < row.start+row.size {
		end = row.start + row.size
		b = append(b, 'L')
		num(from, end)
	}
	for _, v := range g.paths[link] {
		row := sh.ahead[g.row[v]]
		curve(sh.along[v].start, row.start)
		if row.size > 0 {
			end = row.start + row.size
			b = append(b, 'L')
			num(from, end)
		}
	}
	start, _ := sh.depth(l.to)
	curve(sh.along[l.to].middle(), start-svgHead)
	b = append(b, 'L') // the last bit is straight, for the arrow's head
	num(from, start)
	return string(b)
}

// depth is where a box begins and ends, ahead.
func (sh *sheet) depth(v int) (start, end int) {
	row := sh.ahead[sh.g.row[v]]
	if sh.right {
		return row.start, row.start + sh.boxW[v]
	}
	return row.start, row.start + sh.boxH[v]
}

var kindNames = map[Kind]string{PluginNode: "plugin", WorkflowNode: "workflow", ApprovalNode: "approval"}

func (sh *sheet) box(out *bytes.Buffer, v, x, y int) {
	b := &sh.s.boxes[v]
	ahead, _ := sh.depth(v)
	along := sh.along[v].start
	if sh.right {
		along, ahead = ahead, along
	}
	x, y = x+along, y+ahead
	w, h := sh.boxW[v], sh.boxH[v]
	state := ""
	if b.state != "" {
		state = " state-" + string(b.state)
	}
	path := esc(b.path)
	fmt.Fprintf(out, `<g class="node %s%s" id="node-%s-%s" data-level="%[3]s" data-node="%[4]s">`, kindNames[b.kind], esc(state), esc(sh.s.level), path)
	fmt.Fprintf(out, `<title>%s</title>`, esc(strings.Join(append([]string{b.id, b.who}, b.notes...), "\n")))
	round := 6
	if b.kind == ApprovalNode {
		round = 16
	}
	fmt.Fprintf(out, `<rect class="frame" x="%d" y="%d" width="%d" height="%d" rx="%d"/>`, x, y, w, h, round)
	if b.kind == WorkflowNode {
		fmt.Fprintf(out, `<rect class="inner" x="%d" y="%d" width="%d" height="%d" rx="3"/>`, x+4, y+4, w-8, h-8)
	}
	fmt.Fprintf(out, `<text class="mark" x="%d" y="%d">%s</text>`, x+w-svgPad, y+svgPad+10, stateMark(b.state))
	for i, t := range sh.texts[v] {
		class := "note"
		switch {
		case i == 0:
			class = "id"
		case i == 1:
			class = "who"
		case strings.HasPrefix(t, "else "):
			class = "note else"
		}
		fmt.Fprintf(out, `<text class="%s" x="%d" y="%d">%s</text>`, class, x+svgPad, y+svgPad+10+i*svgLine+min(i, 1)*2, esc(t))
	}
	out.WriteString("</g>\n")
}
