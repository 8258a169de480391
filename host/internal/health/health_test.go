package health_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/enginetest"
	"wasmhost/host/internal/health"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func monitor(p enginetest.Plugins) *health.Monitor {
	return health.NewMonitor(call.NewCaller(p, call.NewShared(nil, nil), nil), nil)
}

// checked is a plan whose checks are made by the plugins of those names.
func checked(every time.Duration, names ...string) *workflow.Plan {
	p := enginetest.Plan("w")
	for _, name := range names {
		enginetest.Gate(name)(p)
		p.Health[len(p.Health)-1].Every = every
	}
	return p
}

func TestOnlyHealthyResultsAreUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var good, bad atomic.Int64
		counting := func(n *atomic.Int64, f enginetest.Func) enginetest.Func {
			return func(ctx context.Context, c plugin.Call) (string, error) { n.Add(1); return f(ctx, c) }
		}
		m := monitor(enginetest.Plugins{"good": counting(&good, enginetest.Says(`{"load":1}`)), "bad": counting(&bad, enginetest.Fails(event.System, "x"))})
		plan := checked(10*time.Second, "good", "bad")
		first := m.Check(t.Context(), plan, "r")
		time.Sleep(9 * time.Second)
		second := m.Check(t.Context(), plan, "r")
		if good.Load() != 1 || bad.Load() != 2 {
			t.Errorf("asked %d and %d times", good.Load(), bad.Load())
		}
		if a, b := first.Checks["good"], second.Checks["good"]; !a.Timestamp.Equal(b.Timestamp) || string(b.Details.JSON()) != `{"load":1}` || second.Timestamp.Equal(b.Timestamp) {
			t.Errorf("%+v, then %+v", a, b)
		}
		time.Sleep(time.Second) // exactly `every` old: no younger than it
		m.Check(t.Context(), plan, "r")
		if good.Load() != 2 {
			t.Errorf("asked %d times", good.Load())
		}
		if m.CheckNow(t.Context(), plan); good.Load() != 3 {
			t.Errorf("a person asked, and the check was made %d times", good.Load())
		}
		good.Store(2)
		never := checked(0, "good")
		m.Check(t.Context(), never, "r")
		m.Check(t.Context(), never, "r")
		if good.Load() != 4 {
			t.Errorf("without `every` asked %d times", good.Load())
		}
	})
}

func TestHistory(t *testing.T) {
	m := monitor(enginetest.Plugins{"h": enginetest.Says("")})
	plan := checked(0, "h")
	var all []*event.Report
	for range health.Kept + 20 {
		all = append(all, m.Check(t.Context(), plan, "r"))
	}
	got := m.History("w")
	if len(got) != health.Kept || got[0] != all[20] || got[len(got)-1] != all[len(all)-1] {
		t.Errorf("%d reports", len(got))
	}
	got[0] = nil
	if m.History("w")[0] == nil || len(m.History("other")) != 0 {
		t.Error("the history is the monitor's own")
	}
}

func TestCutChecksAreNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(enginetest.Plugins{"h": enginetest.After(time.Minute, enginetest.Echo)})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if r := m.Check(ctx, checked(0, "h"), "r"); r.OverallHealthy || r.Checks["h"].Error.Code != "cancelled" {
			t.Errorf("%+v", r)
		}
		if len(m.History("w")) != 0 {
			t.Error("a report that says nothing about health is remembered")
		}
	})
}

func TestEachUnderItsOwnTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(enginetest.Plugins{"slow": enginetest.After(time.Minute, enginetest.Echo), "quick": enginetest.After(time.Second, enginetest.Echo)})
		plan := checked(0, "slow", "quick")
		plan.Health[0].Timeout, plan.Health[0].Critical = 3*time.Second, false
		began := time.Now()
		r := m.Check(t.Context(), plan, "r")
		if took := time.Since(began); took != 3*time.Second || !r.OverallHealthy {
			t.Errorf("took %s: %+v", took, r)
		}
		if c := r.Checks["slow"]; c.Healthy || c.Critical || c.Error.Code != "timeout" || c.Error.Plugin != "slow" || c.DurationMS != 3000 {
			t.Errorf("%+v", c)
		}
		if c := r.Checks["quick"]; !c.Healthy || !c.Critical || c.DurationMS != 1000 || c.Details != nil {
			t.Errorf("%+v", c)
		}
	})
}

func TestWhatAPluginIsTold(t *testing.T) {
	var got plugin.Call
	m := monitor(enginetest.Plugins{"h": enginetest.Func(func(_ context.Context, c plugin.Call) (string, error) { got = c; return "", nil })})
	m.Check(t.Context(), checked(0, "h"), "r")
	if got.Function != "health" || got.Meta.RunID != "r" || got.Meta.Workflow != "w" || got.Meta.Node != "health.h" || got.Meta.Attempt != 1 || got.Meta.Deadline.IsZero() {
		t.Errorf("%+v", got)
	}
}

func TestConcurrency(t *testing.T) {
	m := monitor(enginetest.Plugins{"h": enginetest.Says("")})
	plan := checked(time.Hour, "h")
	done := make(chan bool)
	for range 8 {
		go func() {
			for range 50 {
				m.Check(t.Context(), plan, "r")
				m.History("w")
			}
			done <- true
		}()
	}
	for range 8 {
		<-done
	}
}
