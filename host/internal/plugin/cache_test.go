package plugin

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// files below dir, without folders.
func filesBelow(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestDamagedCache: a damaged entry is deleted and the module compiled again.
func TestDamagedCache(t *testing.T) {
	cfg := Config{CacheDir: filepath.Join(t.TempDir(), "cache")}
	call := func() {
		t.Helper()
		r := NewRuntime(cfg)
		defer r.Close(context.Background())
		p, err := r.Load(t.Context(), guest("probe"))
		if err != nil {
			t.Fatal(err)
		}
		succeeds(t, p, "echo", "x", "x")
	}
	call()
	list := filesBelow(t, filepath.Join(cfg.CacheDir, "compiled"))
	if len(list) != 3 || filepath.Base(list[0]) != sumsFile { // the module and the kernel
		t.Fatal(list)
	}
	for _, entry := range list[1:] {
		whole := readAll(t, entry)
		call() // from the cache
		for name, damage := range map[string][]byte{
			"empty": {}, "cut": whole[:len(whole)/2], "changed": append(append([]byte{}, whole[:200]...), make([]byte, len(whole)-200)...), "other": []byte("not code at all"),
		} {
			if err := os.WriteFile(entry, damage, 0o600); err != nil {
				t.Fatal(err)
			}
			call()
			if got := readAll(t, entry); len(got) != len(whole) {
				t.Errorf("%s: the entry has %d bytes, it had %d", name, len(got), len(whole))
			}
		}
	}
}

func TestCacheIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no file modes")
	}
	dir := filepath.Join(t.TempDir(), "cache")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	loadWith(t, Config{CacheDir: dir}, guest("probe"))
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && path == dir && info.Mode().Perm() != 0o700 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCodeIsShared: plugins of the same content use the same code, and the last
// one gives it back.
func TestCodeIsShared(t *testing.T) {
	r := newTestRuntime(t, Config{})
	a, err := r.Load(t.Context(), Spec{Name: "a", Source: "probe.wasm", Dir: guests})
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.Load(t.Context(), Spec{Name: "b", Source: "probe.wasm", Dir: guests, Limits: Limits{Memory: 1 << 20}, Config: map[string]string{"k": "of b"}})
	if err != nil {
		t.Fatal(err)
	}
	if a.program != b.program {
		t.Error("compiled twice")
	}
	if &a.Module()[0] != &b.Module()[0] {
		t.Error("its bytes are held twice")
	}
	succeeds(t, a, "config", "k", "")
	succeeds(t, b, "config", "k", "of b")
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	succeeds(t, b, "echo", "x", "x")
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(r.programs) != 0 || len(r.plugins) != 0 {
		t.Error(r.programs, r.plugins)
	}
}

// TestLoadsLeaveNothing: memory is flat over many loads, calls and closes.
func TestLoadsLeaveNothing(t *testing.T) {
	r := newTestRuntime(t, Config{})
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	round := func(n int) {
		for range n {
			p, err := r.Load(t.Context(), guest("probe"))
			if err != nil {
				t.Fatal(err)
			}
			succeeds(t, p, "echo", "x", "x")
			if err := p.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	round(20)
	before, descriptors := heap(), openDescriptors(t)
	round(100)
	if after := heap(); after > before+1<<20 {
		t.Errorf("the heap grew from %d to %d", before, after)
	}
	if after := openDescriptors(t); after > descriptors {
		t.Errorf("%d descriptors, %d before", after, descriptors)
	}
}

// TestFailedLoadsLeaveNothing: what a refused plugin had opened is closed.
func TestFailedLoadsLeaveNothing(t *testing.T) {
	r := newTestRuntime(t, Config{})
	before := openDescriptors(t)
	for range 10 {
		s := guest("probe")
		s.Allow.FS = []Mount{{Path: t.TempDir(), At: "/a"}, {Path: "nowhere", At: "/b"}}
		refusedBy(t, r, s, codeBadSpec, "nowhere cannot be shown")
	}
	if len(r.programs) != 0 || len(r.plugins) != 0 {
		t.Error(r.programs, r.plugins)
	}
	if after := openDescriptors(t); after > before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

// TestCompilerPanics: wazero's validator has some left; they are errors here.
func TestCompilerPanics(t *testing.T) {
	if _, err := compileOnce(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "the compiler failed on it") {
		t.Error(err)
	}
}

// TestFullCache: no room for compiled code is no reason not to run.
func TestFullCache(t *testing.T) {
	dir := smallDisk(t, "32k")
	r := NewRuntime(Config{CacheDir: dir})
	defer r.Close(context.Background())
	for range 2 {
		p, err := r.Load(t.Context(), guest("probe"))
		if err != nil {
			t.Fatal(err)
		}
		succeeds(t, p, "echo", "hello", "hello")
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
