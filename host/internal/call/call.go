// Package call makes one node call: the policies of the workflow file around a
// plugin's function, the class of each failure, and the events of each attempt.
// It does not know which node comes when, and nothing of Wasm.
package call

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
	"wasmhost/resilience"
)

// Clock, Timer and RealClock are those of package resilience, for rooms that
// only pass them on.
type (
	Clock = resilience.Clock
	Timer = resilience.Timer
)

// RealClock is the clock of package time.
func RealClock() Clock { return resilience.RealClock() }

// Plugin is something that can be called; [plugin.Plugin] is one.
type Plugin interface {
	Call(ctx context.Context, c plugin.Call) (plugin.Answer, error)
}

// Plugins finds the plugin that a plan means by a name, in its current version.
type Plugins interface {
	Plugin(ctx context.Context, plan *workflow.Plan, name string) (Plugin, error)
}

// OutcomeUnknown is the code of a failure after which a node that is not
// idempotent must not be called again: nobody knows whether its work was done.
const OutcomeUnknown = resilience.CodeOutcomeUnknown

// Slot is the node's place among the calls in flight of its run. Enter takes
// one and Leave gives it back, or keeps it for the next Enter; Release gives up
// what is kept, and is called before everything that waits.
type Slot interface {
	resilience.Gate
	Release()
}

// Request is one call of a node, or of one item of it. It may be filled again
// and used for another call when Call has returned.
type Request struct {
	// Root is the workflow that was started: breakers are shared under it. Plan
	// is the one that Node belongs to.
	Root, Plan *workflow.Plan
	Node       *workflow.Node
	Scope      *workflow.Scope
	Input      event.Value // for a node without `with`

	RunID string
	Path  string // from the root, for events
	Key   string // for the idempotency key; unlike Path it differs by level
	Level int

	// FirstAttempt is the number of the first attempt, from 1.
	FirstAttempt int
	// From is the first answerer that is asked, and Prior the result of what was
	// asked before, when that was not a plugin.
	From  int
	Prior *event.NodeResult
	// Resumed is where an earlier process left this very call; nil: it begins now.
	Resumed *Resumed

	Slot Slot
	Emit func(*event.Event)
	// Begin, if not nil, returns when all that was emitted will survive the
	// process. It is asked before every attempt but the first, so that a crash
	// repeats one attempt at most, and before every attempt of a node that is not
	// idempotent: one that nobody would know of must not begin.
	Begin func(ctx context.Context, key string, attempt int) error

	attempts attempts
}

// Caller makes calls. It is safe for concurrent use.
type Caller struct {
	// Rand gives the numbers in [0, 1) that spread delays: number n, from 1, of
	// the node, item or workflow with that key (see Request.Key). It is set
	// before the first call, or left nil: math/rand/v2.
	Rand func(key string, n int) float64

	plugins Plugins
	shared  *Shared
	clock   Clock
	sets    sync.Map // setKey → *set
}

// NewCaller makes a Caller. A nil clock is the real one.
func NewCaller(plugins Plugins, shared *Shared, clock Clock) *Caller {
	if clock == nil {
		clock = resilience.RealClock()
	}
	return &Caller{plugins: plugins, shared: shared, clock: clock}
}

// answer is what an answerer gives.
type answer struct {
	output   event.Value
	warnings []*event.Error
	digest   string
	used     usage
}

// usage is what one attempt used.
type usage struct {
	steps, memory uint64
	calls         event.HostCalls
}

// hostCalls are the attempt's, nil when there were none.
func (u *usage) hostCalls() *event.HostCalls {
	if u.calls == (event.HostCalls{}) {
		return nil
	}
	c := u.calls
	return &c
}

// Call asks the node's answerers in order until one answers. It returns when
// nothing of the call is left running.
func (c *Caller) Call(ctx context.Context, r *Request) *event.NodeResult {
	k := &r.attempts
	k.begin(c, r)
	res := k.result
	if r.Prior != nil {
		res.Errors, res.Attempts, res.Run, res.DurationMS = slices.Clone(r.Prior.Errors), r.Prior.Attempts, r.Prior.Run, r.Prior.DurationMS
	}
	from := r.From
	if r.Resumed != nil {
		from = k.resume(r.Resumed)
	}
	for who := from; ; who++ {
		if who > len(r.Node.Fallbacks) {
			break
		}
		a := answererOf(r.Node, who)
		out, err := k.ask(ctx, a, who)
		if err == nil {
			k.answered(out, a, who)
			break
		}
		res.Errors = append(res.Errors, err)
		if k.final(ctx, err) {
			break
		}
	}
	k.conclude(ctx)
	k.result = nil
	return res
}

func answererOf(n *workflow.Node, who int) *workflow.Answerer {
	if who == 0 {
		return &n.Primary
	}
	return &n.Fallbacks[who-1]
}

// attempts is one Call as it goes: the observer of its stacks.
type attempts struct {
	caller *Caller
	req    *Request
	set    *set
	start  time.Time
	next   int // number of the next attempt
	began  int // what next was when the present answerer was asked

	resumed *resilience.Resumed // of the answerer that is asked first
	inWait  bool                // the wait that it was left in comes first

	// Of the present answerer. The functions are made once for many calls.
	current *workflow.Answerer
	plugin  Plugin
	call    plugin.Call
	attempt func(context.Context, resilience.Attempt) (answer, error)
	log     func(level, message string)

	mu     sync.Mutex // hedges report side by side
	result *event.NodeResult
	digest string
	used   usage // by the last attempt
}

// begin makes k ready for a request; an earlier one may have used it.
func (k *attempts) begin(c *Caller, r *Request) {
	k.caller, k.req, k.start, k.next = c, r, c.clock.Now(), max(r.FirstAttempt, 1)
	if k.set == nil || k.set.plan != r.Plan || k.set.rootPlan != r.Root || k.set.shared != c.shared {
		k.set = c.set(r.Root, r.Plan)
	}
	k.current, k.plugin, k.call, k.digest, k.used, k.resumed, k.inWait = nil, nil, plugin.Call{}, "", usage{}, nil, false
	k.result = &event.NodeResult{}
	if k.attempt == nil {
		k.attempt, k.log = k.once, k.logged
	}
}

// ask asks one answerer, with its whole stack.
func (k *attempts) ask(ctx context.Context, a *workflow.Answerer, who int) (answer, *event.Error) {
	r := k.req
	resumed := k.resumed
	k.resumed = nil
	if who > 0 && resumed == nil {
		if ctx.Err() != nil {
			return answer{}, k.cancelled(ctx)
		}
		k.result.Stats.Fallbacks++
		k.emit(&event.Event{Type: event.FallbackUsed, Plugin: a.Plugin, Error: last(k.result.Errors), AnsweredBy: answeredBy(who)})
	}
	if a.IsValue {
		return answer{output: a.Value}, nil
	}
	k.current, k.began = a, k.next
	input := r.Input
	with := a.With
	if with != nil {
		v, err := with.Render(ctx, r.Scope)
		if err != nil {
			return answer{}, k.expression(err, a)
		}
		input = v
	}
	p, err := k.caller.plugins.Plugin(ctx, r.Plan, a.Plugin)
	if ctx.Err() != nil {
		return answer{}, k.cancelled(ctx)
	}
	if err != nil {
		return answer{}, k.placed(toEvent(k.set.classify(err)), a)
	}
	if a.Policy.RateLimit != nil || a.Policy.Concurrency > 0 {
		r.Slot.Release() // it may wait: waits hold no slot
	}
	k.plugin = p
	k.call = plugin.Call{Function: a.Function, Input: input.Bytes(), Log: k.log, Idempotent: r.Node.Idempotent, Meta: plugin.Meta{
		RunID: r.RunID, Workflow: r.Plan.Name, Node: r.Path, IdempotencyKey: idempotencyKey(r.RunID, r.Key, who),
	}}
	out, err := k.set.stack(r.Node, who).Do(ctx, resilience.Options{
		Gate: r.Slot, Observer: k, Classify: k.set.classify,
		Idempotent: r.Node.Idempotent, FirstAttempt: k.next, Random: k.random(), Resumed: resumed,
	}, k.attempt)
	if err != nil {
		var f *resilience.Failure
		if !errors.As(err, &f) {
			f = k.set.classify(err)
		}
		e := k.placed(toEvent(f), a)
		if k.next > k.began && f.Code != resilience.CodeBreakerOpen && f.Code != resilience.CodeRateLimited {
			e.Attempt = k.next - 1
		}
		return answer{}, e
	}
	return out, nil
}

// once is one attempt: a plugin call whose output is what the node promises.
func (k *attempts) once(ctx context.Context, at resilience.Attempt) (answer, error) {
	if r := k.req; r.Begin != nil && (!r.Node.Idempotent || at.Number > r.FirstAttempt) {
		if err := r.Begin(ctx, r.Key, at.Number); err != nil {
			return answer{}, err
		}
	}
	c := k.call // hedges run side by side
	c.Meta.Attempt, c.Meta.Deadline = at.Number, at.Deadline
	got, err := k.plugin.Call(ctx, c)
	k.mu.Lock()
	if got.Digest != "" {
		k.digest = got.Digest
	}
	k.used = usage{got.Steps, got.MemoryBytes, got.HostCalls}
	k.mu.Unlock()
	if err != nil {
		return answer{}, err
	}
	v, bad := Output(got)
	if bad != nil {
		return answer{}, bad
	}
	if s := k.req.Node.Output; s != nil {
		if err := s.Check(v); err != nil {
			return answer{}, &event.Error{Class: event.Permanent, Code: "invalid_output", Message: err.Error(), Cause: err}
		}
	}
	return answer{output: v, warnings: got.Warnings, digest: got.Digest, used: usage{got.Steps, got.MemoryBytes, got.HostCalls}}, nil
}

func (k *attempts) answered(out answer, a *workflow.Answerer, who int) {
	res := k.result
	res.Status, res.Output, res.AnsweredBy, res.Plugin = event.Succeeded, out.output, answeredBy(who), a.Plugin
	if who > 0 {
		res.Status = event.Degraded
	}
	res.Digest, res.Steps, res.MemoryBytes, res.HostCalls = out.digest, out.used.steps, out.used.memory, out.used.hostCalls()
	for _, w := range out.warnings {
		w := *w
		res.Warnings = append(res.Warnings, k.placed(&w, a))
	}
}

// final reports whether no further answerer may be asked after err.
func (k *attempts) final(ctx context.Context, err *event.Error) bool {
	return ctx.Err() != nil || err.Code == resilience.CodeOutcomeUnknown || err.Code == resilience.CodeCancelled
}

// conclude gives a result to a call that nobody answered.
func (k *attempts) conclude(ctx context.Context) {
	res := k.result
	res.DurationMS += ms(k.caller.clock.Now().Sub(k.start))
	if res.Status != "" {
		return
	}
	if k.current != nil {
		res.Plugin = k.current.Plugin
	}
	res.Digest = k.digest
	err := last(res.Errors)
	res.Status, res.Error = event.Failed, err
	if ctx.Err() != nil && err.Code == resilience.CodeCancelled {
		res.Status = event.Cancelled
		res.Reason = reason(ctx)
	}
	if len(res.Errors) == 1 && k.req.Prior == nil {
		res.Errors = nil // it is Error
	}
}

func reason(ctx context.Context) string {
	cause := context.Cause(ctx)
	var e *event.Error
	if errors.As(cause, &e) {
		return e.Message
	}
	return cause.Error()
}

func (k *attempts) cancelled(ctx context.Context) *event.Error {
	return k.placed(&event.Error{Class: event.Unknown, Code: resilience.CodeCancelled, Message: reason(ctx)}, nil)
}

func (k *attempts) expression(err error, a *workflow.Answerer) *event.Error {
	var e *event.Error
	if !errors.As(err, &e) {
		e = &event.Error{Class: event.Permanent, Code: "expression", Message: err.Error(), Cause: err}
	}
	copied := *e
	return k.placed(&copied, a)
}

// placed writes into an error of this call where it happened.
func (k *attempts) placed(e *event.Error, a *workflow.Answerer) *event.Error {
	e.Node = k.req.Path
	if a != nil {
		e.Plugin = a.Plugin
	}
	return e
}

func answeredBy(who int) string {
	if who == 0 {
		return "primary"
	}
	return fmt.Sprintf("fallback[%d]", who-1)
}

func last(errs []*event.Error) *event.Error {
	if len(errs) == 0 {
		return nil
	}
	return errs[len(errs)-1]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
