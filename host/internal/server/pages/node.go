package pages

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"wasmhost/host/event"
)

const itemsShown = 50

// nodePage is a node, an item, or a node of a sub-workflow.
type nodePage struct {
	Run      *event.RunInfo
	Base     string
	Path     string
	Level    string
	Node     *event.NodeResult // nil: nothing is known of it yet
	Why      string
	Output   shown
	Attempts []attempt
	Loose    []entry // log lines of no attempt that is shown
	Older    string
	Items    []itemRow
	ItemsAll int
	ItemPrev string
	ItemNext string
	Inside   []nodeRow // of a sub-workflow
	Waits    []wait
	CanRetry bool
}

// attempt is one call of a node.
type attempt struct {
	Number  int
	Status  event.Status
	Entry   entry // how it ended, or that it began
	Began   *entry
	Error   *event.Error
	WaitMS  float64
	Answers string
	Logs    []entry
}

// itemRow is an item of a for_each.
type itemRow struct {
	Index int
	*event.NodeResult
	To  string
	Why string
}

func (p *Pages) node(r *http.Request) (*view, error) {
	ctx, q := r.Context(), r.URL.Query()
	info, err := p.service.RunInfo(ctx, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	result, err := p.service.RunResult(ctx, info.ID)
	if err != nil {
		return nil, err
	}
	b := nodePage{Run: info, Base: "/runs/" + url.PathEscape(info.ID), Path: q.Get("node"), Level: q.Get("level"), CanRetry: info.Status.Ended()}
	if b.Level == "" {
		b.Level = "0"
		if result.Nodes[firstOf(b.Path)] != nil {
			b.Level = strconv.Itoa(result.Level)
		}
	}
	b.Node = find(result, b.Level, b.Path)
	level := b.Level
	before, _ := strconv.ParseUint(q.Get("before"), 10, 64)
	events, err := back(ctx, p.service, info.ID, before, 400, func(e *event.Event) bool {
		return e.Node == b.Path && strconv.Itoa(e.Level) == topLevel(level)
	})
	if err != nil {
		return nil, err
	}
	if b.Path == "" || b.Node == nil && len(events.Entries) == 0 {
		// Nothing has happened to it. Of a run that goes on, its graph knows whether
		// anything will.
		svg, err := []byte(nil), error(nil)
		if !info.Status.Ended() {
			svg, err = p.service.Graph(ctx, info.Workflow, info.ID)
		}
		if err != nil || !drawn(svg, b.Level, firstOf(b.Path)) {
			return nil, &event.Error{Class: event.Permanent, Code: "not_found", Message: "run " + info.ID + " has no node " + line(b.Path)}
		}
	}
	p.whole(b.Base, events.Entries)
	b.attempts(events.Entries)
	if events.Older > 0 {
		b.Older = nodeAt(info.ID, b.Level, b.Path) + "&before=" + strconv.FormatUint(events.Older, 10)
	}
	if b.Node != nil {
		b.result(q)
	}
	waits, err := p.service.Why(ctx, info.ID)
	if err != nil {
		return nil, err
	}
	for i, w := range waits {
		if w.Node == b.Path && w.Kind != "ended" {
			b.Waits = append(b.Waits, wait{Wait: w, Known: w.Kind == "approval" || w.Kind == "outcome_unknown", Place: i})
		}
	}
	v := &view{Name: "node", Title: "Node " + line(b.Path), Nav: "runs", Body: &b}
	if !info.Status.Ended() {
		v.Live, v.After = "/v1/runs/"+url.PathEscape(info.ID)+"/events", events.Last
	}
	return v, nil
}

// topLevel is the number of a level of the run, of "1" and of "1.2".
func topLevel(level string) string {
	top, _, _ := strings.Cut(level, ".")
	return top
}

func firstOf(path string) string {
	first, _, _ := strings.Cut(path, "/")
	first, _, _ = strings.Cut(first, "[")
	return first
}

// result fills in what the node came to.
func (b *nodePage) result(q url.Values) {
	n := b.Node
	b.Why = whyNode(n)
	self := nodeAt(b.Run.ID, b.Level, b.Path)
	raw := b.Base + "/raw?" + url.Values{"of": {"node"}, "node": {b.Path}, "level": {b.Level}}.Encode()
	b.Output = showValue(n.Output, raw)
	b.ItemsAll = len(n.Items)
	from, _ := strconv.Atoi(q.Get("from"))
	from = max(0, min(from, len(n.Items)))
	end := min(from+itemsShown, len(n.Items))
	for i := from; i < end; i++ {
		if n.Items[i] == nil {
			continue
		}
		b.Items = append(b.Items, itemRow{Index: i, NodeResult: n.Items[i], Why: whyNode(n.Items[i]), To: nodeAt(b.Run.ID, b.Level, b.Path+"["+strconv.Itoa(i)+"]")})
	}
	if from > 0 {
		b.ItemPrev = self + "&from=" + strconv.Itoa(max(0, from-itemsShown)) + "#items"
	}
	if end < len(n.Items) {
		b.ItemNext = self + "&from=" + strconv.Itoa(end) + "#items"
	}
	if n.Run != nil {
		level, _ := strconv.Atoi(topLevel(b.Level))
		rows := rowsOf(b.Run.ID, &event.Result{Level: level, Nodes: n.Run.Nodes})
		for i := range rows {
			rows[i].Path = b.Path + "/" + rows[i].Path
			rows[i].To = nodeAt(b.Run.ID, b.Level, rows[i].Path)
		}
		b.Inside = rows[:min(len(rows), nodesShown)]
	}
}

// attempts groups what happened to the node by its calls.
func (b *nodePage) attempts(entries []entry) {
	last := func() *attempt {
		if len(b.Attempts) == 0 {
			return nil
		}
		return &b.Attempts[len(b.Attempts)-1]
	}
	begin := func(number int, e *entry) {
		b.Attempts = append(b.Attempts, attempt{Number: number, Status: event.Running, Entry: *e, Began: e})
	}
	for i := range entries {
		e := &entries[i]
		a := last()
		switch e.Type {
		case event.NodeStarted:
			if a == nil || a.Status != event.Running {
				begin(max(1, e.Attempt), e)
			}
		case event.NodeAttemptFailed:
			if a == nil || a.Status != event.Running {
				begin(e.Attempt, e)
				a = last()
			}
			a.Number, a.Status, a.Entry, a.Error = e.Attempt, event.Failed, *e, e.Error
		case event.NodeRetrying:
			if a != nil {
				a.WaitMS = e.RetryInMS
			}
			begin(e.Attempt, e)
		case event.FallbackUsed:
			if a != nil && a.Status == event.Running && a.Began != nil && a.Began.Type != event.NodeStarted {
				b.Attempts = b.Attempts[:len(b.Attempts)-1]
			}
			next := 1
			if a = last(); a != nil {
				next = a.Number + 1
			}
			begin(next, e)
			last().Answers = e.AnsweredBy
		case event.NodeSucceeded, event.NodeFailed, event.NodeSkipped:
			if a == nil || a.Status != event.Running {
				if e.Type == event.NodeSkipped || e.Attempt == 0 || e.Type == event.NodeFailed {
					continue
				}
				begin(e.Attempt, e)
				a = last()
			}
			a.Status, a.Entry, a.Error = e.Status, *e, e.Error
			if e.Attempt > 0 {
				a.Number = e.Attempt
			}
			if e.Type == event.NodeSucceeded {
				a.Answers = e.AnsweredBy
			}
		case event.NodeWaiting:
			if a != nil && a.Status == event.Running {
				a.Status = event.Waiting
			}
		case event.Log:
			if a != nil && (e.Attempt == 0 || e.Attempt == a.Number) {
				a.Logs = append(a.Logs, *e)
			} else {
				b.Loose = append(b.Loose, *e)
			}
		}
	}
}
