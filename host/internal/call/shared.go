package call

import (
	"cmp"
	"slices"
	"sync"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
	"wasmhost/resilience"
)

// Shared holds what several nodes, runs and workflows share in the process:
// breakers, and the rate limits, bulkheads and budgets of named policies. Names
// are scoped by the root workflow. It is safe for concurrent use.
type Shared struct {
	clock Clock
	// changed is told of every breaker that changes its state.
	changed func(root, key string, from, to string, s event.BreakerState)

	mu        sync.Mutex
	breakers  map[name]*resilience.Breaker
	limiters  map[name]*resilience.Limiter
	bulkheads map[name]*resilience.Bulkhead
	budgets   map[name]*resilience.Budget
}

type name struct{ root, key string }

// NewShared makes a Shared. Both arguments may be nil: the real clock, nobody
// to tell. changed must not block and may be called from many goroutines.
func NewShared(clock Clock, changed func(root, key, from, to string, s event.BreakerState)) *Shared {
	if clock == nil {
		clock = resilience.RealClock()
	}
	return &Shared{clock: clock, changed: changed,
		breakers: map[name]*resilience.Breaker{}, limiters: map[name]*resilience.Limiter{},
		bulkheads: map[name]*resilience.Bulkhead{}, budgets: map[name]*resilience.Budget{}}
}

// policy is what a stack of an answerer is made of.
func (s *Shared) policy(root string, plan *workflow.Plan, p *workflow.Policy) resilience.Policy {
	r := resilience.Policy{Timeout: p.Timeout, Deadline: p.Deadline, Retry: p.Retry, Hedge: p.Hedge}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.Breaker != "" {
		r.Breaker = s.breaker(root, p.Breaker, plan.Breakers[p.Breaker])
	}
	// A file's policies are its own: a sub-workflow may use the same name.
	at := name{root, cmp.Or(plan.File, plan.Name) + "." + p.Name}
	if p.RateLimit != nil {
		limit := *p.RateLimit
		r.Limiter = shared(s.limiters, at, p.Name != "" && !p.OwnRate, func() *resilience.Limiter {
			return resilience.NewLimiter(limit, s.clock)
		})
	}
	if p.Concurrency > 0 {
		r.Bulkhead = shared(s.bulkheads, at, p.Name != "" && !p.OwnConcurrency, func() *resilience.Bulkhead {
			return resilience.NewBulkhead(p.Concurrency)
		})
	}
	if p.Retry.Budget > 0 && p.Retry.MaxRetries > 0 {
		r.Budget = shared(s.budgets, at, p.Name != "" && !p.OwnBudget, func() *resilience.Budget {
			return resilience.NewBudget(p.Retry.Budget)
		})
	}
	return r
}

// shared returns what stands under a name, or makes it; what is not shared is
// made anew.
func shared[T any](all map[name]*T, at name, yes bool, make func() *T) *T {
	if !yes {
		return make()
	}
	if t := all[at]; t != nil {
		return t
	}
	t := make()
	all[at] = t
	return t
}

func (s *Shared) breaker(root, key string, cfg resilience.BreakerConfig) *resilience.Breaker {
	at := name{root, key}
	if b := s.breakers[at]; b != nil {
		return b
	}
	b := resilience.NewBreaker(key, cfg, s.clock)
	if s.changed != nil {
		b.OnChange(func(from, to resilience.State, snap resilience.BreakerSnapshot) {
			s.changed(root, key, string(from), string(to), BreakerState(key, snap))
		})
	}
	s.breakers[at] = b
	return b
}

// Declare makes the breakers of a plan, its sub-workflows and its levels, so
// that they can be shown before the first call.
func (s *Shared) Declare(root string, plan *workflow.Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.declare(root, plan, map[*workflow.Plan]bool{})
}

func (s *Shared) declare(root string, plan *workflow.Plan, seen map[*workflow.Plan]bool) {
	if seen[plan] {
		return
	}
	seen[plan] = true
	for key, cfg := range plan.Breakers {
		s.breaker(root, key, cfg)
	}
	for i := range plan.Nodes {
		if sub := plan.Nodes[i].Sub; sub != nil {
			s.declare(root, sub, seen)
		}
	}
	for i := range plan.Levels {
		s.declare(root, plan.Levels[i].Plan, seen)
	}
}

// Breakers are the breakers under a root workflow, by key.
func (s *Shared) Breakers(root string) []event.BreakerState {
	// To look at a breaker whose time is over makes it half-open, and whoever is
	// told of that may come back here: nothing is locked by then.
	var all []event.BreakerState
	for key, b := range s.under(root) {
		all = append(all, BreakerState(key, b.Snapshot()))
	}
	slices.SortFunc(all, func(a, b event.BreakerState) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	return all
}

func (s *Shared) under(root string) map[string]*resilience.Breaker {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]*resilience.Breaker{}
	for at, b := range s.breakers {
		if at.root == root {
			all[at.key] = b
		}
	}
	return all
}

// Breaker finds a breaker for a person's hand: to reset or to open it.
func (s *Shared) Breaker(root, key string) (*resilience.Breaker, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.breakers[name{root, key}]
	return b, ok
}
