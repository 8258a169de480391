package enginetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
	"wasmhost/resilience"
)

func callCases() []Case {
	ok := Says("ok")
	flaky := Fails(event.Transient, "flaky")
	slow := After(time.Minute, ok)
	second := After(time.Second, ok)
	one := resilience.BreakerConfig{FailureThreshold: 1, RecoveryTimeout: 10 * time.Second}
	return []Case{{
		Name:    "3 retries make 4 calls",
		Plan:    Plan("w", Node("a", Retry(3, time.Second))),
		Plugins: Plugins{"a": flaky},
		Want:    "failed(flaky) a=failed:4(flaky)", Calls: "a#1@0 a#2@1000 a#3@2000 a#4@3000", Took: 3 * time.Second,
		Story: "run.started, a started, a attempt_failed#1(flaky), a retrying#2+1000, a attempt_failed#2(flaky), a retrying#3+1000, " +
			"a attempt_failed#3(flaky), a retrying#4+1000, a attempt_failed#4(flaky), a failed",
	}, {
		Name:    "a permanent error is not retried",
		Plan:    Plan("w", Node("a", Retry(3, time.Second))),
		Plugins: Plugins{"a": Fails(event.Permanent, "boom")}, Want: "failed(boom) a=failed:1(boom)",
	}, {
		Name:    "a timeout ends the attempt, and is retried",
		Plan:    Plan("w", Node("a", Retry(1, time.Second), Timeout(2*time.Second))),
		Plugins: Plugins{"a": Then(slow, ok)},
		Want:    "succeeded a=succeeded:2", Calls: "a#1@0 a#2@3000", Took: 3 * time.Second,
	}, {
		Name:    "the deadline of one answerer; each fallback has its own",
		Plan:    Plan("w", Node("a", Retry(9, time.Second), Timeout(time.Second), Deadline(2500*time.Millisecond), Fallback("f"))),
		Plugins: Plugins{"a": slow, "f": After(5*time.Second, ok)},
		Want:    "degraded a=degraded:3@fallback[0]", Calls: "a#1@0 a#2@2000 a#3@2500", Took: 7500 * time.Millisecond,
	}, {
		Name:    "the 5th failure opens the breaker, the 6th call is refused",
		Plan:    Plan("w", Node("a", Behind("k"), Retry(9, time.Second), FallbackValue("v"))),
		Plugins: Plugins{"a": flaky},
		Want:    "degraded a=degraded:5@fallback[0]", Took: 5 * time.Second,
		Check: func(t *testing.T, o *Outcome) {
			e := o.Result.Nodes["a"].Errors[0]
			if e.Code != "breaker_open" || e.Class != event.Transient || e.RetryAfterMS != 59000 || !strings.Contains(e.Message, "it says flaky") || e.Attempt != 0 {
				t.Errorf("%+v", e)
			}
			if s := o.Result.Nodes["a"].Stats; s.Rejections != 1 || s.Retries != 5 || s.Fallbacks != 1 || len(s.LatencyMS) != 5 {
				t.Errorf("%+v", s)
			}
		},
	}, {
		Name:    "a breaker is shared by key",
		Plan:    Plan("w", Continues, Breaker("k", one), Node("a", Behind("k")), Node("b", Behind("k"), Needs("a"), If(workflow.IfDone))),
		Plugins: Plugins{"a": flaky, "b": ok},
		Want:    "failed(flaky) a=failed:1(flaky) b=failed(breaker_open)", Calls: "a#1@0",
	}, {
		Name: "half open lets one probe through, and a success closes",
		Plan: Plan("w", Continues, Breaker("k", one), Node("a", Behind("k")), Node("wait", Needs("a"), If(workflow.IfDone)),
			Node("each", Behind("k"), Needs("wait"), ForEach(make([]any, 50), 0, 0)), Node("c", Behind("k"), Needs("each"))),
		Plugins: Plugins{"a": flaky, "wait": After(10*time.Second, ok), "each": second, "c": ok},
		Check: func(t *testing.T, o *Outcome) {
			each := o.Result.Nodes["each"]
			refused := 0
			for _, item := range each.Items {
				if item.Status == event.Failed && item.Error.Code == "breaker_open" {
					refused++
				}
			}
			if each.Attempts != 1 || refused != 49 || o.Result.Nodes["c"].Status != event.Succeeded {
				t.Errorf("%d calls, %d refused, then %s", each.Attempts, refused, o.Result.Nodes["c"].Status)
			}
		},
	}, {
		Name: "idempotency keys",
		Plan: Plan("w", RunRetry(1, time.Second), Continues, Node("a", Retry(1, time.Second), Fallback("f")),
			Node("each", ForEach([]any{1, 2}, 1, 1)), Node("s", Sub(Plan("inner", Node("x"), Level(Plan("sl", Node("x")))))),
			Level(Plan("l1", Continues, Node("a"), Node("s", Sub(Plan("inner2", Node("x"))))))),
		Plugins: Plugins{"a": flaky, "f": flaky, "each": flaky, "x": flaky},
		Check:   keysAreRight,
	}, {
		Name:    "what a plugin is told",
		Plan:    Plan("outer", Node("a", Timeout(3*time.Second)), Node("s", Needs("a"), Sub(Plan("inner", Node("x"))))),
		Plugins: Plugins{"a": ok, "x": ok},
		Check: func(t *testing.T, o *Outcome) {
			a, x := o.Calls[0].Meta, o.Calls[1].Meta
			if a.RunID != "run-1" || a.Workflow != "outer" || a.Attempt != 1 || a.IdempotencyKey != "run-1/a" || time.Until(a.Deadline) != 3*time.Second {
				t.Errorf("%+v", a)
			}
			if x.Workflow != "inner" || x.Node != "s/x" || x.IdempotencyKey != "run-1/s/x" || !x.Deadline.IsZero() {
				t.Errorf("%+v", x)
			}
		},
	}, {
		Name:    "warnings come with the output",
		Plan:    Plan("w", Node("a")),
		Plugins: Plugins{"a": warning{}},
		Want:    "succeeded a=succeeded:1",
		Check: func(t *testing.T, o *Outcome) {
			if w := o.Result.Nodes["a"].Warnings; len(w) != 1 || w[0].Message != "half of it" || w[0].Node != "a" || w[0].Plugin != "a" {
				t.Errorf("%+v", w)
			}
		},
	}, {
		Name:    "a hedge answers first and is no attempt",
		Plan:    Plan("w", Node("a", Under(func(p *workflow.Policy) { p.Hedge = &resilience.Hedge{Delay: time.Second, Max: 1} }))),
		Plugins: Plugins{"a": Then(slow, second)},
		Took:    2 * time.Second,
		Check: func(t *testing.T, o *Outcome) {
			if r := o.Result.Nodes["a"]; r.Status != event.Succeeded || r.Attempts != 1 || len(o.Calls) != 2 || len(r.Stats.LatencyMS) != 1 {
				t.Errorf("%+v with %d calls", r, len(o.Calls))
			}
			if o.Calls[0].Meta.IdempotencyKey != o.Calls[1].Meta.IdempotencyKey {
				t.Errorf("the hedge has another idempotency key")
			}
			o.Calls = o.Calls[:1]
		},
	}, {
		Name: "a rate limit refuses, which is no attempt and retried",
		Plan: Plan("w", Node("a", Under(func(p *workflow.Policy) {
			p.Name, p.RateLimit = "llm", &resilience.RateLimit{Rate: 1, Burst: 1}
		})), Node("b", Needs("a"), Retry(1, 5*time.Second), Under(func(p *workflow.Policy) {
			p.Name, p.RateLimit = "llm", &resilience.RateLimit{Rate: 1, Burst: 1}
		}))),
		Plugins: Plugins{"a": ok, "b": ok},
		Want:    "succeeded a=succeeded:1 b=succeeded:1", Calls: "a#1@0 b#1@5000",
	}, {
		Name: "the host's words decide when nobody declares",
		Plan: Plan("w", Node("a", Retry(1, time.Second)), func(p *workflow.Plan) {
			p.Classify = []resilience.Rule{{Class: resilience.Transient, Codes: []string{"404"}}}
		}),
		Plugins: Plugins{"a": Then(func(context.Context, plugin.Call) (string, error) {
			return "", &event.Error{Code: "404", Message: "not found"}
		}, ok)},
		Want: "succeeded a=succeeded:2",
	}}
}

type warning struct{}

func (warning) Call(context.Context, plugin.Call) (plugin.Answer, error) {
	return plugin.Answer{Output: []byte("1"), Warnings: []*event.Error{{Class: event.Warning, Message: "half of it"}}}, nil
}

// keysAreRight checks that an idempotency key is the same for every attempt and
// round of one piece of work and for nothing else.
func keysAreRight(t *testing.T, o *Outcome) {
	pieces := map[string]string{} // what it is for, by key
	for _, c := range o.Calls {
		piece := c.Meta.Workflow + " " + c.Meta.Node + " " + c.Plugin
		if old, ok := pieces[c.Meta.IdempotencyKey]; ok && old != piece {
			t.Errorf("key %q is for %q and %q", c.Meta.IdempotencyKey, old, piece)
		}
		pieces[c.Meta.IdempotencyKey] = piece
	}
	for _, want := range []string{"run-1/a", "run-1/a#1", "run-1/each[0]", "run-1/each[1]", "run-1/s/x", "run-1/s/level1:x", "run-1/level1:a", "run-1/level1:s/x"} {
		if _, ok := pieces[want]; !ok {
			t.Errorf("no call had the key %q: %v", want, pieces)
		}
	}
	if len(pieces) != 8 {
		t.Errorf("%d keys: %v", len(pieces), pieces)
	}
}

func dataCases() []Case {
	echo := Func(Echo)
	return []Case{{
		Name: "a node without with gets the run's input",
		Plan: Plan("w", Node("a")), Input: map[string]any{"x": 1}, Plugins: Plugins{"a": echo}, Output: `{"x":1}`,
	}, {
		Name: "a string is handed over as raw text",
		Plan: Plan("w", Node("a"), Node("b", Needs("a"))), Input: `say "hi"`, Plugins: Plugins{"a": echo, "b": echo},
		Check: func(t *testing.T, o *Outcome) {
			if o.Calls[0].Input != `say "hi"` || o.Calls[1].Input != `say "hi"` {
				t.Errorf("%q %q", o.Calls[0].Input, o.Calls[1].Input)
			}
		},
	}, {
		Name: "numbers keep their digits",
		Plan: Plan("w", Node("a"), Node("b", Needs("a"))), Plugins: Plugins{"a": Says(`{"n": 12345678901234567890.10}`), "b": echo},
		Output: `{"n": 12345678901234567890.10}`,
	}, {
		Name:    "several needs are an object, skipped ones absent",
		Plan:    Plan("w", Node("a"), Node("b", When("false")), Node("c"), Node("d", Needs("a", "b", "c"))),
		Plugins: Plugins{"a": Says("1"), "b": echo, "c": Says("x"), "d": Says("-")},
		Check: func(t *testing.T, o *Outcome) {
			if got := o.Calls[2].Input; got != `{"a":1,"c":"x"}` {
				t.Errorf("d got %s", got)
			}
		},
	}, {
		Name: "output that is not JSON is a string",
		Plan: Plan("w", Node("a")), Plugins: Plugins{"a": Says("{not json")}, Output: `"{not json"`,
	}, {
		Name: "an expression error at run time names the node and goes to the fallback",
		Plan: Plan("w", Node("a"), Node("b", Needs("a"), With("{{ nodes.a.output.x.y }}"), func(b *builder, n *workflow.Node) {
			n.Fallbacks = append(n.Fallbacks, workflow.Answerer{Plugin: "f"})
		})),
		Plugins: Plugins{"a": Says(`{}`), "b": echo, "f": Says("f")},
		Want:    "degraded a=succeeded:1 b=degraded:1@fallback[0]",
		Check: func(t *testing.T, o *Outcome) {
			if e := o.Result.Nodes["b"].Errors[0]; e.Code != "expression" || e.Class != event.Permanent || e.Node != "b" {
				t.Errorf("%+v", e)
			}
		},
	}, {
		Name:    "the run and the item in expressions",
		Plan:    Plan("w", Node("a", ForEach([]any{"p", "q"}, 0, 1), With("{{ run.workflow }} {{ run.id }} {{ item }} {{ index }}"))),
		Plugins: Plugins{"a": echo}, Output: `["w run-1 p 0","w run-1 q 1"]`,
	}}
}
