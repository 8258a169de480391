package call

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
	"wasmhost/resilience"
)

// set holds the stacks of one plan under one root, each made when it is first
// needed.
type set struct {
	shared     *Shared
	clock      Clock
	root       string
	rootPlan   *workflow.Plan
	plan       *workflow.Plan
	classifier *resilience.Classifier
	classify   func(error) *resilience.Failure // of classifier
	stacks     []nodeStacks                    // by node index

	mu    sync.Mutex
	plain map[limits]*stack
}

// limits are all there is to the policy of most nodes; those that agree on them
// have one stack, for such a stack keeps no state.
type limits struct{ timeout, deadline time.Duration }

type (
	stack      = resilience.Stack[answer]
	nodeStacks struct {
		primary   atomic.Pointer[stack]
		fallbacks atomic.Pointer[[]*stack]
	}
)

type setKey struct{ root, plan *workflow.Plan }

func (c *Caller) set(root, plan *workflow.Plan) *set {
	key := setKey{root, plan}
	if s, ok := c.sets.Load(key); ok {
		return s.(*set)
	}
	made := newSet(plan)
	made.shared, made.clock, made.root, made.rootPlan = c.shared, c.clock, root.Name, root
	made.stacks, made.plain = make([]nodeStacks, len(plan.Nodes)), map[limits]*stack{}
	s, _ := c.sets.LoadOrStore(key, made)
	return s.(*set)
}

// newSet is a set that can only classify.
func newSet(plan *workflow.Plan) *set {
	s := &set{plan: plan, classifier: &resilience.Classifier{Rules: plan.Classify}}
	s.classify = s.failure
	return s
}

// Forget drops what is kept for a root workflow that will not run again. What
// is shared (breakers and limits) stays.
func (c *Caller) Forget(root *workflow.Plan) {
	c.sets.Range(func(k, _ any) bool {
		if k.(setKey).root == root {
			c.sets.Delete(k)
		}
		return true
	})
}

func (s *set) stack(n *workflow.Node, who int) *stack {
	at := &s.stacks[n.Index]
	if who == 0 {
		if made := at.primary.Load(); made != nil {
			return made
		}
		at.primary.CompareAndSwap(nil, s.make(&n.Primary))
		return at.primary.Load()
	}
	if made := at.fallbacks.Load(); made != nil {
		return (*made)[who-1]
	}
	all := make([]*stack, len(n.Fallbacks))
	for i := range n.Fallbacks {
		if !n.Fallbacks[i].IsValue {
			all[i] = s.make(&n.Fallbacks[i])
		}
	}
	at.fallbacks.CompareAndSwap(nil, &all)
	return (*at.fallbacks.Load())[who-1]
}

func (s *set) make(a *workflow.Answerer) *stack {
	p := &a.Policy
	if p.Retry.MaxRetries <= 0 && p.Breaker == "" && p.RateLimit == nil && p.Concurrency == 0 && p.Hedge == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		at := limits{p.Timeout, p.Deadline}
		if s.plain[at] == nil {
			s.plain[at] = resilience.NewStack[answer](resilience.Policy{Timeout: p.Timeout, Deadline: p.Deadline}, s.clock)
		}
		return s.plain[at]
	}
	return resilience.NewStack[answer](s.shared.policy(s.root, s.plan, &a.Policy), s.clock)
}

// failure gives an error of a plugin, or of this package, its class.
func (s *set) failure(err error) *resilience.Failure {
	if f, ok := err.(*resilience.Failure); ok {
		return f // what a stack made of it, whatever the plugin said when it was cut
	}
	var e *event.Error
	if !errors.As(err, &e) {
		return s.classifier.Failure(err)
	}
	f := &resilience.Failure{Code: e.Code, Message: e.Message, RetryAfter: e.RetryAfter(),
		OutcomeUnknown: e.OutcomeUnknown, Cause: e}
	f.Class = s.classifier.Classify(resilience.Signal{Err: e.Cause, Class: resilience.Class(e.Class),
		Declared: e.Declared, Code: e.Code, Message: e.Message})
	return f
}

// toEvent is a failure as results and events carry it.
func toEvent(f *resilience.Failure) *event.Error {
	e := &event.Error{Class: string(f.Class), Code: f.Code, Message: f.Message, RetryAfterMS: f.RetryAfter.Milliseconds(),
		OutcomeUnknown: f.OutcomeUnknown, Cause: f.Cause}
	var below *event.Error
	if errors.As(f.Cause, &below) {
		e.Declared = below.Declared
		if f.Code == resilience.CodeCancelled { // who cut the call says why
			e.Message = below.Message
		}
	}
	return e
}

// BreakerState is a snapshot as results and the API carry it.
func BreakerState(key string, s resilience.BreakerSnapshot) event.BreakerState {
	b := event.BreakerState{Key: key, State: string(s.State), Failures: s.Failures, OpenForMS: s.Remaining.Milliseconds()}
	if s.LastFailure != nil {
		b.LastError = toEvent(s.LastFailure)
	}
	return b
}

// longestKey is the longest idempotency key that is sent as it reads: services
// that take such keys cut them at 255 bytes.
const longestKey = 200

// idempotencyKey is the same for every attempt, hedge and round of one answerer
// of one node or item, and after a crash; it is different for everything else.
func idempotencyKey(run, path string, who int) string {
	key := run + "/" + path
	if who > 0 {
		key += "#" + strconv.Itoa(who)
	}
	if len(key) <= longestKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
