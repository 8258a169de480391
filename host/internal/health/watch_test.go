package health_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/enginetest"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
)

// watching starts Watch and returns what ends it.
func watching(t *testing.T, m interface {
	Watch(context.Context, *workflow.Plan)
}, plans ...*workflow.Plan) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, p := range plans {
		wg.Go(func() { m.Watch(ctx, p) })
	}
	return func() { cancel(); wg.Wait() }
}

// TestWatchEachByItsOwnEvery: two hours of checks with different intervals, one
// of which takes longer than its interval.
func TestWatchEachByItsOwnEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		at := map[string][]time.Time{}
		noting := func(name string, takes time.Duration) enginetest.Func {
			return func(ctx context.Context, c plugin.Call) (string, error) {
				mu.Lock()
				at[name] = append(at[name], time.Now())
				mu.Unlock()
				if err := ctx.Err(); err != nil {
					return "", err
				}
				time.Sleep(takes)
				return "", nil
			}
		}
		m := monitor(enginetest.Plugins{"a": noting("a", 0), "b": noting("b", 0), "slow": noting("slow", 25*time.Second), "never": noting("never", 0)})
		plan := checked(0, "a", "b", "slow", "never")
		every := map[string]time.Duration{"a": 30 * time.Second, "b": 7 * time.Minute, "slow": 10 * time.Second}
		for i := range plan.Health {
			plan.Health[i].Every = every[plan.Health[i].Name]
			plan.Health[i].Timeout = time.Minute
		}
		begun := time.Now()
		end := watching(t, m, plan)
		time.Sleep(2 * time.Hour)
		end()
		if len(at["never"]) != 0 {
			t.Errorf("a check without `every` was made %d times", len(at["never"]))
		}
		for name, want := range map[string]int{"a": 240, "b": 17, "slow": 240} {
			list := at[name]
			if n := len(list); n < want-1 || n > want+2 || !list[0].Equal(begun) {
				t.Errorf("%s: %d times, about %d are expected; first after %s", name, n, want, list[0].Sub(begun))
			}
			for i := 2; i < len(list); i++ {
				if gap := list[i].Sub(list[i-1]); gap%every[name] != 0 || gap > 3*every[name] {
					t.Errorf("%s: %s after the one before", name, gap)
					break
				}
			}
		}
		h := m.History("w")
		if len(h) != 100 || len(h[99].Checks) != 3 || !h[99].OverallHealthy {
			t.Errorf("%d reports, the last is %+v", len(h), h[99])
		}
	})
}

// TestWatchIsUsedByGates: a run finds what Watch found, and Watch asks anew
// whatever a run found.
func TestWatchIsUsedByGates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		m := monitor(enginetest.Plugins{"h": enginetest.Func(func(context.Context, plugin.Call) (string, error) { asked.Add(1); return "", nil })})
		plan := checked(time.Minute, "h")
		end := watching(t, m, plan)
		defer end()
		for range 600 {
			time.Sleep(time.Second)
			m.Check(t.Context(), plan, "r")
		}
		if n := asked.Load(); n < 10 || n > 13 {
			t.Errorf("asked %d times in 10 minutes, with `every` a minute", n)
		}
	})
}

// TestAnOlderResultReplacesNone: a report that waits for a slow check has results
// that others have made older meanwhile.
func TestAnOlderResultReplacesNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sick atomic.Bool
		m := monitor(enginetest.Plugins{"h": enginetest.Func(func(ctx context.Context, c plugin.Call) (string, error) {
			if sick.Load() {
				return enginetest.Fails(event.Transient, "it is down")(ctx, c)
			}
			return "", nil
		}), "slow": enginetest.After(10*time.Second, enginetest.Echo)})
		one, both := checked(time.Minute, "h"), checked(time.Minute, "h", "slow")
		both.Health[1].Every, both.Health[1].Timeout = 0, time.Minute
		m.CheckNow(t.Context(), one)
		time.Sleep(time.Second)
		var run sync.WaitGroup
		run.Go(func() { m.Check(t.Context(), both, "r") }) // uses that result again
		time.Sleep(time.Second)
		sick.Store(true)
		m.CheckNow(t.Context(), one)
		run.Wait()
		if ready, failing := m.Ready(one); ready || fmt.Sprint(failing) != "[h]" {
			t.Errorf("ready %v, failing %v: the last result says that it is down", ready, failing)
		}
		// What an earlier process wrote with a clock that was ahead does not stay.
		ahead := monitor(enginetest.Plugins{"h": enginetest.Says("")})
		ahead.Recall("w", []*event.Report{{Checks: map[string]event.Check{"h": {Critical: true, Timestamp: time.Now().Add(time.Hour)}}}})
		ahead.CheckNow(t.Context(), one)
		if ready, failing := ahead.Ready(one); !ready {
			t.Errorf("failing %v by a result that comes from the future", failing)
		}
	})
}

func TestWatchReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sick atomic.Bool
		var mu sync.Mutex
		var list []*event.Report
		so := func() []*event.Report { mu.Lock(); defer mu.Unlock(); return list }
		m := monitor(enginetest.Plugins{"h": enginetest.Func(func(ctx context.Context, c plugin.Call) (string, error) {
			if sick.Load() {
				return enginetest.Fails(event.Transient, "it is down")(ctx, c)
			}
			return "", nil
		}), "other": enginetest.Says(""), "hangs": enginetest.After(time.Hour, enginetest.Echo)})
		m.OnReport = func(name string, r *event.Report) { mu.Lock(); list = append(list, r); mu.Unlock() }
		plan := checked(time.Minute, "h", "other", "hangs")
		plan.Health[1].Critical, plan.Health[2].Critical = false, false
		plan.Health[2].Timeout = 20 * time.Second
		if ready, _ := m.Ready(plan); !ready {
			t.Error("not ready before the first report")
		}
		end := watching(t, m, plan)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		// What has ended is reported although one still hangs.
		told := so()
		if len(told) != 1 || len(told[0].Checks) != 2 || !told[0].OverallHealthy {
			t.Fatalf("%d reports: %+v", len(told), told)
		}
		time.Sleep(25 * time.Second)
		told = so()
		if len(told) != 2 || told[1].Checks["hangs"].Healthy || !told[1].OverallHealthy {
			t.Fatalf("%d reports: %+v", len(told), told[len(told)-1])
		}
		sick.Store(true)
		time.Sleep(2 * time.Minute)
		if ready, failing := m.Ready(plan); ready || fmt.Sprint(failing) != "[h]" {
			t.Errorf("%v %v", ready, failing)
		}
		told = so()
		last := told[len(told)-1]
		if last.OverallHealthy || last.Checks["h"].Healthy || !last.Checks["other"].Healthy {
			t.Errorf("%+v", last)
		}
		sick.Store(false)
		time.Sleep(2 * time.Minute)
		if ready, failing := m.Ready(plan); !ready || failing != nil {
			t.Errorf("%v %v", ready, failing)
		}
		end()
		n := len(so())
		time.Sleep(time.Hour)
		if len(so()) != n {
			t.Error("it goes on after its end")
		}
	})
}

// TestWatchDoesNotStampede: 40 workflows begin at once; never are more than 8
// checks under way, and later their checks are spread.
func TestWatchDoesNotStampede(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		moments := map[time.Duration]int{}
		var mu sync.Mutex
		begun := time.Now()
		m := monitor(enginetest.Plugins{"h": enginetest.Func(func(context.Context, plugin.Call) (string, error) {
			n := now.Add(1)
			defer now.Add(-1)
			most.Store(max(most.Load(), n))
			mu.Lock()
			moments[time.Since(begun).Truncate(time.Second)]++
			mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			return "", nil
		})})
		var plans []*workflow.Plan
		for i := range 40 {
			p := checked(time.Minute, "h")
			p.Name = fmt.Sprintf("w%d", i)
			plans = append(plans, p)
		}
		end := watching(t, m, plans...)
		time.Sleep(10 * time.Minute)
		end()
		if most.Load() > 8 {
			t.Errorf("%d at once", most.Load())
		}
		for at, n := range moments {
			if at > time.Minute+time.Second && n > 8 {
				t.Errorf("%d checks within the second %s", n, at)
			}
		}
	})
}

func TestWatchNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := watching(t, monitor(nil), checked(0, "h"), enginetest.Plan("w"))
		time.Sleep(time.Hour)
		end()
	})
}
