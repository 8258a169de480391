package host

import (
	"testing"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// TestNothingFollowsTheEnd: a breaker may open, or a plugin be swapped, between
// the last event of a run and its end.
func TestNothingFollowsTheEnd(t *testing.T) {
	h, err := Open(t.Context(), Config{CacheDir: "-"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(t.Context())
	r := h.newRun(t.Context(), "r", h.FromPlan(&workflow.Plan{Name: "w"}), Options{})
	r.emit(&event.Event{Type: event.RunStarted})
	r.tell(&event.Event{Type: event.RunFinished})
	r.emit(&event.Event{Type: event.PluginSwapped})
	r.end(nil, nil)
	var told []event.Type
	for e := range r.Watch().Events() {
		told = append(told, e.Type)
	}
	if len(told) != 2 || told[1] != event.RunFinished {
		t.Errorf("told: %v", told)
	}
}
