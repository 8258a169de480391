package plugins_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	extism "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"

	"wasmhost/plugins"
)

// cache keeps compiled code between the tests: a module takes a second.
var cache = wazero.NewCompilationCache()

// open makes an instance of a committed module under extism/go-sdk: a host that
// knows nothing of ours.
func open(t *testing.T, name string, config map[string]string, hosts ...string) *extism.Plugin {
	t.Helper()
	module, ok := plugins.Module(name)
	if !ok {
		t.Fatalf("no module %q", name)
	}
	p, err := extism.NewPlugin(t.Context(), extism.Manifest{
		Wasm: []extism.Wasm{extism.WasmData{Data: module}}, Config: config, AllowedHosts: hosts, Timeout: 20_000,
	}, extism.PluginConfig{
		EnableWasi: true, EnableHttpResponseHeaders: true,
		RuntimeConfig: wazero.NewRuntimeConfig().WithCompilationCache(cache),
		ModuleConfig:  wazero.NewModuleConfig().WithSysWalltime().WithSysNanotime(),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.Background()) })
	return p
}

// compact makes outputs comparable whatever their spaces.
func compact(t *testing.T, text string) string {
	t.Helper()
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

// TestModules runs every committed module once for success and once for
// failure. What the plugins can do in detail is tested beside their sources.
func TestModules(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.Contains(string(body), "too fast"):
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(http.StatusTooManyRequests)
			io.WriteString(w, `{"error":{"message":"slow down"}}`)
		case r.URL.Path == "/v1/chat/completions":
			io.WriteString(w, `{"model":"m-1","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`)
		case r.URL.Path == "/v1/models":
			io.WriteString(w, `{"data":[{"id":"m"}]}`)
		case r.URL.Path == "/gone":
			w.WriteHeader(http.StatusGone)
		default:
			io.WriteString(w, `{"n":1}`)
		}
	}))
	defer server.Close()
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, plugin, function string
		config                 map[string]string
		input                  string
		want                   string // the whole output
		fails                  string // or a part of the error
	}{
		{name: "upper-case text", plugin: "uppercase", function: "run", input: "grün <ok>", want: "GRÜN <OK>"},
		{name: "upper-case object", plugin: "uppercase", function: "run", input: `{"text":"a&b","n":1}`, want: `{"n":1,"text":"A&B"}`},
		{name: "no text", plugin: "uppercase", function: "run", input: `{}`, fails: `"code":"bad_input"`},
		{name: "null is no text", plugin: "uppercase", function: "run", input: `null`, fails: `"code":"bad_input"`},
		{name: "null is no question", plugin: "agent", function: "run", config: map[string]string{"base_url": server.URL + "/v1", "model": "m"},
			input: `null`, fails: `"code":"bad_input"`},
		{name: "expression", plugin: "transform", function: "run", config: map[string]string{"expression": "{total: sum(data, .n)}"},
			input: `[{"n":1},{"n":2}]`, want: `{"total":3}`},
		{name: "bad expression", plugin: "transform", function: "run", input: `{"expression":"1 + nope","data":1}`, fails: "at 1:5"},
		{name: "valid", plugin: "validate", function: "run", config: map[string]string{"schema": `{"type":"integer"}`}, input: `3`,
			want: `{"data":3,"errors":[],"valid":true}`},
		{name: "strict", plugin: "validate", function: "run", config: map[string]string{"schema": `{"type":"integer"}`, "strict": "true"},
			input: `"x"`, fails: `"code":"invalid"`},
		{name: "agent", plugin: "agent", function: "run", config: map[string]string{"base_url": server.URL + "/v1", "model": "m"},
			input: "hello", want: `{"finish_reason":"stop","model":"m-1","text":"hi","usage":{"completion_tokens":2,"prompt_tokens":1,"total_tokens":3}}`},
		{name: "agent refused", plugin: "agent", function: "run", config: map[string]string{"base_url": server.URL + "/v1", "model": "m"},
			input: "too fast", fails: `"retry_after_ms":3000`},
		{name: "agent health", plugin: "agent", function: "health", config: map[string]string{"base_url": server.URL + "/v1", "model": "m"},
			want: `{"healthy":true,"model":"m","model_listed":true,"models":1,"status":200,"url":"` + server.URL + `/v1/models"}`},
		{name: "http", plugin: "http", function: "run", input: server.URL, want: `"json":{"n":1}`},
		{name: "http refused", plugin: "http", function: "run", input: server.URL + "/gone", fails: `"code":"410"`},
		{name: "http health", plugin: "http", function: "health", config: map[string]string{"health_url": server.URL},
			want: `{"healthy":true,"status":200,"url":"` + server.URL + `"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := open(t, tt.plugin, tt.config, at.Hostname())
			code, out, err := p.Call(tt.function, []byte(tt.input))
			if tt.fails != "" {
				if code == 0 || err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Fatalf("code %d, output %s, error %v; want an error with %s", code, out, err, tt.fails)
				}
				return
			}
			if err != nil || code != 0 {
				t.Fatalf("code %d: %v", code, err)
			}
			if got := compact(t, string(out)); got != tt.want && !(tt.plugin == "http" && strings.Contains(got, tt.want)) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestDescribe: the custom section and the export say the same.
func TestDescribe(t *testing.T) {
	for _, name := range plugins.Names() {
		t.Run(name, func(t *testing.T) {
			module, _ := plugins.Module(name)
			_, exported, err := open(t, name, nil).Call("describe", nil)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(string(module), "describe"+string(exported)) {
				t.Error("the module does not end with a custom section `describe` that is what its export says")
			}
			var d struct {
				Name      string
				Functions map[string]any
			}
			if err := json.Unmarshal(exported, &d); err != nil {
				t.Fatal(err)
			}
			if d.Name != name || d.Functions["run"] == nil || d.Functions["health"] == nil {
				t.Errorf("described as %s", exported)
			}
		})
	}
}

// TestBadInput: nothing a caller can send makes a module trap; a host that cannot
// tell a trap from an answer would keep a broken instance.
func TestBadInput(t *testing.T) {
	inputs := []string{"", " ", "null", "[]", "{}", "7", `"x"`, "{", "\xff\xfe", `{"schema":{},"data":null}`, `{"expression":"data","data":{}}`, `{"prompt":7}`, `{"url":"ftp://x"}`}
	for _, name := range plugins.Names() {
		p := open(t, name, nil)
		for _, input := range inputs {
			if name == "uppercase" && input != "null" && !strings.HasPrefix(strings.TrimSpace(input), "{") {
				continue // any text will do
			}
			code, out, err := p.Call("run", []byte(input))
			if err == nil && code == 0 {
				continue // it was an input after all
			}
			if err == nil || !json.Valid([]byte(err.Error())) {
				t.Errorf("%s of %q: code %d, output %q, error %v: not an error of the plugin's own", name, input, code, out, err)
			}
		}
	}
}

func TestNames(t *testing.T) {
	if got := strings.Join(plugins.Names(), " "); got != "agent http transform uppercase validate" {
		t.Errorf("Names() = %s", got)
	}
	if _, ok := plugins.Module("nope"); ok {
		t.Error("Module found a plugin that does not exist")
	}
}

// BenchmarkCompile is what a first start costs without a compile cache.
func BenchmarkCompile(b *testing.B) {
	for _, name := range plugins.Names() {
		module, _ := plugins.Module(name)
		b.Run(name, func(b *testing.B) {
			b.ReportMetric(float64(len(module))/(1<<20), "MiB")
			for b.Loop() {
				r := wazero.NewRuntime(b.Context())
				if _, err := r.CompileModule(b.Context(), module); err != nil {
					b.Fatal(err)
				}
				r.Close(b.Context())
			}
		})
	}
}

// BenchmarkCall is a new instance and its first call, code compiled.
func BenchmarkCall(b *testing.B) {
	for _, tt := range []struct {
		name, input string
		config      map[string]string
	}{
		{"uppercase", "hello", nil},
		{"transform", `{"a":1}`, map[string]string{"expression": "data.a + 1"}},
		{"validate", `{"a":1}`, map[string]string{"schema": `{"type":"object","required":["a"]}`}},
	} {
		module, _ := plugins.Module(tt.name)
		compiled, err := extism.NewCompiledPlugin(b.Context(), extism.Manifest{Wasm: []extism.Wasm{extism.WasmData{Data: module}}, Config: tt.config},
			extism.PluginConfig{EnableWasi: true, RuntimeConfig: wazero.NewRuntimeConfig().WithCompilationCache(cache)}, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(tt.name, func(b *testing.B) {
			for b.Loop() {
				p, err := compiled.Instance(b.Context(), extism.PluginInstanceConfig{})
				if err != nil {
					b.Fatal(err)
				}
				if _, _, err := p.Call("run", []byte(tt.input)); err != nil {
					b.Fatal(err)
				}
				p.Close(b.Context())
			}
		})
		compiled.Close(b.Context())
	}
}
