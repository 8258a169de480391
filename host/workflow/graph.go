package workflow

import (
	"fmt"
	"strconv"
	"strings"

	"wasmhost/host/event"
	"wasmhost/resilience"
)

// GraphFormats are the formats that Plan.Graph knows, the default first.
var GraphFormats = []string{"ascii", "svg", "mermaid", "dot", "json"}

// GraphOptions says how a graph is drawn. The zero value draws the plan alone,
// for 80 columns.
type GraphOptions struct {
	// Width is how many columns an ascii drawing may take; 0 means 80. What
	// cannot be drawn in it is listed line by line instead.
	Width int
	// Plain keeps to 7-bit characters, for terminals without UTF-8.
	Plain bool
	// Expand draws the sub-workflows too, each in a section of its own.
	Expand bool
	// State is asked for the state of every node, by the level that it belongs
	// to ("0" is the primary, "1.2" the second fallback of the first fallback)
	// and its path of ids ("report/each"). Nil or "": no state is drawn.
	State func(level, node string) event.Status
}

// Graph draws the plan: its nodes, their order, conditions, error edges and
// fallbacks, and the fallback workflows as sections below. The format is one of
// GraphFormats; "" means the first of them.
func (p *Plan) Graph(format string, o GraphOptions) ([]byte, error) {
	if o.Width <= 0 {
		o.Width = 80
	}
	switch format {
	case "", "ascii":
		return drawASCII(p.sections(o), o), nil
	case "svg":
		return drawSVG(p.sections(o)), nil
	case "mermaid":
		return drawMermaid(p.sections(o)), nil
	case "dot":
		return drawDot(p.sections(o)), nil
	case "json":
		return drawJSON(p.sections(o))
	}
	return nil, fmt.Errorf("unknown graph format %q: choose one of %s", format, strings.Join(GraphFormats, ", "))
}

// section is one workflow of a drawing: the plan itself, a fallback level, or
// an expanded sub-workflow.
type section struct {
	level  string // "0", "1", "1.2"
	prefix string // of node paths: "" or "report/"
	name   string
	// lead says how a run comes here; "" for the plan itself.
	lead  string
	plan  *Plan
	boxes []box
	links []link
}

// box is a node as it is drawn: a name and the lines below it.
type box struct {
	id, path string
	kind     Kind
	failed   bool // runs only after a failure
	state    event.Status
	who      string   // who answers: the plugin, the workflow, the question
	notes    []string // policies, conditions, fallbacks, in reading order
}

// link is a dependency, from the needed node to the one that needs it.
type link struct{ from, to int }

// sections flattens the plan, its fallback levels and, when asked for, its
// sub-workflows, in the order in which they are read.
func (p *Plan) sections(o GraphOptions) []section {
	var out []section
	var add func(p *Plan, level, prefix, lead string)
	add = func(p *Plan, level, prefix, lead string) {
		out = append(out, p.section(level, prefix, lead, o.State))
		if o.Expand {
			for i := range p.Nodes {
				if n := &p.Nodes[i]; n.Kind == WorkflowNode && n.Sub != nil {
					path := prefix + n.ID
					add(n.Sub, level, path+"/", "inside "+path)
				}
			}
		}
		for i, l := range p.Levels {
			if l.Plan == nil {
				continue
			}
			next := strconv.Itoa(i + 1)
			if level != "0" {
				next = level + "." + next
			}
			whose := ""
			if prefix != "" {
				whose = " of " + strings.TrimSuffix(prefix, "/")
			}
			add(l.Plan, next, prefix, "fallback level "+next+whose+", after "+failures(l.On))
		}
	}
	add(p, "0", "", "")
	return out
}

// failures names the failures that a level answers.
func failures(on []resilience.Class) string {
	if len(on) == 0 {
		return "any failure"
	}
	words := make([]string, len(on))
	for i, c := range on {
		words[i] = string(c)
	}
	last := len(words) - 1
	if last == 0 {
		return "a " + words[0] + " failure"
	}
	return "a " + strings.Join(words[:last], ", ") + " or " + words[last] + " failure"
}

func (p *Plan) section(level, prefix, lead string, state func(level, node string) event.Status) section {
	s := section{level: level, prefix: prefix, name: p.Name, lead: lead, plan: p, boxes: make([]box, len(p.Nodes))}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		b := box{id: oneLine(n.ID), path: prefix + n.ID, kind: n.Kind, failed: n.RunIf == IfFailed}
		if state != nil {
			b.state = state(level, b.path)
		}
		b.who, b.notes = n.who(), n.notes()
		s.boxes[i] = b
		for _, need := range n.Needs {
			s.links = append(s.links, link{need, i})
		}
	}
	return s
}

// who names what does the node's work.
func (n *Node) who() string {
	switch n.Kind {
	case WorkflowNode:
		if n.Sub == nil {
			return "workflow"
		}
		return fmt.Sprintf("workflow %s, %s", oneLine(n.Sub.Name), count(len(n.Sub.Nodes), "node"))
	case ApprovalNode:
		return "asks: " + oneLine(n.Approval)
	}
	return n.Primary.who()
}

func (a *Answerer) who() string {
	if a.IsValue {
		return "a constant"
	}
	if a.Function == "" || a.Function == "run" {
		return oneLine(a.Plugin)
	}
	return oneLine(a.Plugin + "." + a.Function)
}

// notes says what else decides about a node.
func (n *Node) notes() []string {
	var out []string
	if s := listSource(n.ForEach); s != "" {
		out = append(out, "for each of "+s)
		if n.MinSuccess > 0 && n.MinSuccess < 1 {
			out = append(out, fmt.Sprintf("%g%% of them must succeed", n.MinSuccess*100))
		}
	}
	switch n.RunIf {
	case IfFailed:
		out = append(out, "only after a failure")
	case IfDone:
		out = append(out, "in any case")
	}
	if n.When != nil {
		out = append(out, "when "+oneLine(n.When.String()))
	}
	if n.Kind == PluginNode {
		if s := n.Primary.Policy.summary(); s != "" {
			out = append(out, s)
		}
		for i := range n.Fallbacks {
			f := "else " + n.Fallbacks[i].who()
			if r := n.Fallbacks[i].Policy.Retry.MaxRetries; r > 0 && !n.Fallbacks[i].IsValue {
				f += ", " + count(r, "retry")
			}
			out = append(out, f)
		}
	}
	if !n.Idempotent && n.Kind == PluginNode {
		out = append(out, "never repeated blindly")
	}
	return out
}

// summary is what a reader of a graph wants to know of a policy.
func (p *Policy) summary() string {
	var parts []string
	if p.Retry.MaxRetries > 0 {
		parts = append(parts, count(p.Retry.MaxRetries, "retry"))
	}
	if p.Breaker != "" {
		parts = append(parts, "breaker "+oneLine(p.Breaker))
	}
	return strings.Join(parts, ", ")
}

// listSource is what a for_each goes over, as the file has it.
func listSource(t *Template) string {
	switch {
	case t == nil:
		return ""
	case t.root.kind == exprPart:
		return oneLine(t.root.expr.String())
	case t.constant != nil:
		return cut(oneLine(string(t.constant.JSON())), 60, "…")
	}
	return "a list made in place"
}

// count is "1 node", "3 nodes", "2 retries".
func count(n int, noun string) string {
	if n != 1 {
		if stem, ok := strings.CutSuffix(noun, "y"); ok {
			noun = stem + "ies"
		} else {
			noun += "s"
		}
	}
	return strconv.Itoa(n) + " " + noun
}
