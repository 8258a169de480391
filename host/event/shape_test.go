package event

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestResultShape is the shape of the design, letter by letter.
func TestResultShape(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := Result{
		RunID: "r1", Workflow: "w", Status: Degraded, Level: 1, LevelName: "basic", Output: Text("hi"),
		Nodes: NodeMap{"a": {Status: Degraded, Output: Raw([]byte(`{"n":1.10}`)), Attempts: 2, DurationMS: 1.5, Plugin: "p", Digest: "sha256:0", AnsweredBy: "fallback[0]",
			Errors: []*Error{{Node: "a", Plugin: "p", Class: Transient, Code: "timeout", Message: "late", Attempt: 1, OutcomeUnknown: true, Cause: errors.New("hidden"), Declared: true}}},
			"b": {Status: Skipped, Reason: "why"}},
		Levels:    []Level{{Workflow: "w", Status: Failed, Error: &Error{Class: Permanent, Message: "boom"}, Reason: "not retried"}, {Workflow: "basic", Status: Succeeded, Output: Text("hi")}},
		Metrics:   Metrics{TotalExecutions: 1, SuccessfulExecutions: 1, SuccessRatePercent: 100, CircuitBreakerState: map[string]string{"k": "open"}},
		StartedAt: at, FinishedAt: at, DurationMS: 2,
	}
	want := `{
  "run_id": "r1", "workflow": "w", "status": "degraded", "level": 1, "level_name": "basic", "output": "hi", "error": null,
  "nodes": {
    "a": {"status": "degraded", "output": {"n": 1.10}, "error": null, "attempts": 2, "duration_ms": 1.5, "plugin": "p", "digest": "sha256:0", "answered_by": "fallback[0]",
      "errors": [{"node": "a", "plugin": "p", "class": "transient", "code": "timeout", "message": "late", "attempt": 1, "outcome_unknown": true}]},
    "b": {"status": "skipped", "output": null, "error": null, "attempts": 0, "duration_ms": 0, "reason": "why"}},
  "levels": [{"workflow": "w", "status": "failed", "error": {"class": "permanent", "message": "boom"}, "reason": "not retried", "output": null, "duration_ms": 0},
    {"workflow": "basic", "status": "succeeded", "error": null, "output": "hi", "duration_ms": 0}],
  "health": null,
  "metrics": {"total_executions": 1, "successful_executions": 1, "failed_executions": 0, "refused_executions": 0, "cancelled_executions": 0,
    "success_rate_percent": 100, "circuit_breaker_state": {"k": "open"}},
  "started_at": "2026-01-02T03:04:05Z", "finished_at": "2026-01-02T03:04:05Z", "duration_ms": 2}`
	shape(t, r, want)

	var again Result
	text, _ := json.Marshal(r)
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	shape(t, again, want)
}

func TestEventShape(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	out := Of(json.Number("1.0"))
	shape(t, Event{V: Version, Seq: 7, Time: at, Run: "r1", Type: NodeAttemptFailed, Node: "a/b[3]", Attempt: 1, Error: &Error{Class: Unknown, Message: "x", RetryAfterMS: 1500}},
		`{"v": 1, "seq": 7, "time": "2026-01-02T03:04:05.006Z", "run": "r1", "type": "node.attempt_failed", "node": "a/b[3]", "attempt": 1,
		  "error": {"class": "unknown", "message": "x", "retry_after_ms": 1500}}`)
	shape(t, Event{V: 1, Time: at, Run: "r1", Type: NodeSucceeded, Status: Succeeded, Output: &out, Level: 2, Workflow: "w"},
		`{"v": 1, "seq": 0, "time": "2026-01-02T03:04:05.006Z", "run": "r1", "type": "node.succeeded", "status": "succeeded", "output": 1.0, "level": 2, "workflow": "w"}`)
}

func TestReportShape(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	details := Raw([]byte(`{"load":3}`))
	shape(t, Report{Timestamp: at, Checks: map[string]Check{
		"db":  {Healthy: true, Critical: true, DurationMS: 3, Timestamp: at, Details: &details},
		"llm": {Timestamp: at, Error: &Error{Class: Transient, Code: "timeout", Message: "late"}}}},
		`{"overall_healthy": false, "timestamp": "2026-01-02T03:04:05Z", "checks": {
		  "db": {"healthy": true, "critical": true, "duration_ms": 3, "timestamp": "2026-01-02T03:04:05Z", "details": {"load": 3}},
		  "llm": {"healthy": false, "critical": false, "duration_ms": 0, "timestamp": "2026-01-02T03:04:05Z", "error": {"class": "transient", "code": "timeout", "message": "late"}}}}`)
}

func shape(t *testing.T, v any, want string) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	g, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Parse([]byte(want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.Any(), g.Any()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestStatus(t *testing.T) {
	for _, s := range []Status{Succeeded, Degraded, Failed, Cancelled, Refused, Skipped} {
		if !s.Ended() {
			t.Errorf("%s is an end", s)
		}
	}
	for _, s := range []Status{Running, Waiting, Pending, ""} {
		if s.Ended() {
			t.Errorf("%q is no end", s)
		}
	}
}

func TestError(t *testing.T) {
	cause := errors.New("below")
	e := &Error{Code: "timeout", Message: "late", Cause: cause, RetryAfterMS: 1500}
	if e.Error() != "timeout: late" || (&Error{Message: "late"}).Error() != "late" || !errors.Is(e, cause) || e.RetryAfter() != 1500*time.Millisecond {
		t.Errorf("%v", e)
	}
}
