package host

import (
	"encoding/json"
	"testing"
	"time"

	"wasmhost/host/workflow"
	"wasmhost/resilience"
)

// TestNewestBreakerSaved: while the state of a breaker is looked at to be saved,
// it changes and that is saved. The journal is left with what came last.
func TestNewestBreakerSaved(t *testing.T) {
	clock := resilience.NewManualClock(time.Unix(1e9, 0))
	h, err := Open(t.Context(), Config{CacheDir: "-", State: t.TempDir(), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(t.Context())
	h.shared.Declare("w", &workflow.Plan{Breakers: map[string]resilience.BreakerConfig{"svc": {RecoveryTimeout: time.Minute}}})
	b, ok := h.shared.Breaker("w", "svc")
	if !ok {
		t.Fatal("there is no breaker")
	}
	b.Open()
	clock.Advance(2 * time.Minute)
	b.OnChange(func(_, to resilience.State, _ resilience.BreakerSnapshot) {
		if to == resilience.HalfOpen {
			b.Open()
		}
	})
	h.saveBreaker("w", "svc") // which finds it half open, first
	if err := h.journal.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := h.journal.Breakers(t.Context(), "w")
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	var k keptBreaker
	if err := json.Unmarshal(rows[0].State, &k); err != nil || k.State != b.Snapshot().State {
		t.Errorf("%v: the journal has it %s, and it is %s", err, k.State, b.Snapshot().State)
	}
}
