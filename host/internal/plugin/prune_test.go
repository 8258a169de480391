package plugin

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wasmhost/host/event"
)

// TestPruneCompiled: the code used last stays, and so does what runs, whatever
// its age; what was removed is compiled again.
func TestPruneCompiled(t *testing.T) {
	r := newTestRuntime(t, Config{CacheDir: filepath.Join(t.TempDir(), "cache")})
	names := []string{"probe", "reactor", "state", "vector"}
	dirs := map[string]string{}
	var running *Plugin
	for _, name := range names {
		p, err := r.Load(t.Context(), guest(name))
		if err != nil {
			t.Fatal(err)
		}
		dirs[name] = filepath.Join(r.cfg.CacheDir, compiledDir, strings.TrimPrefix(p.Digest(), "sha256:"))
		if name == "probe" {
			running = p
		} else if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.background.Wait()
	there := func() (list []string) {
		for _, name := range names {
			if _, err := os.Stat(dirs[name]); err == nil {
				list = append(list, name)
			}
		}
		return list
	}
	prune := func(limit int64, want string) {
		t.Helper()
		if err := r.pruneCompiled(limit, time.Now()); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(there(), " "); got != want {
			t.Errorf("within %d bytes %s are kept, not %s", limit, got, want)
		}
	}
	prune(0, "probe reactor state vector") // just used
	for i, name := range names {
		used := time.Now().Add(time.Duration(i-10) * time.Hour)
		if err := os.Chtimes(dirs[name], used, used); err != nil {
			t.Fatal(err)
		}
	}
	left := filepath.Join(r.cfg.CacheDir, compiledDir, goingPrefix+"left")
	if err := os.MkdirAll(filepath.Join(left, "some"), 0o700); err != nil {
		t.Fatal(err)
	}
	var total int64
	for _, name := range names {
		total += sizeBelow(dirs[name])
	}
	prune(total, "probe reactor state vector")
	prune(total-1, "probe state vector") // probe is older, and runs
	prune(0, "probe")
	if list := filesBelow(t, r.cfg.CacheDir); strings.Contains(strings.Join(list, " "), goingPrefix) {
		t.Error(list)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("what was left half removed is still there")
	}
	succeeds(t, running, "echo", "x", "x")
	p, err := r.Load(t.Context(), guest("reactor"))
	if err != nil {
		t.Fatal(err)
	}
	succeeds(t, p, "upper", "again", "AGAIN")
	if got := strings.Join(there(), " "); got != "probe reactor" {
		t.Error(got)
	}
}

// TestFirstLoadPrunes: once, and Close waits for it.
func TestFirstLoadPrunes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	left := filepath.Join(dir, compiledDir, goingPrefix+"left")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	r := NewRuntime(Config{CacheDir: dir})
	if _, err := r.Load(t.Context(), guest("probe")); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("nothing was pruned")
	}
}

// TestUnusableCache: what is wrong with the directory is no fault of the module,
// and says which directory, and what to do.
func TestUnusableCache(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	inTheWay := func(name string) string {
		dir := filepath.Join(t.TempDir(), "cache")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), "")
		return dir
	}
	for _, dir := range []string{file, filepath.Join(file, "below"), inTheWay("prepared"), inTheWay(compiledDir)} {
		r := newTestRuntime(t, Config{CacheDir: dir})
		_, err := r.Load(t.Context(), guest("probe"))
		e, ok := err.(*event.Error)
		if !ok || e.Code != codeHost || e.Class != event.System || !strings.Contains(e.Message, "the cache of compiled plugins in "+dir) || !strings.Contains(e.Message, "or name another one") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// TestCacheThatCannotBeWritten shows what wazero says when it cannot keep code:
// its folder is gone.
func TestCacheThatCannotBeWritten(t *testing.T) {
	r := newTestRuntime(t, Config{CacheDir: filepath.Join(t.TempDir(), "cache")})
	cache, err := r.openCache("sha256:some")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(cache.dir); err != nil {
		t.Fatal(err)
	}
	write(t, cache.dir, "") // a file, where nothing can be written below
	img, failed := r.read(t.Context(), guest("probe"))
	if failed != nil {
		t.Fatal(failed)
	}
	p := &program{owner: r}
	p.open(t.Context(), cache)
	defer p.close()
	_, failed = p.compile(t.Context(), img.main(), cache)
	if failed == nil || failed.Code != codeHost || !strings.Contains(failed.Message, "the cache of compiled plugins in "+cache.dir) {
		t.Error(failed)
	}
}
