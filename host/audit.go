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

// Audit records a change that came over HTTP. One that was made is in the journal
// when this returns, so that no answer tells of a change whose audit a kill could
// take; what was refused changed nothing, and is written within 50 ms.
func (s *served) Audit(ctx context.Context, a event.Audit) {
	s.Host.Audit(ctx, a)
	if !a.OK || s.journal == nil {
		return
	}
	if err := s.journal.Flush(ctx); err != nil {
		// The change is made, and the audit is tried again with the next commit.
		s.log.Error("the audit of a change is not in the journal yet", "action", a.Action, "target", a.Target, "by", a.By, "error", s.recorded(err))
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
