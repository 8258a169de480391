package resilience

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A scenario is a policy and what the callee does, call after call.
type scenario struct {
	policy   Policy // without what is shared
	breaker  *BreakerConfig
	rate     *RateLimit
	slots    int
	options  Options
	calls    []step        // of the function; the last one repeats
	dos      int           // how often Do is called, one after the other
	between  time.Duration // pause between them
	cancelAt time.Duration // of the caller's context; 0: never
	random   float64
}

type step struct {
	takes      time.Duration
	class      Class // "" is success
	retryAfter time.Duration
	unknown    bool
	deaf       bool // does not hear its context
	crash      bool
}

func (s scenario) String() string {
	return fmt.Sprintf("%+v breaker %+v rate %+v slots %d calls %+v x%d every %v cancel %v", s.policy, s.breaker, s.rate, s.slots, s.calls, s.dos, s.between, s.cancelAt)
}

func seconds(t *rapid.T, name string, from, to int) time.Duration {
	return time.Duration(rapid.IntRange(from, to).Draw(t, name)) * time.Second
}

// genScenario gives durations of every kind a last digit of their own, so that
// no two timers fire at one instant, where either might be first.
func genScenario(t *rapid.T) scenario {
	maybe := func(name string) bool { return rapid.Bool().Draw(t, name) }
	s := scenario{random: rapid.SampledFrom([]float64{0, 0.25, 0.999}).Draw(t, "random")}
	if maybe("timeout?") {
		s.policy.Timeout = seconds(t, "timeout", 1, 5) + 100*time.Microsecond
	}
	if maybe("deadline?") {
		s.policy.Deadline = seconds(t, "deadline", 1, 30) + 30*time.Microsecond
	}
	if maybe("retry?") {
		s.policy.Retry = Retry{
			MaxRetries:  rapid.IntRange(0, 4).Draw(t, "retries"),
			Backoff:     rapid.SampledFrom([]Backoff{Constant, Exponential, Jittered, Decorrelated}).Draw(t, "backoff"),
			BaseDelay:   seconds(t, "base", 0, 3),
			MaxDelay:    seconds(t, "max", 1, 6),
			JitterRatio: 0.1,
			RetryAfter:  seconds(t, "cut", 1, 4),
			On:          rapid.SampledFrom([][]Class{nil, {Transient, System}, {Unknown}}).Draw(t, "on"),
		}
		if maybe("budget?") {
			s.policy.Retry.Budget = 0.2
		}
	}
	if maybe("breaker?") {
		s.breaker = &BreakerConfig{FailureThreshold: rapid.IntRange(1, 4).Draw(t, "threshold"), RecoveryTimeout: seconds(t, "recovery", 1, 9) + 7*time.Microsecond}
	}
	if maybe("rate?") {
		s.rate = &RateLimit{Rate: 0.5, Burst: rapid.IntRange(1, 2).Draw(t, "burst"), MaxWait: seconds(t, "wait", 0, 3) + 11*time.Microsecond}
	}
	if maybe("slots?") {
		s.slots = 1
	}
	s.options.Idempotent = maybe("idempotent")
	s.calls = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			takes:      time.Duration(rapid.IntRange(0, 6000).Draw(t, "takes")) * time.Millisecond,
			class:      rapid.SampledFrom([]Class{"", Transient, Transient, Transient, Permanent, System, Unknown}).Draw(t, "class"),
			retryAfter: time.Duration(rapid.SampledFrom([]int{0, 0, 2, 9}).Draw(t, "hint")) * time.Second,
			unknown:    rapid.IntRange(0, 9).Draw(t, "unknown") == 0,
			deaf:       rapid.IntRange(0, 4).Draw(t, "deaf") == 0,
			crash:      rapid.IntRange(0, 9).Draw(t, "crash") == 0,
		}
	}), 1, 8).Draw(t, "calls")
	s.dos = rapid.IntRange(1, 5).Draw(t, "dos")
	s.between = seconds(t, "between", 0, 5)
	if maybe("cancel?") {
		s.cancelAt = seconds(t, "cancel", 1, 20) + 17*time.Microsecond
	}
	return s
}

// run plays a scenario and writes down all that can be seen of it. Called in a
// bubble; change may alter the stack.
func (s scenario) run(t *testing.T, clock Clock, change func(*Stack[int])) string {
	p := s.policy
	if s.breaker != nil {
		p.Breaker = NewBreaker("b", *s.breaker, clock)
	}
	if s.rate != nil {
		p.Limiter = NewLimiter(*s.rate, clock)
	}
	p.Bulkhead = NewBulkhead(s.slots)
	seen := newTrace(clock)
	o := s.options
	o.Observer, o.Random = seen, func() float64 { return s.random }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if s.cancelAt > 0 {
		defer time.AfterFunc(s.cancelAt, cancel).Stop()
	}
	stack := NewStack[int](p, clock)
	if change != nil {
		change(stack)
	}
	var made atomic.Int64
	for i := range s.dos {
		v, err := stack.Do(ctx, o, func(ctx context.Context, a Attempt) (int, error) {
			n := int(made.Add(1))
			return n, s.calls[min(n, len(s.calls))-1].play(ctx)
		})
		state := State("")
		if p.Breaker != nil {
			state = p.Breaker.State()
		}
		seen.add("do %d: %d %s breaker %s", i, v, short(asFailure(err)), state)
		time.Sleep(s.between)
	}
	return seen.String()
}

var errDeaf = errors.New("interrupted")

func (c step) play(ctx context.Context) error {
	if c.deaf {
		time.Sleep(c.takes)
	} else if sleep(ctx, RealClock(), c.takes) != nil {
		return errDeaf
	}
	switch {
	case c.crash:
		panic("crash")
	case c.class == "":
		return nil
	}
	return &Failure{Class: c.class, RetryAfter: c.retryAfter, OutcomeUnknown: c.unknown}
}

// relabelled is the bubble's clock under another name: a stack takes it for
// made-up time, as it would a simulation's.
type relabelled struct{ Clock }

// What the cheap path leaves out changes nothing: a plain stack that is sent
// through failsafe-go's executor all the same behaves no differently.
func TestPlainPathEqualsExecutor(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := genScenario(rt)
		s.policy.Retry, s.breaker, s.rate, s.slots = Retry{}, nil, nil, 0
		if rapid.Bool().Draw(rt, "hedge?") {
			s.policy.Hedge = &Hedge{Delay: 1500*time.Millisecond + 3*time.Microsecond, Max: 1}
		}
		var plain, executor string
		bubble(t, func(t *testing.T) {
			plain = s.run(t, RealClock(), func(st *Stack[int]) {
				if !st.plain {
					t.Error("not a plain stack")
				}
			})
		})
		bubble(t, func(t *testing.T) {
			executor = s.run(t, RealClock(), func(st *Stack[int]) { st.plain = false })
		})
		// What happens at one instant on two goroutines may be told in either order.
		if sorted(plain) != sorted(executor) {
			rt.Fatalf("%v\nplain:\n%s\nexecutor:\n%s", s, plain, executor)
		}
	})
}

func sorted(lines string) string {
	l := strings.Split(lines, "\n")
	slices.Sort(l)
	return strings.Join(l, "\n")
}

// Real and made-up time give the same.
func TestClocksAreEqual(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := genScenario(rt)
		var real, made string
		bubble(t, func(t *testing.T) { real = s.run(t, RealClock(), nil) })
		bubble(t, func(t *testing.T) { made = s.run(t, relabelled{RealClock()}, nil) })
		if real != made {
			rt.Fatalf("%v\nreal:\n%s\nmade up:\n%s", s, real, made)
		}
	})
}

// The stack does what the design says, written down once more as one straight
// loop over numbers: no goroutine, no context, no failsafe-go.
func TestStackAgainstItsDefinition(t *testing.T) {
	check := func(rt *rapid.T) {
		s := genScenario(rt)
		var got string
		bubble(t, func(t *testing.T) { got = s.run(t, RealClock(), nil) })
		m := &model{scenario: s, tokens: 10}
		if s.breaker != nil {
			m.breaker = &definition{cfg: s.breaker.withDefaults(), state: Closed}
		}
		if want := m.run(); got != want {
			rt.Fatalf("%v\ngot:\n%s\nwant:\n%s", s, got, want)
		}
	}
	for range 10 { // the space is large: ten times rapid's number of checks
		rapid.Check(t, check)
	}
}

// model is the definition of a stack for one caller.
type model struct {
	scenario
	now     time.Duration
	breaker *definition
	taken   []time.Duration // when tokens were taken from the limiter, in its time
	tokens  float64         // of the budget
	n       int
	lines   []string
}

func (m *model) add(format string, args ...any) {
	m.lines = append(m.lines, fmt.Sprintf("%v ", m.now)+fmt.Sprintf(format, args...))
}

func (m *model) cancelled() bool { return m.cancelAt > 0 && m.now >= m.cancelAt }

// until moves time to at, or to where the caller cancels; true: he did.
func (m *model) until(at time.Duration) bool {
	if m.cancelAt > 0 && m.cancelAt < at {
		m.now = max(m.now, m.cancelAt)
		return true
	}
	m.now = at
	return false
}

func (m *model) run() string {
	for i := range m.dos {
		v, f := m.do()
		if f != nil && f.OutcomeUnknown && !m.options.Idempotent {
			f = &Failure{Class: f.Class, Code: CodeOutcomeUnknown, OutcomeUnknown: true}
		}
		state := State("")
		if m.breaker != nil {
			m.breaker.now = m.now
			m.breaker.look()
			state = m.breaker.state
		}
		m.add("do %d: %d %s breaker %s", i, v, short(f), state)
		m.now += m.between
	}
	return strings.Join(m.lines, "\n")
}

const never = time.Duration(1 << 62)

func (m *model) do() (int, *Failure) {
	if m.cancelled() {
		return 0, &Failure{Class: Unknown, Code: CodeCancelled}
	}
	deadline := never
	if m.policy.Deadline > 0 {
		deadline = m.now + m.policy.Deadline
	}
	number, previous := 0, time.Duration(0)
	for retry := 0; ; retry++ {
		v, f, final, neutral := m.call(&number, deadline)
		r := m.policy.Retry
		if f == nil || final || retry >= r.MaxRetries || !r.Retries(f.Class) || f.OutcomeUnknown && !m.options.Idempotent {
			return v, f
		}
		wait := r.Delay(retry, previous, m.random)
		if hint := min(f.RetryAfter, r.RetryAfter); hint > 0 && !neutral {
			wait = hint
		}
		switch {
		case m.cancelled():
			return 0, &Failure{Class: Unknown, Code: CodeCancelled, OutcomeUnknown: f.OutcomeUnknown}
		case m.now+wait >= deadline:
			return 0, &Failure{Class: Transient, Code: CodeDeadline, OutcomeUnknown: f.OutcomeUnknown}
		case r.Budget > 0 && m.tokens < 1-1e-9:
			return 0, f
		}
		m.tokens--
		m.add("retry %d in %v: %s", number+1, wait, short(f))
		if m.until(m.now + wait) {
			return 0, &Failure{Class: Unknown, Code: CodeCancelled, OutcomeUnknown: f.OutcomeUnknown}
		}
		previous = wait
	}
}

// call is what is inside the retry. final: not to be retried, whatever its
// class. neutral: no attempt.
func (m *model) call(number *int, deadline time.Duration) (v int, f *Failure, final, neutral bool) {
	period := 0
	if b := m.breaker; b != nil {
		b.now = m.now
		ok := false
		if period, ok = b.acquire(); !ok {
			f := &Failure{Class: Transient, Code: CodeBreakerOpen}
			left := time.Duration(0)
			if b.state == Open {
				left = b.since + b.cfg.RecoveryTimeout - m.now
			}
			m.add("rejected %s in %v", short(f), left)
			return 0, f, true, true
		}
		defer func() {
			b.now = m.now
			switch {
			case f == nil:
				b.done(period, success)
			case neutral || f.Class == Permanent:
				b.done(period, nothing)
			default:
				b.done(period, failure)
			}
		}()
	}
	if m.rate != nil {
		wait := m.token()
		switch {
		case wait > m.rate.MaxWait:
			f := &Failure{Class: Transient, Code: CodeRateLimited}
			m.add("rejected %s in %v", short(f), wait)
			return 0, f, false, true
		case wait > 0 && m.now+wait >= deadline:
			return 0, &Failure{Class: Transient, Code: CodeDeadline}, true, true
		}
		at := m.now + wait
		if m.until(at) {
			return 0, &Failure{Class: Unknown, Code: CodeCancelled}, true, true
		}
		m.taken = append(m.taken, at)
	}
	v, f, cut := m.attempt(number, deadline)
	return v, f, cut, cut
}

// token is the wait for the next one: the rate is one in two seconds.
func (m *model) token() time.Duration {
	next := time.Duration(0)
	for _, at := range m.taken {
		next = max(next, at) + 2*time.Second
	}
	return max(max(next, m.now)-time.Duration(m.rate.Burst-1)*2*time.Second-m.now, 0)
}

func (m *model) attempt(number *int, deadline time.Duration) (int, *Failure, bool) {
	if *number == 0 {
		m.tokens = min(10, m.tokens+m.policy.Retry.Budget)
	}
	*number++
	c := m.calls[min(m.n, len(m.calls)-1)]
	m.n++
	start, limit := m.now, never
	if m.policy.Timeout > 0 {
		limit = start + m.policy.Timeout
	}
	left := "never"
	if end := min(limit, deadline); end != never {
		left = end.String()
	}
	m.add("start %d until %s", *number, left)
	cancel := never
	if m.cancelAt > 0 {
		cancel = m.cancelAt
	}
	end := start + c.takes
	first := min(limit, deadline, cancel)
	heard := first < end
	if heard && !c.deaf {
		end = max(first, start)
	}
	m.now = end
	f := &Failure{Class: c.class, RetryAfter: c.retryAfter, OutcomeUnknown: c.unknown}
	cut := false
	switch {
	case heard && first == deadline:
		f, cut = &Failure{Class: Transient, Code: CodeDeadline, OutcomeUnknown: true}, true
	case heard && first == limit:
		f = &Failure{Class: Transient, Code: CodeTimeout, OutcomeUnknown: true}
	case heard && c.deaf && c.crash, !heard && c.crash:
		f = &Failure{Class: System, Code: CodePanic, OutcomeUnknown: true}
	case heard && (!c.deaf || c.class != ""):
		f, cut = &Failure{Class: Unknown, Code: CodeCancelled, OutcomeUnknown: true}, true
	case c.class == "":
		f = nil
	}
	m.add("end %d %s after %v", *number, short(f), m.now-start)
	if f != nil {
		return 0, f, cut
	}
	return m.n, nil, false
}
