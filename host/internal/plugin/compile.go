package plugin

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"

	"wasmhost/host/event"
)

// codeCache is wazero's cache of compiled code for one digest, in a folder of
// its own, so that damaged entries can be thrown away without knowing wazero's
// names. wazero checks the code itself, but not what it says about the code;
// so a list of sums lies beside it, and what does not match is compiled anew.
type codeCache struct {
	cache wazero.CompilationCache
	dir   string
	sums  string // of the folder, as it was found
	found string // its names, sizes and times then
}

const (
	compiledDir = "compiled"
	sumsFile    = "sums"
)

// openCache returns nil without a CacheDir: code then lives as long as its
// program.
func (r *Runtime) openCache(digest string) (*codeCache, error) {
	if r.cfg.CacheDir == "" {
		return nil, nil
	}
	if err := privateDir(r.cfg.CacheDir); err != nil {
		return nil, err
	}
	c := &codeCache{dir: filepath.Join(r.cfg.CacheDir, compiledDir, strings.TrimPrefix(digest, "sha256:"))}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, err
	}
	now := time.Now()
	_ = os.Chtimes(c.dir, now, now) // for pruneCompiled
	kept, _ := os.ReadFile(filepath.Join(c.dir, sumsFile))
	sums, err := c.sum()
	if err != nil || sums != string(kept) {
		if err := c.empty(); err != nil {
			return nil, err
		}
		sums = ""
	}
	c.sums, c.found = sums, c.listing()
	c.cache, err = wazero.NewCompilationCacheWithDir(c.dir)
	return c, err
}

// sum lists the entries with their checksums. They are against damage only:
// who may write here may do anything anyway.
func (c *codeCache) sum() (string, error) {
	var b strings.Builder
	err := c.each(func(path string) error {
		if filepath.Base(path) == sumsFile {
			return nil
		}
		data, err := os.ReadFile(path)
		if err == nil {
			fmt.Fprintf(&b, "%08x %d %s\n", crc32.Checksum(data, castagnoli), len(data), filepath.Base(path))
		}
		return err
	})
	return b.String(), err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// listing is what tells that something was added, without reading it.
func (c *codeCache) listing() string {
	var b strings.Builder
	_ = c.each(func(path string) error {
		if info, err := os.Stat(path); err == nil && filepath.Base(path) != sumsFile {
			fmt.Fprintln(&b, filepath.Base(path), info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return b.String()
}

// empty deletes all entries.
func (c *codeCache) empty() error {
	c.sums = ""
	return c.each(func(path string) error {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

func (c *codeCache) each(do func(path string) error) error {
	return filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".tmp") { // .tmp: wazero writes it just now, here or in another process
			return err
		}
		return do(path)
	})
}

// seal writes down what is there now. Without it the next process compiles
// again, which is no failure.
func (c *codeCache) seal() {
	if c.listing() == c.found && c.sums != "" {
		return
	}
	if sums, err := c.sum(); err == nil && sums != c.sums {
		_ = writeWhole(filepath.Join(c.dir, sumsFile), []byte(sums))
	}
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

// compile compiles one module. Where an entry of the cache is in the way, the
// cache is emptied and the module compiled once more.
func (p *program) compile(ctx context.Context, m *imageModule, cache *codeCache) (wazero.CompiledModule, *event.Error) {
	compiled, err := compileOnce(ctx, p.runtime, m.prepared)
	if err != nil && cache != nil && cache.sums != "" && cache.empty() == nil {
		compiled, err = compileOnce(ctx, p.runtime, m.prepared)
	}
	var file *fs.PathError
	switch {
	case err == nil:
		return compiled, nil
	case cache != nil && errors.As(err, &file): // not the module's fault
		return nil, badCache(cache.dir, err)
	}
	return nil, fault(event.Permanent, codeBadModule, "%s cannot be compiled: %s", m.what(), firstLine(err.Error()))
}

// badCache is the error of a cache that cannot be read or written: nothing is
// loaded past it, since that would be slow at every start, and silently.
func badCache(dir string, err error) *event.Error {
	e := fault(event.System, codeHost, "the cache of compiled plugins in %s cannot be used: %v; make it a directory that you alone can write to, with room in it, or name another one", dir, err)
	e.Cause = err
	return e
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
