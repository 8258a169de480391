package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// board is the state of a run as events tell it: a row a node. It draws
// nothing and knows no terminal.
type board struct {
	workflow string
	run      string
	began    time.Time
	took     time.Duration
	status   event.Status
	health   string
	whole    time.Time // when the whole run is tried again

	// answer is what to type for a node that waits for a person; nil: nothing.
	answer func(*event.Event) string

	rows   []*row
	byKey  map[rowKey]*row
	levels map[int]string // names of the levels that were reached
}

type rowKey struct {
	level int
	flow  string
	path  string
}

// row is one node; the items of a for_each share one.
type row struct {
	level   int
	flow    string // the workflow that the node belongs to
	path    string
	again   bool // another workflow has a row of the same level and path
	status  event.Status
	began   time.Time
	took    time.Duration
	attempt int
	retryAt time.Time
	asking  string // the fallback that is being asked
	by      string // who answered
	text    string // the last error, or the reason
	retries int

	items *itemCounts
}

// newBoard makes a board with the nodes of a plan; without one they are learned
// from events.
func newBoard(p *workflow.Plan) *board {
	b := &board{status: event.Running, byKey: map[rowKey]*row{}, levels: map[int]string{}}
	if p == nil {
		return b
	}
	b.workflow, b.levels[0] = p.Name, p.Name
	for i := range p.Nodes {
		b.row(rowKey{0, p.Name, p.Nodes[i].ID})
	}
	return b
}

func (b *board) row(k rowKey) *row {
	r := b.byKey[k]
	if r == nil {
		r = &row{level: k.level, flow: k.flow, path: k.path, status: event.Pending}
		r.again = slices.ContainsFunc(b.rows, func(o *row) bool { return o.level == k.level && o.path == k.path })
		b.byKey[k] = r
		b.rows = slices.Insert(b.rows, b.placeFor(k), r)
	}
	return r
}

// placeFor is where a new row goes: those of a sub-workflow below their node.
func (b *board) placeFor(k rowKey) int {
	slash := strings.LastIndexByte(k.path, '/')
	if slash < 0 {
		return len(b.rows)
	}
	parent := k.path[:slash]
	for i := len(b.rows) - 1; i >= 0; i-- {
		r := b.rows[i]
		if r.level == k.level && (r.path == parent || strings.HasPrefix(r.path, parent+"/")) {
			return i + 1
		}
	}
	return len(b.rows)
}

// withoutItems takes the item numbers out of a path: "a[2]/b" is "a/b".
func withoutItems(path string) string {
	if !strings.Contains(path, "[") {
		return path
	}
	var out strings.Builder
	depth := 0
	for _, c := range path {
		switch {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case depth == 0:
			out.WriteRune(c)
		}
	}
	return out.String()
}

// take learns from an event.
func (b *board) take(e *event.Event) {
	switch e.Type {
	case event.RunStarted:
		b.run, b.began = e.Run, e.Time
		return
	case event.RunResumed:
		b.run, b.status = e.Run, event.Running
		if b.began.IsZero() {
			b.began = e.Time
		}
		return
	case event.RunFinished:
		b.status, b.took = e.Status, millis(e.DurationMS)
		return
	case event.HealthChecked:
		b.health = healthLine(e)
		return
	case event.FallbackUsed:
		if e.AnsweredBy == "" {
			// A level within a level has its number; its rows name it.
			if e.Node == "" && b.levels[e.Level] == "" {
				b.levels[e.Level] = e.Workflow
			}
			return
		}
	case event.NodeRetrying:
		if e.Node == "" {
			b.whole = e.Time.Add(millis(e.RetryInMS))
			return
		}
	}
	if e.Node == "" {
		return
	}
	path := withoutItems(e.Node)
	flow := e.Workflow
	if flow == "" {
		flow = b.levels[e.Level]
	}
	r := b.row(rowKey{e.Level, flow, path})
	if path != e.Node {
		r.item(e)
	} else {
		r.take(e)
	}
	if e.Type == event.NodeWaiting && b.answer != nil {
		r.text = clean(e.Reason) + ": " + b.answer(e)
	}
}

func (r *row) take(e *event.Event) {
	switch e.Type {
	case event.NodeStarted:
		if r.status != event.Running {
			r.began = e.Time
		}
		r.status, r.text, r.retryAt = event.Running, "", time.Time{}
		r.attempt = max(r.attempt, 1)
	case event.NodeAttemptFailed:
		r.attempt, r.text = e.Attempt, failureText(e.Error)
	case event.NodeRetrying:
		r.attempt, r.retryAt = e.Attempt, e.Time.Add(millis(e.RetryInMS))
		r.retries++
	case event.FallbackUsed:
		r.asking, r.retryAt = answerer(e), time.Time{}
	case event.NodeSucceeded:
		asked := r.asking
		r.end(e)
		r.by, r.text = "", clean(e.Reason)
		if who := whoAnswered(e); who != "" {
			r.by = strings.TrimPrefix(who, ", ")
			if strings.HasPrefix(asked, e.AnsweredBy) {
				r.by = "answered by " + asked
			}
		}
	case event.NodeFailed:
		r.end(e)
		r.text = failureText(e.Error)
	case event.NodeSkipped:
		r.end(e)
		r.text = clean(e.Reason)
	case event.NodeWaiting:
		r.status, r.text = event.Waiting, clean(e.Reason)
	}
}

func (r *row) end(e *event.Event) {
	r.status, r.took, r.retryAt, r.asking = e.Status, millis(e.DurationMS), time.Time{}, ""
	if e.Attempt > 0 {
		r.attempt = e.Attempt
	}
}

// active reports whether something happens there now.
func (r *row) active() bool { return r.status == event.Running || r.status == event.Waiting }

// say is what stands behind the node's name.
func (r *row) say(now time.Time) string {
	var parts []string
	add := func(format string, a ...any) { parts = append(parts, fmt.Sprintf(format, a...)) }
	switch r.status {
	case event.Pending:
		return ""
	case event.Running:
		switch {
		case r.items != nil:
			r.items.say(now, add)
		case now.Before(r.retryAt):
			add("attempt %d in %s", r.attempt, tenths(r.retryAt.Sub(now)))
		case r.asking != "":
			add("asking %s", r.asking)
		case r.attempt > 1:
			add("attempt %d", r.attempt)
		}
		add("%s", tenths(now.Sub(r.began)))
		if r.text != "" {
			add("%s", r.text)
		}
	case event.Succeeded, event.Degraded:
		add("%s", span(r.took))
		if r.items != nil {
			add("%s", counted(r.items.done+r.items.failed, "item"))
			if r.items.failed > 0 {
				add("%d failed", r.items.failed)
			}
		}
		if r.retries > 0 {
			add("%s", counted(r.retries, "retry"))
		}
		if r.by != "" {
			add("%s", r.by)
		}
		if r.text != "" {
			add("%s", r.text)
		}
	case event.Failed, event.Cancelled:
		if r.took > 0 {
			add("%s", span(r.took))
		}
		if r.attempt > 1 {
			add("%s", counted(r.attempt, "attempt"))
		}
		if r.text != "" {
			add("%s", r.text)
		}
	default:
		add("%s", r.status)
		if r.text != "" {
			add("%s", r.text)
		}
	}
	return strings.Join(parts, " · ")
}

// tenths is a short time that is redrawn: always with one digit.
func tenths(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", max(d, 0).Seconds())
	}
	return span(d)
}

// parked reports whether a person is waited for.
func (b *board) parked() bool {
	return slices.ContainsFunc(b.rows, func(r *row) bool { return r.status == event.Waiting || r.items != nil && len(r.items.asking) > 0 })
}

// counts sums the states of all rows.
func (b *board) counts() map[event.Status]int {
	out := map[event.Status]int{}
	for _, r := range b.rows {
		out[r.status]++
	}
	return out
}
