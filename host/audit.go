package host

import (
	"context"

	"wasmhost/host/event"
)

// Audit records a change that somebody made, or tried to make, in the journal,
// where there is one.
func (h *Host) Audit(ctx context.Context, a event.Audit) {
	if a.Time.IsZero() {
		a.Time = h.clock.Now()
	}
	if h.journal != nil {
		h.journal.Audit(a)
	}
}

// Audits are the last n changes (0: all that are kept, 10,000), the newest first.
func (h *Host) Audits(ctx context.Context, n int) ([]event.Audit, error) {
	if h.journal == nil {
		return nil, errNoJournal
	}
	all, err := h.journal.Audits(ctx, n)
	return all, h.recorded(err)
}
