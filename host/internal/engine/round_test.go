package engine

import (
	"testing"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
)

// TestTheSameUnknownIsNamed: of several nodes whose outcome nobody knows, a replay
// names the one that was named before.
func TestTheSameUnknownIsNamed(t *testing.T) {
	unknown := &event.NodeResult{Error: &event.Error{Code: call.OutcomeUnknown}}
	inner := event.NodeMap{"d": unknown, "c": unknown, "b": unknown, "a": {}}
	for range 100 {
		if got := unknownIn("sub", &event.NodeResult{Run: &event.Level{Nodes: inner}}); got != "sub/b" {
			t.Fatalf("named: %s", got)
		}
	}
}
