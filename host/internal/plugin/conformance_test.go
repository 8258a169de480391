package plugin

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	extism "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"

	"wasmhost/bench/gotest"
	"wasmhost/host/event"
)

// conformCase is one call that extism/go-sdk and we both make, with modules of
// its own test corpus.
type conformCase struct {
	modules, function, input string // several modules, main last
	config                   map[string]string
	shown                    bool // a folder with test.txt at /mnt, for reading
	writable                 bool
	// differs says why we answer otherwise; "" means that we must not.
	differs string
}

const user = "host functions of an embedding program are not offered to plugins; the module is refused when it is loaded"

var conformCases = []conformCase{
	{modules: "alloc", function: "run_test"},
	{modules: "alloc", function: "i_dont_exist"},
	{modules: "config", function: "run_test", config: map[string]string{"thing": "hello"}},
	{modules: "config", function: "run_test"},
	{modules: "count_vowels", function: "count_vowels", input: "hello world"},
	{modules: "count_vowels", function: "count_vowels"},
	{modules: "count_vowels", function: "count_vowels", input: strings.Repeat("aeiou bcd", 5000)},
	{modules: "count_vowels_std", function: "_start", input: "hello world"},
	{modules: "exit", function: "_start", config: map[string]string{"code": "0"}},
	{modules: "exit", function: "_start", config: map[string]string{"code": "1"}},
	{modules: "exit", function: "_start", config: map[string]string{"code": "-1"}},
	{modules: "exit", function: "_start"},
	{modules: "fail", function: "run_test"},
	{modules: "fs", function: "run_test", shown: true, writable: true},
	{modules: "fs", function: "run_test"},
	{modules: "fs_std", function: "run_test", shown: true, writable: true},
	{modules: "hello", function: "run_test"},
	{modules: "hello_haskell", function: "testing", input: "Ada"},
	{modules: "host", function: "run_test", differs: user},
	{modules: "host_memory", function: "run_test", input: "Frodo", differs: user},
	{modules: "host_multiple", function: "say_green", input: "John Doe", differs: user},
	{modules: "http", function: "run_test"},
	{modules: "http_headers", function: "http_get", input: `{"url":"SERVER/"}`},
	{modules: "http_headers", function: "http_get", input: `{"url":"http://example.com/"}`},
	{modules: "http_headers", function: "http_get", input: `{"url":"SERVER/away"}`, differs: "a redirect to an origin that is not allowed is refused; go-sdk follows it"},
	{modules: "input_offset", function: "input_offset_length", input: "hello world"},
	{modules: "lib main", function: "run_test", input: "benjamin"},
	{modules: "log", function: "run_test"},
	{modules: "nested.c.instr", function: "_start", differs: user},
	{modules: "noop", function: "run_test"},
	{modules: "println", function: "run_test", input: "a line"},
	{modules: "read_write", function: "try_read", shown: true, config: map[string]string{"path": "/mnt/test.txt"}},
	{modules: "read_write", function: "try_read", shown: true, config: map[string]string{"path": "/mnt/none"}},
	{modules: "read_write", function: "try_read", shown: true, config: map[string]string{"path": "/mnt/leads-out"}, differs: "a link that leads out of the folder is not followed; go-sdk follows it"},
	{modules: "read_write", function: "try_write", input: "new", shown: true, writable: true, config: map[string]string{"path": "/mnt/new.txt"}},
	{modules: "read_write", function: "try_write", input: "new", shown: true, writable: true, config: map[string]string{"path": "/mnt/test.txt"}},
	{modules: "read_write", function: "try_write", input: "new", shown: true, config: map[string]string{"path": "/mnt/test.txt"}, differs: "both refuse; ours says that the file system is read-only, go-sdk's that writing is not implemented"},
	{modules: "replace", function: "run_test", input: "this is a test of a test"},
	{modules: "sleep", function: "run_test", config: map[string]string{"duration": "0"}},
	{modules: "std_command", function: "_start", input: "ben"},
	{modules: "var", function: "run_test"},
	// go-sdk's own input limit: none, but its memory ends somewhere.
	{modules: "input_offset", function: "input_offset_length", input: strings.Repeat("x", 9<<20), differs: "input over limits.input is refused by name; go-sdk has no limit of input"},
}

// outcome is what a call came to, as far as both can be compared: what failed
// for a reason of the guest's own has its text.
type outcome struct {
	ok     bool
	output string
	text   string
}

func (o outcome) String() string {
	if o.ok {
		return fmt.Sprintf("ok %.60q", o.output)
	}
	return fmt.Sprintf("failed %.100q", o.text)
}

// TestConformance runs every module of go-sdk's corpus with go-sdk and with
// ours. With -v it prints the table.
func TestConformance(t *testing.T) {
	if raced {
		t.Skip("compiles 17 MB twice, on one goroutine")
	}
	cache, err := wazero.NewCompilationCacheWithDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close(context.Background())
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", "Thu, 01 Jan 1970 00:00:00 GMT")
		if r.URL.Path == "/away" {
			http.Redirect(w, r, strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1), http.StatusFound)
			return
		}
		fmt.Fprint(w, "body")
	}))
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections() // go-sdk's

	begin := time.Now()
	row := gotest.Row{What: "go-sdk's own test modules: ours against go-sdk", Unit: "calls"}
	covered := map[string]bool{}
	runtime := newTestRuntime(t, Config{})
	for _, c := range conformCases {
		for _, m := range strings.Fields(c.modules) {
			covered[m+".wasm"] = true
		}
		c.input = strings.ReplaceAll(c.input, "SERVER", server.URL)
		theirs := c.withSDK(t, cache, strings.TrimPrefix(server.URL, "http://"))
		ours := c.withOurs(t, runtime, server.URL)
		t.Logf("%-18s %-20s go-sdk: %-40v ours: %v", c.modules, c.function, theirs, ours)
		row.Number++
		what := fmt.Sprintf("%s %s: go-sdk %v, ours %v", c.modules, c.function, theirs, ours)
		if c.differs != "" {
			if ours == theirs {
				t.Errorf("%s %s is listed as different, but is not", c.modules, c.function)
			}
			row.Different = append(row.Different, gotest.Difference{What: what, Why: c.differs})
			continue
		}
		if ours.ok != theirs.ok || ours.output != theirs.output || theirs.text != "" && ours.text != theirs.text {
			t.Error(what)
			row.Different = append(row.Different, gotest.Difference{What: what})
		}
	}
	list, err := filepath.Glob(corpus() + "/*.wasm")
	if err != nil || len(list) < 25 {
		t.Fatal(list, err)
	}
	for _, path := range list {
		if !covered[filepath.Base(path)] {
			t.Errorf("%s is not in the table", filepath.Base(path))
		}
	}
	row.Note = fmt.Sprintf("all %d modules", len(list))
	row.Seconds = time.Since(begin).Seconds()
	row.Tell(t)
}

// withFolder makes the folder that cases see at /mnt.
func (c conformCase) withFolder(t *testing.T) string {
	dir := t.TempDir()
	write(t, dir+"/test.txt", "hello world!")
	outside := t.TempDir() + "/outside.txt"
	write(t, outside, "outside")
	if err := os.Symlink(outside, dir+"/leads-out"); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (c conformCase) withSDK(t *testing.T, cache wazero.CompilationCache, host string) outcome {
	ctx := t.Context()
	name, _, _ := strings.Cut(host, ":")
	m := extism.Manifest{Config: map[string]string{}, AllowedHosts: []string{name}}
	for k, v := range c.config {
		m.Config[k] = v
	}
	for _, name := range strings.Fields(c.modules) {
		m.Wasm = append(m.Wasm, extism.WasmFile{Path: filepath.Join(corpus(), name+".wasm"), Name: name})
	}
	if c.shown {
		dir := c.withFolder(t)
		if !c.writable {
			dir = "ro:" + dir
		}
		m.AllowedPaths = map[string]string{dir: "/mnt"}
	}
	compiled, err := extism.NewCompiledPlugin(ctx, m, extism.PluginConfig{
		EnableWasi: true, EnableHttpResponseHeaders: true,
		RuntimeConfig: wazero.NewRuntimeConfig().WithCompilationCache(cache),
	}, programFunctions(c.modules))
	if err != nil {
		return outcome{}
	}
	defer compiled.Close(ctx)
	in, err := compiled.Instance(ctx, extism.PluginInstanceConfig{ModuleConfig: wazero.NewModuleConfig().WithSysWalltime()})
	if err != nil {
		return outcome{}
	}
	defer in.Close(ctx)
	rc, out, err := in.Call(c.function, []byte(c.input))
	if err == nil && rc == 0 {
		return outcome{ok: true, output: string(out)}
	}
	o := outcome{}
	if err != nil && in.GetError() != "" {
		o.text = in.GetError()
	}
	return o
}

func (c conformCase) withOurs(t *testing.T, r *Runtime, server string) outcome {
	dir := t.TempDir()
	s := Spec{Name: "guest", Dir: dir, Source: filepath.Join(corpus(), c.modules+".wasm"), Config: c.config}
	s.Allow.HTTP = []string{server}
	if names := strings.Fields(c.modules); len(names) > 1 {
		var list []string
		for _, name := range names {
			list = append(list, fmt.Sprintf(`{"path":%q,"name":%q}`, filepath.Join(corpus(), name+".wasm"), name))
		}
		s.Source = "manifest.json"
		write(t, dir+"/manifest.json", `{"wasm":[`+strings.Join(list, ",")+`]}`)
	}
	if c.shown {
		s.Allow.FS = []Mount{{Path: c.withFolder(t), At: "/mnt", Write: c.writable}}
	}
	p, err := r.Load(t.Context(), s)
	if err != nil {
		return outcome{text: err.(*event.Error).Message}
	}
	defer p.Close(context.Background())
	a, err := p.Call(t.Context(), Call{Function: c.function, Input: []byte(c.input)})
	if err != nil {
		return outcome{text: err.(*event.Error).Message}
	}
	return outcome{ok: true, output: string(a.Output)}
}
