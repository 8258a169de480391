package workflow_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
	"wasmhost/resilience"
)

// load reads a text that must be right.
func load(t testing.TB, text string) *workflow.Plan {
	t.Helper()
	plan, findings := workflow.Parse(context.Background(), filepath.Join(t.TempDir(), "test.toml"), []byte(text), workflow.Options{Inspector: builtins})
	if plan == nil {
		var out bytes.Buffer
		workflow.Format(&out, findings, func(string) []byte { return []byte(text) }, false)
		t.Fatalf("findings:\n%s", out.String())
	}
	return plan
}

func node(t testing.TB, p *workflow.Plan, id string) *workflow.Node {
	t.Helper()
	for i := range p.Nodes {
		if p.Nodes[i].ID == id {
			return &p.Nodes[i]
		}
	}
	t.Fatalf("no node %s", id)
	return nil
}

// Built-in < [defaults] < [policies.NAME] < the node; tables merge key by key,
// arrays replace.
func TestPrecedence(t *testing.T) {
	p := load(t, `
[plugins.p]
source = "builtin:uppercase"
[breakers.b]
[breakers.c]
[defaults]
timeout  = "20s"
deadline = "5m"
retry    = { max_retries = 1, base_delay = "3s", on = ["transient", "system"] }
rate_limit = { rate = "60/m", burst = 7 }
[policies.llm]
timeout = "60s"
breaker = "b"
concurrency = 4
hedge   = { delay = "2s" }
retry   = { max_retries = 3, budget = 0.2, on = ["unknown"] }
rate_limit = { max_wait = "1s" }
[nodes.builtin]
plugin = "p"
[nodes.policy]
plugin = "p"
policy = "llm"
[nodes.own]
plugin  = "p"
policy  = "llm"
timeout = "45s"
breaker = "c"
concurrency = 2
retry   = { backoff = "constant", budget = 0.5 }
rate_limit = { rate = "5/s" }
hedge   = { max = 2 }
with    = { a = 1 }
[[nodes.own.fallback]]
plugin  = "p"
retry   = { max_delay = "5s", retry_after = "0s" }
[[nodes.own.fallback]]
plugin  = "p"
policy  = "llm"
with    = 5
function = "run"
[[nodes.own.fallback]]
value   = { a = 1.10 }
`)
	retry := resilience.DefaultRetry()
	retry.MaxRetries, retry.BaseDelay, retry.On = 1, 3*time.Second, []resilience.Class{"transient", "system"}
	want := workflow.Policy{
		Timeout: 20 * time.Second, Deadline: 5 * time.Minute, Retry: retry,
		RateLimit: &resilience.RateLimit{Rate: 1, Burst: 7, MaxWait: 10 * time.Second}, OwnRate: true,
	}
	if diff := cmp.Diff(want, node(t, p, "builtin").Primary.Policy); diff != "" {
		t.Errorf("defaults: -want +got\n%s", diff)
	}
	want.Name, want.Timeout, want.Breaker, want.Concurrency = "llm", time.Minute, "b", 4
	want.Hedge = &resilience.Hedge{Delay: 2 * time.Second, Max: 1}
	want.Retry.MaxRetries, want.Retry.Budget, want.Retry.On = 3, 0.2, []resilience.Class{"unknown"}
	want.RateLimit, want.OwnRate = &resilience.RateLimit{Rate: 1, Burst: 7, MaxWait: time.Second}, false
	if diff := cmp.Diff(want, node(t, p, "policy").Primary.Policy); diff != "" {
		t.Errorf("policy: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(want, *p.Policies["llm"]); diff != "" {
		t.Errorf("the named policy: -want +got\n%s", diff)
	}
	own := node(t, p, "own")
	want.Timeout, want.Breaker, want.Concurrency, want.OwnConcurrency = 45*time.Second, "c", 2, true
	want.Retry.Backoff, want.Retry.Budget, want.OwnBudget = resilience.Constant, 0.5, true
	want.RateLimit, want.OwnRate = &resilience.RateLimit{Rate: 5, Burst: 7, MaxWait: time.Second}, true
	want.Hedge = &resilience.Hedge{Delay: 2 * time.Second, Max: 2}
	if diff := cmp.Diff(want, own.Primary.Policy); diff != "" {
		t.Errorf("node: -want +got\n%s", diff)
	}

	// A fallback entry inherits [defaults] and the node's with, not its policy.
	first := own.Fallbacks[0]
	if first.Policy.Name != "" || first.Policy.Timeout != 20*time.Second || first.Policy.Breaker != "" || first.Policy.Concurrency != 0 ||
		first.Policy.Retry.MaxRetries != 1 || first.Policy.Retry.MaxDelay != 5*time.Second || first.Policy.Retry.RetryAfter != -1 {
		t.Errorf("fallback 0: %+v", first.Policy)
	}
	if v, ok := first.With.Constant(); !ok || string(v.JSON()) != `{"a":1}` {
		t.Errorf("fallback 0 is given %s", v.JSON())
	}
	if v, _ := own.Fallbacks[1].With.Constant(); string(v.JSON()) != "5" || own.Fallbacks[1].Policy.Name != "llm" {
		t.Errorf("fallback 1: %s, %+v", v.JSON(), own.Fallbacks[1].Policy)
	}
	if last := own.Fallbacks[2]; !last.IsValue || string(last.Value.JSON()) != `{"a":1.10}` {
		t.Errorf("fallback 2: %s", last.Value.JSON())
	}
}

func TestPlanOfTheExample(t *testing.T) {
	p, findings := workflow.Load(context.Background(), example, workflow.Options{Inspector: builtins})
	if p == nil {
		t.Fatal(findings)
	}
	var order []string
	for i := range p.Nodes {
		order = append(order, p.Nodes[i].ID)
		for _, n := range p.Nodes[i].Needs {
			if n >= i || !slices.Contains(p.Nodes[n].Dependents, i) {
				t.Errorf("%s needs node %d, which is not before it or does not know it", p.Nodes[i].ID, n)
			}
		}
	}
	if got := strings.Join(order, " "); got != "validate process each review report recover" {
		t.Errorf("order %s", got)
	}
	process, each, review, report, recover := node(t, p, "process"), node(t, p, "each"), node(t, p, "review"), node(t, p, "report"), node(t, p, "recover")
	if process.Deadline != 4*time.Minute || process.Primary.Policy.Timeout != 45*time.Second || process.Primary.Policy.Breaker != "openai" || len(process.Fallbacks) != 2 {
		t.Errorf("process: %+v", process.Primary.Policy)
	}
	if each.ForEach == nil || each.MaxParallel != 4 || each.MinSuccess != 0.9 || each.Deadline != 5*time.Minute || each.Primary.Policy.Deadline != 0 {
		t.Errorf("each: %+v", each)
	}
	if review.Kind != workflow.ApprovalNode || review.Deadline != 24*time.Hour || review.Approval != "Publish this?" {
		t.Errorf("review: %+v", review)
	}
	if report.Kind != workflow.WorkflowNode || report.Sub == nil || report.Sub.Name != "report" || report.Deadline != 5*time.Minute {
		t.Errorf("report: %+v", report)
	}
	if recover.RunIf != workflow.IfFailed {
		t.Errorf("recover: %+v", recover)
	}
	if p.Levels[0].Plan.Name != "basic" || p.Levels[1].Plan.Name != "emergency" || len(p.Levels[0].On) != 3 || p.Levels[1].On != nil {
		t.Errorf("levels: %+v", p.Levels)
	}
	agent := p.Plugins["agent"]
	if agent.Limits.Memory != 32<<20 || agent.Limits.Output != 8<<20 || agent.Limits.Instances != 16 || agent.Allow.Secrets[0].Header != "Authorization" ||
		agent.Config["base_url"].Env != "OPENAI_BASE_URL" || agent.Config["model"].Value != "gpt-4o-mini" {
		t.Errorf("agent: %+v", agent)
	}
	if !p.Run.HealthGate || p.Run.Concurrency != 8 || p.Run.Deadline != 10*time.Minute || p.Webhook.Header != "X-Signature" || len(p.Health) != 2 ||
		p.Health[0].Function != "health" || p.Classify[0].Codes[1] != "400" || p.Schedules[0].Overlap != "skip" {
		t.Errorf("the rest: %+v", p)
	}
	if !strings.HasPrefix(p.Digest, "sha256:") || p.Digest == p.Levels[0].Plan.Digest {
		t.Errorf("digests: %s, %s", p.Digest, p.Levels[0].Plan.Digest)
	}
}

// The digest covers the file and every workflow and schema that it names.
func TestDigest(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	digest := func() string {
		t.Helper()
		p, findings := workflow.Load(context.Background(), filepath.Join(dir, "root.toml"), workflow.Options{})
		if p == nil {
			t.Fatal(findings)
		}
		return p.Digest
	}
	write("root.toml", "[input]\nschema = 'in.json'\n[nodes.a]\nworkflow = 'sub.toml'\n")
	write("sub.toml", "[plugins.p]\nsource = 'builtin:x'\n[nodes.a]\nplugin = 'p'\noutput = 'out.json'\n")
	write("in.json", `{"$ref": "common.json"}`)
	write("out.json", `{"type": "string"}`)
	write("common.json", `{"type": "object"}`)
	first := digest()
	if again := digest(); again != first {
		t.Errorf("twice the same files: %s, %s", first, again)
	}
	for name, text := range map[string]string{
		"root.toml": "# a comment\n[input]\nschema = 'in.json'\n[nodes.a]\nworkflow = 'sub.toml'\n", "sub.toml": "# a comment\n[plugins.p]\nsource = 'builtin:x'\n[nodes.a]\nplugin = 'p'\noutput = 'out.json'\n",
		"in.json": `{"$ref": "common.json" }`, "out.json": `{"type": "string" }`, "common.json": `{"type": "object" }`,
	} {
		before := digest()
		write(name, text)
		if digest() == before {
			t.Errorf("%s changed, the digest did not", name)
		}
	}
}

func TestWorstCase(t *testing.T) {
	p := load(t, `
[plugins.p]
source = "builtin:uppercase"
[nodes.plain]
plugin = "p"
timeout = "5s"
[nodes.retried]
plugin = "p"
needs = ["plain"]
timeout = "10s"
retry = { max_retries = 3, backoff = "exponential" }
[nodes.jittered]
plugin = "p"
timeout = "1s"
retry = { max_retries = 2, max_delay = "2s" }
[nodes.many]
plugin = "p"
timeout = "1s"
retry = { max_retries = 1000000, backoff = "decorrelated", max_delay = "10s" }
[nodes.cut]
plugin = "p"
timeout = "10s"
deadline = "15s"
[[nodes.cut.fallback]]
plugin = "p"
timeout = "3s"
rate_limit = { rate = "1/s", max_wait = "2s" }
[[nodes.cut.fallback]]
value = 1
[nodes.each]
plugin = "p"
for_each = "{{ input }}"
[nodes.each2]
plugin = "p"
for_each = "{{ input }}"
deadline = "2m"
[nodes.ask]
approval = "?"
`)
	for id, want := range map[string]string{
		"plain":    "5s | 5s = 5s",
		"retried":  "47s | 4 × 10s + waits 1s + 2s + 4s = 47s",
		"jittered": "6.1s | 3 × 1s + waits 1.1s + 2s = 6.1s",
		"many":     "3055h33m13s | 1000001 × 1s + waits 3s + 9s + 10s + … = 3055h33m13s",
		"cut":      "15s | 10s = 10s; then fallback 0: (3s + 2s for the rate limit) = 5s; then fallback 1: a constant",
		"each":     "no limit | per item 30s = 30s",
		"each2":    "2m0s | per item 30s = 30s, cut by the deadline 2m",
		"ask":      "no limit | waits for a person",
	} {
		b := node(t, p, id).WorstCase()
		if got := fmt.Sprintf("%s | %s", b, b.Arithmetic); got != want {
			t.Errorf("%s: %s\nwant %s", id, got, want)
		}
	}
	if p.WorstCase() != 0 {
		t.Errorf("the whole: %v", p.WorstCase())
	}
	q := load(t, "[run]\ndeadline = '1h'\n[plugins.p]\nsource = 'builtin:uppercase'\n[nodes.a]\nplugin = 'p'\n[nodes.b]\nplugin = 'p'\nneeds = ['a']\n[nodes.c]\nplugin = 'p'\ntimeout = '50s'\n")
	path, b := q.CriticalPath()
	if q.WorstCase() != time.Minute || b.Time != time.Minute || len(path) != 2 {
		t.Errorf("critical path %v, %v, %v", path, b, q.WorstCase())
	}
}

func TestRenderOutput(t *testing.T) {
	const plugin = "[plugins.p]\nsource = 'builtin:uppercase'\n"
	scope := &workflow.Scope{Input: event.Text("in"), Node: func(i int) workflow.NodeView {
		return workflow.NodeView{Output: event.Raw(fmt.Append(nil, i)), Status: event.Succeeded}
	}}
	for name, c := range map[string][2]string{
		"one that nobody needs":     {plugin + "[nodes.a]\nplugin='p'\n[nodes.b]\nplugin='p'\nneeds=['a']\n", "1"},
		"several that nobody needs": {plugin + "[nodes.a]\nplugin='p'\n[nodes.b]\nplugin='p'\nneeds=['a']\n[nodes.c]\nplugin='p'\nneeds=['a']\n", `{"b":1,"c":2}`},
		"a value":                   {plugin + "[nodes.a]\nplugin='p'\n[output]\nvalue = { x = '{{ nodes.a.output }}', y = '{{ input }}' }\n", `{"x":0,"y":"in"}`},
	} {
		v, err := load(t, c[0]).RenderOutput(context.Background(), scope)
		if err != nil || string(v.JSON()) != c[1] {
			t.Errorf("%s: %s, %v; want %s", name, v.JSON(), err, c[1])
		}
	}
}

// Outputs go into the default output as they are: in order of their keys, with
// all digits, and without being looked into. (Text that is no JSON would make
// decoding panic.)
func TestRenderOutputDecodesNothing(t *testing.T) {
	const plugin = "[plugins.p]\nsource = 'builtin:uppercase'\n"
	outputs := map[string]event.Value{
		"b": event.Raw([]byte(`{"n": 1.000000000000000000001}`)), "a": event.Text("a \"quote\" & <tag>\n"), "B-2": event.Null, "c": event.Raw([]byte(`[~]`)),
	}
	var p *workflow.Plan
	scope := &workflow.Scope{Node: func(i int) workflow.NodeView { return workflow.NodeView{Output: outputs[p.Nodes[i].ID]} }}
	p = load(t, plugin+"[nodes.b]\nplugin='p'\n[nodes.a]\nplugin='p'\n[nodes.B-2]\nplugin='p'\n[nodes.c]\nplugin='p'\n")
	v, err := p.RenderOutput(context.Background(), scope)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"B-2":null,"a":"a \"quote\" & <tag>\n","b":{"n": 1.000000000000000000001},"c":[~]}`
	if got := string(v.JSON()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// An error at run time names file, line and column, through the TOML string.
func TestRuntimeErrorsNameTheirPlace(t *testing.T) {
	text := "[plugins.p]\nsource = 'builtin:uppercase'\n[nodes.a]\nplugin = 'p'\n[nodes.b]\nplugin = 'p'\nneeds = ['a']\nwith = { x = \"\"\"\nfirst \\u00e4\n  {{ nodes.a.output.x\n   + nodes.a.output.text }}\"\"\" }\nwhen = 'nodes.a.output.flag'\n"
	p := load(t, text)
	s := &workflow.Scope{Node: func(int) workflow.NodeView {
		return workflow.NodeView{Output: event.Raw([]byte(`{"x":1,"flag":"no"}`)), Status: event.Succeeded}
	}}
	_, err := node(t, p, "b").Primary.With.Render(context.Background(), s)
	if err == nil || !strings.Contains(err.Error(), "test.toml:11:21: nodes.a.output has no \"text\"") {
		t.Errorf("%v", err)
	}
	_, err = node(t, p, "b").When.Bool(context.Background(), s)
	if err == nil || !strings.Contains(err.Error(), "test.toml:12:9: a condition must be true or false, this is the string \"no\"") {
		t.Errorf("%v", err)
	}
}

// Workflows are read side by side; what one Load learns another does not see.
func TestLoadSideBySide(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				p, findings := workflow.Load(context.Background(), example, workflow.Options{Inspector: builtins})
				if p == nil || len(findings) > 0 {
					t.Error(findings)
				}
			}
		})
	}
	wg.Wait()
}

// A generated workflow that is right is read without an error, and the schema
// takes it too.
func TestValidWorkflowsValidate(t *testing.T) {
	schema := fileSchema(t)
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		b.WriteString("version = 1\n[plugins.p]\nsource = \"builtin:agent\"\n[breakers.br]\n[policies.po]\nbreaker = \"br\"\n[policies.po.retry]\nmax_retries = 1\n")
		n := rapid.IntRange(1, 12).Draw(t, "nodes")
		id := func(i int) string { return fmt.Sprintf("n%d", i) }
		order := rapid.Permutation(slices.Collect(upTo(n))).Draw(t, "order")
		for _, i := range order {
			fmt.Fprintf(&b, "[nodes.%s]\n", id(i))
			needs := rapid.SliceOfNDistinct(rapid.IntRange(0, max(i-1, 0)), 0, min(i, 3), rapid.ID[int]).Draw(t, "needs")
			if i == 0 {
				needs = nil
			}
			names := make([]string, len(needs))
			for k, need := range needs {
				names[k] = fmt.Sprintf("%q", id(need))
			}
			fmt.Fprintf(&b, "needs = [%s]\n", strings.Join(names, ", "))
			if rapid.Bool().Draw(t, "approval") {
				b.WriteString("approval = \"Go on?\"\n")
				continue
			}
			b.WriteString("plugin = \"p\"\n")
			for _, line := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{
				"timeout = \"1m30s\"", "deadline = \"1h\"", "policy = \"po\"", "retry = { max_retries = 2, backoff = \"constant\" }", "concurrency = 3",
				"rate_limit = { rate = \"5/s\" }", "function = \"run\"", "run_if = \"done\"", "idempotent = true", "hedge = { delay = \"1s\" }",
				"output = { type = \"string\" }", "for_each = \"{{ [1, 2] }}\"", "fallback = [{ plugin = \"p\" }, { value = \"x\" }]",
			}), rapid.ID[string]).Draw(t, "keys") {
				b.WriteString(line + "\n")
			}
			if len(needs) > 0 && rapid.Bool().Draw(t, "with") {
				fmt.Fprintf(&b, "with = { a = \"{{ nodes.%s.output }}\", b = [1, \"{{ input }}\"] }\nwhen = \"nodes.%s.status != 'failed'\"\n", id(needs[0]), id(needs[0]))
			}
		}
		text := b.String()
		plan, findings := workflow.Parse(context.Background(), filepath.Join(dir, "g.toml"), []byte(text), workflow.Options{Inspector: builtins})
		if plan == nil {
			t.Fatalf("%v\n%s", findings, text)
		}
		if err := schema.Check(asJSON(fatal{t}, []byte(text))); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for i := range plan.Nodes {
			for _, need := range plan.Nodes[i].Needs {
				if need >= i {
					t.Fatalf("%s comes before what it needs", plan.Nodes[i].ID)
				}
			}
		}
	})
}

func upTo(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// fatal makes a rapid.T a testing.TB as far as asJSON needs one.
type fatal struct{ t *rapid.T }

func (f fatal) Helper()             {}
func (f fatal) Fatal(values ...any) { f.t.Fatal(values...) }
