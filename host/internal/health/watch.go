package health

import (
	"context"
	"hash/fnv"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

const (
	// atOnce are the checks that all Watches of a Monitor make at the same time:
	// many workflows begin to be watched at once.
	atOnce = 8
	// together is how long a report waits for checks that are under way when one has
	// ended.
	together = time.Second
)

// Watch makes the plan's checks in the background until ctx ends, each at once
// and then by its own `every`; checks without one are left to runs. It never uses
// an earlier result; a run's gate uses those of Watch. Its reports have the last
// results of the checks that it makes.
//
// A check is due at fixed moments: every multiple of `every` after the beginning,
// moved by a share of it that follows from the workflow's name, so that workflows
// that began together do not ask together ever after. A check that takes longer
// than its `every` leaves out the moments that pass meanwhile.
func (m *Monitor) Watch(ctx context.Context, plan *workflow.Plan) {
	var watched []*workflow.Check
	for i := range plan.Health {
		if plan.Health[i].Every > 0 {
			watched = append(watched, &plan.Health[i])
		}
	}
	if len(watched) == 0 {
		<-ctx.Done()
		return
	}
	var checks sync.WaitGroup
	var underWay atomic.Int64
	ended := make(chan struct{}, len(watched))
	begun := m.clock.Now()
	for _, c := range watched {
		underWay.Add(1) // the first one is due now
		checks.Go(func() { m.watch(ctx, plan, c, begun, &underWay, ended) })
	}
	m.collect(ctx, plan, watched, &underWay, ended)
	checks.Wait()
}

// watch makes one check again and again.
func (m *Monitor) watch(ctx context.Context, plan *workflow.Plan, c *workflow.Check, begun time.Time, underWay *atomic.Int64, ended chan<- struct{}) {
	phase := phase(plan.Name, c.Every)
	for second := true; ; second = false {
		select {
		case m.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		result := m.caller.Check(ctx, plan, c, "")
		<-m.slots
		if ctx.Err() != nil { // what was cut short says nothing about health
			return
		}
		m.mu.Lock()
		m.learn(checkKey{plan.Name, c.Name}, result)
		m.mu.Unlock()
		underWay.Add(-1)
		select {
		case ended <- struct{}{}:
		case <-ctx.Done(): // collect reads no more
			return
		}

		timer := m.clock.NewTimer(pause(m.clock.Now().Sub(begun), phase, c.Every, second))
		select {
		case <-timer.C():
		case <-ctx.Done():
			timer.Stop()
			return
		}
		underWay.Add(1)
	}
}

// phase is the share of every by which a workflow's checks are moved.
func phase(name string, every time.Duration) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return time.Duration(h.Sum64()>>11) % every
}

// pause is how long after since, counted from the beginning, the next moment of a
// check is. The second one of all is half of every away at least.
func pause(since, phase, every time.Duration, second bool) time.Duration {
	least := since
	if second {
		least += every / 2
	}
	next := phase
	if next <= least {
		next += (least-next)/every*every + every
	}
	return next - since
}

// collect makes reports of what has ended: one for checks that end together.
func (m *Monitor) collect(ctx context.Context, plan *workflow.Plan, watched []*workflow.Check, underWay *atomic.Int64, ended <-chan struct{}) {
	var late <-chan time.Time
	stop := func() {}
	defer func() { stop() }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ended:
			if underWay.Load() > 0 || len(ended) > 0 {
				if late == nil {
					timer := m.clock.NewTimer(together)
					late, stop = timer.C(), func() { timer.Stop() }
				}
				continue
			}
		case <-late:
		}
		stop()
		late = nil
		m.remember(plan, m.last(plan, watched))
	}
}

// last is a report of the last results of checks.
func (m *Monitor) last(plan *workflow.Plan, list []*workflow.Check) *event.Report {
	r := &event.Report{OverallHealthy: true, Timestamp: m.clock.Now(), Checks: make(map[string]event.Check, len(list))}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range list {
		result, ok := m.latest[checkKey{plan.Name, c.Name}]
		if !ok {
			continue // its first call is still under way
		}
		result.Critical = c.Critical
		r.Checks[c.Name] = result
		if c.Critical && !result.Healthy {
			r.OverallHealthy = false
		}
	}
	return r
}

// Ready reports whether the critical checks of a plan that have an `every` are
// healthy by their last results; failing names those that are not, sorted. What
// was never checked, or only by runs, holds nobody up: a failure that no Watch
// looks at again would do so for ever.
func (m *Monitor) Ready(plan *workflow.Plan) (ready bool, failing []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range plan.Health {
		c := &plan.Health[i]
		if last, ok := m.latest[checkKey{plan.Name, c.Name}]; ok && c.Critical && c.Every > 0 && !last.Healthy {
			failing = append(failing, c.Name)
		}
	}
	slices.Sort(failing)
	return len(failing) == 0, failing
}
