package telemetry

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"wasmhost/host/event"
)

// TestNothingSecret puts a secret into everything of an event that is a run's data:
// it is found neither in metrics nor in spans nor in the log. Errors come masked,
// and stand in spans and log, but in no metric.
func TestNothingSecret(t *testing.T) {
	const secret, message = "canary-7f3a9b", "message-of-an-error"
	c := collect(t)
	var log bytes.Buffer
	tel, err := New(Config{Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	data := event.Text(secret)
	result := &event.Result{RunID: "01RUN", Workflow: "report", Status: event.Failed, Output: data, StartedAt: noon,
		Nodes: event.NodeMap{"a": {Output: data}}, Health: &event.Report{Checks: map[string]event.Check{"c": {Details: &data}}}}
	wrong := &event.Error{Class: event.Transient, Code: "bad", Message: message}
	s := &story{tel: tel, run: "01RUN"}
	s.begins()
	types := []event.Type{event.HealthChecked, event.NodeStarted, event.Log, event.NodeAttemptFailed, event.NodeRetrying, event.FallbackUsed, event.NodeWaiting,
		event.NodeSucceeded, event.NodeFailed, event.NodeSkipped, event.BreakerChanged, event.PluginSwapped, event.RunFinished}
	for i, kind := range types {
		s.at(i, event.Event{Type: kind, Node: "a", Plugin: "http", Status: event.Failed, Reason: secret, Message: secret, Output: &data, Error: wrong,
			AnsweredBy: "primary", Digest: "sha256:1", Attempt: 1, Health: result.Health, Result: result})
	}
	tel.HTTP(Place{Run: "01RUN", Workflow: "report", Node: "a", Attempt: 1}, "http",
		HTTPExchange{Method: "GET", URL: "https://user:" + secret + "@shop.example/price?key=" + secret + "#" + secret, Status: 200})
	shut(t, tel)
	_, metrics := scrape(t, tel)
	for where, text := range map[string]string{"metrics": string(metrics), "spans": string(c.raw), "log": log.String()} {
		if strings.Contains(text, secret) {
			t.Errorf("%s: the secret is there", where)
		}
		if has := strings.Contains(text, message); has != (where != "metrics") {
			t.Errorf("%s: the error's message is there: %v", where, has)
		}
	}
	if !bytes.Contains(c.raw, []byte("https://shop.example/price")) {
		t.Error("the request has no URL")
	}
}
