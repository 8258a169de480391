package plugin

import (
	"context"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"wasmhost/host/event"
	"wasmhost/host/internal/module"
)

// Guest code runs a slice of steps between two looks at its call. A step takes a
// quarter of a nanosecond, or ten where it misses every cache; so a slice begins
// small and follows the time that the last one took. It does not grow without
// end: a guest may do nothing until its slice is large, and then miss.
const (
	smallestSlice = 100_000
	largestSlice  = 800_000
	shortSlice    = int64(200 * time.Microsecond) // below: the next one is twice as large
	longSlice     = int64(time.Millisecond)       // above: half as large
)

// meter counts the steps of one call, over all modules of an instance, and
// ends the call when its context is over or its limit is reached. It is what
// makes every timeout take effect whatever the code looks like.
type meter struct {
	counters []counter
	limit    int64 // 0: none
	used     int64 // of slices that are used up
	slice    int64 // what is granted next
	// resumed is when the guest was let go on last; 0: it did not yield in this
	// call, or waited in a host function since.
	resumed  int64
	deadline int64 // of the call, on the same clock; 0: not asked yet
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
	m.limit, m.used, m.slice, m.resumed, m.deadline = limit, 0, smallestSlice, 0, 0
	for i := range m.counters {
		m.counters[i].granted = 0
		if len(m.counters) > 1 {
			m.counters[i].left.Set(0)
		}
	}
	for i := range m.counters {
		m.grant(&m.counters[i])
	}
}

// grant gives a module its next slice, at most what all others leave of the
// limit: together they never have more than that.
func (m *meter) grant(c *counter) {
	c.granted = m.slice
	if m.limit > 0 {
		c.granted = min(c.granted, max(m.limit-m.used-m.granted(c), 0))
	}
	c.left.Set(uint64(c.granted))
}

// granted is what the modules but c have of slices that are not used up.
func (m *meter) granted(c *counter) (n int64) {
	for i := range m.counters {
		if o := &m.counters[i]; o != c {
			n += o.granted
		}
	}
	return n
}

// settle takes back what a module has left of its slice, and counts the rest
// as used.
func (m *meter) settle(c *counter, left int64) {
	m.used += c.granted - left
	c.granted = 0
	c.left.Set(0)
}

// steps is what the call has used until now.
func (m *meter) steps() int64 {
	n := m.used
	for _, c := range m.counters {
		n += c.granted - int64(c.left.Get())
	}
	return n
}

// over is the error of a call that used more than its limit, nil when it did
// not. Where guest code looks depends on how its slices fell; whether a call
// fails must not, so that this is asked of every call that has returned too.
func (m *meter) over() error {
	if m.limit == 0 || m.steps() <= m.limit {
		return nil
	}
	e := fault(event.System, codeSteps, "the plugin used more than %d steps (limits.steps)", m.limit)
	e.OutcomeUnknown = true
	return e
}

// paused is told that the guest waits in a host function: that time says
// nothing about its steps.
func (m *meter) paused() { m.resumed = 0 }

// measure makes the next slice larger or smaller, by the time that the last one
// took.
func (m *meter) measure(now int64) {
	if m.resumed == 0 {
		return
	}
	switch took := now - m.resumed; {
	case took < shortSlice:
		m.slice = min(2*m.slice, largestSlice)
	case took > longSlice:
		m.slice = max(m.slice/2, smallestSlice)
	}
}

// yield is called by the guest when a slice is used up; left says by how much
// it was overdrawn, below zero.
func (in *instance) yield(mod api.Module, left int64) int64 {
	now := clock()
	m := &in.meter
	m.measure(now)
	in.mustBeInTime(now)
	c := &m.counters[0]
	for i := 1; i < len(m.counters) && c.module != mod; i++ {
		c = &m.counters[i]
	}
	m.settle(c, left)
	if err := m.over(); err != nil {
		panic(err)
	}
	if m.limit > 0 && m.limit-m.used-m.granted(c) < m.slice {
		// The others have what this one needs, or soon will.
		for i := range m.counters {
			m.settle(&m.counters[i], int64(m.counters[i].left.Get()))
		}
	}
	m.grant(c)
	// Other goroutines wait for this thread: guest code is never preempted.
	runtime.Gosched()
	m.resumed = clock()
	return c.granted
}

// mustBeInTime ends the guest when its call is over at now. It does not wait
// for a timer to say so, which on a machine that is busy may come late.
func (in *instance) mustBeInTime(now int64) {
	in.mustGoOn()
	m := &in.meter
	if m.deadline == 0 {
		m.deadline = -1
		if d, ok := in.ctx.Deadline(); ok {
			m.deadline = max(now+int64(time.Until(d)), 1)
		}
	}
	if m.deadline < 0 || now < m.deadline {
		return
	}
	wait := time.NewTimer(10 * time.Millisecond)
	defer wait.Stop()
	select {
	case <-in.ctx.Done():
		in.mustGoOn()
	case <-wait.C: // it has another clock than this one: it says itself when it is over
		m.deadline = -1
	}
}

// clock is the time since the process began, for what needs no date: time.Now
// reads two clocks.
func clock() int64 { return int64(time.Since(began)) }

var began = time.Now()

// linkMeter gives rt the function that prepared modules yield to.
func linkMeter(ctx context.Context, rt wazero.Runtime) error {
	_, err := rt.NewHostModuleBuilder(module.YieldModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, mod api.Module, stack []uint64) {
			in := instanceOf(ctx)
			in.mustNotBeDeep(&stack[0])
			stack[0] = uint64(in.yield(mod, int64(stack[0])))
		}), i64, i64).Export(module.YieldName).Instantiate(ctx)
	return err
}
