package enginetest

import (
	"testing"
	"time"

	"wasmhost/host/event"
)

func eventCases() []Case {
	ok := Says("ok")
	return []Case{{
		Name: "of one node",
		Plan: Plan("w", Node("a")), Plugins: Plugins{"a": After(time.Second, ok)},
		Story: "run.started, a started, a succeeded",
		Check: func(t *testing.T, o *Outcome) {
			e := o.Events[2]
			if e.Status != event.Succeeded || e.DurationMS != 1000 || e.AnsweredBy != "primary" || e.Digest == "" || e.Plugin != "a" || string(e.Output.JSON()) != `"ok"` {
				t.Errorf("%+v", e)
			}
		},
	}, {
		Name: "of fallbacks",
		Plan: Plan("w", Node("a", Fallback("f"), FallbackValue("v"))), Plugins: Plugins{"a": Fails(event.Permanent, "x"), "f": Fails(event.System, "y")},
		Story: "run.started, a started, a attempt_failed#1(x), a fallback.used fallback[0], a attempt_failed#2(y), a fallback.used fallback[1], a succeeded",
	}, {
		Name: "of items",
		Plan: Plan("w", Node("a", ForEach([]any{1, 2}, 1, 1))), Plugins: Plugins{"a": ok},
		Story: "run.started, a started, a[0] started, a[0] succeeded, a[1] started, a[1] succeeded, a succeeded",
	}, {
		Name: "of a sub-workflow, and of its levels",
		Plan: Plan("w", Node("s", Sub(Plan("inner", Node("x"), Level(Plan("l", Node("y"))))))), Plugins: Plugins{"x": Fails(event.Permanent, "b"), "y": ok},
		Story: "run.started, s started, s/x started, s/x attempt_failed#1(b), s/x failed, s fallback.used l, s/y started, s/y succeeded, s succeeded",
	}, {
		Name: "of items that are sub-workflows",
		Plan: Plan("w", Node("s", ForEach([]any{1}, 0, 1), Sub(Plan("inner", Node("x"))))), Plugins: Plugins{"x": ok},
		Story: "run.started, s started, s[0] started, s[0]/x started, s[0]/x succeeded, s[0] succeeded, s succeeded",
	}, {
		Name:    "what never began is skipped, what was cut has failed",
		Plan:    Plan("w", Concurrency(2), Node("bad"), Node("slow"), Node("ready")),
		Plugins: Plugins{"bad": After(time.Second, Fails(event.Permanent, "b")), "slow": After(time.Minute, ok), "ready": ok},
		Check: func(t *testing.T, o *Outcome) {
			got := map[string]event.Type{}
			for _, e := range o.Events {
				got[e.Node] = e.Type
			}
			if got["ready"] != event.NodeSkipped || got["slow"] != event.NodeFailed {
				t.Errorf("ready %s, slow %s", got["ready"], got["slow"])
			}
		},
	}, {
		Name: "everything that starts also ends",
		Plan: Plan("w", RunRetry(1, time.Second), Node("a"), Node("b", Needs("a"), When("false")), Node("each", Needs("a"), ForEach([]any{1, 2}, 0, 1)),
			Node("s", Needs("a"), Sub(Plan("inner", Node("x"))))),
		Plugins: Plugins{"a": ok, "each": After(time.Second, Fails(event.Transient, "t")), "x": After(time.Minute, ok)},
		Check: func(t *testing.T, o *Outcome) {
			open := map[string]int{}
			for _, e := range o.Events {
				switch e.Type {
				case event.NodeStarted:
					open[e.Node]++
				case event.NodeSucceeded, event.NodeFailed:
					open[e.Node]--
				}
			}
			for node, n := range open {
				if n != 0 {
					t.Errorf("%s: %d starts more than ends", node, n)
				}
			}
		},
	}}
}
