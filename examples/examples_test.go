// Package examples_test runs every example as a user would: the built command,
// the example's own file, and a model server on loopback that is slow, wrong,
// rate-limited or down.
package examples_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wasmhost/examples/modelserver/model"
	"wasmhost/host/event"
)

var command string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "host")
	if err != nil {
		panic(err)
	}
	command = filepath.Join(dir, "host")
	if out, err := exec.Command("go", "build", "-o", command, "wasmhost/cmd/host").CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// serve starts a model server that fails as planned for all models.
func serve(t *testing.T, faults ...model.Fault) (*model.Server, string) {
	t.Helper()
	s := &model.Server{}
	s.Plan("", faults...)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL + "/v1"
}

// outcome is what `host run -o json` printed and said.
type outcome struct {
	event.Result
	exit   int
	stderr string
}

// run runs the command with -o json.
func run(t *testing.T, baseURL string, args ...string) outcome {
	t.Helper()
	cmd := exec.Command(command, append([]string{"run", "-o", "json"}, args...)...)
	cmd.Env = append(os.Environ(), "OPENAI_BASE_URL="+baseURL, "STATUS_URL="+strings.TrimSuffix(baseURL, "/v1")+"/v1/models", "OPENAI_API_KEY=sk-test-0123456789", "CI=true",
		"XDG_STATE_HOME="+t.TempDir()) // breakers live on in a state folder
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var o outcome
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		o.exit = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	o.stderr = stderr.String()
	if err := json.Unmarshal(stdout.Bytes(), &o.Result); err != nil {
		t.Fatalf("stdout is not a result: %v\n%s\n%s", err, stdout.String(), stderr.String())
	}
	return o
}

func (o outcome) expect(t *testing.T, status event.Status, exit int) {
	t.Helper()
	if o.Status != status || o.exit != exit {
		t.Fatalf("status %s, exit %d; want %s, %d\n%s", o.Status, o.exit, status, exit, o.stderr)
	}
}

func TestQuickstart(t *testing.T) {
	o := run(t, "", "quickstart/workflow.toml")
	o.expect(t, event.Degraded, 0)
	golden(t, "testdata/quickstart.golden", o.Output.String()+"\n")
	if h := o.Nodes["headline"]; h.AnsweredBy != "fallback[0]" || h.Attempts != 3 || len(h.Errors) != 1 {
		t.Errorf("headline: answered by %q after %d attempts with %d errors; want fallback[0], 3, 1", h.AnsweredBy, h.Attempts, len(h.Errors))
	}
	retried := 0
	for _, item := range o.Nodes["read"].Items {
		retried += item.Attempts - 1
	}
	if retried != 2 {
		t.Errorf("%d paragraphs were retried, want 2", retried)
	}
	if strict := run(t, "", "--strict", "quickstart/workflow.toml"); strict.exit != 10 {
		t.Errorf("--strict of a degraded run exits %d, want 10", strict.exit)
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant (UPDATE=1 writes it):\n%s", got, want)
	}
}

func TestEveryExampleAnswers(t *testing.T) {
	for _, name := range []string{"fault-tolerant", "degradation", "production", "health"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, url := serve(t)
			o := run(t, url, name+"/workflow.toml")
			o.expect(t, event.Succeeded, 0)
			if o.Output.String() == "" || o.Output.IsNull() {
				t.Error("no output")
			}
			for _, c := range s.Calls() {
				if c.Authorization != "Bearer sk-test-0123456789" {
					t.Errorf("Authorization %q; the host should have put the key in", c.Authorization)
				}
			}
			text, err := json.Marshal(o.Result)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text)+o.stderr, "sk-test") {
				t.Error("the key is in the result or on stderr")
			}
		})
	}
}

// Three retries make four calls.
func TestRetriesMakeCalls(t *testing.T) {
	t.Parallel()
	s, url := serve(t, model.Fault{Status: 503, Times: 3})
	o := run(t, url, "fault-tolerant/workflow.toml")
	o.expect(t, event.Succeeded, 0)
	if got := o.Nodes["validate"].Attempts; got != 4 {
		t.Errorf("validate took %d attempts, want 4", got)
	}
	if n := len(s.Calls()); n != 5 {
		t.Errorf("the server saw %d calls, want 4 for validate and 1 for process", n)
	}
}

func TestPermanentIsNotRetried(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 403, 404} {
		s, url := serve(t, model.Fault{Times: 1}, model.Fault{Status: status})
		o := run(t, url, "fault-tolerant/workflow.toml")
		o.expect(t, event.Degraded, 0)
		if n := o.Nodes["process"]; n.Attempts != 1 || n.Error.Class != event.Permanent {
			t.Errorf("%d: process took %d attempts and failed as %+v; want 1, permanent", status, n.Attempts, n.Error)
		}
		if n := len(s.Calls()); n != 2 {
			t.Errorf("%d: the server saw %d calls, want 2", status, n)
		}
		// The recovery handler returned something useful.
		out, _ := o.Output.Any().(map[string]any)
		if out["partial"] != true || !strings.HasPrefix(out["text"].(string), "The ferry") {
			t.Errorf("%d: output %s", status, o.Output)
		}
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	s, url := serve(t, model.Fault{Status: 429, RetryAfter: "1", Times: 1})
	o := run(t, url, "fault-tolerant/workflow.toml")
	o.expect(t, event.Succeeded, 0)
	calls := s.Calls()
	if gap := calls[1].At.Sub(calls[0].At); gap < time.Second || gap > 3*time.Second {
		t.Errorf("the second call came %v after the first; the server asked for 1s", gap)
	}
}

// The model is wrong in many ways; each is a clear error, none a success.
func TestWrongAnswers(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]model.Fault{
		"not JSON":   {Body: "<html>It works!</html>"},
		"no choices": {Body: `{"choices": []}`},
		"cut":        {Body: `{"choices": [{"mess`},
		"dropped":    {Drop: true},
		"null":       {Body: "null"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, url := serve(t, f)
			o := run(t, url, "testdata/fails.toml")
			o.expect(t, event.Failed, 1)
			if o.Error == nil || o.Error.Node != "ask" || o.Error.Message == "" || o.Error.Class == "" {
				t.Errorf("error %+v", o.Error)
			}
		})
	}
}

func TestFailureWithoutFallback(t *testing.T) {
	t.Parallel()
	s, url := serve(t, model.Fault{Status: 500})
	o := run(t, url, "testdata/fails.toml")
	o.expect(t, event.Failed, 1)
	for _, id := range []string{"child", "grandchild"} {
		if n := o.Nodes[id]; n.Status != event.Skipped || n.Attempts != 0 || n.Reason == "" {
			t.Errorf("%s: %+v; want skipped, with a reason", id, n)
		}
	}
	if n := len(s.Calls()); n != 1 {
		t.Errorf("the server saw %d calls, want 1", n)
	}
	if m := o.Metrics; m.TotalExecutions != 1 || m.FailedExecutions != 1 || m.SuccessRatePercent != 0 {
		t.Errorf("metrics %+v", m)
	}
}

func TestDegradationToTheEmergencyLevel(t *testing.T) {
	t.Parallel()
	s, url := serve(t, model.Fault{Status: 503})
	o := run(t, url, "degradation/workflow.toml")
	o.expect(t, event.Degraded, 0)
	if o.Level != 2 || o.LevelName != "emergency" || len(o.Levels) != 3 {
		t.Fatalf("level %d %q of %d; want 2 \"emergency\" of 3", o.Level, o.LevelName, len(o.Levels))
	}
	for i := range 2 {
		if l := o.Levels[i]; l.Status != event.Failed || l.Error == nil || l.Error.Code != "unavailable" {
			t.Errorf("level %d: %s, %+v; want failed, unavailable", i, l.Status, l.Error)
		}
	}
	if !strings.HasPrefix(o.Output.String(), "THE FERRY LEFT HUSUM") {
		t.Errorf("output %q", o.Output)
	}
	if n := len(s.Calls()); n != 3 {
		t.Errorf("the server saw %d calls; want 2 of the first level and 1 of the second", n)
	}
}

func TestTheGateRefuses(t *testing.T) {
	t.Parallel()
	s, url := serve(t)
	s.Plan("health", model.Fault{Status: 500})
	o := run(t, url, "production/workflow.toml")
	o.expect(t, event.Refused, 6)
	if len(s.Calls()) != 0 {
		t.Error("a node ran")
	}
	if o.Health == nil || o.Health.OverallHealthy || o.Health.Checks["model"].Error == nil {
		t.Errorf("health %+v", o.Health)
	}
	if m := o.Metrics; m.RefusedExecutions != 1 || m.FailedExecutions != 0 || m.SuccessRatePercent != 100 {
		t.Errorf("metrics %+v", m)
	}
}

func TestProductionMetrics(t *testing.T) {
	t.Parallel()
	_, url := serve(t, model.Fault{Status: 503, Times: 2})
	o := run(t, url, "production/workflow.toml")
	o.expect(t, event.Succeeded, 0)
	m := o.Metrics
	if m.SuccessfulExecutions != 1 || m.CircuitBreakerState["model"] != "closed" {
		t.Errorf("metrics %+v", m)
	}
	if n := m.Nodes["answer"]; n == nil || n.Attempts != 3 || n.Retries != 2 || n.LatencyMS["max"] <= 0 {
		t.Errorf("metrics of the node: %+v", n)
	}
}

func TestSlowModelTimesOut(t *testing.T) {
	t.Parallel()
	s, url := serve(t, model.Fault{Delay: 30 * time.Second, Times: 1})
	file := filepath.Join(t.TempDir(), "slow.toml")
	text, err := os.ReadFile("testdata/fails.toml")
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("[nodes.ask]\n"), []byte("[nodes.ask]\ntimeout = \"300ms\"\nretry = { max_retries = 1, base_delay = \"10ms\" }\n"), 1)
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	o := run(t, url, file)
	o.expect(t, event.Succeeded, 0)
	if n := o.Nodes["ask"]; n.Attempts != 2 {
		t.Errorf("%d attempts, want 2", n.Attempts)
	}
	if len(s.Calls()) != 2 {
		t.Errorf("%d calls", len(s.Calls()))
	}
}
