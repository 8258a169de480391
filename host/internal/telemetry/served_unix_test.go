//go:build unix

package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// TestServedTrace has the command itself serve a workflow whose plugin asks a
// service twice: the first answer is a failure that is tried again. The collector
// then has the whole tree, and the service was told the very spans that asked it.
func TestServedTrace(t *testing.T) {
	var mu sync.Mutex
	var carried []string // "PATH TRACEPARENT", as they came
	failed := false
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		carried = append(carried, r.URL.Path+" "+r.Header.Get("Traceparent"))
		if r.URL.Path == "/price" && !failed {
			failed = true
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer service.Close()
	c, dir := collect(t), t.TempDir()
	flow := filepath.Join(dir, "report.toml")
	text := strings.ReplaceAll(`version = 1
name = "report"
[run]
health_gate = "critical"
[plugins.shop]
source = "builtin:http"
config = { url = "URL/well" }
allow = { http = ["URL"] }
[health.shop]
plugin = "shop"
critical = true
[nodes.fetch]
plugin = "shop"
with = { url = "URL/price" }
retry = { max_retries = 1, base_delay = "1ms" }
`, "URL", service.URL)
	if err := os.WriteFile(flow, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveCommand(t, dir, flow)
	if status, said := s.ask(t, "POST", "/v1/workflows/report/runs", `{"run_id": "01RUN", "wait": "2m"}`); status != http.StatusCreated || !bytes.Contains(said, []byte(`"succeeded"`)) {
		t.Fatalf("%d %s", status, said)
	}
	_, page := s.ask(t, "GET", "/metrics", "")
	s.stop(t)
	promtool(t, page, "check", "metrics")
	for _, want := range []string{
		`wasmhost_runs_total{status="succeeded",workflow="report"} 1`,
		`wasmhost_plugin_http_requests_total{node="fetch",status="5xx",workflow="report"} 1`,
		`wasmhost_plugin_http_requests_total{node="fetch",status="2xx",workflow="report"} 1`,
	} {
		if !bytes.Contains(page, []byte(want+"\n")) {
			t.Errorf("/metrics lacks %s", want)
		}
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	named := map[string]*tracepb.Span{}
	for _, span := range c.spans {
		named[hexOf(span.SpanId)] = span
	}
	var got []string // each request's path down from the run
	for _, span := range c.spans {
		if span.Kind != tracepb.Span_SPAN_KIND_CLIENT {
			continue
		}
		line := strings.TrimPrefix(valueOf(span.Attributes, "url.full"), service.URL)
		if header := line + " 00-" + hexOf(span.TraceId) + "-" + hexOf(span.SpanId) + "-01"; !slices.Contains(carried, header) {
			t.Errorf("the service was told %q, not %q", carried, header)
		}
		line += " " + valueOf(span.Attributes, "http.response.status_code")
		for at := span; len(at.ParentSpanId) > 0; {
			up := named[hexOf(at.ParentSpanId)]
			if up == nil {
				line = "(nothing) > " + line
				break
			}
			if !bytes.Equal(up.TraceId, at.TraceId) || up.StartTimeUnixNano > at.StartTimeUnixNano || up.EndTimeUnixNano < at.EndTimeUnixNano {
				t.Errorf("%s lies not within %s", at.Name, up.Name)
			}
			at, line = up, strings.TrimSpace(up.Name+" "+valueOf(up.Attributes, "wasmhost.attempt"))+" > "+line
		}
		got = append(got, line)
	}
	slices.Sort(got)
	want := []string{
		"run report > /well 200",
		"run report > node fetch > attempt shop 1 > /price 503",
		"run report > node fetch > attempt shop 2 > /price 200",
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// command is a `host serve` of its own process.
type command struct {
	*exec.Cmd
	said  bytes.Buffer
	ended chan error
	over  bool

	url, token string
}

// serveCommand builds the command, lets it serve a workflow and waits until it
// answers.
func serveCommand(t *testing.T, dir, flow string) *command {
	t.Helper()
	binary := filepath.Join(dir, "host")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "wasmhost/cmd/host").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	state := filepath.Join(dir, "state")
	s := &command{Cmd: exec.Command(binary, "serve", "--addr", "127.0.0.1:0", "--state", state, flow), ended: make(chan error, 1)}
	s.Stdout, s.Stderr = &s.said, &s.said
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- s.Wait() }()
	t.Cleanup(func() {
		if !s.over {
			_ = s.Process.Kill()
			<-s.ended
		}
		if t.Failed() {
			t.Logf("host serve said:\n%s", s.said.Bytes())
		}
	})
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var info struct{ URL string }
		text, err := os.ReadFile(filepath.Join(state, "serve.json"))
		token, err2 := os.ReadFile(filepath.Join(state, "admin.token"))
		if err != nil || err2 != nil || json.Unmarshal(text, &info) != nil {
			continue
		}
		s.url, s.token = info.URL, strings.TrimSpace(string(token))
		if status, _ := s.ask(t, "GET", "/readyz", ""); status == http.StatusOK {
			return s
		}
	}
	t.Fatal("host serve is not ready")
	return nil
}

func (s *command) ask(t *testing.T, method, path, body string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Content-Type", "application/json")
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, fmt.Append(nil, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, text
}

// stop ends it as a person does: then all spans have been sent.
func (s *command) stop(t *testing.T) {
	t.Helper()
	if err := s.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.ended:
		s.over = true
	case <-time.After(time.Minute):
		t.Fatal("host serve does not stop")
	}
}
