package host

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
)

// registry finds the plugins that plans name, and loads each when it is first
// needed. Plans of the same root workflow that say the same of a plugin share
// it: a file that is loaded again, or by a run that goes on, finds its plugins
// as they are, in the versions that they have by now.
type registry struct {
	host *Host

	loading atomic.Int32

	mu       sync.RWMutex
	uses     map[pluginKey]*entry
	entries  map[pluginAddress][]*entry // the newest last
	prepared map[*workflow.Plan]bool    // root plans
}

type pluginKey struct {
	plan *workflow.Plan
	name string
}

type pluginAddress struct{ root, address string }

func (a pluginAddress) String() string { return a.root + "." + a.address }

// entry is one plugin of one root workflow.
type entry struct {
	at     pluginAddress
	plan   *workflow.Plan // that named it first
	spec   plugin.Spec
	turn   chan struct{} // held while loading
	closed bool          // under turn: nobody uses it any more
	live   atomic.Pointer[plugin.Versions]
	failed atomic.Pointer[event.Error] // why the last load failed, or the file is refused
	source atomic.Pointer[string]      // digest of what the source held when it was read last
	trial  atomic.Pointer[event.TrialResult]
	kept   atomic.Pointer[string] // the version that the process after this one would have

	swap  chan struct{} // held while a person, or the file, changes its version
	quiet atomic.Bool   // a version of an earlier process comes back: nobody is told

	recorded time.Time // under Host.keeping: of the last call that was written down

	// Under registry.mu: who uses it.
	roots map[*workflow.Plan]int
}

func newRegistry(h *Host) *registry {
	return &registry{host: h, uses: map[pluginKey]*entry{}, entries: map[pluginAddress][]*entry{}, prepared: map[*workflow.Plan]bool{}}
}

// prepare resolves the settings and secrets of every plugin under a root plan.
// What is missing keeps a run from starting, not from being half done.
func (r *registry) prepare(root *workflow.Plan) error {
	r.mu.RLock()
	done := r.prepared[root]
	r.mu.RUnlock()
	if done {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	err := eachPlan(root, func(p *workflow.Plan) error {
		for name, pl := range p.Plugins {
			key := pluginKey{p, name}
			if r.uses[key] != nil {
				continue
			}
			spec, err := r.host.spec(p, pl)
			if err != nil {
				return err
			}
			address, e := r.address(root, p, name, &spec)
			if e == nil {
				e = &entry{at: pluginAddress{root.Name, address}, plan: p, spec: spec, turn: make(chan struct{}, 1), swap: make(chan struct{}, 1),
					roots: map[*workflow.Plan]int{}}
				r.entries[e.at] = append(r.entries[e.at], e)
			}
			e.roots[root]++
			r.uses[key] = e
		}
		return nil
	})
	r.prepared[root] = err == nil
	return err
}

// Plugin is the plugin that a plan means by a name. It waits while the plugin
// is being loaded; a load that failed is tried again by the next who asks.
func (r *registry) Plugin(ctx context.Context, plan *workflow.Plan, name string) (call.Plugin, error) {
	r.mu.RLock()
	e := r.uses[pluginKey{plan, name}]
	r.mu.RUnlock()
	if e == nil {
		return nil, &event.Error{Plugin: name, Class: event.Permanent, Code: "not_found", Message: "no plugin of that name is prepared"}
	}
	v, err := r.load(ctx, e)
	if err != nil {
		return nil, err
	}
	return v, nil
}

var errUnused = &event.Error{Class: event.Transient, Code: "closed", Message: "no workflow that is loaded names the plugin any more"}

// load gives the versions of a plugin, loading the first one when there is none.
func (r *registry) load(ctx context.Context, e *entry) (*plugin.Versions, error) {
	if v := e.live.Load(); v != nil {
		return v, nil
	}
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-e.turn }()
	if v := e.live.Load(); v != nil {
		return v, nil
	}
	if e.closed { // by who waited before: what is loaded now nobody would give back
		return nil, errUnused
	}
	r.loading.Add(1)
	defer r.loading.Add(-1)
	v, err := r.host.loadVersions(ctx, e)
	if err != nil {
		e.failed.Store(eventError(err))
		return nil, err
	}
	e.failed.Store(nil)
	e.live.Store(v)
	return v, nil
}

// warm begins to load what the primary level of a plan names, as many at once as
// there are cores. Errors come back when a node asks.
func (r *registry) warm(ctx context.Context, plan *workflow.Plan) {
	var cold []*entry
	for _, e := range r.named(plan) {
		if e.live.Load() == nil {
			cold = append(cold, e)
		}
	}
	if len(cold) == 0 {
		return
	}
	cores := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, e := range cold {
		r.host.ending.Go(func() {
			cores <- struct{}{}
			defer func() { <-cores }()
			_, _ = r.load(ctx, e)
		})
	}
}

// named are the plugins that the primary level of a plan may ask, once each;
// those that may never be asked come last.
func (r *registry) named(plan *workflow.Plan) []*entry {
	var all, late []*entry
	seen := map[*entry]bool{}
	r.mu.RLock()
	defer r.mu.RUnlock()
	add := func(list []*entry, p *workflow.Plan, name string) []*entry {
		e := r.uses[pluginKey{p, name}]
		if name == "" || e == nil || seen[e] {
			return list
		}
		seen[e] = true
		return append(list, e)
	}
	visited := map[*workflow.Plan]bool{}
	var visit func(p *workflow.Plan)
	visit = func(p *workflow.Plan) {
		if visited[p] {
			return
		}
		visited[p] = true
		for i := range p.Nodes {
			n := &p.Nodes[i]
			if n.Sub != nil {
				visit(n.Sub)
			}
			all = add(all, p, n.Primary.Plugin)
		}
		for i := range p.Nodes {
			for j := range p.Nodes[i].Fallbacks {
				late = add(late, p, p.Nodes[i].Fallbacks[j].Plugin)
			}
		}
	}
	visit(plan)
	return append(all, late...)
}

// forget gives back the plugins of a root plan; those that no other plan uses are
// closed when their calls in flight have ended.
func (r *registry) forget(ctx context.Context, root *workflow.Plan) {
	var unused []*entry
	r.mu.Lock()
	delete(r.prepared, root)
	_ = eachPlan(root, func(p *workflow.Plan) error {
		for name := range p.Plugins {
			key := pluginKey{p, name}
			e := r.uses[key]
			delete(r.uses, key)
			if e == nil {
				continue
			}
			if e.roots[root]--; e.roots[root] <= 0 {
				delete(e.roots, root)
			}
			if len(e.roots) > 0 {
				continue
			}
			unused = append(unused, e)
			left := slices.DeleteFunc(slices.Clone(r.entries[e.at]), func(o *entry) bool { return o == e })
			if len(left) == 0 {
				delete(r.entries, e.at)
			} else {
				r.entries[e.at] = left
			}
		}
		return nil
	})
	r.mu.Unlock()
	for _, e := range unused {
		e.turn <- struct{}{}
		e.closed = true
		if v := e.live.Load(); v != nil {
			r.host.saveRecordings(ctx, e)
			_ = v.Close(ctx)
		}
		<-e.turn
	}
}

// all are the entries of the root workflows that count.
func (r *registry) all(only func(root string) bool) []*entry {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []*entry
	for at, list := range r.entries {
		if only == nil || only(at.root) {
			all = append(all, list...)
		}
	}
	return all
}
