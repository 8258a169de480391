package call_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/enginetest"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
	"wasmhost/resilience"
)

// slot is a gate that is always open and counts.
type slot struct {
	mu                       sync.Mutex
	entered, left, givenBack int
}

func (s *slot) count(n *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
}

func (s *slot) Enter(context.Context) error { s.count(&s.entered); return nil }
func (s *slot) Leave()                      { s.count(&s.left) }
func (s *slot) Release()                    { s.count(&s.givenBack) }

// request is a call of the first node of a plan.
func request(p *workflow.Plan) *call.Request {
	return &call.Request{Root: p, Plan: p, Node: &p.Nodes[0], Scope: &workflow.Scope{}, Input: event.Text("in"),
		RunID: "r", Path: p.Nodes[0].ID, Key: p.Nodes[0].ID, Slot: &slot{}}
}

func caller(p enginetest.Plugins) *call.Caller {
	return call.NewCaller(p, call.NewShared(nil, nil), nil)
}

func TestRequestIsUsedAgain(t *testing.T) {
	plan := enginetest.Plan("w", enginetest.Node("a", enginetest.FallbackValue("v")), enginetest.Node("b"))
	c := caller(enginetest.Plugins{"a": enginetest.Fails(event.System, "x"), "b": enginetest.Func(enginetest.Echo)})
	r := request(plan)
	first := c.Call(t.Context(), r)
	r.Node, r.Path, r.Key, r.FirstAttempt = &plan.Nodes[1], "b", "b", 7
	second := c.Call(t.Context(), r)
	if first.Status != event.Degraded || len(first.Errors) != 1 || first.Attempts != 1 || first.Plugin != "" {
		t.Errorf("first: %+v", first)
	}
	if second.Status != event.Succeeded || second.Errors != nil || second.Attempts != 1 || second.Plugin != "b" || second.Stats.Fallbacks != 0 || second.Output.String() != "in" {
		t.Errorf("second: %+v", second)
	}
}

// TestCallsSayWhetherTheyMayBeRepeated: only those that may are made to a version
// on trial.
func TestCallsSayWhetherTheyMayBeRepeated(t *testing.T) {
	for _, idempotent := range []bool{true, false} {
		plan := enginetest.Plan("w", enginetest.Node("a"))
		plan.Nodes[0].Idempotent = idempotent
		asked := 0
		c := caller(enginetest.Plugins{"a": enginetest.Func(func(_ context.Context, c plugin.Call) (string, error) {
			if asked++; c.Idempotent != idempotent {
				t.Errorf("the node says %v, the call %v", idempotent, c.Idempotent)
			}
			return "", nil
		})})
		if res := c.Call(t.Context(), request(plan)); res.Status != event.Succeeded || asked != 1 {
			t.Errorf("%+v, %d calls", res, asked)
		}
	}
}

func TestLogsCarryTheAttempt(t *testing.T) {
	plan := enginetest.Plan("w", enginetest.Node("a", enginetest.Retry(1, 0)))
	n := 0
	c := caller(enginetest.Plugins{"a": enginetest.Func(func(_ context.Context, c plugin.Call) (string, error) {
		c.Log("warn", "hello")
		if n++; n == 1 {
			return "", enginetest.Err(event.Transient, "x")
		}
		return "", nil
	})})
	r := request(plan)
	r.Level = 2
	var logs []*event.Event
	r.Emit = func(e *event.Event) {
		if e.Type == event.Log {
			logs = append(logs, e)
		}
	}
	c.Call(t.Context(), r)
	if len(logs) != 2 || logs[0].Attempt != 1 || logs[1].Attempt != 2 || logs[1].Node != "a" || logs[1].Plugin != "a" || logs[1].LogLevel != "warn" ||
		logs[1].Message != "hello" || logs[1].Level != 2 || logs[1].Workflow != "w" {
		t.Errorf("%+v", logs)
	}
}

func TestSlotIsGivenUpBeforeWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			under func(*workflow.Policy)
			want  [3]int // entered, left, given back
		}{
			"nothing to wait for": {func(*workflow.Policy) {}, [3]int{1, 1, 0}},
			"a retry":             {func(p *workflow.Policy) { p.Retry = enginetest.Retries(1, time.Second) }, [3]int{2, 2, 1}},
			"a limit":             {func(p *workflow.Policy) { p.RateLimit = &resilience.RateLimit{Rate: 1} }, [3]int{1, 1, 1}},
			"a bulkhead":          {func(p *workflow.Policy) { p.Concurrency = 1 }, [3]int{1, 1, 1}},
		} {
			plan := enginetest.Plan("w", enginetest.Node("a", enginetest.Under(c.under)))
			r := request(plan)
			s := r.Slot.(*slot)
			caller(enginetest.Plugins{"a": enginetest.Fails(event.Transient, "x")}).Call(t.Context(), r)
			if got := [3]int{s.entered, s.left, s.givenBack}; got != c.want {
				t.Errorf("%s: entered, left, given back: %v, want %v", name, got, c.want)
			}
		}
	})
}

func TestNamedPoliciesShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := func(own bool) enginetest.NodeOption {
			return enginetest.Under(func(p *workflow.Policy) {
				p.Name, p.RateLimit, p.OwnRate = "llm", &resilience.RateLimit{Rate: 1, Burst: 1}, own
			})
		}
		plan := enginetest.Plan("w", enginetest.Node("a", limit(false)), enginetest.Node("b", limit(false)), enginetest.Node("c", limit(true)))
		c := caller(enginetest.Plugins{"a": enginetest.Says(""), "b": enginetest.Says(""), "c": enginetest.Says("")})
		var got []string
		for i := range plan.Nodes {
			r := request(plan)
			r.Node = &plan.Nodes[i]
			res := c.Call(t.Context(), r)
			got = append(got, string(res.Status))
			if i == 1 && (res.Error.Code != "rate_limited" || res.Stats.Rejections != 1 || res.Attempts != 0) {
				t.Errorf("%+v", res)
			}
		}
		if s := strings.Join(got, " "); s != "succeeded failed succeeded" {
			t.Errorf("%s: a and b share a limit, c has its own", s)
		}
	})
}

// Two files may use one name for their policies: they share nothing.
func TestPoliciesOfTwoFilesShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := caller(enginetest.Plugins{"a": enginetest.Says("")})
		root := enginetest.Plan("w", enginetest.Node("a"))
		for _, file := range []string{"one.toml", "two.toml"} {
			plan := enginetest.Plan("same", enginetest.Node("a", enginetest.Under(func(p *workflow.Policy) {
				p.Name, p.RateLimit = "llm", &resilience.RateLimit{Rate: 1, Burst: 1}
			})))
			plan.File = file
			r := request(plan)
			r.Root = root
			if res := c.Call(t.Context(), r); res.Status != event.Succeeded {
				t.Errorf("%s: %+v", file, res.Error)
			}
		}
	})
}

func TestBudgetOfANamedPolicy(t *testing.T) {
	retry := enginetest.Under(func(p *workflow.Policy) {
		p.Name, p.Retry = "llm", enginetest.Retries(8, 0)
		p.Retry.Budget = 0.1
	})
	plan := enginetest.Plan("w", enginetest.Node("a", retry), enginetest.Node("b", retry))
	c := caller(enginetest.Plugins{"a": enginetest.Fails(event.Transient, "x"), "b": enginetest.Fails(event.Transient, "x")})
	r := request(plan)
	first := c.Call(t.Context(), r)
	r.Node = &plan.Nodes[1]
	second := c.Call(t.Context(), r)
	if first.Attempts != 9 || second.Attempts != 3 || !strings.Contains(second.Error.Message, "budget is used up") {
		t.Errorf("%d and %d attempts: %v", first.Attempts, second.Attempts, second.Error)
	}
}

func TestBreakersAreSharedUnderARoot(t *testing.T) {
	var changes []string
	shared := call.NewShared(nil, func(root, key, from, to string, s event.BreakerState) {
		why := "by hand"
		if s.LastError != nil {
			why = s.LastError.Code
		}
		changes = append(changes, root+" "+key+" "+from+" "+to+" "+why)
	})
	cfg := resilience.BreakerConfig{FailureThreshold: 1}
	one := enginetest.Plan("one", enginetest.Breaker("k", cfg), enginetest.Node("a", enginetest.Behind("k")))
	two := enginetest.Plan("two", enginetest.Breaker("k", cfg), enginetest.Node("a", enginetest.Behind("k")))
	shared.Declare("one", one)
	c := call.NewCaller(enginetest.Plugins{"a": enginetest.Fails(event.System, "x")}, shared, nil)
	c.Call(t.Context(), request(one))
	if r := c.Call(t.Context(), request(one)); r.Error.Code != "breaker_open" || r.Attempts != 0 || r.Error.Attempt != 0 {
		t.Errorf("%+v", r)
	}
	c.Forget(one) // what is shared stays
	if r := c.Call(t.Context(), request(one)); r.Error.Code != "breaker_open" {
		t.Errorf("%+v", r)
	}
	if r := c.Call(t.Context(), request(two)); r.Error.Code != "x" || r.Error.Attempt != 1 {
		t.Errorf("another root: %+v", r)
	}
	if got := strings.Join(changes, ", "); got != "one k closed open x, two k closed open x" {
		t.Errorf("changes: %s", got)
	}
	states := shared.Breakers("one")
	if len(states) != 1 || states[0].State != "open" || states[0].OpenForMS < 59_000 || states[0].LastError.Code != "x" {
		t.Errorf("%+v", states)
	}
	b, ok := shared.Breaker("one", "k")
	if !ok {
		t.Fatal("no breaker")
	}
	b.Reset()
	if r := c.Call(t.Context(), request(one)); r.Error.Code != "x" {
		t.Errorf("after a reset: %+v", r)
	}
	if _, ok := shared.Breaker("one", "other"); ok {
		t.Error("a breaker that nobody declared")
	}
}

func TestClassOfAnError(t *testing.T) {
	rule := func(class resilience.Class, codes ...string) enginetest.Option {
		return func(p *workflow.Plan) { p.Classify = append(p.Classify, resilience.Rule{Class: class, Codes: codes}) }
	}
	for _, c := range []struct {
		name string
		err  error
		plan enginetest.Option
		want string
	}{
		{"declared is final", enginetest.Err(event.Permanent, "busy"), rule("transient", "busy"), "permanent busy"},
		{"a rule", &event.Error{Code: "busy", Message: "x"}, rule("transient", "busy"), "transient busy"},
		{"a rule comes before the host's own opinion", &event.Error{Class: event.System, Code: "trap", Message: "x"}, rule("transient", "trap"), "transient trap"},
		{"the host's own", &event.Error{Class: event.System, Code: "trap", Message: "connection"}, rule("transient", "other"), "system trap"},
		{"words, last", &event.Error{Message: "Unauthorized"}, rule("transient", "other"), "permanent "},
		{"nothing known", errors.New("hm"), rule("transient", "other"), "unknown "},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan := enginetest.Plan("w", c.plan, enginetest.Node("a"))
			r := caller(enginetest.Plugins{"a": enginetest.Func(func(context.Context, plugin.Call) (string, error) { return "", c.err })}).Call(t.Context(), request(plan))
			if got := r.Error.Class + " " + r.Error.Code; got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestCancelledWhileLookedUp(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	plan := enginetest.Plan("w", enginetest.Node("a", enginetest.FallbackValue("v")))
	c := call.NewCaller(lookup(func() error { cancel(errors.New("enough")); return context.Canceled }), call.NewShared(nil, nil), nil)
	r := c.Call(ctx, request(plan))
	if r.Status != event.Cancelled || r.Reason != "enough" || r.Attempts != 0 || r.Error.OutcomeUnknown {
		t.Errorf("%+v", r)
	}
}

type lookup func() error

func (l lookup) Plugin(context.Context, *workflow.Plan, string) (call.Plugin, error) { return nil, l() }

func TestDirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := enginetest.After(time.Minute, enginetest.Echo)
		got, err := call.Direct(t.Context(), slow, plugin.Call{Input: []byte("x")}, time.Second, nil)
		if err == nil || err.Code != "timeout" || err.Class != event.Transient || got.Digest == "" {
			t.Errorf("%+v, %+v", got, err)
		}
		got, err = call.Direct(t.Context(), slow, plugin.Call{Input: []byte("x")}, 0, nil)
		if err != nil || string(got.Output) != "x" {
			t.Errorf("%+v, %v", got, err)
		}
		_, err = call.Direct(t.Context(), enginetest.Func(nil), plugin.Call{}, 0, nil)
		if err == nil || err.Code != "panic" || err.Class != event.System {
			t.Errorf("%+v", err)
		}
	})
}

func TestWait(t *testing.T) {
	c := caller(nil)
	c.Rand = func(key string, n int) float64 {
		if key != "k" || n != 2 {
			t.Errorf("asked for %s %d", key, n)
		}
		return 0.5
	}
	r := resilience.Retry{Backoff: resilience.Jittered, BaseDelay: time.Second, Multiplier: 2, MaxDelay: time.Minute, JitterRatio: 0.1}
	if d := c.Wait(&r, 2, time.Second, &event.Error{}, "k"); d != 2100*time.Millisecond {
		t.Errorf("%s", d)
	}
	if d := c.Wait(&r, 2, time.Second, &event.Error{RetryAfterMS: 5000}, "k"); d != 5*time.Second {
		t.Errorf("with a hint: %s", d)
	}
}

func TestLongKeysAreHashed(t *testing.T) {
	plan := enginetest.Plan("w", enginetest.Node("a"))
	keys := map[string]bool{}
	c := caller(enginetest.Plugins{"a": enginetest.Func(func(_ context.Context, c plugin.Call) (string, error) {
		keys[c.Meta.IdempotencyKey] = true
		return "", nil
	})})
	for _, n := range []int{198, 199, 200, 500} {
		r := request(plan)
		r.Key = strings.Repeat("x", n)
		c.Call(t.Context(), r)
	}
	for key := range keys {
		if len(key) > 200 {
			t.Errorf("a key of %d bytes", len(key))
		}
	}
	if len(keys) != 4 {
		t.Errorf("%d keys for 4 pieces of work", len(keys))
	}
}
