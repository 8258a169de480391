package plugin

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	expsys "github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	"github.com/tetratelabs/wazero/sys"

	"wasmhost/host/event"
	"wasmhost/host/internal/module"
)

// instance is a module, and those linked to it, with memory of its own. It
// serves one call at a time.
type instance struct {
	plugin *Plugin
	main   api.Module
	linked map[string]api.Module // all modules by name, main too
	// functions are kept: asking a module for one allocates a stack for it. recent
	// is the one called last, the export of that name.
	functions  map[string]api.Function
	recent     api.Function
	recentName string
	running    api.Function // the one that is being called
	memory     *memory
	meter      meter
	kernel     *kernel   // nil when the ABI has none
	handles    []handles // of the modules, in the program's order
	started    bool
	// spent is true when no other call may use it: it trapped, was stopped, or
	// ended by itself where that is for good.
	spent bool
	state *state // to go back to after a call; nil: it cannot

	vars       map[string][]byte
	varsShared bool // with a state: not to be changed
	varBytes   int64
	wasi       wasiState

	// What follows belongs to the call that is served.
	ctx   context.Context
	own   callContext
	stack [1]uint64
	meta  Meta
	log   callLog
	stdio stdio
	http  httpState
	tape  *tape
	files int // open now
	asked event.HostCalls
}

func newInstance(p *Plugin) *instance {
	m := &memory{limit: p.limits.Memory}
	in := &instance{plugin: p, memory: m, vars: map[string][]byte{}, linked: map[string]api.Module{}, functions: map[string]api.Function{}}
	in.stdio.in = in
	return in
}

// callContext carries the instance to the host functions of its call. They get
// it by asking for its type; where wazero's own context lies around it, by
// value.
type callContext struct {
	context.Context
	in *instance
}

type instanceKey struct{}

func (c *callContext) Value(key any) any {
	if _, ok := key.(instanceKey); ok {
		return c.in
	}
	return c.Context.Value(key)
}

func instanceOf(ctx context.Context) *instance {
	if c, ok := ctx.(*callContext); ok {
		return c.in
	}
	return ctx.Value(instanceKey{}).(*instance)
}

// serve runs entry once. Initialisers run here too, the first time, under the
// same context and the same limits, which begin anew for the call itself. They
// see neither its input nor what it is about: what they leave behind is there
// for other calls too.
func (in *instance) serve(ctx context.Context, e entry, c *Call) (output []byte, warnings []*event.Error, failed *event.Error) {
	in.ctx, in.meta = ctx, Meta{}
	in.own = callContext{Context: ctx, in: in}
	in.log = callLog{to: c.Log, masks: in.plugin.masks, left: in.plugin.limits.Log}
	in.stdio.begin()
	in.http, in.tape = httpState{}, c.tape
	in.asked = event.HostCalls{}
	in.wasi.exited = false
	in.memory.peak, in.memory.refused = in.memory.used, false
	in.wasi.full = false
	if output, warnings, failed = in.answer(e, c); failed != nil {
		in.blame(failed)
	}
	in.stdio.end()
	in.asked.Logs = in.log.lines
	in.ctx, in.log.to, in.meta, in.own.Context, in.tape = nil, nil, Meta{}, nil, nil
	if in.memory.refused {
		in.spent = true
	}
	return output, warnings, failed
}

// answer runs the call and says what came of it.
func (in *instance) answer(e entry, c *Call) ([]byte, []*event.Error, *event.Error) {
	rc, err := in.run(e, c)
	if err != nil {
		in.spent = in.spent || !in.wasi.exited || in.plugin.spec.Reset == ResetNever
		if exit, ok := err.(*sys.ExitError); !ok || exit.ExitCode() != 0 {
			return nil, nil, in.explain(in.ctx, e.name, err)
		}
	}
	if c.startOnly {
		return nil, nil, nil
	}
	if in.plugin.exports.abi == ABIWASI {
		if rc != 0 {
			return nil, nil, in.exited(uint32(rc))
		}
		return in.stdio.output(), nil, nil
	}
	return in.result(rc)
}

// result is what an Extism guest left behind: output, error text, and the
// number that the function returned.
func (in *instance) result(rc int32) ([]byte, []*event.Error, *event.Error) {
	text, failed := in.kernel.failure()
	if failed {
		// Before the text is cut: half a secret would be masked no more.
		reported := guestErrors(in.plugin.masks.bytes(text))
		if rc != 0 || !allWarnings(reported) {
			return nil, nil, asFailure(reported)
		}
		output, err := in.kernel.output(in.plugin.limits.Output)
		if err != nil {
			return nil, nil, in.explain(in.ctx, "", err)
		}
		return output, reported, nil
	}
	if rc != 0 {
		return nil, nil, fault("", "", "the plugin returned %d and no error text", rc)
	}
	output, err := in.kernel.output(in.plugin.limits.Output)
	if err != nil {
		return nil, nil, in.explain(in.ctx, "", err)
	}
	return output, nil, nil
}

// run gets the instance ready and calls the function. A panic of wazero or of
// an allocator comes back as an error.
func (in *instance) run(e entry, c *Call) (rc int32, err error) {
	defer func() {
		if r := recover(); r != nil {
			switch r := r.(type) {
			case *event.Error:
				err = r
			case runtime.Error:
				err = fmt.Errorf("the host failed: %w", r)
			default:
				err = fmt.Errorf("the host failed: %v", r)
			}
		}
	}()
	p := in.plugin
	if in.state == nil {
		if err := in.prepare(e); err != nil {
			if exit, ok := err.(*sys.ExitError); ok && exit.ExitCode() == 0 {
				err = fault(event.Unknown, codeExit, "the plugin ended itself before %s has run, with exit code 0", e.name)
			}
			return 0, err
		}
	}
	if c.startOnly {
		return 0, in.meter.over()
	}
	in.meta = c.Meta
	in.http.status, in.http.headers = 0, nil
	in.asked, in.log.lines = event.HostCalls{}, 0
	in.memory.peak = in.memory.used
	in.meter.begin(p.limits.Steps)
	if p.exports.abi == ABIWASI {
		in.stdio.input(c.Input, p.limits.Output)
	}
	if in.kernel != nil {
		if err := in.kernel.begin(c.Input); err != nil {
			return 0, err
		}
	}
	if e.once && in.state == nil {
		in.spent = true
	}
	if in.recentName != e.export || in.recent == nil {
		in.recent, in.recentName = in.function(e.export), e.export
	}
	in.stack[0], in.running = 0, in.recent
	if err := in.recent.CallWithStack(&in.own, in.stack[:]); err != nil {
		return 0, err
	}
	return int32(in.stack[0]), in.meter.over()
}

func (in *instance) function(export string) api.Function {
	f := in.functions[export]
	if f == nil {
		f = in.main.ExportedFunction(export)
		in.functions[export] = f
	}
	return f
}

// prepare brings the instance to where calls begin: by running what has to run
// before them, or by taking over the state of one that did.
func (in *instance) prepare(e entry) error {
	p := in.plugin
	in.meter.begin(p.limits.Steps)
	if len(in.linked) > 0 { // reset = "never"
		if in.kernel != nil {
			in.kernel.clear()
		}
	} else {
		s := p.initial(e.initialise)
		if err := in.instantiate(&in.own, s == nil); err != nil {
			return err
		}
		if s != nil {
			if !in.adopt(s) {
				return fault(event.System, codeMemory, "there is no memory for one more instance")
			}
			in.state, in.started = s, e.initialise
			return nil
		}
	}
	if !in.started && e.initialise {
		if err := in.initialise(&in.own); err != nil {
			return err
		}
		in.started = true
	}
	if p.spec.Reset == ResetCall && p.program.resettable() && (in.kernel == nil || in.kernel.pristine()) && !in.memory.refused {
		in.state = in.save()
		if in.state.portable {
			in.state = p.publish(in.state, e.initialise)
		}
	}
	return nil
}

// stackKept is the steps of a call from which the function is asked for anew by
// the next one: its stack has grown as deep as its calls went, and does not
// shrink. A short call would not get far, and would pay for that.
const stackKept = 1_000_000

// reusable makes the instance ready for another call, if it can serve one.
func (in *instance) reusable() bool {
	if in.meter.used >= stackKept {
		clear(in.functions)
		in.recent, in.running = nil, nil
	}
	switch {
	case in.spent || in.kernel != nil && in.kernel.large():
		return false
	case in.plugin.spec.Reset == ResetNever:
		return true
	}
	return in.state != nil && in.restore(in.state)
}

// instantiate makes the modules, those first that others import. A module's
// start function runs when it is metered, before the next module is made.
func (in *instance) instantiate(ctx *callContext, start bool) error {
	if code := in.plugin.program.kernel; code != nil {
		var err error
		if in.kernel, err = newKernel(ctx, in.memory, in.plugin.program.runtime, code); err != nil {
			return err
		}
	}
	env := experimental.WithMemoryAllocator(ctx, in.memory)
	env = experimental.WithImportResolver(env, func(name string) api.Module {
		if name == envModule && in.kernel != nil && in.linked[name] == nil {
			return in.kernel.module
		}
		return in.linked[name]
	})
	config := in.moduleConfig()
	for i := range in.plugin.program.units {
		u := &in.plugin.program.units[i]
		m, err := in.plugin.program.runtime.InstantiateModule(env, u.compiled, config)
		if err != nil {
			return err
		}
		in.linked[u.name], in.main = m, m
		in.meter.add(m)
		in.handles = append(in.handles, in.handle(u, m))
		if u.start && start {
			in.running = m.ExportedFunction(module.StartExport)
			if _, err := in.running.Call(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// moduleConfig gives the guest real clocks, real randomness, a sleep that ends
// with the call, and the files and variables it may have. wazero's defaults are
// none of these.
func (in *instance) moduleConfig() wazero.ModuleConfig {
	p := in.plugin
	c := wazero.NewModuleConfig().WithName("").WithStartFunctions().
		WithSysWalltime().WithSysNanotime().WithNanosleep(in.sleep).WithOsyield(runtime.Gosched).
		WithRandSource(randomness{in}).
		WithStdin(&in.stdio.stdin).WithStdout(&in.stdio.stdout).WithStderr(&in.stdio.stderr)
	c = c.WithArgs(append([]string{p.spec.Name}, p.spec.Args...)...)
	for _, e := range p.env {
		c = c.WithEnv(e[0], e[1])
	}
	if len(p.mounts) > 0 {
		fs := wazero.NewFSConfig()
		for _, m := range p.mounts {
			var folder expsys.FS = &rootFS{in: in, root: m.root, write: m.write}
			if m.root == nil {
				folder = withheldFS{in: in}
			}
			fs = fs.(sysfs.FSConfig).WithSysFSMount(folder, m.at)
		}
		c = c.WithFSConfig(fs)
	}
	return c
}

// sleep obeys the call: when it ends, so does the guest that sleeps.
func (in *instance) sleep(ns int64) {
	in.meter.paused()
	in.asked.Sleeps++
	timer := time.NewTimer(time.Duration(ns))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-in.ctx.Done():
		in.mustGoOn()
	}
}

// mustGoOn ends the guest, from within a host function, when its call is over.
func (in *instance) mustGoOn() {
	in.meter.paused()
	if in.ctx.Err() != nil {
		panic(sys.NewExitError(sys.ExitCodeContextCanceled))
	}
}

// initialise runs what a guest's runtime needs before its first function, as
// Extism hosts do: linked modules first.
func (in *instance) initialise(ctx context.Context) error {
	for _, u := range in.plugin.program.units {
		if err := in.initialiseModule(ctx, in.linked[u.name]); err != nil {
			return err
		}
	}
	return nil
}

func (in *instance) initialiseModule(ctx context.Context, m api.Module) error {
	defs := m.ExportedFunctionDefinitions()
	takes := func(name string, params int) bool {
		def, ok := defs[name]
		return ok && len(def.ParamTypes()) == params
	}
	call := func(name string, params ...uint64) error {
		in.running = m.ExportedFunction(name)
		_, err := in.running.Call(ctx, params...)
		return err
	}
	reactor := takes("_initialize", 0)
	if reactor {
		if err := call("_initialize"); err != nil {
			return err
		}
	}
	if takes("hs_init", 2) { // Haskell: argc and argv, both none
		return call("hs_init", 0, 0)
	}
	if !reactor && takes("__wasm_call_ctors", 0) {
		return call("__wasm_call_ctors")
	}
	return nil
}

// close gives back what the instance holds.
func (in *instance) close() {
	ctx := context.Background()
	for _, m := range in.linked {
		m.Close(ctx)
	}
	if in.kernel != nil {
		in.kernel.module.Close(ctx)
	}
	in.memory.free()
	in.main, in.linked, in.kernel = nil, nil, nil
}
