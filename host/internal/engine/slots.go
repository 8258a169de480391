package engine

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// slots bound the plugin calls in flight in a whole run. A node holds one while
// its call runs and none while it waits.
//
// The loop reserves a slot before it starts a node's goroutine, so that a run
// with 100,000 ready nodes does not have 100,000 goroutines.
type slots struct {
	sem  *semaphore.Weighted
	wake chan struct{} // told when a slot may be free for a reservation
}

func newSlots(n int) *slots {
	return &slots{sem: semaphore.NewWeighted(int64(n)), wake: make(chan struct{}, 1)}
}

// reserve takes a slot if one is free and nobody who came back from a wait
// queues for it.
func (s *slots) reserve() bool { return s.sem.TryAcquire(1) }

func (s *slots) leave() {
	s.sem.Release(1)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// ticket is one node's way through the slots: a resilience.Gate whose first
// Enter uses the slot that the loop reserved. Hedges enter side by side.
type ticket struct {
	slots    *slots
	mu       sync.Mutex
	reserved bool
}

// Enter takes a slot, or the reserved one.
func (t *ticket) Enter(ctx context.Context) error {
	if t.takeReserved() {
		return nil
	}
	if err := t.slots.sem.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// Leave gives the slot back.
func (t *ticket) Leave() { t.slots.leave() }

// Release gives back a reservation that was not used, or that would be held
// through a wait.
func (t *ticket) Release() {
	if t.takeReserved() {
		t.slots.leave()
	}
}

func (t *ticket) takeReserved() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	had := t.reserved
	t.reserved = false
	return had
}
