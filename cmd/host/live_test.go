package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// screen is a terminal as small as the block needs it: it knows cursor up, clear
// to the end, colours, and nothing else.
type screen struct {
	t     *testing.T
	lines []string
	row   int
	raw   bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.raw.Write(p)
	text := string(p)
	for text != "" {
		switch {
		case strings.HasPrefix(text, "\x1b["):
			end := strings.IndexAny(text[2:], "AJm") + 2
			if end < 2 {
				s.t.Fatalf("unknown sequence %q", text)
			}
			switch text[end] {
			case 'A':
				var up int
				fmt.Sscanf(text[2:end], "%d", &up)
				if s.row -= up; s.row < 0 {
					s.t.Fatalf("the cursor left the screen, by %d lines", -s.row)
				}
			case 'J':
				s.lines = s.lines[:s.row]
			}
			text = text[end+1:]
		case text[0] == '\n':
			if s.row == len(s.lines) {
				s.lines = append(s.lines, "")
			}
			s.row++
			text = text[1:]
		case text[0] == '\r':
			text = text[1:]
		default:
			end := strings.IndexAny(text, "\n\r\x1b")
			if end < 0 {
				end = len(text)
			}
			for s.row >= len(s.lines) {
				s.lines = append(s.lines, "")
			}
			s.lines[s.row] += text[:end]
			text = text[end:]
		}
	}
	return len(p), nil
}

func (s *screen) text() string { return strings.Join(s.lines, "\n") }

func planOf(ids ...string) *workflow.Plan {
	p := &workflow.Plan{Name: "demo"}
	for i, id := range ids {
		p.Nodes = append(p.Nodes, workflow.Node{ID: id, Index: i})
	}
	return p
}

// emitter gives a board events with times of a bubble's clock.
func emitter(l *live) func(e event.Event) {
	return func(e event.Event) {
		e.Time, e.Run = time.Now(), "01RUN"
		l.Emit(&e)
	}
}

func TestLiveBlock(t *testing.T) {
	t.Setenv("LC_ALL", "C.UTF-8")
	synctest.Test(t, func(t *testing.T) {
		s := &screen{t: t}
		fmt.Fprint(s, "above\n")
		l := newLive(newBoard(planOf("fetch", "each", "report", "mend")), s, false)
		l.size = func() (int, int) { return 80, 24 }
		emit := emitter(l)
		emit(event.Event{Type: event.RunStarted, Workflow: "demo"})
		emit(event.Event{Type: event.NodeStarted, Node: "fetch"})
		emit(event.Event{Type: event.NodeAttemptFailed, Node: "fetch", Attempt: 1,
			Error: &event.Error{Class: event.Transient, Code: "busy", Message: "try \x1b[2Jagain\x07"}})
		emit(event.Event{Type: event.NodeRetrying, Node: "fetch", Attempt: 2, RetryInMS: 3000})
		for i := range 3 {
			emit(event.Event{Type: event.NodeStarted, Node: fmt.Sprintf("each[%d]", i)})
		}
		emit(event.Event{Type: event.NodeSucceeded, Node: "each[0]", Status: event.Succeeded})
		emit(event.Event{Type: event.NodeAttemptFailed, Node: "each[1]", Attempt: 1, Error: &event.Error{Message: "no"}})
		emit(event.Event{Type: event.NodeRetrying, Node: "each[1]", Attempt: 2, RetryInMS: 2000})
		time.Sleep(1050 * time.Millisecond)
		synctest.Wait()
		for _, want := range []string{
			"above\n", " demo  0 of 4 nodes · 1.0s · run 01RUN",
			" fetch   attempt 2 in 2.0s · 1.0s · try [2Jagain [transient, code busy]",
			" each    1 done · 1 running · 1 to retry, next in 1.0s", "  · report", "  · mend",
		} {
			if !strings.Contains(s.text(), want) {
				t.Errorf("the screen lacks %q:\n%s", want, s.text())
			}
		}
		emit(event.Event{Type: event.FallbackUsed, Node: "fetch", AnsweredBy: "fallback[0]", Plugin: "backup"})
		emit(event.Event{Type: event.NodeSucceeded, Node: "fetch", Status: event.Degraded, AnsweredBy: "fallback[0]", Plugin: "backup", DurationMS: 1200, Attempt: 2})
		emit(event.Event{Type: event.NodeFailed, Node: "each", Status: event.Failed, DurationMS: 20, Error: &event.Error{Message: "1 of 3 items failed"}})
		emit(event.Event{Type: event.NodeSkipped, Node: "report", Status: event.Skipped, Reason: "each failed"})
		emit(event.Event{Type: event.NodeStarted, Node: "mend"})
		emit(event.Event{Type: event.Log, Node: "mend", LogLevel: "warn", Message: "careful"})
		emit(event.Event{Type: event.NodeStarted, Node: "mend/inner"})
		emit(event.Event{Type: event.FallbackUsed, Workflow: "basic", Level: 1, Error: &event.Error{Message: "gone"}})
		emit(event.Event{Type: event.NodeStarted, Node: "only", Level: 1})
		emit(event.Event{Type: event.RunFinished, Status: event.Degraded, DurationMS: 1300})
		l.Close("")
		l.Close("")
		want := `above
mend: warn: careful
run: falls back to workflow basic: gone
~ demo degraded · 1.3s · run 01RUN
  ~ fetch       1.2s · 1 retry · answered by fallback[0] (backup)
  ✗ each        20ms · 1 of 3 items failed
  - report      skipped · each failed
  · mend        0.0s
  · mend/inner  0.0s
  level 1: basic
  · only        0.0s`
		if s.text() != want {
			t.Errorf("got\n%s\nwant\n%s", s.text(), want)
		}
		if strings.Contains(s.raw.String(), "\x1b[2J") || strings.Contains(s.raw.String(), "\x07") {
			t.Error("a plugin's control characters reached the terminal")
		}
	})
}

// Levels of a level, and of a sub-workflow, share numbers and paths with those
// above them; each has rows of its own. A node that waits says for what.
func TestLiveBlockOfNestedLevels(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	synctest.Test(t, func(t *testing.T) {
		s := &screen{t: t}
		b := newBoard(planOf("first", "sub", "each"))
		b.answer = (&app{}).answerTo
		l := newLive(b, s, false)
		l.size = func() (int, int) { return 80, 24 }
		emit := emitter(l)
		emit(event.Event{Type: event.RunStarted, Workflow: "demo"})
		emit(event.Event{Type: event.NodeFailed, Workflow: "demo", Node: "first", Status: event.Failed, Error: &event.Error{Message: "no"}})
		emit(event.Event{Type: event.NodeFailed, Workflow: "inner", Node: "sub/a", Status: event.Failed, Error: &event.Error{Message: "no"}})
		emit(event.Event{Type: event.FallbackUsed, Workflow: "spare", Node: "sub"})
		emit(event.Event{Type: event.NodeSucceeded, Workflow: "spare", Node: "sub/a", Status: event.Succeeded, DurationMS: 2})
		emit(event.Event{Type: event.FallbackUsed, Workflow: "basic", Level: 1})
		emit(event.Event{Type: event.NodeFailed, Workflow: "basic", Level: 1, Node: "first", Status: event.Failed, Error: &event.Error{Message: "no"}})
		emit(event.Event{Type: event.FallbackUsed, Workflow: "last", Level: 1})
		emit(event.Event{Type: event.RunResumed, Workflow: "demo", Reason: "goes on after record 12; 1 of 2 nodes is done"})
		emit(event.Event{Type: event.NodeWaiting, Workflow: "last", Level: 1, Node: "first", Status: event.Waiting, Reason: "Go on?"})
		emit(event.Event{Type: event.NodeStarted, Workflow: "demo", Node: "each[0]"})
		emit(event.Event{Type: event.NodeWaiting, Workflow: "demo", Node: "each[0]", Status: event.Waiting, Reason: "Nobody knows", Error: &event.Error{Message: "cut"}})
		l.Close("")
		want := `sub: falls back to workflow spare: no error was given
run: falls back to workflow basic: no error was given
run: falls back to workflow last: no error was given
demo: run 01RUN goes on after record 12; 1 of 2 nodes is done
? demo waiting  4 of 7 nodes - 0.0s - run 01RUN
  x first          no
  . sub          
  x sub/a          no
  + sub/a (spare)  2ms
  - each           0 done - 1 waiting for a person - 0.0s - Nobody knows: host…
  level 1: basic
  x first          no
  ? first (last)   waiting - Go on?: host runs approve 01RUN --node first`
		got := strings.ReplaceAll(s.text(), "·", "-")
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// A run that is left while it goes on keeps no spinner: the heading says why
// nothing more is shown.
func TestLiveBlockOfARunThatIsLeft(t *testing.T) {
	for _, tt := range []struct {
		result *event.Result
		err    error
		here   bool
		want   string
	}{
		{&event.Result{Status: event.Running}, nil, true, "× demo interrupted  0 of 1 node · 0.0s · run 01RUN\n  · fetch  0.0s"},
		{nil, errors.New("ctrl-C"), false, "× demo no longer followed  0 of 1 node · 0.0s · run 01RUN\n  · fetch  0.0s"},
	} {
		t.Setenv("LC_ALL", "C.UTF-8")
		synctest.Test(t, func(t *testing.T) {
			s := &screen{t: t}
			l := newLive(newBoard(planOf("fetch")), s, false)
			l.size = func() (int, int) { return 80, 24 }
			emit := emitter(l)
			emit(event.Event{Type: event.RunStarted, Workflow: "demo"})
			emit(event.Event{Type: event.NodeStarted, Node: "fetch"})
			l.Close(stopped(tt.result, tt.err, tt.here))
			if s.text() != tt.want {
				t.Errorf("got\n%s\nwant\n%s", s.text(), tt.want)
			}
		})
	}
}

// A graph that does not fit shows what is active, what failed, and counts.
func TestLiveBlockOfALongGraph(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	synctest.Test(t, func(t *testing.T) {
		ids := make([]string, 1000)
		for i := range ids {
			ids[i] = fmt.Sprintf("n%d", i)
		}
		s := &screen{t: t}
		l := newLive(newBoard(planOf(ids...)), s, false)
		l.size = func() (int, int) { return 40, 12 }
		emit := emitter(l)
		emit(event.Event{Type: event.RunStarted})
		for i := range 500 {
			emit(event.Event{Type: event.NodeSucceeded, Node: ids[i], Status: event.Succeeded})
		}
		emit(event.Event{Type: event.NodeFailed, Node: "n400", Status: event.Failed, Error: &event.Error{Message: strings.Repeat("long ", 40)}})
		for i := 600; i < 603; i++ {
			emit(event.Event{Type: event.NodeStarted, Node: ids[i]})
		}
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		got := s.text()
		for _, want := range []string{"  | n600", "  | n602", "  x n400", "  and 499 succeeded, 497 pending"} {
			if !strings.Contains(strings.NewReplacer("/", "|", "-", "|", "\\", "|").Replace(got), want) {
				t.Errorf("the screen lacks %q:\n%s", want, got)
			}
		}
		if len(s.lines) > 11 {
			t.Errorf("%d lines on a screen of 12", len(s.lines))
		}
		for _, line := range s.lines {
			if cellsIn(line) > 39 {
				t.Errorf("%d columns on a screen of 40: %s", cellsIn(line), line)
			}
		}
		// The terminal became half as wide and broke the lines: the block is as
		// high as they are now.
		l.mu.Lock()
		wide := 0
		for _, w := range l.drawn {
			wide += (w + 19) / 20
		}
		if got := l.height(20); got != wide || got <= len(l.drawn) {
			t.Errorf("the block takes %d rows, want %d", got, wide)
		}
		l.drawn = nil
		l.mu.Unlock()
		l.Close("")
	})
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "a\x1b[31mb\nc\td": "a [31mb c d", "\u202eevil": "evil", "  x  y ": "x y", "bad\xffutf": "bad utf",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		12 * time.Microsecond: "10µs", 1500 * time.Microsecond: "2ms", 1234 * time.Millisecond: "1.2s", 20 * time.Second: "20s",
		90 * time.Second: "1m30s", 81540 * time.Millisecond: "1m21.5s", 2 * time.Minute: "2m", 3 * time.Hour: "3h", -1: "0s",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %s, want %s", d, got, want)
		}
	}
	for typed, want := range map[string]string{"rnu": "run", "vlaidate": "validate", "grpah": "graph", "xyz": "", "val": "validate"} {
		if got := closest(typed, []string{"run", "validate", "graph", "plan"}); got != want {
			t.Errorf("closest(%q) = %q, want %q", typed, got, want)
		}
	}
	if got := short("日本語テキスト", 7); got != "日本語…" {
		t.Errorf("short cut to %q", got)
	}
}

func TestSetKeepsTheInput(t *testing.T) {
	in, err := event.Parse([]byte(`{"a":{"b":[1,{"c":2}]},"n":12345678901234567890}`))
	if err != nil {
		t.Fatal(err)
	}
	before := string(in.JSON())
	got, err := set(in, []string{"a.b.1.c=three", "a.d=true", "a.b.2=null"})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"a":{"b":[1,{"c":"three"},null],"d":true},"n":12345678901234567890}`; string(got.JSON()) != want {
		t.Errorf("got %s, want %s", got.JSON(), want)
	}
	fresh, _ := event.Parse([]byte(before))
	if string(in.JSON()) != before || string(event.Of(in.Any()).JSON()) != string(event.Of(fresh.Any()).JSON()) {
		t.Errorf("the input itself changed: %s", in.JSON())
	}
	for as, want := range map[string]string{"a.b.9=x": "is no place in a list of 2", "a.b.x=1": "is no place in a list", "=1": "write it as KEY=VALUE"} {
		if _, err := set(in, []string{as}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("--set %s: got %v, want %s", as, err, want)
		}
	}
}
