package workflow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"wasmhost/host/event"
)

// drawMermaid writes a Mermaid flowchart; several sections become subgraphs.
func drawMermaid(sections []section) []byte {
	var out bytes.Buffer
	out.WriteString("flowchart TD\n")
	indent := "  "
	for i := range sections {
		s := &sections[i]
		if len(sections) > 1 {
			title := s.name
			if s.lead != "" {
				title = s.lead + ": " + title
			}
			fmt.Fprintf(&out, "  subgraph s%d[\"%s\"]\n", i, mermaidText(title))
			indent = "    "
		}
		for j := range s.boxes {
			b := &s.boxes[j]
			open, shut := `["`, `"]`
			switch b.kind {
			case WorkflowNode:
				open, shut = `[["`, `"]]`
			case ApprovalNode:
				open, shut = `(["`, `"])`
			}
			lines := append([]string{b.id, b.who}, b.notes...)
			for k, l := range lines {
				lines[k] = mermaidText(l)
			}
			fmt.Fprintf(&out, "%ss%dn%d%s%s%s\n", indent, i, j, open, strings.Join(lines, "<br/>"), shut)
		}
		for _, l := range s.links {
			arrow := "-->"
			if s.boxes[l.to].failed {
				arrow = "-. failed .->"
			}
			fmt.Fprintf(&out, "%ss%dn%d %s s%[2]dn%[5]d\n", indent, i, l.from, arrow, l.to)
		}
		if len(sections) > 1 {
			out.WriteString("  end\n")
		}
	}
	return out.Bytes()
}

// mermaidText writes everything that Mermaid or the page it draws on could take
// for markup as a numbered entity.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range oneLine(s) {
		if strings.ContainsRune("\"#&<>`;\\", r) {
			fmt.Fprintf(&b, "#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// drawDot writes a Graphviz graph; several sections become clusters.
func drawDot(sections []section) []byte {
	var out bytes.Buffer
	name := ""
	if len(sections) > 0 {
		name = sections[0].name
	}
	fmt.Fprintf(&out, "digraph %s {\n  node [shape=box, fontname=\"Helvetica\", fontsize=11];\n  edge [fontname=\"Helvetica\", fontsize=10];\n", dotText(name))
	indent := "  "
	for i := range sections {
		s := &sections[i]
		if len(sections) > 1 {
			title := s.name
			if s.lead != "" {
				title = s.lead + ": " + title
			}
			fmt.Fprintf(&out, "  subgraph cluster_%d {\n    label=%s;\n", i, dotText(title))
			indent = "    "
		}
		for j := range s.boxes {
			b := &s.boxes[j]
			shape := ""
			switch b.kind {
			case WorkflowNode:
				shape = ", peripheries=2"
			case ApprovalNode:
				shape = ", style=\"rounded,dashed\""
			}
			label := dotText(strings.Join(append([]string{b.id, b.who}, b.notes...), "\n"))
			fmt.Fprintf(&out, "%ss%dn%d [label=%s%s];\n", indent, i, j, label, shape)
		}
		for _, l := range s.links {
			style := ""
			if s.boxes[l.to].failed {
				style = " [style=dashed, color=\"#ce2c31\", label=\"failed\"]"
			}
			fmt.Fprintf(&out, "%ss%dn%d -> s%[2]dn%[4]d%[5]s;\n", indent, i, l.from, l.to, style)
		}
		if len(sections) > 1 {
			out.WriteString("  }\n")
		}
	}
	out.WriteString("}\n")
	return out.Bytes()
}

// dotText quotes a label; line breaks stay, left-aligned.
func dotText(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(oneLine(l))
	}
	if len(lines) == 1 {
		return `"` + lines[0] + `"`
	}
	return `"` + strings.Join(lines, `\l`) + `\l"`
}

// The JSON form, for tools that draw by themselves.
type jsonGraph struct {
	Workflow string        `json:"workflow"`
	Sections []jsonSection `json:"sections"`
}

type jsonSection struct {
	Level    string     `json:"level"`
	Prefix   string     `json:"prefix"`
	Workflow string     `json:"workflow"`
	Lead     string     `json:"lead,omitempty"`
	Rows     int        `json:"rows"`
	Nodes    []jsonNode `json:"nodes"`
	Edges    []jsonEdge `json:"edges"`
}

type jsonNode struct {
	ID   string `json:"id"`
	Path string `json:"path"`
	Kind string `json:"kind"`
	// Row and Place are where the layout puts the node: rows from the top, places
	// from the left.
	Row       int            `json:"row"`
	Place     int            `json:"place"`
	Plugin    string         `json:"plugin,omitempty"`
	Function  string         `json:"function,omitempty"`
	Workflow  string         `json:"workflow,omitempty"`
	Approval  string         `json:"approval,omitempty"`
	RunIf     string         `json:"run_if"`
	When      string         `json:"when,omitempty"`
	ForEach   string         `json:"for_each,omitempty"`
	Policy    string         `json:"policy,omitempty"`
	Retries   int            `json:"retries,omitempty"`
	Breaker   string         `json:"breaker,omitempty"`
	Fallbacks []jsonFallback `json:"fallbacks,omitempty"`
	State     event.Status   `json:"state,omitempty"`
}

type jsonFallback struct {
	Plugin   string       `json:"plugin,omitempty"`
	Function string       `json:"function,omitempty"`
	Value    *event.Value `json:"value,omitempty"`
}

type jsonEdge struct {
	From  string `json:"from"`
	To    string `json:"to"`
	RunIf string `json:"run_if"`
}

var runIfNames = map[RunIf]string{IfSucceeded: "succeeded", IfFailed: "failed", IfDone: "done"}

func drawJSON(sections []section) ([]byte, error) {
	out := jsonGraph{Sections: []jsonSection{}}
	for i := range sections {
		s := &sections[i]
		if i == 0 {
			out.Workflow = s.name
		}
		failed := make([]bool, len(s.boxes))
		for j, b := range s.boxes {
			failed[j] = b.failed
		}
		g := newLayers(len(s.boxes), failed, s.links)
		js := jsonSection{Level: s.level, Prefix: s.prefix, Workflow: s.name, Lead: s.lead, Rows: len(g.rows), Nodes: []jsonNode{}, Edges: []jsonEdge{}}
		for j := range s.plan.Nodes {
			n := &s.plan.Nodes[j]
			jn := jsonNode{ID: n.ID, Path: s.boxes[j].path, Kind: kindNames[n.Kind], Row: int(g.row[j]), Place: int(g.at[j]),
				Approval: n.Approval, RunIf: runIfNames[n.RunIf], ForEach: listSource(n.ForEach), State: s.boxes[j].state}
			if n.When != nil {
				jn.When = n.When.String()
			}
			if n.Sub != nil {
				jn.Workflow = n.Sub.Name
			}
			if n.Kind == PluginNode {
				p := &n.Primary.Policy
				jn.Plugin, jn.Function = n.Primary.Plugin, n.Primary.Function
				jn.Policy, jn.Retries, jn.Breaker = p.Name, p.Retry.MaxRetries, p.Breaker
				for _, f := range n.Fallbacks {
					jf := jsonFallback{Plugin: f.Plugin, Function: f.Function}
					if f.IsValue {
						jf.Value = &f.Value
					}
					jn.Fallbacks = append(jn.Fallbacks, jf)
				}
			}
			js.Nodes = append(js.Nodes, jn)
		}
		for _, l := range s.links {
			js.Edges = append(js.Edges, jsonEdge{s.plan.Nodes[l.from].ID, s.plan.Nodes[l.to].ID, runIfNames[s.plan.Nodes[l.to].RunIf]})
		}
		out.Sections = append(out.Sections, js)
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write the graph as JSON: %w", err)
	}
	return append(text, '\n'), nil
}
