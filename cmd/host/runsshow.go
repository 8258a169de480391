package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
	"wasmhost/host/event"
)

func (a *app) runsShowCommand() *cli.Command {
	return a.runsCommand("show", "show a run: its nodes, attempts, errors and output", `With -o json the result of the run is printed, as host run -o json does; of a run that has not ended,
what stands so far.`, nil, a.runsShow)
}

func (a *app) runsShow(h *host.Host, info *host.RunInfo) error {
	r, err := h.RunResult(a.ctx, info.ID)
	if err != nil {
		return a.runFailed(err)
	}
	switch a.format {
	case "json", "jsonl":
		return writeJSON(a.out, r, a.format == "json")
	case "quiet":
		return nil
	}
	events, err := h.RunEvents(a.ctx, info.ID, 0, 0)
	if err != nil {
		return a.runFailed(err)
	}
	if err := writeRun(a.out, info, r, failedAttempts(events)); err != nil {
		return err
	}
	switch {
	case isInterrupted(info):
		a.say("  next: %s", a.again("runs", "resume", info.ID))
	case info.Status == event.Waiting:
		a.say("  next: %s", a.again("runs", "why", info.ID))
	}
	return nil
}

// attemptsOf names the attempts of a node.
type attemptsOf struct {
	level int
	path  string
}

// failedAttempts are the attempts that failed since the run began, or was
// retried: a result tells the last one of each answerer only.
func failedAttempts(events []*event.Event) map[attemptsOf][]*event.Error {
	all := map[attemptsOf][]*event.Error{}
	for _, e := range events {
		switch {
		case e.Type == event.RunStarted:
			clear(all)
		case e.Type == event.NodeAttemptFailed && e.Error != nil:
			failed := *e.Error
			failed.Plugin, failed.Attempt = e.Plugin, e.Attempt
			k := attemptsOf{e.Level, e.Node}
			all[k] = append(all[k], &failed)
		}
	}
	return all
}

// writeRun writes what is known of a run, for people.
func writeRun(w io.Writer, info *host.RunInfo, r *event.Result, attempts map[attemptsOf][]*event.Error) error {
	p := &page{w: w, attempts: attempts}
	p.field("run", clean(info.ID))
	p.field("workflow", fmt.Sprintf("%s (%s)", clean(info.Workflow), clean(info.File)))
	p.field("status", describeStatus(info, r))
	times := stamp(info.CreatedAt)
	if !info.FinishedAt.IsZero() {
		times += ", ended " + stamp(info.FinishedAt)
	}
	p.field("started", times)
	if info.Generation > 1 {
		p.field("retried", counted(info.Generation-1, "time"))
	}
	if remark := remark(info); remark != "" {
		name := "note"
		switch {
		case info.Error != nil:
			name = "error"
		case info.Status == event.Waiting:
			name = "waits for"
		}
		p.field(name, remark)
	}
	p.field("input", short(inline(info.Input), 200))
	if len(r.Nodes) > 0 {
		p.line("")
		p.line("nodes")
		p.nodes(r.Nodes, attemptsOf{level: r.Level}, 1)
	}
	if len(r.Levels) > 1 {
		p.levels(r.Levels, r.Level)
	}
	if r.Health != nil && len(r.Health.Checks) > 0 {
		p.line("")
		p.line("%s", healthLine(&event.Event{Health: r.Health}))
	}
	if r.Status == event.Succeeded || r.Status == event.Degraded {
		p.line("")
		p.line("output")
		if p.err == nil {
			p.err = writeValue(w, r.Output)
		}
	}
	return p.err
}

// describeStatus is the status with how long it took and which level answered.
func describeStatus(info *host.RunInfo, r *event.Result) string {
	text := stateOf(info)
	if info.Status.Ended() {
		text += " after " + span(millis(info.DurationMS))
	}
	if r.Level > 0 {
		text += fmt.Sprintf(", answered by level %d (%s)", r.Level, clean(r.LevelName))
		if r.Status != event.Succeeded && r.Status != event.Degraded {
			text = strings.Replace(text, "answered by", "tried up to", 1)
		}
	}
	return text
}

// page is text that is written line by line.
type page struct {
	w        io.Writer
	err      error
	attempts map[attemptsOf][]*event.Error
}

func (p *page) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *page) field(name, value string) { p.line("%s %s", pad(name, 9), value) }

// nodes lists nodes with what went wrong in them, those of sub-workflows below
// their node. Their paths begin with that of under.
func (p *page) nodes(nodes event.NodeMap, under attemptsOf, depth int) {
	ids := slices.Sorted(maps.Keys(nodes))
	wide := 0
	for _, id := range ids {
		wide = max(wide, cellsIn(clean(id)))
	}
	indent := strings.Repeat("  ", depth)
	for _, id := range ids {
		n, at := nodes[id], attemptsOf{under.level, under.path + id}
		p.line("%s%s  %s", indent, pad(clean(id), wide), strings.Join(nodeParts(n), " · "))
		p.failures(indent+"  ", n, at)
		for i, item := range n.Items {
			at := attemptsOf{at.level, fmt.Sprintf("%s[%d]", at.path, i)}
			if item == nil || item.Status == event.Succeeded && len(p.attempts[at]) == 0 {
				continue
			}
			p.line("%s  [%d] %s", indent, i, strings.Join(nodeParts(item), " · "))
			p.failures(indent+"    ", item, at)
		}
		if n.Run != nil {
			p.nodes(n.Run.Nodes, attemptsOf{at.level, at.path + "/"}, depth+1)
		}
	}
}

// nodeParts are what there is to say of a node in one line.
func nodeParts(n *event.NodeResult) []string {
	parts := []string{string(n.Status)}
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if n.Attempts > 0 {
		add("%s", counted(n.Attempts, "attempt"))
	}
	if n.DurationMS > 0 {
		add("%s", span(millis(n.DurationMS)))
	}
	if n.AnsweredBy != "" && n.AnsweredBy != "primary" {
		who := n.AnsweredBy
		if n.Plugin != "" {
			who += " (" + clean(n.Plugin) + ")"
		}
		add("answered by %s", who)
	}
	if len(n.Items) > 0 {
		add("%s", counted(len(n.Items), "item"))
	}
	if n.Reason != "" {
		add("%s", clean(n.Reason))
	}
	return parts
}

// failures are the attempts that failed, and the errors that are not those of
// attempts, such as refusals.
func (p *page) failures(indent string, n *event.NodeResult, at attemptsOf) {
	told := p.attempts[at]
	for _, e := range told {
		p.failure(indent, e)
	}
	for _, e := range append(slices.Clip(n.Errors), n.Error) {
		if e == nil || slices.ContainsFunc(told, func(o *event.Error) bool {
			return o.Message == e.Message && o.Code == e.Code && o.Attempt == e.Attempt
		}) {
			continue
		}
		p.failure(indent, e)
		told = append(slices.Clip(told), e)
	}
}

func (p *page) failure(indent string, e *event.Error) {
	var who []string
	if e.Plugin != "" {
		who = append(who, clean(e.Plugin))
	}
	if e.Attempt > 0 {
		who = append(who, fmt.Sprintf("attempt %d", e.Attempt))
	}
	text := failureText(e)
	if len(who) > 0 {
		text = strings.Join(who, ", ") + ": " + text
	}
	p.line("%s%s", indent, text)
}

// levels lists the fallback levels and their nodes, but those of the level whose
// nodes were shown already.
func (p *page) levels(levels []event.Level, shown int) {
	p.line("")
	p.line("levels")
	for i, l := range levels {
		text := fmt.Sprintf("  %d %s: %s", i, clean(l.Workflow), l.Status)
		if l.Reason != "" {
			text += ", " + clean(l.Reason)
		}
		if l.Error != nil {
			text += ", " + failureText(l.Error)
		}
		p.line("%s", text)
		if i != shown {
			p.nodes(l.Nodes, attemptsOf{level: i}, 2)
		}
	}
}

// inline is a value in one line.
func inline(v event.Value) string { return clean(string(v.JSON())) }
