package main

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
	"wasmhost/host/event"
)

func (a *app) runsLogsCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "node", Usage: "`NODE` only of this node, its items and what is inside it"},
		&cli.IntFlag{Name: "attempt", EnvVars: []string{"HOST_ATTEMPT"}, Usage: "`N` only of the attempt with this number", DefaultText: "all"},
		&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, EnvVars: []string{"HOST_FOLLOW"}, Usage: "go on until the run ends or waits"},
	}
	return a.runsCommand("logs", "print what plugins logged, and attempts that failed", `A line has the time, the node, the attempt and the level. With -o json and jsonl the events are printed.`, flags, a.runsLogs)
}

func (a *app) runsLogs(k keeper, info *host.RunInfo) error {
	l := &logLines{w: a.out, form: a.format, node: a.c.String("node"), attempt: a.c.Int("attempt")}
	if a.c.IsSet("attempt") && l.attempt < 1 {
		return usage("--attempt %d: attempts count from 1", l.attempt)
	}
	if a.c.Bool("follow") {
		if a.format == "json" {
			return usage("-o json prints one list at the end; --follow goes with text and jsonl").with(helpHint("runs logs"))
		}
		r, err := k.watch(a.ctx, info.ID, l)
		if err != nil {
			return a.runFailed(err)
		}
		if _, err := r.Wait(a.ctx); err != nil {
			return a.runFailed(err)
		}
		return a.logged(l, info)
	}
	events, err := k.RunEvents(a.ctx, info.ID, 0, 0)
	if err != nil {
		return a.runFailed(err)
	}
	if a.format == "json" {
		all := []*event.Event{}
		for _, e := range events {
			if l.wants(e) {
				all = append(all, e)
			}
		}
		if err := a.logged(l, info); err != nil {
			return err
		}
		return writeJSON(a.out, all, true)
	}
	for _, e := range events {
		l.Emit(e)
	}
	if err := a.logged(l, info); err != nil {
		return err
	}
	if l.written == 0 && l.err == nil {
		a.say("nothing was logged%s", map[bool]string{true: " that fits --node and --attempt"}[l.node != "" || l.attempt > 0])
	}
	return l.err
}

// logged is how the writing ended: a node of which nothing at all is recorded
// was mistyped, or has not begun.
func (a *app) logged(l *logLines, info *host.RunInfo) error {
	if l.err == nil && l.node != "" && !l.known {
		return a.runFailed(&event.Error{Class: event.Permanent, Code: "unknown_node",
			Message: fmt.Sprintf("run %s has recorded nothing of a node %q: it has none of that name, or the node has not begun", info.ID, l.node)})
	}
	return l.err
}

// logLines writes log lines and failed attempts of some nodes.
type logLines struct {
	w       io.Writer
	form    string
	node    string
	attempt int

	mu      sync.Mutex
	known   bool // something is recorded of the node
	written int
	err     error
}

// wants reports whether an event is a line of the log that was asked for.
func (l *logLines) wants(e *event.Event) bool {
	ofNode := l.node == "" || e.Node == l.node || strings.HasPrefix(e.Node, l.node+"[") || strings.HasPrefix(e.Node, l.node+"/")
	l.known = l.known || ofNode
	switch e.Type {
	case event.Log, event.NodeAttemptFailed:
	default:
		return false
	}
	if l.attempt > 0 && e.Attempt != l.attempt {
		return false
	}
	return ofNode
}

// Emit writes an event, if it is a line.
func (l *logLines) Emit(e *event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.wants(e) || l.err != nil || l.form == "quiet" {
		return
	}
	l.written++
	if l.form == "jsonl" {
		l.err = writeJSON(l.w, e, false)
		return
	}
	_, l.err = fmt.Fprintln(l.w, logLine(e))
}

// logLine is "2026-01-31T08:00:00.000Z read[3] attempt 1 warn: slow".
func logLine(e *event.Event) string {
	where := clean(e.Node)
	if e.Level > 0 {
		where += fmt.Sprintf(" (level %d)", e.Level)
	}
	if e.Attempt > 0 {
		where += fmt.Sprintf(" attempt %d", e.Attempt)
	}
	what := clean(e.LogLevel) + ": " + clean(e.Message)
	if e.Type == event.NodeAttemptFailed {
		what = "failed: " + failureText(e.Error)
	}
	return fmt.Sprintf("%s %s %s", e.Time.UTC().Format("2006-01-02T15:04:05.000Z07:00"), where, what)
}
