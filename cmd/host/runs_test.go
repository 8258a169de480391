package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wasmhost/host"
	"wasmhost/host/event"
)

var eight = time.Date(2026, 1, 31, 8, 0, 0, 0, time.Local)

func runInfo(id string, status event.Status, alive bool) host.RunInfo {
	return host.RunInfo{ID: id, Workflow: "demo", File: "demo.toml", Status: status, Alive: alive, Generation: 1,
		CreatedAt: eight, FinishedAt: map[bool]time.Time{true: eight.Add(time.Minute)}[status.Ended()], DurationMS: 60000}
}

// A run that nobody works on must be seen as such, whatever the journal calls it.
func TestTableOfRuns(t *testing.T) {
	failed := runInfo("01FAILED", event.Failed, false)
	failed.Error = &event.Error{Node: "ask", Class: event.Transient, Code: "timeout", Message: "took\x1b[2J too\nlong"}
	waiting := runInfo("01WAITING", event.Waiting, false)
	waiting.Reason = "Go on?"
	waiting.WakeAt = eight.Add(time.Hour)
	alive := runInfo("01ALIVE", event.Running, true)
	alive.Owner = "host run, pid 7"
	var out strings.Builder
	if err := writeRuns(&out, []host.RunInfo{runInfo("01LOST", event.Running, false), alive, waiting, failed, runInfo("01GOOD", event.Succeeded, false)}, 0); err != nil {
		t.Fatal(err)
	}
	want := `RUN        WORKFLOW  STATUS       STARTED              TOOK
01LOST     demo      interrupted  2026-01-31 08:00:00  -     nobody works on it
01ALIVE    demo      running      2026-01-31 08:00:00  -     host run, pid 7
01WAITING  demo      waiting      2026-01-31 08:00:00  -     Go on?, until 2026-01-31 09:00:00
01FAILED   demo      failed       2026-01-31 08:00:00  1m    ask: took [2J too long [transient, code timeout]
01GOOD     demo      succeeded    2026-01-31 08:00:00  1m
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
	out.Reset()
	if err := writeRuns(&out, []host.RunInfo{failed}, 60); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if cellsIn(strings.TrimSuffix(line, "\n")) > 60 {
			t.Errorf("wider than 60 columns: %s", line)
		}
	}
}

// Nodes stand in the order in which they began, those that nothing was heard of
// last.
func TestPageOfARun(t *testing.T) {
	info := runInfo("01DEGRADED", event.Degraded, false)
	info.Generation = 2
	info.Input = event.Of(map[string]any{"text": "a\tb"})
	refused := &event.Error{Plugin: "model", Class: event.Transient, Code: "503", Message: "down", Attempt: 1}
	nodes := event.NodeMap{
		"ask": {Status: event.Degraded, Attempts: 2, DurationMS: 1200, Plugin: "backup", AnsweredBy: "fallback[0]", Errors: []*event.Error{refused}},
		"each": {Status: event.Degraded, Attempts: 2, Items: []*event.NodeResult{
			{Status: event.Succeeded, Attempts: 1}, {Status: event.Failed, Attempts: 1, Error: &event.Error{Class: event.Permanent, Code: "invalid", Message: "no number"}}}},
		"report": {Status: event.Skipped, Reason: "its when is false"},
		"sub":    {Status: event.Succeeded, Attempts: 1, Run: &event.Level{Nodes: event.NodeMap{"inner": {Status: event.Succeeded, Attempts: 1}}}},
	}
	r := &event.Result{RunID: info.ID, Workflow: "demo", Status: event.Degraded, Level: 1, LevelName: "basic", Output: event.Text("fine"), Nodes: nodes,
		Levels: []event.Level{{Workflow: "demo", Status: event.Failed, Error: refused, Nodes: event.NodeMap{"first": {Status: event.Failed, Error: refused}}},
			{Workflow: "basic", Status: event.Succeeded, Nodes: nodes}, {Workflow: "other", Status: event.Skipped, Reason: "not that class"}}}
	var out strings.Builder
	since := pastOf([]*event.Event{
		{Type: event.NodeAttemptFailed, Level: 1, Node: "ask", Plugin: "model", Attempt: 1, Error: &event.Error{Message: "before the retry"}},
		{Type: event.RunStarted},
		{Type: event.NodeStarted, Level: 1, Node: "sub/inner"},
		{Type: event.NodeAttemptFailed, Level: 1, Node: "ask", Plugin: "model", Attempt: 1, Error: refused},
		{Type: event.NodeAttemptFailed, Level: 1, Node: "ask", Plugin: "model", Attempt: 2, Error: &event.Error{Message: "still down"}},
		{Type: event.NodeAttemptFailed, Level: 1, Node: "each[0]", Plugin: "number", Attempt: 1, Error: &event.Error{Message: "busy"}},
	})
	if err := writeRun(&out, &info, r, since); err != nil {
		t.Fatal(err)
	}
	want := `run       01DEGRADED
workflow  demo (demo.toml)
status    degraded after 1m, answered by level 1 (basic)
started   2026-01-31 08:00:00, ended 2026-01-31 08:01:00
retried   1 time
input     {"text":"a\tb"}

nodes
  sub     succeeded · 1 attempt
    inner  succeeded · 1 attempt
  ask     degraded · 2 attempts · 1.2s · answered by fallback[0] (backup)
    model, attempt 1: down [transient, code 503]
    model, attempt 2: still down
  each    degraded · 2 attempts · 2 items
    [0] succeeded · 1 attempt
      number, attempt 1: busy
    [1] failed · 1 attempt
      no number [permanent, code invalid]
  report  skipped · its when is false

levels
  0 demo: failed, down [transient, code 503]
    first  failed
      model, attempt 1: down [transient, code 503]
  1 basic: succeeded
  2 other: skipped, not that class

output
fine
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
}

func TestLogLines(t *testing.T) {
	at := eight.UTC()
	events := []*event.Event{
		{Type: event.NodeStarted, Node: "read", Time: at},
		{Type: event.Log, Node: "read[3]", Attempt: 2, LogLevel: "warn", Message: "slow\nindeed", Time: at},
		{Type: event.NodeAttemptFailed, Node: "read", Attempt: 1, Error: &event.Error{Class: event.Transient, Message: "no"}, Time: at, Level: 1},
		{Type: event.Log, Node: "reader", LogLevel: "info", Message: "hello", Time: at},
		{Type: event.Log, Node: "sub/inner", LogLevel: "info", Message: "deep", Time: at},
	}
	when := at.Format("2006-01-02T15:04:05.000Z ")
	for _, tt := range []struct {
		node    string
		attempt int
		want    []string
	}{
		{"", 0, []string{"read[3] attempt 2 warn: slow indeed", "read (level 1) attempt 1 failed: no [transient]", "reader info: hello", "sub/inner info: deep"}},
		{"read", 0, []string{"read[3] attempt 2 warn: slow indeed", "read (level 1) attempt 1 failed: no [transient]"}},
		{"read", 2, []string{"read[3] attempt 2 warn: slow indeed"}},
		{"read[3]", 0, []string{"read[3] attempt 2 warn: slow indeed"}},
		{"sub", 0, []string{"sub/inner info: deep"}},
		{"rea", 0, nil},
	} {
		var out strings.Builder
		l := &logLines{w: &out, form: "text", node: tt.node, attempt: tt.attempt}
		for _, e := range events {
			l.Emit(e)
		}
		var want strings.Builder
		for _, line := range tt.want {
			want.WriteString(when + line + "\n")
		}
		if d := cmp.Diff(want.String(), out.String()); d != "" {
			t.Errorf("node %q, attempt %d: %s", tt.node, tt.attempt, d)
		}
	}
}

func TestAges(t *testing.T) {
	for text, want := range map[string]time.Duration{"90m": 90 * time.Minute, "12h": 12 * time.Hour, "30d": 720 * time.Hour, "0.5d": 12 * time.Hour, "0s": 0} {
		if got, err := parseAge("older-than", text); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "30", "-1h", "-1d", "d", "soon", "1e9d"} {
		if got, err := parseAge("older-than", text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
	now := eight.Add(36 * time.Hour)
	for text, want := range map[string]time.Time{
		"12h": now.Add(-12 * time.Hour), "2d": now.Add(-48 * time.Hour), "2026-01-31T08:00:00Z": time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC),
		"2026-01-31": time.Date(2026, 1, 31, 0, 0, 0, 0, time.Local), "2026-01-31 08:00": eight,
	} {
		if got, err := parseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	if _, err := parseSince("yesterday", now); err == nil {
		t.Error("yesterday is taken for a time")
	}
}

func TestWantedStatuses(t *testing.T) {
	got, err := wantedStatuses([]string{"failed,interrupted", "waiting"})
	if d := cmp.Diff([]string{"failed", "interrupted", "waiting"}, got); err != nil || d != "" {
		t.Error(err, d)
	}
	if _, err := wantedStatuses([]string{"faild"}); err == nil || err.(*failure).hint != "did you mean failed?" {
		t.Errorf("%+v", err)
	}
}

// What is to be typed carries the state folder that was given, and quotes.
func TestWhatToType(t *testing.T) {
	a := &app{given: map[string]bool{}}
	for _, tt := range []struct {
		wait host.Wait
		want []string
	}{
		{host.Wait{Kind: "approval", Node: "sub/ask"}, []string{"host runs approve 01X --node sub/ask   (or with --reject)"}},
		{host.Wait{Kind: "outcome_unknown", Node: "pay[2]"}, []string{
			"host runs retry 01X --from 'pay[2]'   calls it again",
			"host runs approve 01X --node 'pay[2]'   takes it as done, with --answer JSON; or fails it, with --reject"}},
		{host.Wait{Kind: "process"}, []string{"host runs resume 01X"}},
		{host.Wait{Kind: "breaker", Next: "wait"}, []string{"wait"}},
		{host.Wait{Kind: "queue"}, nil},
	} {
		if d := cmp.Diff(tt.want, a.answers("01X", tt.wait)); d != "" {
			t.Error(d)
		}
	}
	for word, want := range map[string]string{"plain/path.toml": "plain/path.toml", "it's here": `'it'\''s here'`, "": "''"} {
		if got := quoted(word); got != want {
			t.Errorf("%q is quoted as %s, want %s", word, got, want)
		}
	}
}
