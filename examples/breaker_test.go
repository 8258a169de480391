package examples_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"wasmhost/examples/modelserver/model"
	"wasmhost/host"
	"wasmhost/host/event"
)

// open makes a Host whose plugins see the model server at url.
func open(t *testing.T, url string) *host.Host {
	t.Helper()
	h, err := host.Open(t.Context(), host.Config{Getenv: func(name string) (string, bool) {
		if name == "OPENAI_BASE_URL" {
			return url, true
		}
		if name == "OPENAI_API_KEY" {
			return "", false
		}
		return os.LookupEnv(name)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return h
}

func load(t *testing.T, h *host.Host, file string) *host.Workflow {
	t.Helper()
	w, findings, err := h.Load(t.Context(), file)
	if err != nil {
		t.Fatalf("%v: %+v", err, findings)
	}
	return w
}

func finish(t *testing.T, h *host.Host, w *host.Workflow, input event.Value) *event.Result {
	t.Helper()
	r, err := h.Start(t.Context(), w, host.Options{Input: input, HasInput: true})
	if err != nil {
		t.Fatal(err)
	}
	result, err := r.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// The fifth failure in a row opens the breaker, and the sixth call never
// reaches the server, though another run makes it.
func TestFifthFailureOpensTheBreaker(t *testing.T) {
	t.Parallel()
	s, url := serve(t, model.Fault{Status: 503})
	h := open(t, url)
	w := load(t, h, "fault-tolerant/workflow.toml")

	first := finish(t, h, w, event.Text("a text"))
	if n := first.Nodes["validate"].Attempts; n != 4 || len(s.Calls()) != 4 {
		t.Fatalf("the first run made %d attempts and %d calls, want 4", n, len(s.Calls()))
	}
	second := finish(t, h, w, event.Text("a text"))
	node := second.Nodes["validate"]
	if node.Attempts != 1 || len(s.Calls()) != 5 {
		t.Errorf("the second run made %d attempts; the server saw %d calls, want 1 and 5", node.Attempts, len(s.Calls()))
	}
	if node.Error == nil || node.Error.Code != "breaker_open" || node.Error.Class != event.Transient || node.Error.RetryAfterMS <= 0 {
		t.Errorf("error %+v; want transient breaker_open with the time until the next probe", node.Error)
	}
	if state := second.Metrics.CircuitBreakerState["model"]; state != "open" {
		t.Errorf("the breaker is %s, want open", state)
	}
	third := finish(t, h, w, event.Text("a text"))
	if third.Nodes["validate"].Attempts != 0 || len(s.Calls()) != 5 {
		t.Errorf("a call got through an open breaker: %d calls", len(s.Calls()))
	}
}

func items(n int) event.Value {
	list := make([]any, n)
	for i := range list {
		list[i] = fmt.Sprintf("item %d", i)
	}
	return event.Of(list)
}

// In half_open exactly one of fifty calls is let through.
func TestOneProbeUnderFiftyCalls(t *testing.T) {
	t.Parallel()
	s, url := serve(t, model.Fault{Status: 503})
	h := open(t, url)
	w := load(t, h, "testdata/halfopen.toml")

	for range 5 {
		finish(t, h, w, items(1))
	}
	if state := h.Metrics(w).CircuitBreakerState["model"]; state != "open" || len(s.Calls()) != 5 {
		t.Fatalf("after 5 failures the breaker is %s, %d calls", state, len(s.Calls()))
	}
	s.Forget()
	// The probe is answered when the other forty-nine have been.
	others := make(chan struct{})
	s.Plan("", model.Fault{Hold: others})
	waitFor(t, func() bool { return h.Metrics(w).CircuitBreakerState["model"] == "half_open" })
	refused := 0
	r, err := h.Start(t.Context(), w, host.Options{Input: items(50), HasInput: true,
		Sink: event.SinkFunc(func(e *event.Event) { // events come one at a time
			if e.Type == event.NodeFailed && e.Node != "all" {
				if refused++; refused == 49 {
					close(others)
				}
			}
		})})
	if err != nil {
		t.Fatal(err)
	}
	result, err := r.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.Calls()); n != 1 {
		t.Errorf("%d calls reached the server in half_open, want 1", n)
	}
	answered := 0
	for _, item := range result.Nodes["all"].Items {
		if item.Status == event.Succeeded {
			answered++
		} else if item.Error.Code != "breaker_open" {
			t.Errorf("an item failed with %+v, want breaker_open", item.Error)
		}
	}
	if answered != 1 {
		t.Errorf("%d items answered, want the probe alone", answered)
	}
	if state := h.Metrics(w).CircuitBreakerState["model"]; state != "closed" {
		t.Errorf("after the probe's success the breaker is %s, want closed", state)
	}
}

// A call that began while the breaker was closed and succeeds late does not
// close it.
func TestLateSuccessDoesNotClose(t *testing.T) {
	t.Parallel()
	opened := make(chan struct{})
	s, url := serve(t, model.Fault{Hold: opened, Times: 1}, model.Fault{Status: 503})
	h := open(t, url)
	w := load(t, h, "testdata/halfopen.toml")

	late, err := h.Start(t.Context(), w, host.Options{Input: items(1), HasInput: true})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return len(s.Calls()) == 1 })
	for range 5 {
		finish(t, h, w, items(1))
	}
	if state := h.Metrics(w).CircuitBreakerState["model"]; state == "closed" {
		t.Fatal("five failures did not open the breaker")
	}
	close(opened)
	result, err := late.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result.Nodes["all"].Items[0].Status != event.Succeeded {
		t.Fatalf("the late call should have succeeded: %+v", result.Nodes["all"].Items[0])
	}
	if state := h.Metrics(w).CircuitBreakerState["model"]; state == "closed" {
		t.Error("a late success closed the breaker")
	}
}

// waitFor asks until it is so; what it waits for is an event in another
// process' time, the server's.
func waitFor(t *testing.T, so func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("waited for a minute")
		}
	}
}
