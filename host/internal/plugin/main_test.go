package plugin

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(compiledCode())
		os.Exit(code)
	}))
}

// corpus is the folder of extism/go-sdk's own test modules, in the module
// cache.
var corpus = sync.OnceValue(func() string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/extism/go-sdk").Output()
	if err != nil {
		panic(err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "wasm")
})

// compiledCode is shared by all tests: most of their time would be compiling.
var compiledCode = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "plugin-test-")
	if err != nil {
		panic(err)
	}
	return dir
})

func newTestRuntime(t *testing.T, cfg Config) *Runtime {
	t.Helper()
	if cfg.CacheDir == "" {
		cfg.CacheDir = compiledCode()
	}
	r := NewRuntime(cfg)
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Errorf("closing the runtime: %v", err)
		}
	})
	return r
}

func load(t *testing.T, s Spec) *Plugin {
	t.Helper()
	return loadWith(t, Config{}, s)
}

func loadWith(t *testing.T, cfg Config, s Spec) *Plugin {
	t.Helper()
	if s.Name == "" {
		s.Name = "guest"
	}
	p, err := newTestRuntime(t, cfg).Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
