package plugin

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"wasmhost/host/event"
)

// Plugin is a loaded module with its permissions. It is safe for concurrent
// use; each call has an instance to itself.
type Plugin struct {
	runtime *Runtime
	program *program
	spec    Spec
	limits  Limits
	timeout time.Duration // a manifest's own; 0: none
	exports exports
	reach   reach
	binary  map[string]bool // functions whose output is bytes, as described

	config        map[string]string
	configSecrets map[string]string // without a header: config secret.NAME
	masks         *masks
	network       *network
	mounts        []mount
	env           [][2]string

	// states are what calls begin with when reset is call: before and after the
	// guest's runtime was set up. nil: not known yet, or no instance can take over
	// another's.
	states [2]atomic.Pointer[state]
	pool   pool
	done   chan struct{} // closed when all is given back
	// disposed, if not nil, is called then. Guarded by the pool's lock.
	disposed func()
}

// Call is one call of an exported function.
type Call struct {
	// Function is the export; "" means run. For a WASI command "", run and _start
	// are the program itself.
	Function string
	Input    []byte
	Meta     Meta
	// Idempotent is true when the work may be done more than once: only such calls
	// are made to a version on trial.
	Idempotent bool
	// Log takes the lines that the plugin logs: level is debug, info, warn or
	// error. It is called on the goroutine of Call. nil: nobody wants them.
	Log func(level, message string)

	startOnly bool  // the instance is brought to where the function would begin
	tape      *tape // nil: nobody wants to know what it did on the network
}

// Meta is what a plugin may want to know about the call, as config keys
// host.run_id, host.workflow, host.node, host.attempt, host.idempotency_key and
// host.deadline_ms (Deadline in Unix milliseconds).
type Meta struct {
	RunID, Workflow, Node string
	Attempt               int // from 1
	IdempotencyKey        string
	Deadline              time.Time // zero: none; it is told, the call's context enforces
}

// Answer is what a call came to. With an error, Output is nil and the rest
// still says what was used.
type Answer struct {
	Output []byte
	// Binary is true when the plugin describes this output as bytes (its schema
	// says contentEncoding base64): they are no text, whatever they look like.
	Binary bool
	// Warnings came with the output: partial results.
	Warnings []*event.Error
	Digest   string
	// Steps is the work done in the guest's code, the same in every run with the
	// same input; what initialisation took is not in it. MemoryBytes is the peak of all memories of the instance.
	Steps, MemoryBytes uint64
	// HostCalls is what it asked of the host; not what initialisation asked.
	HostCalls event.HostCalls
	Duration  time.Duration
}

// Name is the name the plugin was loaded under, Digest its version.
func (p *Plugin) Name() string   { return p.spec.Name }
func (p *Plugin) Digest() string { return p.program.digest }

// Module are the bytes that it was loaded from: of a module, or of a manifest.
// Nobody may change them.
func (p *Plugin) Module() []byte { return p.program.image.source }

// Linked are the modules that such a manifest names without holding them; with
// both, the plugin can be loaded again wherever its files are by then.
func (p *Plugin) Linked() map[string][]byte { return p.program.image.linked() }

// Call runs one function and returns what it wrote. It waits for a free
// instance, runs the module's initialisers and the function on the caller's
// goroutine, and ends them when ctx ends; nothing of the call runs after it
// returned. Secrets are masked in everything it returns. An error is always an
// *event.Error; its Class is "" where the message has to decide.
func (p *Plugin) Call(ctx context.Context, c Call) (Answer, error) { return p.answer(ctx, &c) }

func (p *Plugin) answer(ctx context.Context, c *Call) (Answer, error) {
	answer := Answer{Digest: p.program.digest}
	output, warnings, err := p.call(ctx, c, &answer)
	if err != nil {
		err.Plugin = p.spec.Name
		p.masks.error(err)
		return answer, err
	}
	for _, w := range warnings {
		w.Plugin = p.spec.Name
		p.masks.error(w)
	}
	answer.Output, answer.Warnings = p.masks.bytes(output), warnings
	if p.binary != nil {
		answer.Binary = p.binary[cmp.Or(c.Function, defaultFunction)]
	}
	return answer, nil
}

func (p *Plugin) call(ctx context.Context, c *Call, answer *Answer) (output []byte, warnings []*event.Error, failed *event.Error) {
	if limit := p.limits.Input; int64(len(c.Input)) > limit {
		return nil, nil, fault(event.Permanent, codeInput, "the input has %d bytes, and limits.input allows %s", len(c.Input), size(limit))
	}
	entry, failed := p.exports.entry(c.Function)
	if failed != nil {
		return nil, nil, failed
	}
	from := clock()
	in, failed := p.pool.enter(ctx, entry.initialise)
	if failed != nil {
		answer.Duration = time.Duration(clock() - from)
		return nil, nil, failed
	}
	var kept *instance
	now := from
	defer func() { p.pool.leave(kept, now) }()
	if p.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.timeout)
		defer cancel()
	}
	if in == nil {
		in = newInstance(p)
	}
	output, warnings, failed = in.serve(ctx, entry, c)
	answer.MemoryBytes, answer.Steps, answer.HostCalls = uint64(in.memory.peak), uint64(in.meter.steps()), in.asked
	now = clock()
	answer.Duration = time.Duration(now - from)
	if in.reusable() {
		kept = in
	} else {
		in.close()
	}
	return output, warnings, failed
}

func kind(initialised bool) int {
	if initialised {
		return 1
	}
	return 0
}

// initial is the state that an instance can take over, nil when it has to get
// there by itself.
func (p *Plugin) initial(initialised bool) *state { return p.states[kind(initialised)].Load() }

// Close refuses new calls and waits for those in flight until ctx is done.
// What the plugin holds is released when the last of them ends, however long
// that takes. Closing twice is harmless.
func (p *Plugin) Close(ctx context.Context) error {
	p.pool.end()
	select {
	case <-p.done:
		return nil
	default:
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("plugin %q still has calls in flight: %w", p.spec.Name, context.Cause(ctx))
	}
}

// dispose releases everything; it runs once, when nobody can call any more.
func (p *Plugin) dispose() {
	p.pool.empty()
	for i := range p.states {
		p.states[i].Load().drop()
	}
	p.unmount()
	p.network.close()
	p.program.release()
	p.runtime.forget(p)
	close(p.done)
	p.pool.mu.Lock()
	tell := p.disposed
	p.pool.mu.Unlock()
	if tell != nil {
		tell()
	}
}
