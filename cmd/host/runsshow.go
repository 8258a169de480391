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
	if err := writeRun(a.out, info, r); err != nil {
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

// writeRun writes what is known of a run, for people.
func writeRun(w io.Writer, info *host.RunInfo, r *event.Result) error {
	p := &page{w: w}
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
		p.field(map[bool]string{true: "error", false: "because"}[info.Error != nil], remark)
	}
	p.field("input", short(inline(info.Input), 200))
	p.nodes("nodes", r.Nodes, 0)
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
	w   io.Writer
	err error
}

func (p *page) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *page) field(name, value string) { p.line("%s %s", pad(name, 9), value) }

// nodes lists nodes with what went wrong in them, those of sub-workflows below
// their node.
func (p *page) nodes(title string, nodes event.NodeMap, depth int) {
	if len(nodes) == 0 {
		return
	}
	if depth == 0 {
		p.line("")
		p.line("%s", title)
	}
	ids := slices.Sorted(maps.Keys(nodes))
	wide := 0
	for _, id := range ids {
		wide = max(wide, cellsIn(clean(id)))
	}
	indent := strings.Repeat("  ", depth+1)
	for _, id := range ids {
		n := nodes[id]
		p.line("%s%s  %s", indent, pad(clean(id), wide), strings.Join(nodeParts(n), " · "))
		p.failures(indent+"  ", n)
		for i, item := range n.Items {
			if item != nil && (item.Status != event.Succeeded || len(item.Errors) > 0) {
				p.line("%s  [%d] %s", indent, i, strings.Join(nodeParts(item), " · "))
				p.failures(indent+"    ", item)
			}
		}
		if n.Run != nil {
			p.nodes("", n.Run.Nodes, depth+1)
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

// failures are the errors on the way to a node's end, and the last one where it
// is not among them.
func (p *page) failures(indent string, n *event.NodeResult) {
	for _, e := range n.Errors {
		p.failure(indent, e)
	}
	if n.Error != nil && !slices.ContainsFunc(n.Errors, func(e *event.Error) bool {
		return e.Message == n.Error.Message && e.Code == n.Error.Code && e.Attempt == n.Error.Attempt
	}) {
		p.failure(indent, n.Error)
	}
}

func (p *page) failure(indent string, e *event.Error) {
	where := ""
	if e.Attempt > 0 {
		where = fmt.Sprintf("attempt %d: ", e.Attempt)
	}
	if e.Plugin != "" {
		where = clean(e.Plugin) + ", " + where
	}
	if where == clean(e.Plugin)+", " {
		where = clean(e.Plugin) + ": "
	}
	p.line("%s%s%s", indent, where, failureText(e))
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
			p.nodes("", l.Nodes, 1)
		}
	}
}

// inline is a value in one line.
func inline(v event.Value) string { return clean(string(v.JSON())) }
