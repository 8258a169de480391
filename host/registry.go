package host

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
)

// registry finds the plugins that plans name, and loads each when it is first
// needed.
type registry struct {
	host *Host

	loading atomic.Int32

	mu      sync.Mutex
	entries map[pluginKey]*entry
}

type pluginKey struct {
	plan *workflow.Plan
	name string
}

// entry is one plugin of one plan.
type entry struct {
	spec plugin.Spec
	turn chan struct{} // held while loading
	live *plugin.Plugin
}

func newRegistry(h *Host) *registry {
	return &registry{host: h, entries: map[pluginKey]*entry{}}
}

// prepare resolves the settings and secrets of every plugin under a root plan.
// What is missing keeps a run from starting, not from being half done.
func (r *registry) prepare(root *workflow.Plan) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return eachPlan(root, func(p *workflow.Plan) error {
		for name, pl := range p.Plugins {
			key := pluginKey{p, name}
			if r.entries[key] != nil {
				continue
			}
			spec, err := r.host.spec(p, pl)
			if err != nil {
				return err
			}
			r.entries[key] = &entry{spec: spec, turn: make(chan struct{}, 1)}
		}
		return nil
	})
}

// Plugin is the plugin that a plan means by a name. It waits while the plugin
// is being loaded; a load that failed is tried again by the next who asks.
func (r *registry) Plugin(ctx context.Context, plan *workflow.Plan, name string) (call.Plugin, error) {
	r.mu.Lock()
	e := r.entries[pluginKey{plan, name}]
	r.mu.Unlock()
	if e == nil {
		return nil, &event.Error{Plugin: name, Class: event.Permanent, Code: "not_found", Message: "no plugin of that name is prepared"}
	}
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-e.turn }()
	if e.live == nil {
		r.loading.Add(1)
		p, err := r.host.runtime.Load(ctx, e.spec)
		r.loading.Add(-1)
		if err != nil {
			return nil, err
		}
		e.live = p
	}
	return e.live, nil
}

// warm begins to load what the primary level of a plan names, as many at once as
// there are cores. Errors come back when a node asks.
func (r *registry) warm(ctx context.Context, plan *workflow.Plan) {
	cores := make(chan struct{}, runtime.GOMAXPROCS(0))
	seen := map[pluginKey]bool{}
	load := func(p *workflow.Plan, name string) {
		key := pluginKey{p, name}
		if name == "" || seen[key] {
			return
		}
		seen[key] = true
		r.host.ending.Go(func() {
			cores <- struct{}{}
			defer func() { <-cores }()
			_, _ = r.Plugin(ctx, p, name)
		})
	}
	var visit func(p *workflow.Plan)
	visit = func(p *workflow.Plan) {
		for i := range p.Nodes {
			n := &p.Nodes[i]
			if n.Sub != nil {
				visit(n.Sub)
			}
			load(p, n.Primary.Plugin)
		}
		// What may never be asked comes last.
		for i := range p.Nodes {
			for j := range p.Nodes[i].Fallbacks {
				load(p, p.Nodes[i].Fallbacks[j].Plugin)
			}
		}
	}
	visit(plan)
}

// forget closes the plugins of a root plan. Calls in flight end properly.
func (r *registry) forget(ctx context.Context, root *workflow.Plan) {
	var old []*plugin.Plugin
	_ = eachPlan(root, func(p *workflow.Plan) error {
		for name := range p.Plugins {
			key := pluginKey{p, name}
			r.mu.Lock()
			e := r.entries[key]
			delete(r.entries, key)
			r.mu.Unlock()
			if e == nil {
				continue
			}
			e.turn <- struct{}{}
			if e.live != nil {
				old = append(old, e.live)
			}
			<-e.turn
		}
		return nil
	})
	for _, p := range old {
		_ = p.Close(ctx)
	}
}
