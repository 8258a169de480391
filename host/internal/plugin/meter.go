package plugin

import (
	"context"
	"runtime"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"wasmhost/host/event"
	"wasmhost/host/internal/module"
)

// slice is how many steps guest code runs between two looks at its call: well
// under a millisecond.
const slice = 100_000

// meter counts the steps of one call, over all modules of an instance, and
// ends the call when its context is over or its limit is reached. It is what
// makes every timeout take effect whatever the code looks like.
type meter struct {
	counters []counter
	limit    int64 // 0: none
	used     int64 // of slices that are used up
}

// counter is the part of one module.
type counter struct {
	module  api.Module
	left    api.MutableGlobal
	granted int64
}

func (m *meter) add(mod api.Module) {
	left, ok := mod.ExportedGlobal(module.LeftExport).(api.MutableGlobal)
	if !ok {
		return
	}
	m.counters = append(m.counters, counter{module: mod, left: left})
	m.grant(&m.counters[len(m.counters)-1])
}

// begin starts a new count for the next call.
func (m *meter) begin(limit int64) {
	m.limit, m.used = limit, 0
	for i := range m.counters {
		m.grant(&m.counters[i])
	}
}

func (m *meter) grant(c *counter) {
	c.granted = m.next()
	c.left.Set(uint64(c.granted))
}

// next is the size of the slice that may be granted now.
func (m *meter) next() int64 {
	if m.limit == 0 {
		return slice
	}
	return max(min(slice, m.limit-m.steps()), 0)
}

// steps is what the call has used until now.
func (m *meter) steps() int64 {
	n := m.used
	for _, c := range m.counters {
		n += c.granted - int64(c.left.Get())
	}
	return n
}

// yield is called by the guest when a slice is used up; left says by how much
// it was overdrawn, below zero.
func (in *instance) yield(mod api.Module, left int64) int64 {
	in.mustGoOn()
	m := &in.meter
	for i := range m.counters {
		c := &m.counters[i]
		if c.module != mod && len(m.counters) > 1 {
			continue
		}
		m.used += c.granted - left
		c.granted = 0
		c.left.Set(0)
		break
	}
	if m.limit > 0 && m.steps() >= m.limit {
		e := fault(event.System, codeSteps, "the plugin used more than %d steps (limits.steps)", m.limit)
		e.OutcomeUnknown = true
		panic(e)
	}
	next := m.next()
	for i := range m.counters {
		if c := &m.counters[i]; c.module == mod || len(m.counters) == 1 {
			c.granted = next
		}
	}
	// Other goroutines wait for this thread: guest code is never preempted.
	runtime.Gosched()
	return next
}

// linkMeter gives rt the function that prepared modules yield to.
func linkMeter(ctx context.Context, rt wazero.Runtime) error {
	_, err := rt.NewHostModuleBuilder(module.YieldModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, mod api.Module, stack []uint64) {
			stack[0] = uint64(instanceOf(ctx).yield(mod, int64(stack[0])))
		}), i64, i64).Export(module.YieldName).Instantiate(ctx)
	return err
}
