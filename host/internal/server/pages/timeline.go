package pages

import (
	"fmt"
	"html/template"
	"time"

	"wasmhost/host/event"
)

const (
	barsMost   = 60    // rows of a timeline
	eventsMost = 1_500 // events that one is drawn of
)

// bar is a stretch of a node's time: an attempt, or a wait.
type bar struct {
	Kind       string // succeeded, failed, running, wait, asked …
	From, To   time.Time
	Attempt    int
	Text       string
	X, W       string // in percent
	unfinished bool
}

// barRow is a node of a timeline.
type barRow struct {
	Path, To string
	Bars     []bar
}

// timeline shows when which node did what.
type timeline struct {
	Rows   []barRow
	Hidden int // rows that there is no room for
	Length string
	// Why there is none.
	Missing string
}

// timelineOf draws the events of a run, complete and in order.
func timelineOf(run string, entries []entry, now time.Time) timeline {
	rows := map[string]*barRow{}
	var order []string
	var start, end time.Time
	over := false
	for _, e := range entries {
		if start.IsZero() || e.Time.Before(start) {
			start = e.Time
		}
		if e.Time.After(end) {
			end = e.Time
		}
		over = e.Type == event.RunFinished
		if e.Node == "" || e.Type == event.Log || e.Type == event.BreakerChanged {
			continue
		}
		key := fmt.Sprint(e.Level, " ", e.Node)
		row := rows[key]
		if row == nil {
			row = &barRow{Path: e.Node, To: nodeAt(run, fmt.Sprint(e.Level), e.Node)}
			rows[key] = row
			order = append(order, key)
		}
		row.take(e.Event)
	}
	if !over && now.After(end) {
		end = now
	}
	t := timeline{}
	total := end.Sub(start)
	if total <= 0 || len(order) == 0 {
		t.Missing = "Nothing has taken any time yet."
		return t
	}
	t.Length = duration(float64(total) / 1e6)
	for _, key := range order {
		row := rows[key]
		if len(t.Rows) == barsMost {
			t.Hidden++
			continue
		}
		for i := range row.Bars {
			b := &row.Bars[i]
			if b.unfinished {
				b.To = end
			}
			b.X = percent(b.From.Sub(start), total)
			b.W = percent(max(b.To.Sub(b.From), total/400), total)
			b.Text = fmt.Sprintf("%s, %s", b.Text, duration(float64(b.To.Sub(b.From))/1e6))
		}
		t.Rows = append(t.Rows, *row)
	}
	return t
}

func percent(d, of time.Duration) string {
	return fmt.Sprintf("%.2f%%", min(100, max(0, 100*float64(d)/float64(of))))
}

// take adds what an event says to the bars of its node.
func (r *barRow) take(e *event.Event) {
	open := func(kind, text string, from time.Time) {
		r.Bars = append(r.Bars, bar{Kind: kind, From: from, Attempt: e.Attempt, Text: text, unfinished: true})
	}
	shut := func(kind string) {
		if n := len(r.Bars); n > 0 && r.Bars[n-1].unfinished {
			b := &r.Bars[n-1]
			b.To, b.unfinished = e.Time, false
			if kind != "" && b.Kind == "running" {
				b.Kind, b.Text = kind, fmt.Sprintf("attempt %d %s", b.Attempt, kind)
			}
		}
	}
	switch e.Type {
	case event.NodeStarted:
		shut("")
		open("running", "at work", e.Time)
		r.Bars[len(r.Bars)-1].Attempt = max(1, e.Attempt)
	case event.NodeAttemptFailed:
		shut("failed")
		open("running", "at work", e.Time)
		r.Bars[len(r.Bars)-1].Attempt = e.Attempt + 1
	case event.NodeRetrying:
		if n := len(r.Bars); n > 0 && r.Bars[n-1].unfinished {
			r.Bars = r.Bars[:n-1]
		}
		wake := e.Time.Add(time.Duration(e.RetryInMS * 1e6))
		r.Bars = append(r.Bars, bar{Kind: "wait", From: e.Time, To: wake, Text: fmt.Sprintf("waiting for attempt %d", e.Attempt)})
		open("running", "at work", wake)
	case event.FallbackUsed:
		shut("failed")
		open("running", "the fallback "+e.AnsweredBy, e.Time)
	case event.NodeWaiting:
		shut("")
		open("wait", "waiting for a person", e.Time)
	case event.NodeSucceeded, event.NodeFailed, event.NodeSkipped:
		shut(string(e.Status))
	}
}

// describe says in a sentence what an event tells.
func describe(e entry) template.HTML {
	say := func(format string, a ...any) template.HTML {
		for i := range a {
			if s, ok := a[i].(string); ok {
				a[i] = template.HTMLEscapeString(line(s))
			}
		}
		return template.HTML(fmt.Sprintf(format, a...))
	}
	who := e.Plugin
	if e.Function != "" && e.Function != "run" {
		who += "." + e.Function
	}
	why := ""
	if e.Error != nil {
		why = e.Error.Error()
	}
	switch e.Type {
	case event.RunStarted:
		return say("The run started")
	case event.RunResumed:
		return say("The run goes on")
	case event.RunFinished:
		return say("The run ended: <b>%s</b> %s", string(e.Status), why)
	case event.HealthChecked:
		if e.Health != nil && !e.Health.OverallHealthy {
			return say("Health checked: <b>unhealthy</b>")
		}
		return say("Health checked: healthy")
	case event.NodeStarted:
		if who == "" {
			return say("started")
		}
		return say("started, asks <code>%s</code>", who)
	case event.NodeAttemptFailed:
		return say("attempt %d failed: %s", e.Attempt, why)
	case event.NodeRetrying:
		return say("attempt %d in %s", e.Attempt, duration(e.RetryInMS))
	case event.NodeSucceeded:
		s := say("<b>%s</b> after %s", string(e.Status), duration(e.DurationMS))
		if e.AnsweredBy != "" && e.AnsweredBy != "primary" {
			s += say(", answered by %s", e.AnsweredBy)
		}
		return s
	case event.NodeFailed:
		return say("<b>%s</b>: %s", string(e.Status), why)
	case event.NodeSkipped:
		return say("<b>%s</b>: %s", string(e.Status), e.Reason)
	case event.NodeWaiting:
		return say("waits: %s", e.Reason)
	case event.BreakerChanged:
		return say("breaker <code>%s</code>: %s → <b>%s</b>", e.Breaker, e.From, e.To)
	case event.FallbackUsed:
		if e.Node == "" {
			return say("level %d, <b>%s</b>, is tried: %s", e.Level, e.Workflow, why)
		}
		return say("%s is asked: %s", e.AnsweredBy, why)
	case event.PluginSwapped:
		return say("plugin <code>%s</code> was swapped: %s → %s", e.Plugin, short(e.From), short(e.To))
	}
	return say("%s %s", string(e.Type), e.Reason)
}
