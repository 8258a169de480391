package resilience

import "context"

// Bulkhead bounds how many calls run at once. It is safe for concurrent use and
// meant to be shared. Those who wait are served in the order in which they came.
// A nil Bulkhead lets everything through.
type Bulkhead struct{ slots chan struct{} }

// NewBulkhead returns a bulkhead with n slots, or nil when n <= 0.
func NewBulkhead(n int) *Bulkhead {
	if n <= 0 {
		return nil
	}
	return &Bulkhead{slots: make(chan struct{}, n)}
}

// Acquire waits for a slot until ctx ends; the error is then that of ctx. Every
// nil error wants one Release.
func (b *Bulkhead) Acquire(ctx context.Context) error {
	if b == nil {
		return nil
	}
	// A select would choose at random when a slot is free and ctx has ended.
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case b.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TryAcquire takes a slot if one is free now.
func (b *Bulkhead) TryAcquire() bool {
	if b == nil {
		return true
	}
	select {
	case b.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// Release gives a slot back.
func (b *Bulkhead) Release() {
	if b != nil {
		<-b.slots
	}
}
