package pages

import (
	"context"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"wasmhost/host/event"
)

const (
	logsShown   = 100
	eventsShown = 30
)

// runPage is the page of one run.
type runPage struct {
	Run    *event.RunInfo
	Result *event.Result
	Base   string // "/runs/ID"
	Ended  bool
	Waits  []wait
	Graph  template.HTML
	// NoGraph is why there is none.
	NoGraph  string
	Shares   []bar // of the statuses, where there is no graph
	GraphAt  string
	Table    nodeTable
	FromList []string // nodes that a retry can begin with
	Timeline timeline
	Events   []entry
	OlderEv  bool
	Logs     []entry
	OlderLog uint64
	Input    shown
	Output   shown
	Levels   []event.Level
	// What can be done now.
	CanCancel, CanResume, CanRetry bool
}

// wait is what a part of the run waits for, and what a person can do.
type wait struct {
	event.Wait
	To    string // the node's page
	Known bool   // a person can answer it
	Place int    // for the ids of its fields
}

// run draws the page again when the run ended while it was drawn: a page that
// shows an end and does not know what led to it would wait for nothing.
func (p *Pages) run(r *http.Request) (*view, error) {
	for again := 2; ; again-- {
		v, stale, err := p.runOnce(r)
		if err != nil || !stale || again == 0 {
			return v, err
		}
	}
}

// runOnce reads what the page shows, one thing after another; stale is whether
// the run ended, or went on, in between.
func (p *Pages) runOnce(r *http.Request) (v *view, stale bool, err error) {
	ctx := r.Context()
	info, err := p.service.RunInfo(ctx, r.PathValue("id"))
	if err != nil {
		return nil, false, err
	}
	// First what has happened, then how it stands: what comes later is told.
	events, err := back(ctx, p.service, info.ID, 0, eventsMost, everything)
	if err != nil {
		return nil, false, err
	}
	if info, err = p.service.RunInfo(ctx, info.ID); err != nil {
		return nil, false, err
	}
	b := runPage{Run: info, Base: "/runs/" + url.PathEscape(info.ID), Ended: info.Status.Ended()}
	if b.Result, err = p.service.RunResult(ctx, info.ID); err != nil {
		return nil, false, err
	}
	waits, err := p.service.Why(ctx, info.ID)
	if err != nil {
		return nil, false, err
	}
	for i, w := range waits {
		if w.Kind == "ended" && (w.Node == "" || b.Ended) {
			continue // the page says so already
		}
		one := wait{Wait: w, Known: w.Kind == "approval" || w.Kind == "outcome_unknown", Place: i}
		if w.Node != "" {
			one.To = nodeAt(info.ID, "", w.Node)
		}
		b.Waits = append(b.Waits, one)
	}
	b.Waits = b.Waits[:min(len(b.Waits), 50)]

	rows := rowsOf(info.ID, b.Result)
	b.Table = tableOf(info.ID, rows, r.URL.Query())
	p.drawRun(ctx, &b, len(rows))
	if len(rows) <= 200 {
		for _, row := range rows {
			if row.Depth == 0 {
				b.FromList = append(b.FromList, row.Path)
			}
		}
	}
	p.history(&b, events)
	b.Input, b.Output = showValue(info.Input, b.Base+"/raw?of=input"), showValue(b.Result.Output, b.Base+"/raw?of=output")
	if len(b.Result.Levels) > 1 {
		b.Levels = b.Result.Levels
	}
	b.CanCancel = !b.Ended
	b.CanResume = info.Status == event.Running && !info.Alive
	b.CanRetry = b.Ended
	v = &view{Name: "run", Title: "Run " + info.ID, Nav: "runs", Body: &b}
	if !b.Ended {
		v.Live, v.After = "/v1/runs/"+url.PathEscape(info.ID)+"/events", events.Last
	}
	return v, b.Ended != events.ended() && len(events.Entries) > 0, nil
}

// drawRun puts the graph into the page, where it is small enough to be read.
func (p *Pages) drawRun(ctx context.Context, b *runPage, rows int) {
	b.GraphAt = "/v1/workflows/" + url.PathEscape(b.Run.Workflow) + "/graph.svg?run=" + url.QueryEscape(b.Run.ID)
	if info, _, err := p.service.Workflow(ctx, b.Run.Workflow); err != nil {
		b.NoGraph, b.GraphAt = "This workflow is not served any more, so there is no graph of it.", ""
		return
	} else if info.Nodes > graphNodes || rows > 2*graphNodes {
		b.NoGraph = "A graph of " + plural(max(info.Nodes, rows), "node") + " is too large for this page. How they stand:"
		b.Shares = shares(b.Table.Counts, max(info.Nodes, rows))
		return
	}
	svg, err := p.service.Graph(ctx, b.Run.Workflow, b.Run.ID)
	if err == nil {
		b.Graph, err = inline(svg, func(level, node string) string { return nodeAt(b.Run.ID, level, node) })
	}
	if err != nil {
		b.NoGraph = "The graph cannot be shown: " + line(wording(err))
	}
}

// history fills in what the events say.
func (p *Pages) history(b *runPage, events stretch) {
	if events.Older == 0 {
		b.Timeline = timelineOf(b.Run.ID, events.Entries, p.now())
	} else {
		b.Timeline.Missing = "This run has " + number(int(events.Last)) + " events, too many to draw; the pages of the nodes have theirs."
	}
	for _, e := range events.Entries {
		if e.Type == event.Log {
			b.Logs = append(b.Logs, e)
		} else {
			b.Events = append(b.Events, e)
		}
	}
	b.OlderLog = events.Older
	if n := len(b.Logs); n > logsShown {
		b.Logs = b.Logs[n-logsShown:]
		b.OlderLog = b.Logs[0].Seq
	}
	b.OlderEv = events.Older > 0
	if n := len(b.Events); n > eventsShown {
		b.Events, b.OlderEv = b.Events[n-eventsShown:], true
	}
	p.whole(b.Base, b.Logs)
}

// whole says where the long lines of a log can be read to their end.
func (p *Pages) whole(base string, logs []entry) {
	for i := range logs {
		if !logs[i].Text.Whole {
			logs[i].Text.Raw = base + "/raw?of=event&seq=" + strconv.FormatUint(logs[i].Seq, 10)
		}
	}
}

// shares lays the counts of statuses out as parts of a whole.
func shares(counts []nodeCount, all int) []bar {
	var out []bar
	at := 0
	for _, c := range counts {
		if c.Status == "" || c.Count == 0 {
			continue
		}
		out = append(out, bar{Kind: string(c.Status), X: percent(time.Duration(at), time.Duration(all)), W: percent(time.Duration(c.Count), time.Duration(all)), Text: number(c.Count) + " " + string(c.Status)})
		at += c.Count
	}
	if rest := all - at; rest > 0 {
		out = append(out, bar{Kind: "wait", X: percent(time.Duration(at), time.Duration(all)), W: percent(time.Duration(rest), time.Duration(all)), Text: number(rest) + " not begun"})
	}
	return out
}
