package workflow

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wasmhost/host/event"
	"wasmhost/resilience"
)

func drawnPlan(name string, nodes ...Node) *Plan {
	for i := range nodes {
		nodes[i].Index, nodes[i].Idempotent, nodes[i].MinSuccess = i, true, max(nodes[i].MinSuccess, 0)
	}
	return &Plan{Name: name, Nodes: nodes}
}

func drawnNode(id, plugin string, needs ...int) Node {
	return Node{ID: id, Needs: needs, Primary: Answerer{Plugin: plugin}}
}

func drawnList(source string) *Template {
	return &Template{root: part{kind: exprPart, expr: &Expr{source: source}}}
}

// drawnExample has everything that a drawing can show.
func drawnExample() *Plan {
	process := drawnNode("process", "agent", 0)
	process.When = &Expr{source: "nodes.validate.output.valid"}
	process.Primary.Policy = Policy{Retry: resilience.Retry{MaxRetries: 3}, Breaker: "openai"}
	process.Fallbacks = []Answerer{{Plugin: "validator"}, {IsValue: true, Value: event.Text("x")}}
	each := drawnNode("each", "validator", 1)
	each.ForEach, each.MinSuccess = drawnList("nodes.process.output.parts"), 0.9
	review := Node{ID: "review", Kind: ApprovalNode, Approval: "Publish this?", Needs: []int{2}}
	report := Node{ID: "report", Kind: WorkflowNode, Needs: []int{3},
		Sub: drawnPlan("report", drawnNode("collect", "transform"), drawnNode("send", "http", 0))}
	recovery := drawnNode("recover", "recover", 2)
	recovery.RunIf = IfFailed
	p := drawnPlan("fault-tolerant-analysis", drawnNode("validate", "validator"), process, each, review, report, recovery)
	p.Levels = []Level{
		{Plan: drawnPlan("basic", drawnNode("fetch", "http"), drawnNode("upper", "uppercase", 0)),
			On: []resilience.Class{resilience.Transient, resilience.System, resilience.Unknown}},
		{Plan: drawnPlan("emergency", drawnNode("upper", "uppercase"))},
	}
	return p
}

func drawnFan(n int) *Plan {
	nodes := []Node{drawnNode("start", "http")}
	var all []int
	for i := range n {
		nodes = append(nodes, drawnNode(fmt.Sprintf("work-%d", i+1), "agent", 0))
		all = append(all, i+1)
	}
	return drawnPlan("fan", append(nodes, drawnNode("join", "transform", all...))...)
}

func drawnTangle() *Plan {
	rescue := drawnNode("rescue", "q", 2, 3)
	rescue.RunIf = IfFailed
	cleanup := drawnNode("cleanup", "q", 9)
	cleanup.RunIf = IfDone
	return drawnPlan("tangle", drawnNode("a", "p"), drawnNode("b", "p"), drawnNode("c", "p", 0, 1), drawnNode("d", "p", 0, 1),
		drawnNode("e", "p", 2), drawnNode("f", "p", 0, 2, 3), drawnNode("g", "p", 4, 5), drawnNode("h", "p", 1, 6), rescue,
		drawnNode("i", "p", 7, 8), cleanup, drawnNode("j", "p", 0, 9))
}

func drawnLong(n int) *Plan {
	var nodes []Node
	for i := range n {
		if i == 0 {
			nodes = append(nodes, drawnNode("step-0", "p"))
			continue
		}
		nodes = append(nodes, drawnNode(fmt.Sprintf("step-%d", i), "p", i-1))
	}
	return drawnPlan("long", nodes...)
}

// The pages under testdata/graph are what the drawings look like. To look at
// changed ones: HOST_UPDATE_GRAPHS=1 go test ./host/workflow -run Drawings.
func TestDrawings(t *testing.T) {
	states := func(level, node string) event.Status {
		if level != "0" {
			return ""
		}
		return map[string]event.Status{"validate": event.Succeeded, "process": event.Degraded, "each": event.Failed,
			"review": event.Skipped, "report": event.Pending, "recover": event.Running}[node]
	}
	wide := drawnPlan("wörkflow", drawnNode("日本語", "p"), Node{ID: "ask", Kind: ApprovalNode, Approval: "続行しますか?\n\x1b[31mred", Needs: []int{0}})
	tests := []struct {
		name, format string
		plan         *Plan
		options      GraphOptions
	}{
		{"example.txt", "ascii", drawnExample(), GraphOptions{}},
		{"example-states.txt", "ascii", drawnExample(), GraphOptions{State: states}},
		{"example-expanded.txt", "ascii", drawnExample(), GraphOptions{Expand: true}},
		{"example-plain.txt", "ascii", drawnExample(), GraphOptions{Plain: true}},
		{"example.mmd", "mermaid", drawnExample(), GraphOptions{}},
		{"example.dot", "dot", drawnExample(), GraphOptions{}},
		{"example.json", "json", drawnExample(), GraphOptions{}},
		{"example.svg", "svg", drawnExample(), GraphOptions{State: states}},
		{"single.txt", "", drawnPlan("one", drawnNode("only", "p")), GraphOptions{}},
		{"empty.txt", "ascii", drawnPlan("none"), GraphOptions{}},
		{"fan-3.txt", "ascii", drawnFan(3), GraphOptions{}},
		{"fan-8-turns-right.txt", "ascii", drawnFan(8), GraphOptions{}},
		{"fan-8-wide.txt", "ascii", drawnFan(8), GraphOptions{Width: 140}},
		{"tangle.txt", "ascii", drawnTangle(), GraphOptions{}},
		{"tangle-plain.txt", "ascii", drawnTangle(), GraphOptions{Plain: true}},
		{"tangle-narrow.txt", "ascii", drawnTangle(), GraphOptions{Width: 40}},
		{"long-70-is-listed.txt", "ascii", drawnLong(70), GraphOptions{}},
		{"wide-characters.txt", "ascii", wide, GraphOptions{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.plan.Graph(tt.format, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "graph", tt.name)
			if os.Getenv("HOST_UPDATE_GRAPHS") != "" {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("the drawing changed:\n%s", d)
			}
			if tt.format != "ascii" && tt.format != "" {
				return
			}
			most := tt.options.Width
			if most == 0 {
				most = 80
			}
			for i, line := range strings.Split(string(got), "\n") {
				if cellsOf(line) > most && !strings.HasPrefix(line, "fallback level") {
					t.Errorf("line %d takes %d columns, want at most %d: %s", i+1, cellsOf(line), most, line)
				}
				if strings.ContainsAny(line, "\x1b\r\x00") {
					t.Errorf("line %d holds a control character: %q", i+1, line)
				}
				if tt.options.Plain && strings.ContainsFunc(line, func(r rune) bool { return r > 0x7e }) {
					t.Errorf("line %d is not plain: %q", i+1, line)
				}
			}
		})
	}
}

func TestUnknownGraphFormat(t *testing.T) {
	_, err := drawnFan(1).Graph("pdf", GraphOptions{})
	if want := `unknown graph format "pdf": choose one of ascii, svg, mermaid, dot, json`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Names come from files that anybody may have written.
func TestDrawingsAreSafe(t *testing.T) {
	evil := "</text><script>alert(\"1\")</script>\x1b[2J\x00`;#\\"
	n := drawnNode(evil, evil)
	n.When = &Expr{source: evil}
	p := drawnPlan(evil, n, Node{ID: "ask", Kind: ApprovalNode, Approval: evil, Needs: []int{0}})
	for _, format := range GraphFormats {
		out, err := p.Graph(format, GraphOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsAny(out, "\x1b\x00") {
			t.Errorf("%s: control characters came through", format)
		}
		switch format {
		case "svg":
			if bytes.Contains(out, []byte("<script")) {
				t.Errorf("svg: markup came through:\n%s", out)
			}
			wellFormed(t, out)
		case "mermaid":
			if bytes.Contains(out, []byte("<script")) {
				t.Errorf("mermaid: markup came through:\n%s", out)
			}
		case "json":
			if !json.Valid(out) {
				t.Errorf("not JSON: %s", out)
			}
		case "dot":
			if q := bytes.Count(bytes.ReplaceAll(bytes.ReplaceAll(out, []byte(`\\`), nil), []byte(`\"`), nil), []byte(`"`)); q%2 != 0 {
				t.Errorf("dot: unbalanced quotes:\n%s", out)
			}
		}
	}
}

func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("the SVG is not well-formed: %v", err)
		}
	}
}

// A page finds nodes by level and path and asks nothing of anybody else.
func TestSVGIsForPages(t *testing.T) {
	out, err := drawnExample().Graph("svg", GraphOptions{Expand: true})
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, out)
	for _, want := range []string{
		`id="node-0-validate" data-level="0" data-node="validate"`, `data-level="0" data-node="report/send"`,
		`data-level="1" data-node="upper"`, `data-level="2" data-node="upper"`, `prefers-color-scheme:dark`, `class="edge failed"`,
	} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the SVG lacks %s", want)
		}
	}
	if urls := bytes.Count(out, []byte("://")); urls != 1 { // the namespace
		t.Errorf("the SVG names %d addresses, want the namespace only", urls)
	}
}

// bigPlan has ten thousand nodes of one shape.
func bigPlan(shape string) *Plan {
	const n = 10_000
	r := rand.New(rand.NewPCG(1, 2))
	nodes := make([]Node, n)
	for i := range nodes {
		var needs []int
		switch {
		case i == 0:
		case shape == "chain":
			needs = []int{i - 1}
		case shape == "fan":
			needs = []int{0}
			if i == n-1 {
				needs = nil
				for k := 1; k < n-1; k++ {
					needs = append(needs, k)
				}
			}
		case shape == "hub": // everybody needs the first one
			needs = []int{i - 1}
			if i > 1 {
				needs = append(needs, 0)
			}
		case shape == "far":
			needs = []int{i - 1}
			if i > n/2 {
				needs = append(needs, i-n/2)
			}
		case shape == "random":
			seen := map[int]bool{}
			for range 3 {
				if k := max(0, i-1-r.IntN(200)); !seen[k] {
					seen[k] = true
					needs = append(needs, k)
				}
			}
		}
		nodes[i] = drawnNode(fmt.Sprintf("n%d", i), "p", needs...)
	}
	return drawnPlan(shape, nodes...)
}

var bigShapes = []string{"chain", "fan", "hub", "far", "random"}

// The bound is far above what it takes (see the benchmark), for busy machines.
func TestBigGraphsAreQuick(t *testing.T) {
	for _, shape := range bigShapes {
		p := bigPlan(shape)
		for _, format := range GraphFormats {
			begin := time.Now()
			if _, err := p.Graph(format, GraphOptions{}); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("%s as %s took %v", shape, format, took)
			}
		}
	}
}

func BenchmarkGraph(b *testing.B) {
	for _, shape := range bigShapes {
		p := bigPlan(shape)
		for _, format := range []string{"ascii", "svg"} {
			b.Run(shape+"/"+format, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := p.Graph(format, GraphOptions{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
