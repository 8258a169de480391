package resilience

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// State is what a breaker does with calls.
type State string

// The states.
const (
	Closed   State = "closed"    // lets everything through and counts
	Open     State = "open"      // refuses everything
	HalfOpen State = "half_open" // lets a few probes through
)

// Breaker stops calling what keeps failing. It is safe for concurrent use and
// meant to be shared by all stacks that call the same thing.
//
// Every call is tagged with the period in which it was let through; what comes
// back after the state has changed is not counted. Nothing runs in the
// background: open turns into half_open when somebody looks after the recovery
// timeout, and State and Snapshot look.
type Breaker struct {
	key   string
	cfg   BreakerConfig
	clock Clock

	mu        sync.Mutex
	time      steady
	state     State
	period    uint64 // grows with every change of state and with Reset
	failures  int    // in a row, while closed without a window
	window    window
	successes int // in half_open
	probes    int // under way in half_open
	openUntil time.Duration
	openedAt  time.Time
	last      *Failure

	listeners  []func(from, to State, snapshot BreakerSnapshot)
	changes    []change
	delivering bool
}

// NewBreaker returns a closed breaker. key names it in messages and snapshots;
// a nil clock is the real one.
func NewBreaker(key string, cfg BreakerConfig, clock Clock) *Breaker {
	clock = clockOr(clock)
	b := &Breaker{key: key, cfg: cfg.withDefaults(), clock: clock, time: newSteady(clock), state: Closed}
	b.window = newWindow(b.cfg)
	return b
}

// Key returns the name that the breaker was made with.
func (b *Breaker) Key() string { return b.key }

// Config returns the configuration with its defaults filled in.
func (b *Breaker) Config() BreakerConfig {
	cfg := b.cfg
	cfg.Counts = slices.Clone(cfg.Counts)
	return cfg
}

// State returns the state as of now.
func (b *Breaker) State() State {
	b.mu.Lock()
	defer b.unlock()
	b.look()
	return b.state
}

// Reset closes the breaker and forgets all it has counted. Calls under way do
// not count any more.
func (b *Breaker) Reset() {
	b.mu.Lock()
	defer b.unlock()
	b.look()
	b.last = nil
	b.enter(Closed)
}

// Open opens the breaker for a full recovery timeout from now.
func (b *Breaker) Open() {
	b.mu.Lock()
	defer b.unlock()
	b.open(b.look())
}

// permit is what a call holds while it is under way.
type permit struct {
	period uint64
	held   bool
}

// acquire lets a call through or says why not.
func (b *Breaker) acquire() (permit, *Failure) {
	b.mu.Lock()
	defer b.unlock()
	return b.admit(b.look())
}

func (b *Breaker) admit(now time.Duration) (permit, *Failure) {
	switch b.state {
	case Open:
		left := b.openUntil - now
		return permit{}, b.refusal(left, fmt.Sprintf("breaker %q is open, next probe in %s", b.key, left.Round(time.Millisecond)))
	case HalfOpen:
		if b.probes >= b.cfg.HalfOpenMax {
			return permit{}, b.refusal(0, fmt.Sprintf("breaker %q is half open and its probes are under way", b.key))
		}
		b.probes++
	}
	return permit{b.period, true}, nil
}

func (b *Breaker) refusal(left time.Duration, message string) *Failure {
	f := &Failure{Class: Transient, Code: CodeBreakerOpen, Message: message, RetryAfter: left}
	if b.last != nil {
		f.Message += "; last error: " + b.last.Error()
		f.Cause = b.last
	}
	return f
}

// renew asks again for a call that had to wait after it was let through: when
// the state has changed since, the old permit says nothing any more.
func (b *Breaker) renew(p permit) (permit, *Failure) {
	b.mu.Lock()
	defer b.unlock()
	now := b.look()
	if p.period == b.period {
		return p, nil
	}
	return b.admit(now)
}

// fresh reports whether the state is still the one in which p was given.
func (b *Breaker) fresh(p permit) bool {
	b.mu.Lock()
	defer b.unlock()
	b.look()
	return p.period == b.period
}

// outcome is what a call tells the breaker.
type outcome uint8

const (
	nothing outcome = iota // gives the permit back, counts as neither
	success
	failure
)

// done takes the permit back. What was let through in an earlier period changes
// nothing: a late success never closes an open breaker.
func (b *Breaker) done(p permit, o outcome, f *Failure) {
	if !p.held {
		return
	}
	b.mu.Lock()
	defer b.unlock()
	now := b.look()
	if p.period != b.period {
		return
	}
	if o == failure {
		b.last = withoutCause(f)
	}
	if b.state == HalfOpen {
		b.probes--
		switch o {
		case success:
			if b.successes++; b.successes >= b.cfg.SuccessThreshold {
				b.enter(Closed)
			}
		case failure:
			b.open(now)
		}
		return
	}
	if b.count(now, o) {
		b.open(now)
	}
}

// count adds an outcome of the closed state and reports whether the threshold
// is reached.
func (b *Breaker) count(now time.Duration, o outcome) bool {
	switch {
	case o == nothing:
		return false
	case b.cfg.FailureRate > 0:
		b.window.add(now, o)
		ok, failed := b.window.sum(now)
		total := ok + failed
		// A quotient is rounded like the literal it is compared with; a product is
		// not (0.1 * 30 is more than 3).
		return total >= b.cfg.MinCalls && float64(failed)/float64(total) >= b.cfg.FailureRate
	case b.cfg.Window > 0 && o == failure:
		b.window.add(now, o)
		_, failed := b.window.sum(now)
		return failed >= b.cfg.FailureThreshold
	case o == success:
		b.failures = 0
		return false
	}
	b.failures++
	return b.failures >= b.cfg.FailureThreshold
}

// outcomeOf says what a failure counts as.
func (b *Breaker) outcomeOf(f *Failure) outcome {
	switch {
	case f == nil:
		return success
	case slices.Contains(b.cfg.Counts, f.Class):
		return failure
	}
	return nothing
}

// look reads the clock and lets an open breaker whose time is over become
// half open.
func (b *Breaker) look() time.Duration {
	now := b.time.now()
	if b.state == Open && now >= b.openUntil {
		b.enter(HalfOpen)
	}
	return now
}

func (b *Breaker) open(now time.Duration) {
	b.openUntil = now + b.cfg.RecoveryTimeout
	b.openedAt = b.clock.Now()
	b.enter(Open)
}

// enter begins a new period.
func (b *Breaker) enter(to State) {
	from := b.state
	b.state = to
	b.period++
	b.successes, b.probes = 0, 0
	if to == Closed {
		b.failures = 0
		b.window = newWindow(b.cfg)
	}
	if from != to && len(b.listeners) > 0 {
		b.changes = append(b.changes, change{from, to, b.snapshot()})
	}
}

// withoutCause keeps the last failure small: what it was caused by may hold on
// to anything.
func withoutCause(f *Failure) *Failure {
	if f == nil {
		return nil
	}
	c := *f
	c.Cause = nil
	return &c
}
