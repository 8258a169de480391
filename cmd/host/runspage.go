package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"wasmhost/host/event"
)

// page is text that is written line by line.
type page struct {
	w   io.Writer
	err error
	past
}

func (p *page) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *page) field(name, value string) { p.line("%s %s", pad(name, 9), value) }

// nodes lists nodes as they began, with what went wrong in them, those of sub-workflows below
// their node. Their paths begin with that of under.
func (p *page) nodes(nodes event.NodeMap, under nodeAt, depth int) {
	ids := slices.SortedFunc(maps.Keys(nodes), func(a, b string) int {
		return cmp.Or(cmp.Compare(p.when(nodeAt{under.level, under.path + a}), p.when(nodeAt{under.level, under.path + b})), cmp.Compare(a, b))
	})
	wide := 0
	for _, id := range ids {
		wide = max(wide, cellsIn(clean(id)))
	}
	indent := strings.Repeat("  ", depth)
	for _, id := range ids {
		n, at := nodes[id], nodeAt{under.level, under.path + id}
		p.line("%s%s  %s", indent, pad(clean(id), wide), strings.Join(nodeParts(n), " · "))
		p.failures(indent+"  ", n, at)
		for i, item := range n.Items {
			at := nodeAt{at.level, fmt.Sprintf("%s[%d]", at.path, i)}
			if item == nil || item.Status == event.Succeeded && len(p.attempts[at]) == 0 {
				continue
			}
			p.line("%s  [%d] %s", indent, i, strings.Join(nodeParts(item), " · "))
			p.failures(indent+"    ", item, at)
		}
		if n.Run != nil {
			p.nodes(n.Run.Nodes, nodeAt{at.level, at.path + "/"}, depth+1)
		}
	}
}

// when is the number of a node in the order in which nodes began; nodes that
// nothing was heard of come last.
func (p *page) when(at nodeAt) int {
	if n := p.began[at]; n > 0 {
		return n
	}
	return math.MaxInt
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
func (p *page) failures(indent string, n *event.NodeResult, at nodeAt) {
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
			p.nodes(l.Nodes, nodeAt{level: i}, 2)
		}
	}
}

// inline is a value in one line.
func inline(v event.Value) string { return clean(string(v.JSON())) }
