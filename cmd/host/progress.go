package main

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"wasmhost/host/event"
)

// progress shows a run while it goes on: as a block that is redrawn on a
// terminal, as lines elsewhere, as JSON events with -o jsonl, not at all with
// -o quiet.
type progress interface {
	event.Sink
	// note says something in between.
	note(text string)
	// Close shows the last state and ends. stopped says why no more is shown of a
	// run that has not ended, "" where there is nothing to say.
	Close(stopped string)
}

func (a *app) newProgress(b *board) progress {
	switch a.format {
	case "quiet":
		return silent{}
	case "jsonl":
		return eventLines{a.out}
	}
	if a.colourful(a.err) {
		b.answer = a.answerTo
		return newLive(b, a.err, a.verbose())
	}
	return &plain{w: a.err, verbose: a.verbose(), answer: a.answerTo}
}

// answerTo is what to type for a node that waits for a person.
func (a *app) answerTo(e *event.Event) string {
	if e.Error != nil { // nobody knows what its call did: there is more than one answer
		return a.again("runs", "why", e.Run)
	}
	return a.again("runs", "approve", e.Run, "--node", quoted(e.Node))
}

type silent struct{}

func (silent) Emit(*event.Event) {}
func (silent) note(string)       {}
func (silent) Close(string)      {}

// eventLines writes events as they come. The result follows as a line of its
// own, so the last event does not carry it too.
type eventLines struct{ w io.Writer }

func (l eventLines) Emit(e *event.Event) {
	if e.Result != nil {
		bare := *e
		bare.Result = nil
		e = &bare
	}
	// When stdout is gone the run still ends as it should.
	_ = writeJSON(l.w, e, false)
}

func (eventLines) note(string)  {}
func (eventLines) Close(string) {}

// plain writes a line for everything that a reader of a log wants to know.
type plain struct {
	mu      sync.Mutex // notes come from anywhere
	w       io.Writer
	verbose bool
	asked   map[string]string // the fallback that a node asked last, by node
	answer  func(*event.Event) string
}

// Emit is called by one goroutine at a time.
func (p *plain) Emit(e *event.Event) {
	text := sayEvent(e, p.verbose)
	where := fmt.Sprintf("%d %s", e.Level, e.Node)
	switch e.Type {
	case event.FallbackUsed:
		if e.AnsweredBy != "" {
			if p.asked == nil {
				p.asked = map[string]string{}
			}
			p.asked[where] = answerer(e)
		}
	case event.NodeSucceeded:
		// The event of an answer does not name the plugin; that of the question did.
		if asked := p.asked[where]; e.AnsweredBy != "" && strings.HasPrefix(asked, e.AnsweredBy+" ") {
			text = strings.Replace(text, ", answered by "+e.AnsweredBy, ", answered by "+asked, 1)
		}
		delete(p.asked, where)
	case event.NodeFailed:
		delete(p.asked, where)
	case event.NodeWaiting:
		text += ": " + p.answer(e)
	}
	if text != "" {
		p.note(text)
	}
}

func (p *plain) note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.w, text)
}

func (*plain) Close(string) {}

// sayEvent is an event as a line for people, "" when it is not worth one.
func sayEvent(e *event.Event, verbose bool) string {
	node := clean(e.Node)
	if e.Level > 0 && node != "" {
		node = fmt.Sprintf("%s (level %d)", node, e.Level)
	}
	switch e.Type {
	case event.RunStarted:
		return fmt.Sprintf("%s: run %s", clean(e.Workflow), e.Run)
	case event.RunResumed:
		return fmt.Sprintf("%s: run %s %s", clean(e.Workflow), e.Run, clean(e.Reason))
	case event.RunFinished:
		return fmt.Sprintf("%s: %s after %s", clean(e.Workflow), e.Status, span(millis(e.DurationMS)))
	case event.HealthChecked:
		return healthLine(e)
	case event.NodeStarted:
		if verbose {
			return node + ": started"
		}
	case event.NodeAttemptFailed:
		return fmt.Sprintf("%s: attempt %d failed: %s", node, e.Attempt, failureText(e.Error))
	case event.NodeRetrying:
		if node == "" {
			return fmt.Sprintf("%s: the whole run again in %s", clean(e.Workflow), span(millis(e.RetryInMS)))
		}
		return fmt.Sprintf("%s: attempt %d in %s", node, e.Attempt, span(millis(e.RetryInMS)))
	case event.NodeSucceeded:
		text := fmt.Sprintf("%s: %s after %s%s", node, e.Status, span(millis(e.DurationMS)), whoAnswered(e))
		if e.Reason != "" {
			text += ", " + clean(e.Reason)
		}
		return text
	case event.NodeFailed:
		return fmt.Sprintf("%s: %s: %s", node, e.Status, failureText(e.Error))
	case event.NodeSkipped:
		return fmt.Sprintf("%s: %s: %s", node, e.Status, clean(e.Reason))
	case event.NodeWaiting:
		return fmt.Sprintf("%s: waiting: %s", node, clean(e.Reason))
	case event.PluginSwapped:
		return swapLine(e)
	case event.BreakerChanged:
		return fmt.Sprintf("breaker %s: %s, was %s", clean(e.Breaker), e.To, e.From)
	case event.FallbackUsed:
		if e.AnsweredBy == "" {
			where := "run"
			if node != "" {
				where = clean(e.Node)
			}
			return fmt.Sprintf("%s: falls back to workflow %s: %s", where, clean(e.Workflow), failureText(e.Error))
		}
		return fmt.Sprintf("%s: asks %s", node, answerer(e))
	case event.Log:
		if verbose || e.LogLevel == "warn" || e.LogLevel == "error" {
			return fmt.Sprintf("%s: %s: %s", node, e.LogLevel, clean(e.Message))
		}
	}
	return ""
}

// swapLine is a new version of a plugin.
func swapLine(e *event.Event) string {
	text := fmt.Sprintf("plugin %s: %s from now on, was %s", clean(e.Plugin), shortDigest(e.To), shortDigest(e.From))
	if e.Reason != "" {
		text += " (" + clean(e.Reason) + ")"
	}
	return text
}

func failureText(e *event.Error) string {
	if e == nil {
		return "no error was given"
	}
	return clean(e.Message) + verdict(e)
}

// whoAnswered names the answerer when it was not the first.
func whoAnswered(e *event.Event) string {
	if e.AnsweredBy == "" || e.AnsweredBy == "primary" {
		return ""
	}
	return ", answered by " + e.AnsweredBy
}

// answerer is who a fallback.used asks.
func answerer(e *event.Event) string {
	if e.Plugin == "" {
		return e.AnsweredBy + " (a constant)"
	}
	return fmt.Sprintf("%s (%s)", e.AnsweredBy, clean(e.Plugin))
}

func healthLine(e *event.Event) string {
	if e.Health == nil || len(e.Health.Checks) == 0 {
		return ""
	}
	good := 0
	for _, c := range e.Health.Checks {
		if c.Healthy {
			good++
		}
	}
	return fmt.Sprintf("health: %d of %s healthy", good, counted(len(e.Health.Checks), "check"))
}
