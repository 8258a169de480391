package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
	"wasmhost/host/event"
)

func (a *app) runsShowCommand() *cli.Command {
	return a.runsCommand("show", "show a run: its nodes, attempts, errors and output", `With -o json the result of the run is printed, as host run -o json does; of a run that has not ended,
what stands so far.`, nil, a.runsShow)
}

func (a *app) runsShow(k keeper, info *host.RunInfo) error {
	r, err := k.RunResult(a.ctx, info.ID)
	if err != nil {
		return a.runFailed(err)
	}
	switch a.format {
	case "json", "jsonl":
		return writeJSON(a.out, r, a.format == "json")
	case "quiet":
		return nil
	}
	events, err := k.RunEvents(a.ctx, info.ID, 0, 0)
	if err != nil {
		return a.runFailed(err)
	}
	if err := writeRun(a.out, info, r, pastOf(events)); err != nil {
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

// nodeAt is a node in a run.
type nodeAt struct {
	level int
	path  string
}

// past is what the events of a run say beyond its result: a result tells the
// last attempt of each answerer only, and not which node began first.
type past struct {
	attempts map[nodeAt][]*event.Error // those that failed
	began    map[nodeAt]int            // counts up
}

// pastOf is what has happened since the run began, or was retried.
func pastOf(events []*event.Event) past {
	p := past{map[nodeAt][]*event.Error{}, map[nodeAt]int{}}
	for _, e := range events {
		if e.Type == event.RunStarted {
			clear(p.attempts)
			clear(p.began)
		}
		if e.Node == "" {
			continue
		}
		at := nodeAt{e.Level, e.Node}
		if e.Type == event.NodeAttemptFailed && e.Error != nil {
			failed := *e.Error
			failed.Plugin, failed.Attempt = e.Plugin, e.Attempt
			p.attempts[at] = append(p.attempts[at], &failed)
		}
		p.begin(at)
	}
	return p
}

// begin notes a node, and those that it is inside of: an item may be the first
// that is heard of its node.
func (p past) begin(at nodeAt) {
	for i, c := range at.path + "/" {
		if c != '/' && c != '[' {
			continue
		}
		if outer := (nodeAt{at.level, at.path[:i]}); p.began[outer] == 0 {
			p.began[outer] = len(p.began) + 1
		}
	}
}

// writeRun writes what is known of a run, for people.
func writeRun(w io.Writer, info *host.RunInfo, r *event.Result, since past) error {
	p := &page{w: w, past: since}
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
		p.nodes(r.Nodes, nodeAt{level: r.Level}, 1)
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
