package enginetest

import (
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/resilience"
)

func subCases() []Case {
	ok := Says("ok")
	boom := Fails(event.Permanent, "boom")
	flaky := Fails(event.Transient, "flaky")
	second := After(time.Second, Echo)
	return []Case{{
		Name: "input and output",
		Plan: Plan("w", Node("s", Sub(Plan("inner", Node("x"), Node("y", Needs("x")), Gives(map[string]any{"y": "{{ nodes.y.output }}"}))), With("{{ input.text }}")),
			Node("b", Needs("s"))),
		Plugins: Plugins{"x": Func(Echo), "y": Func(Echo), "b": Func(Echo)}, Input: map[string]any{"text": "hi"},
		Want:   "succeeded b=succeeded:1 s=succeeded:2 s/x=succeeded:1 s/y=succeeded:1",
		Output: `{"y":"hi"}`, Calls: "b#1@0 s/x#1@0 s/y#1@0",
	}, {
		Name:    "a failure inside is the node's",
		Plan:    Plan("w", Node("s", Sub(Plan("inner", Node("x"))))),
		Plugins: Plugins{"x": boom},
		Want:    "failed(boom) s=failed:1(boom) s/x=failed:1(boom)",
		Check: func(t *testing.T, o *Outcome) {
			if e := o.Result.Error; e.Node != "s" || e.Message != `sub-workflow "inner": node "s/x": it says boom` || e.Class != event.Permanent {
				t.Errorf("%+v", e)
			}
		},
	}, {
		Name:    "degraded inside is degraded outside",
		Plan:    Plan("w", Node("s", Sub(Plan("inner", Node("x", FallbackValue("v")))))),
		Plugins: Plugins{"x": boom},
		Want:    "degraded s=degraded:1 s/x=degraded:1@fallback[0]", Output: `"v"`,
	}, {
		Name:    "output that is not what was promised, and the fallback behind it",
		Plan:    Plan("w", Node("s", Sub(Plan("inner", Node("x"))), Promises(`{"type":"object"}`), Fallback("f"))),
		Plugins: Plugins{"x": ok, "f": Says("{}")},
		Want:    "degraded s=degraded:2@fallback[0] s/x=succeeded:1", Output: "{}",
	}, {
		Name:    "input that the sub-workflow does not take",
		Plan:    Plan("w", Node("s", Sub(Plan("inner", Takes(`{"type":"object"}`), Node("x"))), With("text"), FallbackValue("v"))),
		Plugins: Plugins{"x": ok},
		Want:    "degraded s=degraded@fallback[0]", Output: `"v"`,
	}, {
		Name: "input that cannot be evaluated goes to the fallback",
		Plan: Plan("w", Node("s", Sub(Plan("inner", Node("x"))), With("{{ input.a.b }}"), FallbackValue("v"))), Input: map[string]any{},
		Plugins: Plugins{"x": ok},
		Want:    "degraded s=degraded@fallback[0]", Output: `"v"`,
	}, {
		Name:    "a fallback behind a sub-workflow",
		Plan:    Plan("w", Node("s", Sub(Plan("inner", Node("x"))), Fallback("f1"), Fallback("f2"))),
		Plugins: Plugins{"x": After(time.Second, flaky), "f1": second, "f2": ok},
		Want:    "degraded s=degraded:2@fallback[0] s/x=failed:1(flaky)", Calls: "s/x#1@0 s#1@1000",
		Check: func(t *testing.T, o *Outcome) {
			r := o.Result.Nodes["s"]
			if len(r.Errors) != 1 || r.DurationMS != 2000 || r.Run == nil || r.Plugin != "f1" {
				t.Errorf("%+v", r)
			}
			started := 0
			for _, e := range o.Events {
				if e.Type == event.NodeStarted && e.Node == "s" {
					started++
				}
			}
			if started != 1 {
				t.Errorf("s started %d times", started)
			}
		},
	}, {
		Name:    "its deadline",
		Plan:    Plan("w", Node("s", Sub(Plan("inner", Node("x"), Node("y", Needs("x")))), Deadline(1500*time.Millisecond))),
		Plugins: Plugins{"x": second, "y": second},
		Want:    "failed(deadline) s=failed:2(deadline) s/x=succeeded:1 s/y=cancelled:1", Took: 1500 * time.Millisecond,
	}, {
		Name:    "its own run's deadline, and levels that this deadline forbids",
		Plan:    Plan("w", Node("s", Sub(Plan("inner", RunDeadline(time.Second), Node("x"), Level(Plan("l1", Node("y"))))))),
		Plugins: Plugins{"x": After(time.Minute, ok), "y": ok},
		Want:    "failed(deadline) s=failed:1(deadline) s/x=cancelled:1", Took: time.Second,
	}, {
		Name:    "refused is unhealthy and transient",
		Plan:    Plan("w", RunRetry(1, time.Second), Node("s", Sub(Plan("inner", Gate("h"), Node("x"))))),
		Plugins: Plugins{"h": Then(boom, ok), "x": ok},
		Want:    "succeeded s=succeeded:1 s/x=succeeded:1", Took: time.Second,
		Story: "run.started, s started, health.checked, s failed, node.retrying#2+1000, s started, health.checked, s/x started, s/x succeeded, s succeeded",
	}, {
		Name:    "refused for good",
		Plan:    Plan("w", Node("s", Sub(Plan("inner", Gate("h"), Node("x"))))),
		Plugins: Plugins{"h": boom, "x": ok},
		Want:    "failed(unhealthy) s=failed(unhealthy)",
		Check: func(t *testing.T, o *Outcome) {
			if o.Result.Error.Class != event.Transient {
				t.Errorf("%+v", o.Result.Error)
			}
		},
	}, {
		Name:    "its levels are its own",
		Plan:    Plan("w", Node("s", Sub(Plan("inner", Node("x"), Level(Plan("l1", Node("y"))))))),
		Plugins: Plugins{"x": boom, "y": ok},
		Want:    "degraded s=degraded:2 s/y=succeeded:1 | L0 failed(boom) | L1 succeeded", Output: `"ok"`,
	}, {
		Name: "what succeeded inside is kept over a whole-run retry",
		Plan: Plan("w", RunRetry(2, time.Second),
			Node("s", Sub(Plan("inner", Node("x"), Node("deep", Sub(Plan("deepest", Node("p"), Node("q", Needs("p"))))), Node("y", Needs("x", "deep")))))),
		Plugins: Plugins{"x": ok, "p": ok, "q": Then(flaky, ok), "y": Then(flaky, ok)},
		Want:    "succeeded s=succeeded:6 s/deep=succeeded:3 s/deep/p=succeeded:1 s/deep/q=succeeded:2 s/x=succeeded:1 s/y=succeeded:2",
		Took:    2 * time.Second,
		Check: func(t *testing.T, o *Outcome) {
			count := map[string]int{}
			for _, c := range o.Calls {
				count[c.Meta.Node]++
				if c.Meta.Attempt != count[c.Meta.Node] {
					t.Errorf("%s: attempt %d, call %d", c.Meta.Node, c.Meta.Attempt, count[c.Meta.Node])
				}
			}
			if count["s/x"] != 1 || count["s/deep/p"] != 1 {
				t.Errorf("calls %v", count)
			}
		},
	}, {
		Name:    "with another input it begins anew",
		Plan:    Plan("w", RunRetry(1, time.Second), Continues, Node("a"), Node("s", Sub(Plan("inner", Node("x"), Node("y", Needs("x")))), If(2), Needs("a"), With("{{ nodes.a.status }}"))),
		Plugins: Plugins{"a": Then(flaky, ok), "x": ok, "y": Then(flaky, ok)},
		Want:    "succeeded a=succeeded:2 s=succeeded:4 s/x=succeeded:1 s/y=succeeded:1",
	}, {
		Name:    "a sub-workflow has its own rounds, in every round of the run",
		Plan:    Plan("w", RunRetry(1, time.Minute), Node("s", Sub(Plan("inner", RunRetry(1, time.Second), Node("x"))))),
		Plugins: Plugins{"x": Then(flaky, flaky, flaky, ok)},
		Want:    "succeeded s=succeeded:4 s/x=succeeded:4", Calls: "s/x#1@0 s/x#2@1000 s/x#3@61000 s/x#4@62000",
	}, {
		Name:    "the fallback behind it goes on counting",
		Plan:    Plan("w", RunRetry(1, time.Second), Node("s", Sub(Plan("inner", Node("x"))), Fallback("f"))),
		Plugins: Plugins{"x": flaky, "f": Then(flaky, ok)},
		Want:    "degraded s=degraded:4@fallback[0] s/x=failed:2(flaky)", Calls: "s#1@0 s/x#1@0 s#2@1000 s/x#2@1000",
	}, {
		Name:    "an outcome that nobody knows inside forbids a repetition and a fallback",
		Plan:    Plan("w", RunRetry(3, time.Second), Node("s", Sub(Plan("inner", Node("x", Once(), Timeout(time.Second)))), Fallback("f"))),
		Plugins: Plugins{"x": After(time.Minute, ok), "f": ok},
		Want:    "failed(outcome_unknown) s=failed:1(outcome_unknown) s/x=failed:1(outcome_unknown)", Took: time.Second,
	}, {
		Name:    "stopped by a failure outside",
		Plan:    Plan("w", Node("bad"), Node("s", Sub(Plan("inner", Node("x"), Node("c", If(2), Needs("x")), Level(Plan("l1", Node("y"))))), Fallback("f"))),
		Plugins: Plugins{"bad": After(time.Second, boom), "x": After(time.Minute, ok), "c": ok, "y": ok, "f": ok},
		Want:    "failed(boom) bad=failed:1(boom) s=cancelled:1 s/c=cancelled s/x=cancelled:1", Took: time.Second,
		Check: func(t *testing.T, o *Outcome) { reason(t, o, "s", `the run stopped when "bad" failed`) },
	}, {
		Name:    "that always runs is not stopped by a failure outside",
		Plan:    Plan("w", Node("bad"), Node("s", If(2), Sub(Plan("inner", Node("x"), Node("y", Needs("x")))))),
		Plugins: Plugins{"bad": boom, "x": second, "y": second},
		Want:    "failed(boom) bad=failed:1(boom) s=succeeded:2 s/x=succeeded:1 s/y=succeeded:1", Took: 2 * time.Second,
	}, {
		Name:    "cancelled",
		Plan:    Plan("w", Node("s", Sub(Plan("inner", RunRetry(9, time.Second), Node("x"), Level(Plan("l1", Node("y"))))))),
		Plugins: Plugins{"x": flaky, "y": ok}, CancelAt: 500 * time.Millisecond,
		Want: "cancelled(cancelled) s=cancelled:1 s/x=failed:1(flaky)", Took: 500 * time.Millisecond,
	}, {
		Name:    "one per item, cut when too many failed",
		Plan:    Plan("w", Node("each", ForEach(numbers(1, 2, 3, 4), 3, 0.75), Sub(Plan("inner", Node("x"))))),
		Plugins: Plugins{"x": ByNode(map[string]Func{"each[0]/x": After(time.Second, boom), "each[1]/x": After(2*time.Second, boom), "each[2]/x": After(time.Minute, ok), "each[3]/x": After(time.Minute, ok)})},
		Want: "failed(boom) each=failed:4(boom) each[0]=failed:1(boom) each[0]/x=failed:1(boom) each[1]=failed:1(boom) each[1]/x=failed:1(boom)" +
			" each[2]=cancelled:1 each[2]/x=cancelled:1 each[3]=cancelled:1 each[3]/x=cancelled:1", Took: 2 * time.Second,
	}, {
		Name:    "one per item, under the node's deadline",
		Plan:    Plan("w", Node("each", ForEach(numbers(1, 2), 1, 0.5), Sub(Plan("inner", Node("x"))), Deadline(1500*time.Millisecond))),
		Plugins: Plugins{"x": second},
		Want:    "degraded each=degraded:2 each[0]=succeeded:1 each[0]/x=succeeded:1 each[1]=failed:1(deadline) each[1]/x=cancelled:1",
		Output:  "[1,null]", Took: 1500 * time.Millisecond,
	}, {
		Name:    "one per item, kept over a whole-run retry",
		Plan:    Plan("w", RunRetry(1, time.Second), Continues, Node("each", ForEach(numbers(1, 2), 0, 1), Sub(Plan("inner", Node("x"), Node("y", Needs("x")))))),
		Plugins: Plugins{"x": ok, "y": ByNode(map[string]Func{"each[0]/y": ok, "each[1]/y": Then(flaky, ok)})},
		Want: "succeeded each=succeeded:5 each[0]=succeeded:2 each[0]/x=succeeded:1 each[0]/y=succeeded:1" +
			" each[1]=succeeded:3 each[1]/x=succeeded:1 each[1]/y=succeeded:2",
	}, {
		Name: "breakers are shared with what is around it",
		Plan: Plan("w", Continues, Breaker("k", resilience.BreakerConfig{FailureThreshold: 1}), Node("a", Behind("k")),
			Node("s", Needs("a"), If(2), Sub(Plan("inner", Breaker("k", resilience.BreakerConfig{FailureThreshold: 1}), Node("x", Behind("k")))))),
		Plugins: Plugins{"a": flaky, "x": ok},
		Want:    "failed(flaky) a=failed:1(flaky) s=failed(breaker_open) s/x=failed(breaker_open)",
	}}
}
