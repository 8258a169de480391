package resilience

import (
	"sort"
	"sync"
	"time"
)

// ManualClock stands still until it is told to move: for tests that want whole
// hours to pass in no time. It is safe for concurrent use.
//
// Code under test runs in other goroutines and may not have reached its wait
// yet when the test goes on: call [ManualClock.BlockUntil] before
// [ManualClock.Advance]. Where testing/synctest fits, it is the simpler tool.
type ManualClock struct {
	mu      sync.Mutex
	changed sync.Cond
	now     time.Time
	timers  []*manualTimer // by time, then by age
}

// NewManualClock returns a clock that shows start.
func NewManualClock(start time.Time) *ManualClock {
	c := &ManualClock{now: start}
	c.changed.L = &c.mu
	return c
}

// Now returns the time that the clock shows.
func (c *ManualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Set puts the clock to t without firing anything, backwards too: what an
// operator does to a wall clock. Timers keep the time that is left to them.
func (c *ManualClock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	shift := t.Sub(c.now)
	c.now = t
	for _, timer := range c.timers {
		timer.at = timer.at.Add(shift)
	}
}

// Advance moves the clock by d and fires what is due on the way, in order. A
// function given to AfterFunc is started, not waited for.
func (c *ManualClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	end := c.now.Add(d)
	for len(c.timers) > 0 && !c.timers[0].at.After(end) {
		next := c.timers[0]
		c.timers = c.timers[1:]
		if next.at.After(c.now) {
			c.now = next.at
		}
		next.fire()
	}
	c.now = end
	c.changed.Broadcast()
}

// BlockUntil waits until at least n timers are pending: until that many things
// wait for the clock.
func (c *ManualClock) BlockUntil(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.timers) < n {
		c.changed.Wait()
	}
}

// Pending is the number of timers that have not fired yet.
func (c *ManualClock) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}

// NewTimer is part of [Clock].
func (c *ManualClock) NewTimer(d time.Duration) Timer {
	return c.start(d, &manualTimer{c: make(chan time.Time, 1)})
}

// AfterFunc is part of [Clock].
func (c *ManualClock) AfterFunc(d time.Duration, f func()) Timer {
	return c.start(d, &manualTimer{f: f})
}

func (c *ManualClock) start(d time.Duration, t *manualTimer) Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.clock, t.at = c, c.now.Add(d)
	if d <= 0 {
		t.at = c.now
		t.fire()
		return t
	}
	i := sort.Search(len(c.timers), func(i int) bool { return c.timers[i].at.After(t.at) })
	c.timers = append(c.timers, nil)
	copy(c.timers[i+1:], c.timers[i:])
	c.timers[i] = t
	c.changed.Broadcast()
	return t
}

type manualTimer struct {
	clock *ManualClock
	at    time.Time
	c     chan time.Time
	f     func()
}

// fire is called under the clock's lock.
func (t *manualTimer) fire() {
	if t.f != nil {
		go t.f()
		return
	}
	t.c <- t.at
}

func (t *manualTimer) C() <-chan time.Time { return t.c }

func (t *manualTimer) Stop() bool {
	c := t.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.timers {
		if c.timers[i] == t {
			c.timers = append(c.timers[:i], c.timers[i+1:]...)
			return true
		}
	}
	return false
}
