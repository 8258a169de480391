package engine

import (
	"context"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// slots bound the plugin calls in flight in a whole run. A node holds one while
// its call runs and none while it waits.
//
// The loop reserves a slot before it starts a node's goroutine, so that a run
// with 100,000 ready nodes does not have 100,000 goroutines.
type slots struct {
	size  int
	sem   *semaphore.Weighted
	wake  func()      // tells the loop that a slot may be free for a reservation
	woken atomic.Bool // it was told and has not looked yet
	shut  atomic.Bool // who comes back from a wait gets none any more
}

func newSlots(n int, wake func()) *slots {
	n = max(n, 1)
	return &slots{size: n, sem: semaphore.NewWeighted(int64(n)), wake: wake}
}

// reserve takes a slot if one is free and nobody who came back from a wait
// queues for it.
func (s *slots) reserve() bool { return s.sem.TryAcquire(1) }

// acquire waits for a slot, for ever once they are shut: the attempt that would
// begin is for the next process.
func (s *slots) acquire(ctx context.Context) error {
	if !s.shut.Load() {
		if s.sem.Acquire(ctx, 1) != nil {
			return context.Cause(ctx)
		}
		if !s.shut.Load() {
			return nil
		}
		s.leave() // it was in the queue when they were shut
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// idle takes all slots when none is taken: then no call is in flight, and none can
// begin any more.
func (s *slots) idle() bool { return s.sem.TryAcquire(int64(s.size)) }

func (s *slots) leave() {
	s.sem.Release(1)
	if s.woken.CompareAndSwap(false, true) {
		s.wake()
	}
}

// ticket is one node's way through the slots: a resilience.TryGate that keeps
// one slot reserved from the loop's reservation until Release, for whichever
// attempt comes next. So a node whose first answerer failed goes on to its
// fallback in the slot it has, and a node that has ended gives its slot back
// with its outcome, not before: else the loop might start another node while
// the failure that forbids it is on its way. Who waits calls Release first.
type ticket struct {
	slots    *slots
	mu       sync.Mutex
	reserved bool
	inside   int // calls in flight: one, and the hedges beside it
}

// Enter takes the reserved slot, or waits for one.
func (t *ticket) Enter(ctx context.Context) error {
	t.mu.Lock()
	had := t.reserved
	t.reserved = false
	if had {
		t.inside++
	}
	t.mu.Unlock()
	if had {
		return nil
	}
	if err := t.slots.acquire(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	t.inside++
	t.mu.Unlock()
	return nil
}

// TryEnter takes a slot if one is free now; the reserved one is not for hedges.
func (t *ticket) TryEnter() bool {
	if t.slots.shut.Load() || !t.slots.reserve() {
		return false
	}
	t.mu.Lock()
	t.inside++
	t.mu.Unlock()
	return true
}

// Leave keeps the slot of the last call in flight as the reserved one.
func (t *ticket) Leave() {
	t.mu.Lock()
	t.inside--
	keep := t.inside == 0 && !t.reserved
	t.reserved = t.reserved || keep
	t.mu.Unlock()
	if !keep {
		t.slots.leave()
	}
}

// Release gives the reserved slot back, if there is one.
func (t *ticket) Release() {
	if t.takeBack() {
		t.slots.leave()
	}
}

// giveUp is Release by the loop, which need not be told.
func (t *ticket) giveUp() {
	if t.takeBack() {
		t.slots.sem.Release(1)
	}
}

func (t *ticket) takeBack() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	had := t.reserved
	t.reserved = false
	return had
}
