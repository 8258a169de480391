package plugin

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"wasmhost/host/internal/module"
)

// BenchmarkPrepare is what has to be done before a Go-built guest can be
// called: reading, checking and rewriting it (prepare), and all of it with
// compiling (load), each with nothing at hand and with everything in the cache
// on disk. In sizes of the module: x-allocated is all that was allocated on the
// way, x-peak by how much the process had grown at its largest.
func BenchmarkPrepare(b *testing.B) {
	wasm, err := os.ReadFile("../../../plugins/uppercase.wasm")
	if err != nil {
		b.Fatal(err)
	}
	megabytes := float64(len(wasm)) / 1e6
	digest := sha256.Sum256(wasm)
	measure := func(name string, once func(b *testing.B) error) {
		b.Run(name, func(b *testing.B) {
			if err := once(b); err != nil { // fills the cache where there is one
				b.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for b.Loop() {
				if err := once(b); err != nil {
					b.Fatal(err)
				}
			}
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/float64(len(wasm)), "x-allocated")
			b.ReportMetric(megabytes, "MB-module")
			if grown, ok := peak(func() error { return once(b) }); ok {
				b.ReportMetric(float64(grown)/float64(len(wasm)), "x-peak")
			}
		})
	}
	measure("prepare/uncached", func(*testing.B) error {
		_, err := module.Prepare(wasm, module.Options{})
		return err
	})
	cache, err := module.OpenCache(filepath.Join(b.TempDir(), "prepared"))
	if err != nil {
		b.Fatal(err)
	}
	measure("prepare/cached", func(*testing.B) error {
		_, err := cache.Prepare(digest, wasm, module.Options{})
		return err
	})

	load := func(b *testing.B, dir string) error {
		r := NewRuntime(Config{CacheDir: dir, Builtin: func(string) ([]byte, bool) { return wasm, true }})
		defer r.Close(context.Background())
		_, err := r.Load(b.Context(), Spec{Name: "guest", Source: "builtin:guest"})
		return err
	}
	measure("load/uncached", func(b *testing.B) error { return load(b, b.TempDir()) })
	measure("load/cached", func(b *testing.B) error { return load(b, compiledCode()) })
}

// peak runs f and returns by how many bytes the process grew at most meanwhile;
// false where the system does not say.
func peak(f func() error) (grown int64, ok bool) {
	debug.FreeOSMemory()
	if os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) != nil { // the peak counts from here
		return 0, false
	}
	before := status("VmRSS")
	if before == 0 || f() != nil {
		return 0, false
	}
	return status("VmHWM") - before, true
}

// status is a size of /proc/self/status in bytes, 0 where there is none.
func status(field string) int64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == field+":" {
			kib, _ := strconv.ParseInt(f[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}
