package pluginsdk_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	extism "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"
)

// The tests below run guests in a module under extism/go-sdk: a host that this
// package does not know.

// module builds a guest once.
var module = func() func(t testing.TB, name string) []byte {
	var mu sync.Mutex
	built := map[string][]byte{}
	return func(t testing.TB, name string) []byte {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if m := built[name]; m != nil {
			return m
		}
		// Read here too, so that go test knows what its cached answer depends on.
		if _, err := os.ReadFile("testdata/" + name + "/main.go"); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), name+".wasm")
		cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, "./testdata/"+name)
		cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building the guest %s: %v\n%s", name, err, said)
		}
		m, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		built[name] = m
		return m
	}
}()

var compiled = wazero.NewCompilationCache()

func guest(t *testing.T, name string, timeout time.Duration, config map[string]string, hosts ...string) *extism.Plugin {
	t.Helper()
	p, err := extism.NewPlugin(t.Context(), extism.Manifest{
		Wasm:   []extism.Wasm{extism.WasmData{Data: module(t, name)}},
		Config: config, AllowedHosts: hosts, Timeout: uint64(timeout.Milliseconds()),
	}, extism.PluginConfig{
		EnableWasi: true, EnableHttpResponseHeaders: true,
		RuntimeConfig: wazero.NewRuntimeConfig().WithCompilationCache(compiled),
		ModuleConfig:  wazero.NewModuleConfig().WithSysWalltime().WithSysNanotime(),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.Background()) })
	return p
}

const ample = 20 * time.Second

func call(t *testing.T, p *extism.Plugin, function, input string) string {
	t.Helper()
	code, out, err := p.Call(function, []byte(input))
	if err != nil || code != 0 {
		t.Fatalf("%s: code %d, error %v", function, code, err)
	}
	return string(out)
}

func TestGuest(t *testing.T) {
	end := strconv.FormatInt(time.Now().Add(time.Minute).UnixMilli(), 10)
	p := guest(t, "guest", ample, map[string]string{"model": "mödel", "secret.key": "s3cret", "host.run_id": "r", "host.attempt": "2", "host.deadline_ms": end})
	for _, tt := range []struct{ function, input, want string }{
		{"look", `{"text":"hi"}`, `{"config":"mödel","missing":true,"secret":"s3cret","run_id":"r","attempt":2,"deadline":true,"text":"hi"}`},
		{"count", "", "1"}, {"count", "", "2"}, {"count", "", "3"}, {"count", "", "1"},
		{"fail", "", ""},
		{"health", "", `{"healthy":true,"n":1}`},
		{"describe", "", `{"name":"guest","functions":{"look":{"description":"looks","input":{"properties":{"text":{"type":"string"}},"required":["text"],"type":"object"},` +
			`"output":{"properties":{"attempt":{"type":"integer"},"config":{"type":"string"},"deadline":{"type":"boolean"},"missing":{"type":"boolean"},"run_id":{"type":"string"},"secret":{"type":"string"},"text":{"type":"string"}},` +
			`"required":["config","missing","secret","run_id","attempt","deadline","text"],"type":"object"}}}}`},
	} {
		if got := call(t, p, tt.function, tt.input); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.function, got, tt.want)
		}
	}
}

func TestGuestFails(t *testing.T) {
	p := guest(t, "guest", ample, nil)
	for _, tt := range []struct{ function, input, want string }{
		{"fail", "wait", `{"class":"transient","code":"busy","message":"später","retry_after_ms":2000}`},
		{"fail", "panic", `{"class":"system","code":"panic","message":"the plugin panicked: assignment to entry in nil map"}`},
		{"fail", "nil", `{"class":"system","code":"panic","message":"the plugin panicked: runtime error: invalid memory address or nil pointer dereference"}`},
		{"look", "]", `{"class":"permanent","code":"bad_input","message":"the input is no JSON: invalid character ']' looking for beginning of value, at byte 1"}`},
	} {
		code, _, err := p.Call(tt.function, []byte(tt.input))
		if code != 1 || err == nil || err.Error() != tt.want {
			t.Errorf("%s: code %d, got %v, want %s", tt.function, code, err, tt.want)
		}
		if got := call(t, p, "echo", "still there"); got != "still there" {
			t.Errorf("after a failure: %s", got)
		}
	}
	// A host that knows no warnings sees an error, with code 0 and the output.
	code, out, err := p.Call("warn", nil)
	if code != 0 || string(out) != "x" || err == nil || err.Error() != `{"class":"warning","code":"part","message":"half"}` {
		t.Errorf("warning: code %d, output %q, %v", code, out, err)
	}
}

func TestGuestPayloads(t *testing.T) {
	p := guest(t, "guest", ample, nil)
	for _, n := range []int{0, 1, 7, 8, 9, 15, 16, 1 << 20} {
		input := make([]byte, n)
		for i := range input {
			input[i] = byte(i*7 + i>>8)
		}
		if got := call(t, p, "echo", string(input)); !bytes.Equal([]byte(got), input) {
			t.Errorf("%d bytes came back as %d others", n, len(got))
		}
	}
	raw := guest(t, "raw", ample, nil)
	if got := call(t, raw, "run", "no json"); got != "NO JSON" {
		t.Error(got)
	}
}

func TestGuestHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Answer", "42")
		w.Header().Set("Retry-After", "7")
		if r.URL.Path == "/busy" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		io.WriteString(w, r.Method+" "+r.Header.Get("X-A")+" "+r.Header.Get("X-B")+" "+string(body))
	}))
	defer server.Close()
	p := guest(t, "guest", ample, nil, "127.0.0.1")
	if got, want := call(t, p, "get", server.URL), `200 42 POST "a" b body`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	_, _, err := p.Call("get", []byte(server.URL+"/busy"))
	if want := `{"class":"transient","code":"503","message":"the server answered 503","retry_after_ms":7000}`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestGuestLogs(t *testing.T) {
	p := guest(t, "guest", ample, nil)
	var lines []string
	p.SetLogger(func(level extism.LogLevel, message string) {
		if !strings.HasPrefix(message, "Calling function") {
			lines = append(lines, level.String()+": "+message)
		}
	})
	extism.SetLogLevel(extism.LogLevelWarn) // of the process; nothing else here logs
	call(t, p, "log", "x")
	if want := []string{"WARN: warn x", "ERROR: error x"}; !slices.Equal(lines, want) {
		t.Errorf("got %q, want %q", lines, want)
	}
	lines = nil
	extism.SetLogLevel(extism.LogLevelDebug)
	call(t, p, "log", "y")
	if want := []string{"DEBUG: debug y", "INFO: info y", "WARN: warn y", "ERROR: error y"}; !slices.Equal(lines, want) {
		t.Errorf("got %q, want %q", lines, want)
	}
}

// A module is a Go program with its own scheduler; the host ends it all the
// same.
func TestGuestTimeout(t *testing.T) {
	p := guest(t, "guest", 200*time.Millisecond, nil)
	if _, _, err := p.Call("spin", nil); err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Errorf("a guest that spins ended with %v", err)
	}
}

// BenchmarkGuest is what a call costs that does next to nothing.
func BenchmarkGuest(b *testing.B) {
	p, err := extism.NewPlugin(b.Context(), extism.Manifest{Wasm: []extism.Wasm{extism.WasmData{Data: module(b, "raw")}}}, extism.PluginConfig{EnableWasi: true}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close(context.Background())
	for _, n := range []int{10, 1 << 10, 1 << 20} {
		input := bytes.Repeat([]byte("x"), n)
		b.Run(sizeName(n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				if _, _, err := p.Call("run", input); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func sizeName(n int) string {
	switch {
	case n >= 1<<20:
		return "1MiB"
	case n >= 1<<10:
		return "1KiB"
	}
	return "10B"
}
