package enginetest

import (
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

func needsCases() []Case {
	ok := Says("ok")
	boom := Fails(event.Permanent, "boom")
	return []Case{{
		Name: "no nodes",
		Plan: Plan("w"), Want: "succeeded", Output: "null",
	}, {
		Name:    "chain",
		Plan:    Plan("w", Node("a"), Node("b", Needs("a")), Node("c", Needs("b"))),
		Plugins: Plugins{"a": After(time.Second, ok), "b": After(time.Second, ok), "c": After(time.Second, ok)},
		Want:    "succeeded a=succeeded:1 b=succeeded:1 c=succeeded:1", Output: `"ok"`, Took: 3 * time.Second,
		Calls: "a#1@0 b#1@1000 c#1@2000",
	}, {
		Name: "no batch barriers",
		// The child of the fast node does not wait for the slow one beside it.
		Plan:    Plan("w", Node("slow"), Node("fast"), Node("child", Needs("fast"))),
		Plugins: Plugins{"slow": After(time.Second, ok), "fast": After(10*time.Millisecond, ok), "child": ok},
		Check: func(t *testing.T, o *Outcome) {
			if at := o.Calls[2].At; o.Calls[2].Meta.Node != "child" || at != 10*time.Millisecond {
				t.Errorf("child began at %s", at)
			}
		},
	}, {
		Name:    "diamond",
		Plan:    Plan("w", Node("a"), Node("b", Needs("a")), Node("c", Needs("a")), Node("d", Needs("b", "c"))),
		Plugins: Plugins{"a": ok, "b": After(time.Second, ok), "c": After(2*time.Second, ok), "d": Func(Echo)},
		Want:    "succeeded a=succeeded:1 b=succeeded:1 c=succeeded:1 d=succeeded:1", Took: 2 * time.Second,
		Output: `{"b":"ok","c":"ok"}`,
	}, {
		Name:    "descendants of a failure never start",
		Plan:    Plan("w", Continues, Node("a"), Node("b", Needs("a")), Node("c", Needs("b")), Node("d")),
		Plugins: Plugins{"a": boom, "b": ok, "c": ok, "d": ok},
		Want:    "failed(boom) a=failed:1(boom) b=skipped c=skipped d=succeeded:1",
		Check: func(t *testing.T, o *Outcome) {
			reason(t, o, "b", `"a", which it needs, failed`)
			reason(t, o, "c", "everything that it needs was skipped")
		},
	}, {
		Name:    "skipped needs are ignored if one ran",
		Plan:    Plan("w", Node("a", When("false")), Node("b"), Node("c", Needs("a", "b")), Node("d", Needs("a"))),
		Plugins: Plugins{"a": ok, "b": ok, "c": Func(Echo), "d": ok},
		Want:    "succeeded a=skipped b=succeeded:1 c=succeeded:1 d=skipped", Output: `{"c":{"b":"ok"},"d":null}`,
		Check: func(t *testing.T, o *Outcome) {
			reason(t, o, "a", "its `when` is false: false")
			reason(t, o, "d", "everything that it needs was skipped")
		},
	}, {
		Name:    "when sees its needs",
		Plan:    Plan("w", Node("a"), Node("b", Needs("a"), When(`nodes.a.output.n > 1`)), Node("c", Needs("a"), When(`nodes.a.output.n > 2`))),
		Plugins: Plugins{"a": Says(`{"n": 2}`), "b": ok, "c": ok},
		Want:    "succeeded a=succeeded:1 b=succeeded:1 c=skipped",
	}, {
		Name:    "when that cannot be evaluated fails the node",
		Plan:    Plan("w", Node("a"), Node("b", Needs("a"), When(`nodes.a.output.n > 2`))),
		Plugins: Plugins{"a": Says(`{"n": "x"}`), "b": ok},
		Want:    "failed(expression) a=succeeded:1 b=failed(expression)",
		Check: func(t *testing.T, o *Outcome) {
			if e := o.Result.Error; e.Node != "b" || e.Class != event.Permanent {
				t.Errorf("error %+v", e)
			}
		},
	}, {
		Name:    "an error edge absorbs",
		Plan:    Plan("w", Node("a"), Node("h", Needs("a"), If(workflow.IfFailed), With("{{ nodes.a.error.code }}")), Node("b", Needs("a"))),
		Plugins: Plugins{"a": boom, "h": Func(Echo), "b": ok},
		Want:    "degraded a=failed:1(boom) b=skipped h=succeeded:1", Output: `{"b":null,"h":"boom"}`,
	}, {
		Name:    "an error edge that nothing needs",
		Plan:    Plan("w", Node("a"), Node("h", Needs("a"), If(workflow.IfFailed))),
		Plugins: Plugins{"a": ok, "h": ok},
		Want:    "succeeded a=succeeded:1 h=skipped",
		Check:   func(t *testing.T, o *Outcome) { reason(t, o, "h", "nothing that it needs failed") },
	}, {
		Name:    "an error edge that fails absorbs nothing",
		Plan:    Plan("w", Continues, Node("a"), Node("h", Needs("a"), If(workflow.IfFailed))),
		Plugins: Plugins{"a": boom, "h": Fails(event.System, "worse")},
		Want:    "failed(boom) a=failed:1(boom) h=failed:1(worse)",
	}, {
		Name:    "an error edge whose when is false absorbs nothing",
		Plan:    Plan("w", Node("a"), Node("h", Needs("a"), If(workflow.IfFailed), When("false"))),
		Plugins: Plugins{"a": boom, "h": ok},
		Want:    "failed(boom) a=failed:1(boom) h=skipped",
	}, {
		Name: "one of two error edges is enough",
		Plan: Plan("w", Continues, Node("a"),
			Node("h1", Needs("a"), If(workflow.IfFailed), FallbackValue("x")), Node("h2", Needs("a"), If(workflow.IfFailed), When("false"))),
		Plugins: Plugins{"a": boom, "h1": After(time.Second, boom), "h2": ok},
		Want:    "degraded a=failed:1(boom) h1=degraded:1@fallback[0] h2=skipped",
	}, {
		Name: "run_if done sees everything",
		Plan: Plan("w", Continues, Node("a"), Node("b"), Node("s", When("false")),
			Node("d", Needs("a", "b", "s"), If(workflow.IfDone), With(map[string]any{"a": "{{ nodes.a.status }}", "b": "{{ nodes.b.status }}", "s": "{{ nodes.s.status }}"}))),
		Plugins: Plugins{"a": ok, "b": boom, "s": ok, "d": Func(Echo)},
		Want:    "failed(boom) a=succeeded:1 b=failed:1(boom) d=succeeded:1 s=skipped",
		Check: func(t *testing.T, o *Outcome) {
			if got := o.Result.Nodes["d"].Output.Any().(map[string]any); got["a"] != "succeeded" || got["b"] != "failed" || got["s"] != "skipped" {
				t.Errorf("d saw %v", got)
			}
		},
	}, {
		Name:    "a mixed handler waits for all its needs",
		Plan:    Plan("w", Node("a"), Node("b"), Node("h", Needs("a", "b"), If(workflow.IfFailed))),
		Plugins: Plugins{"a": boom, "b": After(3*time.Second, ok), "h": ok},
		Want:    "degraded a=failed:1(boom) b=succeeded:1 h=succeeded:1", Took: 3 * time.Second,
	}}
}

func reason(t *testing.T, o *Outcome, id, want string) {
	t.Helper()
	if r := o.Result.Nodes[id]; r == nil || r.Reason != want {
		t.Errorf("%s: %+v, want the reason %q", id, r, want)
	}
}
