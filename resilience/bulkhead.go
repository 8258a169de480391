package resilience

import (
	"context"

	"github.com/failsafe-go/failsafe-go/bulkhead"
)

// Bulkhead bounds how many calls run at once. It is safe for concurrent use and
// meant to be shared. Those who wait are served in the order in which they came.
// A nil Bulkhead lets everything through.
type Bulkhead struct{ slots bulkhead.Bulkhead[any] }

// NewBulkhead returns a bulkhead with n slots, or nil when n <= 0.
func NewBulkhead(n int) *Bulkhead {
	if n <= 0 {
		return nil
	}
	return &Bulkhead{slots: bulkhead.New[any](uint(n))}
}

// Acquire waits for a slot until ctx ends; the error is then that of ctx. Every
// nil error wants one Release.
func (b *Bulkhead) Acquire(ctx context.Context) error {
	if b == nil {
		return nil
	}
	// It would choose at random when a slot is free and ctx has ended.
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.slots.AcquirePermit(ctx)
}

// TryAcquire takes a slot if one is free now.
func (b *Bulkhead) TryAcquire() bool {
	return b == nil || b.slots.TryAcquirePermit()
}

// Release gives a slot back.
func (b *Bulkhead) Release() {
	if b != nil {
		b.slots.ReleasePermit()
	}
}
