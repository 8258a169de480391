package host_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"wasmhost/host"
	"wasmhost/host/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cache is shared by the tests, so that builtins are compiled once.
var cache = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "host-test")
	if err != nil {
		panic(err)
	}
	return dir
})

func open(t *testing.T, env map[string]string) *host.Host {
	t.Helper()
	h, err := host.Open(t.Context(), host.Config{CacheDir: cache(), Getenv: func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := h.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := h.Close(ctx); err != nil {
			t.Errorf("closing twice: %v", err)
		}
	})
	return h
}

func load(t *testing.T, h *host.Host, text string) *host.Workflow {
	t.Helper()
	file := filepath.Join(t.TempDir(), "workflow.toml")
	if err := os.WriteFile(file, []byte("version = 1\nname = \"w\"\n"+text), 0o644); err != nil {
		t.Fatal(err)
	}
	w, findings, err := h.Load(t.Context(), file)
	if err != nil {
		t.Fatalf("%v: %+v", err, findings)
	}
	return w
}

func wait(t *testing.T, r *host.Run) *event.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	result, err := r.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

const upper = `
[plugins.up]
source = "builtin:uppercase"
[nodes.up]
plugin = "up"
`

// slow is a workflow whose only node asks a server that answers when released.
func slow(t *testing.T, h *host.Host, env map[string]string) (*host.Workflow, chan struct{}) {
	t.Helper()
	asked := make(chan struct{}, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	env["URL"] = server.URL
	return load(t, h, `
[plugins.http]
source = "builtin:http"
config = { url = { env = "URL" } }
allow  = { http = [{ env = "URL" }] }
[nodes.ask]
plugin = "http"
`), asked
}

func TestRun(t *testing.T) {
	h := open(t, nil)
	w := load(t, h, upper)
	var mu sync.Mutex
	var seen []event.Type
	r, err := h.Start(t.Context(), w, host.Options{Input: event.Text("hello"), HasInput: true,
		Sink: event.SinkFunc(func(e *event.Event) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, e.Type)
			if int(e.Seq) != len(seen) || e.V != event.Version || e.Run == "" || e.Time.IsZero() {
				t.Errorf("event %d: %+v", len(seen), e)
			}
		})})
	if err != nil {
		t.Fatal(err)
	}
	result := wait(t, r)
	if result.Status != event.Succeeded || result.Output.String() != "HELLO" || result.RunID != r.ID() {
		t.Fatalf("%+v", result)
	}
	want := []event.Type{event.RunStarted, event.NodeStarted, event.NodeSucceeded, event.RunFinished}
	if len(seen) != len(want) {
		t.Fatalf("events %v, want %v", seen, want)
	}
	for i := range want {
		if seen[i] != want[i] {
			t.Fatalf("events %v, want %v", seen, want)
		}
	}
	// A watcher who comes late sees the run from its beginning.
	n := 0
	for range r.Watch().Events() {
		n++
	}
	if n != len(want) {
		t.Errorf("a late watcher saw %d events, want %d", n, len(want))
	}
	if m := h.Metrics(w); m.TotalExecutions != 1 || m.SuccessfulExecutions != 1 || m.Nodes["up"].Attempts != 1 {
		t.Errorf("metrics %+v", m)
	}
}

func TestRefusedBeforeTheStart(t *testing.T) {
	h := open(t, map[string]string{"SHORT": "abc"})
	for name, c := range map[string]struct {
		text    string
		options host.Options
		code    string
		says    []string
	}{
		"input misses the schema": {
			text:    "[input]\nschema = { type = \"object\", required = [\"text\"] }\n" + upper,
			options: host.Options{Input: event.Text("x"), HasInput: true}, code: "invalid_input", says: []string{`workflow "w"`, "object"}},
		"no input where one is needed": {
			text: "[input]\nschema = { type = \"string\" }\n" + upper, code: "invalid_input", says: []string{"needs an input", "no default"}},
		"bad run id": {
			text: upper, options: host.Options{RunID: "../x"}, code: "bad_run_id", says: []string{`"../x"`, "1 to 128"}},
		"run id of a dot": {
			text: upper, options: host.Options{RunID: "."}, code: "bad_run_id", says: []string{`"."`, "dots alone"}},
		"run id of dots": {
			text: upper, options: host.Options{RunID: "..."}, code: "bad_run_id", says: []string{`"..."`, "dots alone"}},
		"secret not there": {
			text: "[secrets]\nkey = { env = \"NO_SUCH\" }\n[plugins.up]\nsource = \"builtin:uppercase\"\nallow = { secrets = [\"key\"] }\n[nodes.up]\nplugin = \"up\"\n",
			code: "missing_secret", says: []string{`secret "key"`, "NO_SUCH", "optional"}},
		"setting not there": {
			text: "[plugins.up]\nsource = \"builtin:uppercase\"\nconfig = { a = { env = \"NO_SUCH\" } }\n[nodes.up]\nplugin = \"up\"\n",
			code: "bad_setting", says: []string{"plugins.up.config.a", "NO_SUCH", "default"}},
		"approval": {
			text: upper + "[nodes.ok]\napproval = \"Go on?\"\nneeds = [\"up\"]\n", code: "unsupported", says: []string{`node "ok"`, "approval", "not started"}},
		"a registry": {
			text: "[plugins.up]\nsource = \"oci://example.com/up:1\"\nsha256 = \"" + strings.Repeat("0", 64) + "\"\n[nodes.up]\nplugin = \"up\"\n",
			code: "unsupported", says: []string{"oci://example.com/up:1", "not started"}},
		"a signature": {
			text: "[plugins.up]\nsource = \"builtin:uppercase\"\npublic_key = \"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\"\n[nodes.up]\nplugin = \"up\"\n",
			code: "unsupported", says: []string{"public_key", "sha256", "not started"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := load(t, h, c.text)
			r, err := h.Start(t.Context(), w, c.options)
			var e *event.Error
			if !errors.As(err, &e) || e.Code != c.code {
				t.Fatalf("run %v, error %v; want code %s", r, err, c.code)
			}
			for _, s := range c.says {
				if !strings.Contains(e.Message, s) {
					t.Errorf("message %q does not say %q", e.Message, s)
				}
			}
		})
	}
}

// A secret too short to be masked keeps the run from starting, and is not told.
func TestShortSecret(t *testing.T) {
	h := open(t, map[string]string{"SHORT": "fewer"})
	w := load(t, h, "[secrets]\nkey = { env = \"SHORT\" }\n[plugins.up]\nsource = \"builtin:uppercase\"\nallow = { secrets = [\"key\"] }\n[nodes.up]\nplugin = \"up\"\n")
	_, err := h.Start(t.Context(), w, host.Options{Input: event.Text("x"), HasInput: true})
	wantCode(t, err, "bad_secret")
	if !strings.Contains(err.Error(), "values of fewer than 8") {
		t.Errorf("%v", err)
	}
}

func TestCancel(t *testing.T) {
	env := map[string]string{}
	h := open(t, env)
	w, asked := slow(t, h, env)
	r, err := h.Start(t.Context(), w, host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	<-asked
	r.Cancel(errors.New("enough"))
	result := wait(t, r)
	if result.Status != event.Cancelled || result.Error == nil || !strings.Contains(result.Error.Message, "enough") {
		t.Errorf("%s, %+v", result.Status, result.Error)
	}
	if m := h.Metrics(w); m.CancelledExecutions != 1 || m.SuccessRatePercent != 100 {
		t.Errorf("metrics %+v", m)
	}
}

// The caller's context starts a run and does not end it.
func TestStartContextDoesNotEndTheRun(t *testing.T) {
	h := open(t, nil)
	w := load(t, h, upper)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := h.Start(ctx, w, host.Options{Input: event.Text("a"), HasInput: true})
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	if result := wait(t, r); result.Status != event.Succeeded {
		t.Errorf("%s, %+v", result.Status, result.Error)
	}
}

func TestRunID(t *testing.T) {
	env := map[string]string{}
	h := open(t, env)
	w, asked := slow(t, h, env)
	first, err := h.Start(t.Context(), w, host.Options{RunID: "one"})
	if err != nil {
		t.Fatal(err)
	}
	<-asked
	again, err := h.Start(t.Context(), w, host.Options{RunID: "one"})
	if err != nil || again != first {
		t.Errorf("the same run once more: %v, %v; want the run that is there", again, err)
	}
	_, err = h.Start(t.Context(), w, host.Options{RunID: "one", Input: event.Text("other"), HasInput: true})
	var e *event.Error
	if !errors.As(err, &e) || e.Code != "run_conflict" {
		t.Errorf("another input under the same id: %v, want run_conflict", err)
	}
	first.Cancel(nil)
	wait(t, first)
}

// A home that cannot be written to costs the cache, not the run.
func TestNoPlaceForTheCache(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", file)
	h, err := host.Open(t.Context(), host.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(t.Context())
	p, err := h.Plugin(t.Context(), host.PluginOptions{Source: "../examples/quickstart/reader.wasm"})
	if err != nil {
		t.Fatal(err)
	}
	if r := p.Call(t.Context(), "run", event.Text("one two"), 0); r.Error != nil {
		t.Error(r.Error)
	}
}

// Close ends what is left and starts nothing new.
func TestClose(t *testing.T) {
	env := map[string]string{}
	h := open(t, env)
	w, asked := slow(t, h, env)
	r, err := h.Start(t.Context(), w, host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if result := wait(t, r); result.Status != event.Cancelled {
		t.Errorf("status %s, want cancelled", result.Status)
	}
	if _, err := h.Start(t.Context(), w, host.Options{}); !errors.Is(err, host.ErrClosed) {
		t.Errorf("a start after Close: %v, want ErrClosed", err)
	}
}

// A program that loads again and again gives back what it no longer needs, and
// a workflow that is still wanted can be started afterwards.
func TestUnload(t *testing.T) {
	h := open(t, nil)
	for range 3 {
		w := load(t, h, upper)
		for range 2 {
			r, err := h.Start(t.Context(), w, host.Options{Input: event.Text("a"), HasInput: true})
			if err != nil {
				t.Fatal(err)
			}
			if result := wait(t, r); result.Status != event.Succeeded {
				t.Fatalf("%s, %+v", result.Status, result.Error)
			}
			h.Unload(t.Context(), w)
		}
	}
}

func TestLoadFindsEverything(t *testing.T) {
	h := open(t, nil)
	file := filepath.Join(t.TempDir(), "bad.toml")
	if err := os.WriteFile(file, []byte("version = 1\nname = \"bad\"\n[plugins.p]\nsource = \"builtin:uppercse\"\n[nodes.a]\nplugin = \"q\"\nneeds = [\"b\"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w, findings, err := h.Load(t.Context(), file)
	if w != nil || !errors.Is(err, host.ErrInvalid) || len(findings) < 3 {
		t.Fatalf("workflow %v, error %v, %d findings: %+v", w, err, len(findings), findings)
	}
}

func TestPluginCall(t *testing.T) {
	h := open(t, nil)
	p, err := h.Plugin(t.Context(), host.PluginOptions{Source: "builtin:uppercase"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context())
	if r := p.Call(t.Context(), "", event.Text("hello"), 5*time.Second); r.Error != nil || r.Output.String() != "HELLO" || r.Digest == "" {
		t.Errorf("%+v", r)
	}
	if r := p.Call(t.Context(), "rum", event.Text("hello"), 0); r.Error == nil || r.Error.Code != "missing_export" || !strings.Contains(r.Error.Message, `"run"`) {
		t.Errorf("a function that is not there: %+v; want missing_export with a hint", r.Error)
	}
	if _, err := h.Plugin(t.Context(), host.PluginOptions{Source: "builtin:nothing"}); err == nil {
		t.Error("an unknown builtin was loaded")
	}
}

// A function that says that its output is bytes gets it handed on in base64,
// whatever the bytes look like.
func TestBinaryOutput(t *testing.T) {
	module, err := os.ReadFile("../examples/quickstart/reader.wasm")
	if err != nil {
		t.Fatal(err)
	}
	const name, describe = "describe", `{"functions":{"frame":{"output":{"type":"string","contentEncoding":"base64"}}}}`
	section := append([]byte{byte(len(name))}, name+describe...)
	file := filepath.Join(t.TempDir(), "described.wasm")
	if err := os.WriteFile(file, append(append(module, 0, byte(len(section))), section...), 0o644); err != nil {
		t.Fatal(err)
	}
	h := open(t, nil)
	p, err := h.Plugin(t.Context(), host.PluginOptions{Source: file})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context())
	if r := p.Call(t.Context(), "frame", event.Text("a"), 0); r.Error != nil || r.Output.String() != "4pWt4pSA4pSA4pSA4pWuCuKUgiBhIOKUggrilbDilIDilIDilIDila8=" {
		t.Errorf("%s, %v", r.Output, r.Error)
	}
	if r := p.Call(t.Context(), "run", event.Text("a"), 0); r.Error != nil || !strings.HasPrefix(r.Output.String(), `{"words":1`) {
		t.Errorf("%s, %v", r.Output, r.Error)
	}
}
