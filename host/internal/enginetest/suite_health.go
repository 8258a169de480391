package enginetest

import (
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/workflow"
)

func healthCases() []Case {
	ok := Says("ok")
	gate := func(name string, check call.Plugin, healthy bool, code string) Case {
		want := "succeeded a=succeeded:1"
		if !healthy {
			want = "refused(unhealthy)"
		}
		return Case{
			Name: name, Want: want, Plan: Plan("w", Gate("h"), Node("a")), Plugins: Plugins{"h": check, "a": ok},
			Check: func(t *testing.T, o *Outcome) {
				c := o.Result.Health.Checks["h"]
				if c.Healthy != healthy || o.Result.Health.OverallHealthy != healthy || (c.Error == nil) != healthy {
					t.Errorf("%+v", c)
				}
				if !healthy && c.Error.Code != code {
					t.Errorf("error %+v", c.Error)
				}
			},
		}
	}
	return []Case{
		gate("empty output", Says(""), true, ""),
		gate("text", Says("fine"), true, ""),
		gate("bytes that are no text", Says("\xff"), true, ""),
		gate("an object", Says(`{"healthy":true}`), true, ""),
		gate("an object that does not say", Says(`{"load":3}`), true, ""),
		gate("false that is no object", Says(`false`), true, ""),
		gate("it says no", Says(`{"healthy":false,"error":"no quota"}`), false, "unhealthy"),
		gate("an error", Fails(event.Permanent, "boom"), false, "boom"),
		gate("a trap", Fails(event.System, "trap"), false, "trap"),
		gate("a timeout", After(time.Minute, ok), false, "timeout"),
		gate("a panic", Func(nil), false, "panic"),
		{
			Name:    "checks run side by side and before the first node; only critical ones decide",
			Plan:    Plan("w", Gate("h1"), Gate("h2"), func(p *workflow.Plan) { p.Health[1].Critical = false }, Node("a")),
			Plugins: Plugins{"h1": After(2*time.Second, Says("{}")), "h2": After(2*time.Second, Fails(event.System, "boom")), "a": ok},
			Want:    "succeeded a=succeeded:1", Took: 2 * time.Second,
			Check: func(t *testing.T, o *Outcome) {
				h := o.Result.Health
				if !h.OverallHealthy || h.Checks["h2"].Healthy || h.Checks["h1"].DurationMS != 2000 || o.Calls[2].At != 2*time.Second {
					t.Errorf("%+v", h)
				}
			},
		}, {
			Name:    "with the gate off nothing is checked",
			Plan:    Plan("w", Gate("h"), func(p *workflow.Plan) { p.Run.HealthGate = false }, Node("a")),
			Plugins: Plugins{"h": Fails(event.System, "boom"), "a": ok},
			Want:    "succeeded a=succeeded:1", Calls: "a#1@0",
		}, {
			Name: "a plugin that is not there is not healthy",
			Plan: Plan("w", Gate("h"), Node("a")), Plugins: Plugins{"a": ok},
			Want: "refused(unhealthy)",
		},
	}
}
