package plugin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tetratelabs/wazero"

	"wasmhost/host/event"
)

// compilationCache is wazero's cache for one digest, in a folder of its own, so
// that a damaged entry can be thrown away without knowing wazero's names. nil
// without a CacheDir: code then lives as long as its program.
func (r *Runtime) compilationCache(digest string) (cache wazero.CompilationCache, dir string, err error) {
	if r.cfg.CacheDir == "" {
		return nil, "", nil
	}
	dir = filepath.Join(r.cfg.CacheDir, "compiled", strings.TrimPrefix(digest, "sha256:"))
	if err := privateDir(r.cfg.CacheDir); err != nil {
		return nil, "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, "", err
	}
	cache, err = wazero.NewCompilationCacheWithDir(dir)
	return cache, dir, err
}

// privateDir makes sure that dir exists and that only its owner can write to
// it: what lies there is executed.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return fmt.Errorf("%s can be written by others, and its mode cannot be changed to 0700: %w", dir, err)
		}
	}
	return nil
}

// compile compiles one module. A damaged cache entry is an error of wazero's
// own; the cache is then emptied and the module compiled once more.
func (p *program) compile(ctx context.Context, m *imageModule, cacheDir string) (wazero.CompiledModule, *event.Error) {
	compiled, err := compileOnce(ctx, p.runtime, m.prepared)
	if err != nil && cacheDir != "" && emptyCache(cacheDir) {
		compiled, err = compileOnce(ctx, p.runtime, m.prepared)
	}
	if err != nil {
		return nil, fault(event.Permanent, codeBadModule, "%s cannot be compiled: %s", m.what(), firstLine(err.Error()))
	}
	return compiled, nil
}

// compileOnce is CompileModule without its panics: wazero's validator has some
// left.
func compileOnce(ctx context.Context, rt wazero.Runtime, wasm []byte) (compiled wazero.CompiledModule, err error) {
	defer func() {
		if r := recover(); r != nil {
			compiled, err = nil, fmt.Errorf("the compiler failed on it: %v", r)
		}
	}()
	return rt.CompileModule(ctx, wasm)
}

// emptyCache deletes the files below dir and says whether there were any.
func emptyCache(dir string) (some bool) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		some = true
		return os.Remove(path)
	})
	return some && (err == nil || errors.Is(err, fs.ErrNotExist))
}
