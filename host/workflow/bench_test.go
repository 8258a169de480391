package workflow_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// large writes a workflow of n nodes: chains with a diamond here and there,
// each node with a policy, a condition and an expression on its need.
func large(n int) []byte {
	var b strings.Builder
	b.WriteString("version = 1\nname = \"large\"\n[plugins.p]\nsource = \"builtin:uppercase\"\n[policies.x]\ntimeout = \"5s\"\nretry = { max_retries = 2 }\n")
	for i := range n {
		fmt.Fprintf(&b, "\n[nodes.n%d]\nplugin = \"p\"\npolicy = \"x\"\n", i)
		switch {
		case i == 0:
		case i%10 == 0:
			fmt.Fprintf(&b, "needs = [\"n%d\", \"n%d\"]\nwith = { a = \"{{ nodes.n%d.output }}\", b = \"{{ nodes.n%d.output.text }}\" }\n", i-1, i/2, i-1, i/2)
		default:
			fmt.Fprintf(&b, "needs = [\"n%d\"]\nwhen = \"nodes.n%d.output.count > %d\"\nwith = { text = \"{{ nodes.n%d.output.text }}\" }\n", i-1, i-1, i, i-1)
		}
	}
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000, 100_000} {
		text := large(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				plan, findings := workflow.Parse(context.Background(), "large.toml", text, workflow.Options{Inspector: builtins})
				if plan == nil {
					b.Fatal(findings[0])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/node")
		})
	}
}

// The default output of a fan-out: an object of what all nodes returned.
func BenchmarkRenderOutput(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		var text strings.Builder
		text.WriteString("[plugins.p]\nsource = 'builtin:uppercase'\n")
		outputs := make([]event.Value, n)
		for i := range n {
			fmt.Fprintf(&text, "[nodes.n%d]\nplugin = 'p'\n", i)
			outputs[i] = event.Raw(fmt.Appendf(nil, `{"n":%d,"text":"the light had been seen","list":[1,2,3]}`, i))
		}
		plan, findings := workflow.Parse(context.Background(), "fan.toml", []byte(text.String()), workflow.Options{Inspector: builtins})
		if plan == nil {
			b.Fatal(findings[0])
		}
		fresh := make([]event.Value, n)
		scope := &workflow.Scope{Node: func(i int) workflow.NodeView { return workflow.NodeView{Output: fresh[i]} }}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				for i, v := range outputs {
					fresh[i] = event.Raw(v.JSON())
				}
				b.StartTimer()
				v, err := plan.RenderOutput(context.Background(), scope)
				if err != nil || len(v.JSON()) == 0 {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRender(b *testing.B) {
	node := func(id string) (int, bool) { return 0, id == "a" }
	big := event.Raw([]byte(`{"text":"` + strings.Repeat("x", 1<<20) + `","n":12345678901234567890,"list":[1,2,3]}`))
	scope := &workflow.Scope{Node: func(int) workflow.NodeView { return workflow.NodeView{Output: big, Status: event.Succeeded} }}
	for name, source := range map[string]any{
		"output":  "{{ nodes.a.output }}",
		"path":    "{{ nodes.a.output.n }}",
		"mixed":   "n is {{ nodes.a.output.n }}",
		"compute": "{{ nodes.a.output.list[1] * 2 + 1 }}",
		"object":  map[string]any{"n": "{{ nodes.a.output.n }}", "k": "constant"},
		"filter":  "{{ filter(nodes.a.output.list, # > 1) }}",
	} {
		t, err := workflow.NewTemplate(source, node)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := t.Render(context.Background(), scope); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
