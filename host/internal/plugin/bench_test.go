package plugin

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	extism "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"

	"wasmhost/host/internal/module"
)

// benchGuest is the path of a guest of the benchmarks: "small" is of C, "go" is
// built here with the plain Go toolchain. Both answer with their input (echo),
// or do nothing (nothing).
func benchGuest(b *testing.B, name string) string {
	b.Helper()
	if name == "small" {
		return guests + "/probe.wasm"
	}
	path, err := goEcho()
	if err != nil {
		b.Fatal(err)
	}
	return path
}

// goEcho builds the guest beside the compiled code, which TestMain takes away.
var goEcho = sync.OnceValues(func() (string, error) {
	dir := compiledCode()
	path := filepath.Join(dir, "goecho.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, ".")
	build.Dir, build.Env = guests+"/goecho", append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

var benchWorks = []struct {
	name, guest, function string
	bytes                 int
}{
	{"nothing", "small", "nothing", 0},
	{"nothing", "go", "nothing", 0},
	{"echo-1K", "small", "echo", 1 << 10},
	{"echo-1K", "go", "echo", 1 << 10},
	{"echo-64K", "small", "echo", 64 << 10},
	{"echo-64K", "go", "echo", 64 << 10},
}

// BenchmarkCalls is one call with a deadline, as WORK/GUEST/WHO: our own, with
// clean state (call), with a new instance (instance) and with a warm one
// (never), beside go-sdk's warm call with its timeout, and for the call that
// does nothing a bare function of wazero. bench/calls puts it side by side.
func BenchmarkCalls(b *testing.B) {
	for _, w := range benchWorks {
		input := []byte(strings.Repeat("x", w.bytes))
		for _, reset := range []string{ResetNever, ResetCall, ResetInstance} {
			b.Run(w.name+"/"+w.guest+"/"+reset, func(b *testing.B) {
				p := benchPlugin(b, benchGuest(b, w.guest), reset)
				call := Call{Function: w.function, Input: input}
				ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
				defer cancel()
				measure(b, func() (int, error) {
					a, err := p.Call(ctx, call)
					return len(a.Output), err
				}, len(input))
			})
		}
		b.Run(w.name+"/"+w.guest+"/go-sdk", func(b *testing.B) {
			m := extism.Manifest{Wasm: []extism.Wasm{extism.WasmFile{Path: benchGuest(b, w.guest)}}, Timeout: 3_600_000}
			p, err := extism.NewPlugin(b.Context(), m, extism.PluginConfig{EnableWasi: true}, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close(context.Background())
			measure(b, func() (int, error) {
				_, out, err := p.Call(w.function, input)
				return len(out), err
			}, len(input))
		})
	}
	b.Run("nothing/small/wazero", func(b *testing.B) { benchBare(b, wazero.NewRuntimeConfig()) })
	b.Run("nothing/small/wazero-deadline", func(b *testing.B) { benchBare(b, wazero.NewRuntimeConfig().WithCloseOnContextDone(true)) })
}

// measure times calls that answer with so many bytes. The first few, which make
// instances, are not counted.
func measure(b *testing.B, call func() (int, error), bytes int) {
	once := func() {
		if n, err := call(); err != nil || n != bytes {
			b.Fatal(n, err)
		}
	}
	for range 5 {
		once()
	}
	b.ReportAllocs()
	for b.Loop() {
		once()
	}
}

// bare is (module (func (export "run"))).
const bare = "\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x07\x07\x01\x03run\x00\x00\x0a\x04\x01\x02\x00\x0b"

func benchBare(b *testing.B, config wazero.RuntimeConfig) {
	rt := wazero.NewRuntimeWithConfig(b.Context(), config)
	defer rt.Close(context.Background())
	m, err := rt.Instantiate(b.Context(), []byte(bare))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	run := m.ExportedFunction("run")
	b.ReportAllocs()
	for b.Loop() {
		if err := run.CallWithStack(ctx, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func benchPlugin(b *testing.B, path, reset string) *Plugin {
	b.Helper()
	wasm, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	r := NewRuntime(Config{CacheDir: compiledCode(), Builtin: func(string) ([]byte, bool) { return wasm, true }})
	b.Cleanup(func() { r.Close(context.Background()) })
	p, err := r.Load(b.Context(), Spec{Name: "guest", Source: "builtin:guest", Reset: reset})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// BenchmarkIdle reports what an instance holds while it waits for its next call:
// of Go's heap, and of the machine's memory in all, which counts pages only that
// were written to (0 where the system does not say); beside it, how large the
// memory is that its module declares.
func BenchmarkIdle(b *testing.B) {
	for _, name := range []string{"small", "go"} {
		b.Run(name, func(b *testing.B) {
			path := benchGuest(b, name)
			p := benchPlugin(b, path, ResetCall)
			const n = 64
			heap := func() uint64 {
				debug.FreeOSMemory()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			for b.Loop() {
				made := make([]*instance, n)
				before, resident := heap(), status("VmRSS")
				for i := range made {
					made[i] = newInstance(p)
					e, _ := p.exports.entry("nothing")
					made[i].serve(b.Context(), e, &Call{})
				}
				b.ReportMetric(float64(heap()-before)/n/1024, "KiB-heap")
				b.ReportMetric(float64(status("VmRSS")-resident)/n/1024, "KiB-resident")
				for _, in := range made {
					in.close()
				}
			}
			wasm, err := os.ReadFile(path)
			if err != nil {
				b.Fatal(err)
			}
			info, err := module.Check(wasm, module.Limits{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(info.Memory.Min)*64, "KiB-own")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkKill reports how long after its deadline a call that will not end
// has ended.
func BenchmarkKill(b *testing.B) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	r := NewRuntime(Config{CacheDir: compiledCode()})
	defer r.Close(context.Background())
	path, err := filepath.Abs(guests)
	if err != nil {
		b.Fatal(err)
	}
	p, err := r.Load(b.Context(), Spec{Name: "guest", Source: "probe.wasm", Dir: path, Allow: Allow{HTTP: []string{server.URL}}})
	if err != nil {
		b.Fatal(err)
	}
	for _, function := range []string{"spin", "tree", "fill", "sleep", "http"} {
		c := Call{Function: function}
		if function == "http" {
			c.Input = []byte(`{"url":"` + server.URL + `/"}`)
		}
		b.Run(function, func(b *testing.B) {
			var late []float64
			for b.Loop() {
				deadline := time.Now().Add(5 * time.Millisecond)
				ctx, cancel := context.WithDeadline(b.Context(), deadline)
				if _, err := p.Call(ctx, c); err == nil {
					b.Fatal("it ended by itself")
				}
				late = append(late, float64(time.Since(deadline))/1e6)
				cancel()
			}
			slices.Sort(late)
			b.ReportMetric(late[len(late)/2], "p50-ms")
			b.ReportMetric(late[len(late)*99/100], "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
