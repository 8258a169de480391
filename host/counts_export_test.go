package host

import (
	"context"
	"encoding/json"

	"wasmhost/host/internal/journal"
	"wasmhost/resilience"
)

// Prepared is how many plugins of workflows are held ready.
func (h *Host) Prepared() int {
	h.plugins.mu.Lock()
	defer h.plugins.mu.Unlock()
	return len(h.plugins.entries)
}

// SaveClosed writes a breaker as one that is closed and has counted failures,
// as a process does that has not heard of its opening.
func SaveClosed(ctx context.Context, h *Host, root, key string, failures int) error {
	text, err := json.Marshal(keptBreaker{BreakerSnapshot: resilience.BreakerSnapshot{Key: key, State: resilience.Closed, TakenAt: h.clock.Now(), Failures: failures}})
	if err != nil {
		return err
	}
	h.journal.SaveBreaker(journal.Breaker{Root: root, Key: key, State: text})
	return h.journal.Flush(ctx)
}
