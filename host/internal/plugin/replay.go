package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"wasmhost/host/event"
)

// ending is how a call ended, as far as versions are compared.
type ending struct {
	output   []byte
	warnings []*event.Error
	err      *event.Error
}

func endOf(a Answer, err error) ending {
	o := ending{output: a.Output, warnings: a.Warnings}
	if err != nil {
		o.err, _ = err.(*event.Error)
	}
	return o
}

// text is it for a person, shortened.
func (o ending) text() string {
	if o.err != nil {
		return "error " + inALine(o.err)
	}
	text := shorten(string(o.output), maxShown)
	if len(o.warnings) > 0 {
		text += fmt.Sprintf(" (with %d warnings)", len(o.warnings))
	}
	return text
}

const (
	maxShown       = 200
	maxDifferences = 10
)

// shorten makes text fit to be shown, in at most n bytes.
func shorten(text string, n int) string {
	cut := len(text) > n
	if cut {
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n]
	}
	text = printable(strings.ReplaceAll(text, "\n", " "))
	if cut {
		text += "…"
	}
	return text
}

// same reports whether two calls ended alike: the same error, or the same
// output, byte for byte or as JSON, with the same warnings.
func (o ending) same(b ending) bool {
	if o.err != nil || b.err != nil {
		return o.err != nil && b.err != nil && sameError(o.err, b.err)
	}
	return slices.EqualFunc(o.warnings, b.warnings, sameError) && (bytes.Equal(o.output, b.output) || sameJSON(o.output, b.output))
}

func sameError(a, b *event.Error) bool {
	return a.Class == b.Class && a.Code == b.Code && a.Message == b.Message
}

// sameJSON compares what is said and not how: spaces and the order of keys.
// Numbers are the same when they are written the same.
func sameJSON(a, b []byte) bool {
	one, ok := jsonValue(a)
	if !ok {
		return false
	}
	other, ok := jsonValue(b)
	return ok && reflect.DeepEqual(one, other)
}

func jsonValue(text []byte) (value any, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&value) != nil {
		return nil, false
	}
	_, err := d.Token()
	return value, err == io.EOF
}

// comparison is what came of repeating a call.
type comparison struct {
	kind       comparisonKind
	now        string // how it ended this time, where that differs
	difference event.Difference
}

type comparisonKind int

const (
	identical comparisonKind = iota
	differs
	skipped // it cannot be compared
)

// replay repeats a call on p, a replica, and compares it with how it ended
// before. One that ends alike is identical, whatever it lacked; one that ends
// otherwise, and lacked something, cannot be compared.
func (p *Plugin) replay(ctx context.Context, c Call, old ending) comparison {
	t := &tape{}
	if c.tape != nil {
		t.http = c.tape.http
	}
	again := Call{Function: c.Function, Input: c.Input, Meta: c.Meta, tape: t}
	if !again.Meta.Deadline.IsZero() {
		again.Meta.Deadline, _ = ctx.Deadline()
	}
	now := endOf(p.Call(ctx, again))
	switch unsent := t.unsent(); {
	case old.same(now) && unsent == "":
		return comparison{}
	case p.spec.withheld.lacked(t) != "":
		return comparison{kind: skipped}
	case old.same(now):
		return comparison{kind: differs, now: "the same, without " + unsent}
	}
	return comparison{kind: differs, now: now.text()}
}

// difference is a call of p that was answered otherwise, with secrets masked.
func difference(p *Plugin, c *Call, old ending, now comparison) event.Difference {
	return event.Difference{Run: c.Meta.RunID, Node: c.Meta.Node, Input: shorten(p.masks.text(string(c.Input)), maxShown), Old: old.text(), New: now.now}
}

// told is a difference in a line.
func told(d event.Difference) string {
	text := fmt.Sprintf("%s instead of %s", shorten(d.New, 80), shorten(d.Old, 80))
	if d.Node != "" {
		text = "node " + d.Node + " of run " + d.Run + ": " + text
	}
	return text
}

// replay repeats recorded calls on p, without its permissions. It ends early, and
// without a report, when ctx does.
func (r *Runtime) replay(ctx context.Context, p *Plugin, recordings []Recording) (*event.ReplayReport, *event.Error) {
	replica, failed := p.replica(ctx)
	if failed != nil {
		return nil, failed
	}
	defer replica.pool.end()
	report := &event.ReplayReport{Calls: len(recordings), Differ: []event.Difference{}}
	different := 0
	for i := range recordings {
		one := &recordings[i]
		c := Call{Function: one.Function, Input: one.Input, Meta: one.Meta, tape: &tape{http: one.HTTP}}
		old := ending{output: one.Output, warnings: one.Warnings, err: one.Error}
		limited, cancel := context.WithTimeout(ctx, max(canarySlower*one.Duration, patience))
		got := replica.replay(limited, c, old)
		cancel()
		if ctx.Err() != nil {
			return nil, overContext(ctx, fmt.Sprintf("recorded calls were replayed, %d of %d", i, len(recordings)))
		}
		switch got.kind {
		case identical:
			report.Identical++
		case skipped:
			report.Skipped++
		case differs:
			different++
			if len(report.Differ) < maxDifferences {
				report.Differ = append(report.Differ, difference(p, &c, old, got))
			}
		}
	}
	report.Text = fmt.Sprintf("%d of %d identical", report.Identical, report.Calls)
	if different > 0 {
		report.Text += fmt.Sprintf(", %d differ: %s", different, told(report.Differ[0]))
	}
	if report.Skipped > 0 {
		report.Text += fmt.Sprintf(", %d cannot be compared", report.Skipped)
	}
	return report, nil
}
