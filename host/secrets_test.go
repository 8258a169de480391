package host_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
)

// collected is what somebody outside, or a log, was given.
type collected struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *collected) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *collected) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.text.Bytes())
}

// TestSecretsAreNowhere plants secrets wherever one can be given (a variable, a
// file, a header that the plugin never sees) and lets plugins say them in outputs,
// errors and answers of servers. They are found in nothing that the host writes,
// shows or sends.
func TestSecretsAreNowhere(t *testing.T) {
	const (
		fromFile = "canary-file-b06e55d3aa"
		ofHeader = "canary-header-91c2f7e04b"
		ofHook   = "canary-hook-7d3b8e62f5"
	)
	canaries := []string{fromFile, ofHeader, ofHook}

	var traces, logs collected
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(&traces, r.Body) }))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")

	out, dir, state := newService(t), t.TempDir(), t.TempDir()
	var seen sync.Map // secrets that really arrived
	echo := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			seen.Store(r.Header.Get("X-Key"), true)
			w.WriteHeader(status)
			fmt.Fprintf(w, "%q", "you said "+r.Header.Get("X-Key"))
		}
	}
	out.on("/echo", echo(http.StatusOK))
	out.on("/fail", echo(http.StatusInternalServerError))
	reads, _ := guest(t, "ch")
	if err := os.WriteFile(filepath.Join(dir, "reads.wasm"), reads, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret.txt"), []byte(fromFile+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "[secrets]\nkey = { file = \"secret.txt\" }\nheader = { env = \"HEADER\" }\nhook = { env = \"HOOK\" }\n" +
		strings.Replace(asking("leaky", "", out), "allow  = {", "allow  = { secrets = [{ name = \"header\", header = \"X-Key\" }],", 1) +
		"[plugins.reads]\nsource = \"reads.wasm\"\nrecord = 5\nallow = { secrets = [\"key\"] }\n[nodes.reads]\nplugin = \"reads\"\n" +
		strings.ReplaceAll(ask("echo", "")+ask("fail", "retry = { max_retries = 1, base_delay = \"1ms\" }\nfallback = [{ value = \"instead\" }]"), "{{ run.base }}\", path = \"", out.URL) +
		"[webhook]\npath = \"in\"\nauth = { bearer = \"hook\" }\n"
	env := map[string]string{"URL": out.URL, "HEADER": ofHeader, "HOOK": ofHook}

	h, err := host.Open(t.Context(), host.Config{CacheDir: cache(), State: state, Role: "serve", Log: slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Getenv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	if err != nil {
		t.Fatal(err)
	}
	s := serveOn(t, h, host.ServeOptions{Files: []string{file(t, dir, "leaky", text)}})
	ctx := t.Context()
	if _, _, err := s.Start(ctx, host.StartRequest{Workflow: "leaky", RunID: "leaks", Input: event.Text("x"), HasInput: true}); err != nil {
		t.Fatal(err)
	}
	followed(t, s, "leaks")
	result, err := s.RunResult(ctx, "leaks")
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, result, event.Degraded)
	// The plugins had them: else nothing is proved.
	if _, ok := seen.Load(ofHeader); !ok {
		t.Error("the server was not sent the secret")
	}
	for node, said := range map[string]string{"reads": "***", "echo": "you said ***"} {
		if n := result.Nodes[node]; n.Status != event.Succeeded || !strings.Contains(n.Output.String(), said) {
			t.Errorf("node %s: %s %s, %v", node, n.Status, n.Output, n.Error)
		}
	}
	hook, err := http.NewRequestWithContext(ctx, http.MethodPost, s.info.URL+"/hooks/in", strings.NewReader(`"x"`))
	if err != nil {
		t.Fatal(err)
	}
	hook.Header.Set("Authorization", "Bearer "+ofHook)
	hook.Header.Set("Content-Type", "application/json")
	if a, err := http.DefaultClient.Do(hook); err != nil || a.StatusCode/100 != 2 {
		t.Fatalf("the hook: %v, %v", a, err)
	} else {
		_ = a.Body.Close()
	}
	defer http.DefaultClient.CloseIdleConnections()
	// A swap, and one that is refused, with replay of the recorded calls.
	if r := swapTo(t, s, host.SwapRequest{Plugin: "leaky.reads", Module: []byte("not a module " + fromFile)}); r.Refused == nil {
		t.Errorf("%+v", r)
	}
	echoes, _ := guest(t, "eh")
	if r := swapTo(t, s, host.SwapRequest{Plugin: "leaky.reads", Module: echoes, Replay: true}); r.Replay == nil {
		t.Errorf("nothing was replayed: %+v", r)
	}

	clean := func(where string, text []byte) {
		t.Helper()
		for _, c := range canaries {
			if i := bytes.Index(text, []byte(c)); i >= 0 {
				t.Errorf("%s has a secret: …%q…", where, text[max(0, i-80):min(len(text), i+80)])
			}
		}
	}
	token, err := os.ReadFile(s.info.AdminTokenFile)
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string, least int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.info.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		text, err := io.ReadAll(a.Body)
		if err != nil || a.StatusCode != http.StatusOK || len(text) < least {
			t.Errorf("%s: %d, %d bytes, %v", path, a.StatusCode, len(text), err)
		}
		clean(path, text)
	}
	for _, path := range []string{"/v1/workflows", "/v1/workflows/leaky", "/v1/workflows/leaky/graph.svg?run=leaks", "/v1/runs", "/v1/runs/leaks", "/v1/runs/leaks/events",
		"/v1/runs/leaks/result", "/v1/runs/leaks/why", "/v1/runs/leaks/export", "/v1/plugins", "/v1/plugins/leaky.reads", "/v1/breakers", "/v1/health", "/v1/schedules", "/v1/audit", "/metrics",
		"/runs", "/runs/leaks", "/runs/leaks/node?node=reads", "/runs/leaks/node?node=fail", "/workflows", "/workflows/leaky", "/plugins", "/plugins/leaky.reads", "/health", "/schedules", "/audit"} {
		get(path, 2)
	}
	s.end(t)

	clean("the log", logs.bytes())
	if text := traces.bytes(); len(text) == 0 {
		t.Error("no traces were sent")
	} else {
		clean("the traces", text)
	}
	if err := filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		clean(path, text)
		return err
	}); err != nil {
		t.Error(err)
	}
}
