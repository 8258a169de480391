package enginetest

import (
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

func failureCases() []Case {
	ok := Says("ok")
	boom := Fails(event.Permanent, "boom")
	slow := After(10*time.Second, ok)
	return []Case{{
		Name:    "stop cancels what is in flight and what is ready",
		Plan:    Plan("w", Concurrency(2), Node("bad"), Node("slow"), Node("ready"), Node("child", Needs("slow"))),
		Plugins: Plugins{"bad": After(time.Second, boom), "slow": slow, "ready": ok, "child": ok},
		Want:    "failed(boom) bad=failed:1(boom) child=skipped ready=cancelled slow=cancelled:1", Took: time.Second,
		Check: func(t *testing.T, o *Outcome) {
			reason(t, o, "slow", `the run stopped when "bad" failed`)
			reason(t, o, "ready", `the run stopped when "bad" failed`)
			reason(t, o, "child", `"slow", which it needs, was cancelled`)
		},
	}, {
		Name:    "continue lets independent branches finish",
		Plan:    Plan("w", Continues, Node("bad"), Node("slow"), Node("child", Needs("slow"))),
		Plugins: Plugins{"bad": After(time.Second, boom), "slow": slow, "child": ok},
		Want:    "failed(boom) bad=failed:1(boom) child=succeeded:1 slow=succeeded:1", Took: 10 * time.Second,
	}, {
		Name:    "the first failure is the run's",
		Plan:    Plan("w", Continues, Node("b1"), Node("b2")),
		Plugins: Plugins{"b1": After(2*time.Second, boom), "b2": After(time.Second, Fails(event.System, "first"))},
		Want:    "failed(first) b1=failed:1(boom) b2=failed:1(first)",
	}, {
		Name: "what always runs is neither stopped nor prevented by a failure",
		Plan: Plan("w", Node("bad"), Node("tidy", If(workflow.IfDone)), Node("cleanup", Needs("bad", "tidy"), If(workflow.IfDone)),
			Node("after", Needs("cleanup"))),
		Plugins: Plugins{"bad": After(time.Second, boom), "tidy": After(5*time.Second, ok), "cleanup": After(5*time.Second, ok), "after": ok},
		Want:    "failed(boom) after=cancelled bad=failed:1(boom) cleanup=succeeded:1 tidy=succeeded:1", Took: 10 * time.Second,
	}, {
		Name:    "a cancel stops what always runs",
		Plan:    Plan("w", Node("bad"), Node("tidy", If(workflow.IfDone)), Node("cleanup", Needs("bad"), If(workflow.IfDone))),
		Plugins: Plugins{"bad": slow, "tidy": slow, "cleanup": ok}, CancelAt: time.Second,
		Want: "cancelled(cancelled) bad=cancelled:1 cleanup=cancelled tidy=cancelled:1", Took: time.Second,
		Check: func(t *testing.T, o *Outcome) {
			reason(t, o, "tidy", ErrStop.Error())
			if o.Result.Error.Message != ErrStop.Error() {
				t.Errorf("error %+v", o.Result.Error)
			}
		},
	}, {
		Name:    "a failure waits for its error edge before it stops anything",
		Plan:    Plan("w", Node("bad"), Node("h", Needs("bad"), If(workflow.IfFailed)), Node("slow")),
		Plugins: Plugins{"bad": After(time.Second, boom), "h": After(time.Second, boom), "slow": slow},
		Want:    "failed(boom) bad=failed:1(boom) h=failed:1(boom) slow=cancelled:1", Took: 2 * time.Second,
	}, {
		Name:    "a fallback value",
		Plan:    Plan("w", Node("a", FallbackValue(map[string]any{"parts": []any{}})), Node("b", Needs("a"))),
		Plugins: Plugins{"a": boom, "b": Func(Echo)},
		Want:    "degraded a=degraded:1@fallback[0] b=succeeded:1", Output: `{"parts":[]}`,
		Check: func(t *testing.T, o *Outcome) {
			if r := o.Result.Nodes["a"]; len(r.Errors) != 1 || r.Errors[0].Code != "boom" || r.Errors[0].Node != "a" {
				t.Errorf("errors on the way: %+v", r.Errors)
			}
		},
	}, {
		Name:    "fallbacks are asked in order and every error is kept",
		Plan:    Plan("w", Node("a", Fallback("x"), Fallback("y"), Fallback("z"))),
		Plugins: Plugins{"a": boom, "x": Fails(event.System, "bx"), "y": ok, "z": ok},
		Want:    "degraded a=degraded:3@fallback[1]", Calls: "a#1@0 a#2@0 a#3@0",
		Check: func(t *testing.T, o *Outcome) {
			r := o.Result.Nodes["a"]
			if len(r.Errors) != 2 || r.Errors[0].Plugin != "a" || r.Errors[1].Plugin != "x" || r.Errors[1].Attempt != 2 || r.Plugin != "y" {
				t.Errorf("%+v", r)
			}
		},
	}, {
		Name:    "nobody answers",
		Plan:    Plan("w", Node("a", Fallback("x"))),
		Plugins: Plugins{"a": boom, "x": Fails(event.System, "bx")},
		Want:    "failed(bx) a=failed:2(bx)",
		Check: func(t *testing.T, o *Outcome) {
			if r := o.Result.Nodes["a"]; len(r.Errors) != 2 || r.Error != r.Errors[1] {
				t.Errorf("%+v", r)
			}
		},
	}, {
		Name:    "a plugin that is not there is a failure like others",
		Plan:    Plan("w", Node("a", FallbackValue("x"))),
		Plugins: Plugins{},
		Want:    "degraded a=degraded@fallback[0]",
	}, {
		Name:    "a panic of a plugin is its failure",
		Plan:    Plan("w", Node("a", FallbackValue("x"))),
		Plugins: Plugins{"a": Func(nil)},
		Want:    "degraded a=degraded:1@fallback[0]",
	}, {
		Name:    "output that is not what was promised goes to the fallback",
		Plan:    Plan("w", Node("a", Promises(`{"type":"object"}`), Fallback("b"), Fallback("c"))),
		Plugins: Plugins{"a": Says("[1]"), "b": Says("text"), "c": Says(`{"x":1}`)},
		Want:    "degraded a=degraded:3@fallback[1]", Output: `{"x":1}`,
		Check: func(t *testing.T, o *Outcome) {
			if e := o.Result.Nodes["a"].Errors[0]; e.Code != "invalid_output" || e.Class != event.Permanent {
				t.Errorf("%+v", e)
			}
		},
	}, {
		Name:    "output that is no text",
		Plan:    Plan("w", Node("a")),
		Plugins: Plugins{"a": Says("\xff\xfe")},
		Want:    "failed(invalid_output) a=failed:1(invalid_output)",
	}, {
		Name:    "an outcome that nobody knows",
		Plan:    Plan("w", RunRetry(3, time.Second), Node("a", Once(), Timeout(time.Second), Retry(3, time.Second), Timeout(time.Second), FallbackValue("x"))),
		Plugins: Plugins{"a": slow},
		Want:    "failed(outcome_unknown) a=failed:1(outcome_unknown)", Took: time.Second,
		Check: func(t *testing.T, o *Outcome) {
			if why := o.Result.Levels[0].Reason; why != `not retried: nobody knows whether "a" did its work, and it must not be done twice` {
				t.Errorf("reason %q", why)
			}
		},
	}, {
		Name:    "an outcome that nobody knows, of a node stopped by another's failure",
		Plan:    Plan("w", RunRetry(3, time.Second), Node("bad"), Node("once", Once())),
		Plugins: Plugins{"bad": After(time.Second, Fails(event.Transient, "boom")), "once": slow},
		Want:    "failed(boom) bad=failed:1(boom) once=failed:1(outcome_unknown)", Took: time.Second,
	}, {
		Name:    "an outcome that is known is repeated though the node is not idempotent",
		Plan:    Plan("w", RunRetry(1, time.Second), Node("a", Once(), Retry(1, time.Second))),
		Plugins: Plugins{"a": Then(Fails(event.Transient, "x"), Fails(event.Transient, "x"), ok)},
		Want:    "succeeded a=succeeded:3", Calls: "a#1@0 a#2@1000 a#3@2000",
	}}
}
