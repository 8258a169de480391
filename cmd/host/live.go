package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"wasmhost/host/event"
)

// live draws a board on a terminal and redraws it in place, at most ten times a
// second. What it does not own (lines above the block) it never touches.
type live struct {
	w       io.Writer
	size    func() (columns, rows int)
	now     func() time.Time
	verbose bool
	signs   map[event.Status]string
	spinner []string

	mu    sync.Mutex
	board *board
	above []string // lines to write above the block
	drawn []int    // widths of the lines on the screen
	turn  int
	over  bool
	left  string // why no more is shown of a run that has not ended
	stop  chan struct{}
	ended chan struct{}
}

const redraw = 100 * time.Millisecond

func newLive(b *board, w io.Writer, verbose bool) *live {
	l := &live{w: w, size: func() (int, int) { return size(w) }, now: time.Now, verbose: verbose, board: b,
		signs: fancySigns, spinner: fancySpinner, stop: make(chan struct{}), ended: make(chan struct{})}
	if !utf8Terminal() {
		l.signs, l.spinner = plainSigns, plainSpinner
	}
	go l.loop()
	return l
}

var fancySpinner = strings.Split("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "")
var plainSpinner = []string{"|", "/", "-", "\\"}

// The signs with their colours: green, yellow, red, cyan, dim.
var fancySigns = map[event.Status]string{
	event.Succeeded: "32✓", event.Degraded: "33~", event.Failed: "31✗", event.Refused: "31✗", event.Cancelled: "31×",
	event.Skipped: "2-", event.Pending: "2·", event.Waiting: "36?",
}

var plainSigns = map[event.Status]string{
	event.Succeeded: "32+", event.Degraded: "33~", event.Failed: "31x", event.Refused: "31x", event.Cancelled: "31x",
	event.Skipped: "2-", event.Pending: "2.", event.Waiting: "36?",
}

// Emit takes an event. The block is drawn by the loop, so that a run with many
// events does not wait for the terminal.
func (l *live) Emit(e *event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.board.take(e)
	switch e.Type {
	case event.BreakerChanged, event.PluginSwapped, event.Log, event.RunResumed:
		if text := sayEvent(e, l.verbose); text != "" {
			l.above = append(l.above, text)
		}
	case event.FallbackUsed, event.NodeAttemptFailed:
		if l.verbose || e.AnsweredBy == "" && e.Type == event.FallbackUsed {
			l.above = append(l.above, sayEvent(e, l.verbose))
		}
	}
}

func (l *live) note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.above = append(l.above, text)
}

func (l *live) loop() {
	defer close(l.ended)
	t := time.NewTicker(redraw)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			l.draw(false)
		case <-l.stop:
			l.draw(true)
			return
		}
	}
}

// Close draws the last state and stops. Closing twice is harmless.
func (l *live) Close(stopped string) {
	l.mu.Lock()
	first := !l.over
	if first {
		l.over, l.left = true, stopped
	}
	l.mu.Unlock()
	if first {
		close(l.stop)
	}
	<-l.ended
}

// draw writes the block over the one before, in one write.
func (l *live) draw(last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last && l.left == "" && l.board.status == event.Running && l.board.parked() {
		l.board.status = event.Waiting // no event says so: the run has not ended
	}
	columns, rows := l.size()
	lines := l.lines(columns, max(rows-2, 3), last)
	var out bytes.Buffer
	if up := l.height(columns); up > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", up)
	}
	out.WriteString("\r\x1b[J")
	for _, a := range l.above {
		out.WriteString(a + "\n")
	}
	l.above, l.drawn = nil, l.drawn[:0]
	for _, line := range lines {
		out.WriteString(line.painted() + "\n")
		l.drawn = append(l.drawn, line.cells())
	}
	_, _ = l.w.Write(out.Bytes()) // nobody is left to tell when stderr is gone
}

// height is how many rows the block takes now: a terminal that became narrower
// has broken its lines.
func (l *live) height(columns int) int {
	n := 0
	for _, w := range l.drawn {
		n += max(1, (w+columns-1)/max(columns, 1))
	}
	return n
}

// screenLine is a line of the block: a sign in colour, text, dimmed text.
type screenLine struct {
	tone, sign string
	text, dim  string
}

func (s screenLine) cells() int { return cellsIn(s.sign) + cellsIn(s.text) + cellsIn(s.dim) }

func (s screenLine) painted() string {
	out := s.text
	if s.sign != "" {
		out = "\x1b[" + s.tone + "m" + s.sign + "\x1b[0m" + out
	}
	if s.dim != "" {
		out += "\x1b[2m" + s.dim + "\x1b[0m"
	}
	return out
}

// lines are the block: a heading, the nodes that fit, and counts of the others.
func (l *live) lines(columns, most int, last bool) []screenLine {
	b, now := l.board, l.now()
	l.turn++
	shown, hidden := l.choose(most - 2)
	name := 0
	for _, r := range shown {
		name = max(name, cellsIn(l.label(r)))
	}
	name = min(name, max(columns/3, 8))
	out := []screenLine{l.heading(now)}
	level := 0
	for _, r := range shown {
		if r.level != level && b.levels[r.level] != "" {
			level = r.level
			out = append(out, screenLine{dim: fmt.Sprintf("  level %d: %s", level, clean(b.levels[level]))})
		}
		out = append(out, l.line(r, name, columns, now, last))
	}
	if hidden != "" {
		out = append(out, screenLine{dim: "  " + hidden})
	}
	for i := range out {
		out[i] = out[i].fit(columns - 1)
	}
	return out
}

func (s screenLine) fit(most int) screenLine {
	room := most - cellsIn(s.sign)
	s.text = short(s.text, max(room, 1))
	room -= cellsIn(s.text)
	if room < 2 {
		s.dim = ""
	} else {
		s.dim = short(s.dim, room)
	}
	return s
}

// choose takes all rows when they fit, else those where something happens or
// went wrong, and tells the counts of the others.
func (l *live) choose(most int) (shown []*row, hidden string) {
	b := l.board
	if len(b.rows)+len(b.levels)-1 <= most {
		return b.rows, ""
	}
	most--
	take := func(want func(*row) bool) {
		for _, r := range b.rows {
			if len(shown) < most && want(r) {
				shown = append(shown, r)
			}
		}
	}
	take((*row).active)
	take(func(r *row) bool { return r.status == event.Failed })
	take(func(r *row) bool { return r.status == event.Degraded })
	counts := b.counts()
	for _, r := range shown {
		counts[r.status]--
	}
	var parts []string
	for _, s := range []event.Status{event.Running, event.Waiting, event.Failed, event.Degraded, event.Succeeded, event.Skipped, event.Cancelled, event.Pending} {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	return shown, "and " + strings.Join(parts, ", ")
}

// label is the node's path; rows of a level within a level or within a node say
// whose they are, where the same path is there already.
func (l *live) label(r *row) string {
	if r.again {
		return clean(r.path) + " (" + clean(r.flow) + ")"
	}
	return clean(r.path)
}

func (l *live) heading(now time.Time) screenLine {
	b := l.board
	done := 0
	for _, r := range b.rows {
		if r.status.Ended() {
			done++
		}
	}
	s := screenLine{tone: "36", sign: l.spinner[l.turn%len(l.spinner)], text: " " + clean(b.workflow)}
	took := b.took
	if b.status == event.Running || b.status == event.Waiting {
		switch {
		case b.status == event.Waiting:
			s.tone, s.sign = l.sign(b.status)
			s.text += " waiting"
		case l.left != "":
			s.tone, s.sign = l.sign(event.Cancelled)
			s.text += " " + l.left
		}
		if !b.began.IsZero() {
			took = now.Sub(b.began)
		}
		s.dim = fmt.Sprintf("  %d of %s · %s", done, counted(len(b.rows), "node"), tenths(took))
	} else {
		s.tone, s.sign = l.sign(b.status)
		s.text += " " + string(b.status)
		s.dim = " · " + span(took)
	}
	if now.Before(b.whole) && b.status == event.Running {
		s.dim += " · the whole run again in " + tenths(b.whole.Sub(now))
	}
	if b.health != "" {
		s.dim += " · " + b.health
	}
	s.dim += " · run " + b.run
	return s
}

func (l *live) sign(s event.Status) (tone, sign string) {
	sign, ok := l.signs[s]
	if !ok {
		return "36", l.spinner[l.turn%len(l.spinner)]
	}
	end := 0
	for end < len(sign) && sign[end] >= '0' && sign[end] <= '9' {
		end++
	}
	return sign[:end], sign[end:]
}

func (l *live) line(r *row, name, columns int, now time.Time, last bool) screenLine {
	s := screenLine{}
	s.tone, s.sign = l.sign(r.status)
	if last && r.status == event.Running {
		s.sign = "·"
	}
	s.sign = "  " + s.sign
	s.text = " " + pad(short(l.label(r), name), name)
	if text := r.say(now); text != "" {
		s.dim = "  " + text
	}
	return s
}
