package module

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// slice is what the tests grant between two yields: a few tenths of a
// millisecond of ordinary code.
const slice = 1_000_000

// allFeatures is what a host has to switch on.
const allFeatures = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

// politeYield is what a host does when a slice is over.
func politeYield(ctx context.Context, _ api.Module, _ int64) int64 {
	if err := ctx.Err(); err != nil {
		panic(err)
	}
	runtime.Gosched()
	return slice
}

// lacks ends a test whose toolchain is missing: CI skips nothing, a person's
// machine may.
func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal("NOT TESTED: " + what)
	}
	t.Skip("NOT TESTED: " + what)
}

// buildC compiles a C source to a WASI reactor, or ends the test.
func buildC(t testing.TB, source string, flags ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("clang"); err != nil {
		lacks(t, "clang is not installed")
	}
	dir := t.TempDir()
	object, out := filepath.Join(dir, "o.o"), filepath.Join(dir, "o.wasm")
	run := func(args ...string) {
		if b, err := exec.Command("clang", args...).CombinedOutput(); err != nil {
			lacks(t, fmt.Sprintf("clang cannot build for wasm32-wasi: %v\n%s", err, b))
		}
	}
	run(append([]string{"--target=wasm32-wasi", "-O2", "-mbulk-memory", "-c", "-o", object, source}, flags...)...)
	run("--target=wasm32-wasi", "-mexec-model=reactor", "-Wl,--strip-all", "-o", out, object)
	return readFile(t, out)
}

// buildGo compiles a Go main package to a WASI reactor.
func buildGo(t testing.TB, dir string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "o.wasm")
	c := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-buildmode=c-shared", "-o", out, ".")
	c.Dir, c.Env = dir, append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if b, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, b)
	}
	return readFile(t, out)
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// programs are the real programs of the repository, and those of a directory
// named by MODULE_PROGRAMS: modules that export run(i32) -> i32.
func programs(t testing.TB) (names []string, modules map[string][]byte) {
	modules = map[string][]byte{}
	add := func(name string, b []byte) {
		names = append(names, name)
		modules[name] = b
	}
	if dir := os.Getenv("MODULE_PROGRAMS"); dir != "" {
		files, _ := filepath.Glob(filepath.Join(dir, "*.wasm"))
		for _, f := range files {
			add(strings.TrimSuffix(filepath.Base(f), ".wasm"), readFile(t, f))
		}
		return names, modules
	}
	for _, n := range []string{"sort", "recurse", "tight"} {
		add(n, buildC(t, "testdata/bench/"+n+".c"))
	}
	add("tight-simd", buildC(t, "testdata/bench/tight.c", "-O3", "-msimd128"))
	add("go", buildGo(t, "testdata/bench/prog"))
	return names, modules
}

// program is an instance of one of them.
type program struct {
	run  api.Function
	left api.MutableGlobal
}

func load(t testing.TB, b []byte, closeOnDone bool) (*program, func()) {
	t.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().
		WithCoreFeatures(allFeatures).WithCloseOnContextDone(closeOnDone))
	wasi_snapshot_preview1.MustInstantiate(ctx, rt)
	// Without Gosched, which on a goroutine locked to its thread, as here, is
	// a hundred times as dear as in a host.
	provideYield(t, rt, func(ctx context.Context, _ api.Module, _ int64) int64 {
		if err := ctx.Err(); err != nil {
			panic(err)
		}
		return slice
	})
	m, err := rt.InstantiateWithConfig(ctx, b, wazero.NewModuleConfig().WithStartFunctions("_initialize").WithName(""))
	if err != nil {
		t.Fatal(err)
	}
	p := &program{run: m.ExportedFunction("run")}
	p.left, _ = m.ExportedGlobal(LeftExport).(api.MutableGlobal)
	return p, func() { rt.Close(ctx) }
}

// TestProgramsMetered runs real programs plain and prepared: same answers.
func TestProgramsMetered(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	names, modules := programs(t)
	for _, name := range names {
		plain, done := load(t, modules[name], false)
		defer done()
		metered, done := load(t, prepare(t, modules[name]), false)
		defer done()
		if a, b := call(t, plain, 1), call(t, metered, 1); a != b {
			t.Errorf("%s: plain %d, prepared %d", name, a, b)
		}
	}
}

func prepare(t testing.TB, b []byte) []byte {
	t.Helper()
	p, err := Prepare(b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p.Bytes
}

// BenchmarkMetering reports what metering costs real programs, and what wazero's
// own way of stopping does, as multiples of the time without any check.
// bench/metering builds more programs than the repository has, and prints it.
func BenchmarkMetering(b *testing.B) {
	names, modules := programs(b)
	for _, name := range names {
		b.Run(name, func(b *testing.B) {
			plain, done := load(b, modules[name], false)
			defer done()
			metered, done := load(b, prepare(b, modules[name]), false)
			defer done()
			closing, done := load(b, modules[name], true)
			defer done()
			if x, y := call(b, plain, 3), call(b, metered, 3); x == 0 || x != y {
				b.Fatalf("plain %d, prepared %d", x, y)
			}
			for b.Loop() {
				best := costs(b, plain, metered, closing)
				b.ReportMetric(best[0].Seconds()*1e3, "plain-ms")
				b.ReportMetric(float64(best[1])/float64(best[0]), "x-metered")
				b.ReportMetric(float64(best[2])/float64(best[0]), "x-closing")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func call(t testing.TB, p *program, n uint64) uint64 {
	t.Helper()
	r, err := p.run.Call(context.Background(), n)
	if err != nil {
		t.Fatal(err)
	}
	return r[0]
}

// costs measures rounds of all three, taken in turns, and returns the best of
// each, which a busy machine disturbs least.
func costs(b *testing.B, plain, metered, closing *program) [3]time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	turns := uint64(1)
	for {
		begin := threadTime()
		call(b, plain, turns)
		if threadTime()-begin > 10*time.Millisecond {
			break
		}
		turns *= 2
	}
	best := [3]time.Duration{time.Hour, time.Hour, time.Hour}
	for round := range 60 {
		for i, p := range []*program{plain, metered, closing} {
			if i == 2 && round >= 10 {
				continue
			}
			begin := threadTime()
			call(b, p, turns)
			best[i] = min(best[i], threadTime()-begin)
		}
	}
	return best
}
