package host

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"wasmhost/host/event"
	"wasmhost/host/internal/telemetry"
	"wasmhost/host/workflow"
)

// TestFollowedRunIsNotCounted: a server that follows a run of another process, since
// somebody has answered it here, reads all its events; what they tell of has not
// happened in this process.
func TestFollowedRunIsNotCounted(t *testing.T) {
	ctx := t.Context()
	h, err := Open(ctx, Config{CacheDir: "-"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(ctx)
	tel, err := telemetry.New(telemetry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer tel.Close(ctx)
	h.observer.Store(&observer{telemetry: tel})
	defer h.observer.Store(nil)
	for id, w := range map[string]*Workflow{"here": h.FromPlan(&workflow.Plan{Name: "w"}), "elsewhere": nil} {
		h.newRun(ctx, id, w, Options{}).tell(&event.Event{Type: event.RunStarted, Workflow: id})
	}
	answer := httptest.NewRecorder()
	tel.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	text, err := io.ReadAll(answer.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(text); !strings.Contains(got, `workflow="here"`) || strings.Contains(got, `workflow="elsewhere"`) {
		t.Errorf("counted:\n%s", got)
	}
}
