// Package health runs a workflow's health checks, keeps what they said, and
// answers whether a run may start. It calls plugins only through package call
// and decides nothing about nodes.
package health

import (
	"context"
	"sync"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/workflow"
)

// Kept is how many reports of a workflow are remembered.
const Kept = 100

// Monitor runs checks and remembers. It is safe for concurrent use.
type Monitor struct {
	// OnReport, if not nil, is told of every report that is remembered. It is set
	// before the first check, and must not block.
	OnReport func(workflow string, r *event.Report)

	caller *call.Caller
	clock  call.Clock
	slots  chan struct{} // of Watch

	mu      sync.Mutex
	latest  map[checkKey]event.Check
	history map[string][]*event.Report // by workflow name, oldest first
}

type checkKey struct{ workflow, check string }

// NewMonitor makes a Monitor. A nil clock is the real one.
func NewMonitor(caller *call.Caller, clock call.Clock) *Monitor {
	if clock == nil {
		clock = call.RealClock()
	}
	return &Monitor{caller: caller, clock: clock, slots: make(chan struct{}, atOnce), latest: map[checkKey]event.Check{}, history: map[string][]*event.Report{}}
}

// Check runs the plan's checks side by side, each under its own timeout, and
// returns when all have ended. A healthy result younger than the check's `every`
// is used again; one that was not healthy never is. When ctx ends, so do the
// checks under way; such a report is not remembered.
func (m *Monitor) Check(ctx context.Context, plan *workflow.Plan, runID string) *event.Report {
	return m.check(ctx, plan, runID, true)
}

// CheckNow is Check without using any result again, for a person who asks.
func (m *Monitor) CheckNow(ctx context.Context, plan *workflow.Plan) *event.Report {
	return m.check(ctx, plan, "", false)
}

func (m *Monitor) check(ctx context.Context, plan *workflow.Plan, runID string, again bool) *event.Report {
	checks := make([]event.Check, len(plan.Health))
	var wg sync.WaitGroup
	for i := range plan.Health {
		c := &plan.Health[i]
		if recent, ok := m.recent(plan, c); ok && again {
			recent.Critical = c.Critical
			checks[i] = recent
			continue
		}
		wg.Go(func() { checks[i] = m.caller.Check(ctx, plan, c, runID) })
	}
	wg.Wait()

	r := &event.Report{OverallHealthy: true, Timestamp: m.clock.Now(), Checks: make(map[string]event.Check, len(checks))}
	for i := range checks {
		r.Checks[plan.Health[i].Name] = checks[i]
		if checks[i].Critical && !checks[i].Healthy {
			r.OverallHealthy = false
		}
	}
	if ctx.Err() == nil { // what was cut short says nothing about health
		m.remember(plan, r)
	}
	return r
}

func (m *Monitor) recent(plan *workflow.Plan, c *workflow.Check) (event.Check, bool) {
	if c.Every <= 0 {
		return event.Check{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	last, ok := m.latest[checkKey{plan.Name, c.Name}]
	age := m.clock.Now().Sub(last.Timestamp)
	// A clock that ran backwards makes a result look as if it came from the
	// future: ask again.
	return last, ok && last.Healthy && age >= 0 && age < c.Every
}

func (m *Monitor) remember(plan *workflow.Plan, r *event.Report) {
	m.add(plan.Name, r)
	if m.OnReport != nil {
		m.OnReport(plan.Name, r)
	}
}

// Recall makes the Monitor know what an earlier process remembered of a
// workflow, oldest first, unless it has reports of its own.
func (m *Monitor) Recall(workflow string, reports []*event.Report) {
	m.mu.Lock()
	known := len(m.history[workflow]) > 0
	m.mu.Unlock()
	if known {
		return
	}
	for _, r := range reports {
		m.add(workflow, r)
	}
}

func (m *Monitor) add(workflow string, r *event.Report) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, c := range r.Checks {
		m.learn(checkKey{workflow, name}, c)
	}
	h := append(m.history[workflow], r)
	if len(h) > Kept {
		h = append([]*event.Report(nil), h[len(h)-Kept:]...)
	}
	m.history[workflow] = h
}

// learn takes over a result, unless what is known began later: a report that uses
// one again, or waits for a slow check, is older than it looks. What is later than
// now is of a clock that was put back since. m.mu is held.
func (m *Monitor) learn(key checkKey, c event.Check) {
	if known := m.latest[key].Timestamp; !known.After(c.Timestamp) || known.After(m.clock.Now()) {
		m.latest[key] = c
	}
}

// History returns the last reports of a workflow, oldest first.
func (m *Monitor) History(workflow string) []*event.Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*event.Report(nil), m.history[workflow]...)
}
