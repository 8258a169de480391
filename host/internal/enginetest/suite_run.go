package enginetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
	"wasmhost/resilience"
)

func roundCases() []Case {
	ok := Says("ok")
	flaky := Fails(event.Transient, "flaky")
	second := After(time.Second, Echo)
	return []Case{{
		Name:    "what succeeded is kept, and attempts go on counting",
		Plan:    Plan("w", RunRetry(2, time.Second), Node("a"), Node("b", Needs("a"), Retry(1, 100*time.Millisecond)), Node("c", Needs("b"))),
		Plugins: Plugins{"a": ok, "b": Then(flaky, flaky, flaky, ok), "c": ok},
		Want:    "succeeded a=succeeded:1 b=succeeded:4 c=succeeded:1",
		Calls:   "a#1@0 b#1@0 b#2@100 b#3@1100 b#4@1200 c#1@1200",
	}, {
		Name:    "only classes that are listed",
		Plan:    Plan("w", RunRetry(2, time.Second), Node("a")),
		Plugins: Plugins{"a": Fails(event.Permanent, "boom")},
		Want:    "failed(boom) a=failed:1(boom)",
	}, {
		Name:    "used up",
		Plan:    Plan("w", RunRetry(2, time.Second), Node("a")),
		Plugins: Plugins{"a": flaky},
		Want:    "failed(flaky) a=failed:3(flaky)", Took: 2 * time.Second,
		Story: "run.started, a started, a attempt_failed#1(flaky), a failed, node.retrying#2+1000, a started, a attempt_failed#2(flaky), a failed, " +
			"node.retrying#3+1000, a started, a attempt_failed#3(flaky), a failed",
	}, {
		Name:    "what was cancelled and what was skipped runs again",
		Plan:    Plan("w", RunRetry(1, time.Second), Node("a"), Node("slow"), Node("b", Needs("a")), Node("h", Needs("slow"), If(workflow.IfFailed))),
		Plugins: Plugins{"a": Then(After(time.Second, flaky), ok), "slow": After(10*time.Second, ok), "b": ok, "h": ok},
		Want:    "succeeded a=succeeded:2 b=succeeded:1 h=skipped slow=succeeded:2", Took: 12 * time.Second,
	}, {
		Name:    "an absorbed failure is kept",
		Plan:    Plan("w", RunRetry(1, time.Second), Node("a"), Node("h", Needs("a"), If(workflow.IfFailed)), Node("b", Needs("h"))),
		Plugins: Plugins{"a": flaky, "h": ok, "b": Then(flaky, ok)},
		Want:    "degraded a=failed:1(flaky) b=succeeded:2 h=succeeded:1",
	}, {
		Name:    "a handler of an earlier round absorbs nothing new",
		Plan:    Plan("w", RunRetry(1, time.Second), Continues, Node("a"), Node("c"), Node("b", Needs("c")), Node("h", Needs("a", "b"), If(workflow.IfFailed))),
		Plugins: Plugins{"a": flaky, "c": Then(flaky, ok), "b": Fails(event.Permanent, "boom"), "h": ok},
		Want:    "failed(boom) a=failed:1(flaky) b=failed:1(boom) c=succeeded:2 h=succeeded:1",
	}, {
		Name:    "a failure whose handler failed runs again",
		Plan:    Plan("w", RunRetry(1, time.Second), Continues, Node("a"), Node("h", Needs("a"), If(workflow.IfFailed))),
		Plugins: Plugins{"a": flaky, "h": Then(flaky, ok)},
		Want:    "degraded a=failed:2(flaky) h=succeeded:2",
	}, {
		Name:    "a node that made attempts in one round and is skipped in the next keeps their count",
		Plan:    Plan("w", RunRetry(1, time.Second), Continues, Node("a", If(workflow.IfDone)), Node("b", Needs("a")), Node("c", Needs("b"), When(`nodes.a.output == "x"`))),
		Plugins: Plugins{"a": ok, "b": Then(flaky, ok), "c": ok},
		Want:    "succeeded a=succeeded:1 b=succeeded:2 c=skipped",
	}, {
		Name: "a retry-after hint replaces the delay",
		Plan: Plan("w", func(p *workflow.Plan) {
			p.Run.Retry = Retries(1, time.Second)
			p.Run.Retry.RetryAfter = 10 * time.Second
		}, Node("a")),
		Plugins: Plugins{"a": Then(hinting(time.Hour), ok)},
		Want:    "succeeded a=succeeded:2", Took: 10 * time.Second,
	}, {
		Name:    "the gate is asked before the first round only",
		Plan:    Plan("w", RunRetry(1, time.Second), Gate("h"), Node("a")),
		Plugins: Plugins{"h": Then(ok, Fails(event.Transient, "down")), "a": Then(flaky, ok)},
		Want:    "succeeded a=succeeded:2",
	}, {
		Name: "cancelled in the pause",
		Plan: Plan("w", RunRetry(1, time.Minute), Node("a"), Level(Plan("l1", Node("b")))), CancelAt: time.Second,
		Plugins: Plugins{"a": flaky, "b": ok},
		Want:    "cancelled(cancelled) a=failed:1(flaky)", Took: time.Second,
	}, {
		Name:    "an output that cannot be evaluated fails the run",
		Plan:    Plan("w", Node("a"), Gives("{{ nodes.a.output.x.y }}")),
		Plugins: Plugins{"a": Says("{}")},
		Want:    "failed(expression) a=succeeded:1",
	}, {
		Name: "decorrelated backoff builds on the wait before",
		Plan: Plan("w", func(p *workflow.Plan) {
			p.Run.Retry = resilience.Retry{MaxRetries: 3, Backoff: resilience.Exponential, BaseDelay: time.Second, Multiplier: 3}
		}, Node("a")),
		Plugins: Plugins{"a": flaky}, Took: 13 * time.Second,
	}, {
		Name:    "rounds come before levels",
		Plan:    Plan("w", RunRetry(1, time.Second), Node("a"), Level(Plan("l1", Node("b")))),
		Plugins: Plugins{"a": flaky, "b": second},
		Want:    "degraded level=1 b=succeeded:1 | L0 failed(flaky) | L1 succeeded", Took: 2 * time.Second,
	}}
}

func levelCases() []Case {
	ok := Says("ok")
	boom := Fails(event.Permanent, "boom")
	flaky := Fails(event.Transient, "flaky")
	slow := After(time.Minute, ok)
	return []Case{{
		Name: "by order, with the same input, and every error kept",
		Plan: Plan("high", Node("a"), Level(Plan("basic", Node("b"))), Level(Plan("emergency", Node("c")))), Input: "hi",
		Plugins: Plugins{"a": flaky, "b": boom, "c": Func(Echo)},
		Want:    "degraded level=2 c=succeeded:1 | L0 failed(flaky) | L1 failed(boom) | L2 succeeded", Output: `"hi"`,
		Story: "run.started, a started, a attempt_failed#1(flaky), a failed, L1 fallback.used basic, L1 b started, L1 b attempt_failed#1(boom), L1 b failed, " +
			"L2 fallback.used emergency, L2 c started, L2 c succeeded",
		Check: func(t *testing.T, o *Outcome) {
			if r := o.Result; r.LevelName != "emergency" || r.Workflow != "high" {
				t.Errorf("%q answered for %q", r.LevelName, r.Workflow)
			}
		},
	}, {
		Name:    "`on` excludes",
		Plan:    Plan("w", Node("a"), Level(Plan("l1", Node("b")), resilience.Transient), Level(Plan("l2", Node("c")), resilience.Permanent)),
		Plugins: Plugins{"a": boom, "b": ok, "c": ok},
		Want:    "degraded level=2 c=succeeded:1 | L0 failed(boom) | L1 skipped | L2 succeeded",
		Check: func(t *testing.T, o *Outcome) {
			if why := o.Result.Levels[1].Reason; why != "a permanent failure is not one that `on` lists" {
				t.Errorf("reason %q", why)
			}
		},
	}, {
		Name:    "`on` is about the failure of the level before",
		Plan:    Plan("w", Node("a"), Level(Plan("l1", Node("b"))), Level(Plan("l2", Node("c")), resilience.Permanent)),
		Plugins: Plugins{"a": boom, "b": flaky, "c": ok},
		Want:    "failed(flaky) level=1 b=failed:1(flaky) | L0 failed(boom) | L1 failed(flaky) | L2 skipped",
	}, {
		Name:    "nobody answers",
		Plan:    Plan("w", Node("a"), Level(Plan("l1", Node("b")))),
		Plugins: Plugins{"a": boom, "b": flaky},
		Want:    "failed(flaky) level=1 b=failed:1(flaky) | L0 failed(boom) | L1 failed(flaky)",
	}, {
		Name:    "a level's own levels belong to it",
		Plan:    Plan("w", Node("a"), Level(Plan("l1", Node("b"), Level(Plan("l1a", Node("c"))))), Level(Plan("l2", Node("d")))),
		Plugins: Plugins{"a": boom, "b": boom, "c": ok, "d": ok},
		Want:    "degraded level=1 c=succeeded:1 | L0 failed(boom) | L1 degraded { | L0 failed(boom) | L1 succeeded }",
		Story: "run.started, a started, a attempt_failed#1(boom), a failed, L1 fallback.used l1, L1 b started, L1 b attempt_failed#1(boom), L1 b failed, " +
			"L1 fallback.used l1a, L1 c started, L1 c succeeded",
	}, {
		Name: "an input that a level does not take",
		Plan: Plan("w", Node("a"), Level(Plan("l1", Takes(`{"type":"object"}`), Node("b"))), Level(Plan("l2", Node("c")))), Input: "text",
		Plugins: Plugins{"a": boom, "b": ok, "c": ok},
		Want:    "degraded level=2 c=succeeded:1 | L0 failed(boom) | L1 failed(invalid_input) | L2 succeeded",
		Story:   "run.started, a started, a attempt_failed#1(boom), a failed, L1 fallback.used l1, L2 fallback.used l2, L2 c started, L2 c succeeded",
	}, {
		Name:    "a level's own deadline is not the run's",
		Plan:    Plan("w", Node("a"), Level(Plan("l1", RunDeadline(time.Second), Node("b"))), Level(Plan("l2", Node("c")))),
		Plugins: Plugins{"a": boom, "b": slow, "c": ok},
		Want:    "degraded level=2 c=succeeded:1 | L0 failed(boom) | L1 failed(deadline) | L2 succeeded", Took: time.Second,
	}, {
		Name:    "not after the run's deadline",
		Plan:    Plan("w", RunDeadline(time.Second), Node("a"), Node("b", Needs("a")), Level(Plan("l1", Node("c")))),
		Plugins: Plugins{"a": slow, "b": ok, "c": ok},
		Want:    "failed(deadline) a=cancelled:1 b=skipped", Took: time.Second,
		Check: func(t *testing.T, o *Outcome) {
			if e := o.Result.Error; e.Message != `the deadline of the run (1s) of workflow "w" passed` {
				t.Errorf("%+v", e)
			}
		},
	}, {
		Name:    "the run's deadline spans the levels",
		Plan:    Plan("w", RunDeadline(time.Second), Node("a"), Level(Plan("l1", Node("b"))), Level(Plan("l2", Node("c")))),
		Plugins: Plugins{"a": boom, "b": slow, "c": ok},
		Want:    "failed(deadline) level=1 b=cancelled:1 | L0 failed(boom) | L1 failed(deadline)", Took: time.Second,
	}, {
		Name: "not after a cancel",
		Plan: Plan("w", Node("a"), Level(Plan("l1", Node("b")))), CancelAt: time.Second,
		Plugins: Plugins{"a": slow, "b": ok},
		Want:    "cancelled(cancelled) a=cancelled:1", Took: time.Second,
	}, {
		Name: "cancelled in a level",
		Plan: Plan("w", Node("a"), Level(Plan("l1", Node("b"), Level(Plan("l1a", Node("c"))))), Level(Plan("l2", Node("d")))), CancelAt: time.Second,
		Plugins: Plugins{"a": boom, "b": slow, "c": ok, "d": ok},
		Want:    "cancelled(cancelled) level=1 b=cancelled:1 | L0 failed(boom) | L1 cancelled(cancelled)", Took: time.Second,
	}, {
		Name:    "a refused gate",
		Plan:    Plan("w", Gate("h"), Node("a"), Level(Plan("l1", Node("b")), resilience.Transient)),
		Plugins: Plugins{"h": boom, "a": ok, "b": ok},
		Want:    "degraded level=1 b=succeeded:1 | L0 refused(unhealthy) | L1 succeeded",
		Check: func(t *testing.T, o *Outcome) {
			if o.Result.Health == nil || o.Result.Health.OverallHealthy {
				t.Errorf("health %+v", o.Result.Health)
			}
		},
	}, {
		Name:    "a refused gate, and nobody answers",
		Plan:    Plan("w", Gate("h"), Node("a"), Level(Plan("l1", Node("b")))),
		Plugins: Plugins{"h": boom, "a": ok, "b": boom},
		Want:    "refused(unhealthy) level=1 b=failed:1(boom) | L0 refused(unhealthy) | L1 failed(boom)",
		Check: func(t *testing.T, o *Outcome) {
			if e := o.Result.Error; e.Class != event.Transient || e.Message != "critical health checks failed: h (boom: it says boom)" {
				t.Errorf("%+v", e)
			}
		},
	}, {
		Name:    "a level that refuses does not make the run refused",
		Plan:    Plan("w", Node("a"), Level(Plan("l1", Gate("h"), Node("b")))),
		Plugins: Plugins{"a": boom, "h": boom, "b": ok},
		Want:    "failed(unhealthy) level=1 | L0 failed(boom) | L1 refused(unhealthy)",
	}}
}

func limitCases() []Case {
	ok := Says("ok")
	slow := After(time.Minute, ok)
	cancelAt := func(name string, at time.Duration, want string) Case {
		return Case{
			Name: "cancel " + name, CancelAt: at, Want: want, Took: at,
			Plan: Plan("w", Concurrency(1), Gate("h"), Node("a", Timeout(10*time.Second), Retry(1, 2*time.Second), Timeout(time.Second)),
				Node("b"), Node("c", Needs("a"))),
			Plugins: Plugins{"h": After(time.Second, ok), "a": slow, "b": slow, "c": slow},
		}
	}
	return []Case{
		cancelAt("in the gate", 500*time.Millisecond, "cancelled(cancelled) a=cancelled b=cancelled c=skipped"),
		cancelAt("in a call", 1500*time.Millisecond, "cancelled(cancelled) a=cancelled:1 b=cancelled c=skipped"),
		cancelAt("in the wait for a retry", 2500*time.Millisecond, "cancelled(cancelled) a=cancelled:1 b=cancelled:1 c=skipped"),
		{
			Name: "a cancel that comes too late changes nothing",
			Plan: Plan("w", Node("a")), CancelAt: time.Second,
			Plugins: Plugins{"a": stubborn(2*time.Second, ok)},
			Want:    "succeeded a=succeeded:1", Took: 2 * time.Second,
		}, {
			Name: "a cancel too late for the answering level",
			Plan: Plan("w", Node("a"), Level(Plan("l1", Node("b")))), CancelAt: time.Second,
			Plugins: Plugins{"a": Fails(event.Permanent, "boom"), "b": stubborn(2*time.Second, ok)},
			Want:    "degraded level=1 b=succeeded:1 | L0 failed(boom) | L1 succeeded", Took: 2 * time.Second,
		}, {
			Name: "a failure while a cancel is under way",
			Plan: Plan("w", RunRetry(3, time.Second), Node("a"), Node("b")), CancelAt: time.Second,
			Plugins: Plugins{"a": stubborn(2*time.Second, Fails(event.Transient, "boom")), "b": slow},
			Check: func(t *testing.T, o *Outcome) {
				if o.Result.Status != event.Cancelled || o.Took != 2*time.Second {
					t.Errorf("%s in %s", Summary(o.Result), o.Took)
				}
			},
		}, {
			Name:    "the deadline in a fallback, and in what always runs",
			Plan:    Plan("w", RunDeadline(time.Second), Node("a", Fallback("f"), FallbackValue("v")), Node("d", If(workflow.IfDone))),
			Plugins: Plugins{"a": Fails(event.Permanent, "boom"), "f": slow, "d": slow},
			Want:    "failed(deadline) a=cancelled:2 d=cancelled:1", Took: time.Second,
		}, {
			Name:    "the deadline in the pause between rounds",
			Plan:    Plan("w", RunDeadline(time.Second), RunRetry(1, time.Minute), Node("a")),
			Plugins: Plugins{"a": Fails(event.Transient, "x")},
			Want:    "failed(deadline) a=failed:1(x)", Took: time.Second,
		}, {
			Name:    "the deadline in the gate",
			Plan:    Plan("w", RunDeadline(time.Second), Gate("h"), Node("a")),
			Plugins: Plugins{"h": slow, "a": ok},
			Want:    "failed(deadline) a=cancelled", Took: time.Second,
		},
	}
}

// stubborn answers after a time, whatever its context says.
func stubborn(d time.Duration, f Func) Func {
	return func(ctx context.Context, c plugin.Call) (string, error) {
		time.Sleep(d)
		return f(ctx, c)
	}
}

// hinting fails and asks to be left alone for so long.
func hinting(d time.Duration) Func {
	return func(context.Context, plugin.Call) (string, error) {
		e := Err(event.Transient, "busy")
		e.RetryAfterMS = d.Milliseconds()
		return "", fmt.Errorf("%w", e)
	}
}
