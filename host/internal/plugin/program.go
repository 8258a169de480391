package plugin

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"wasmhost/host/event"
	"wasmhost/host/internal/module"
)

// features is what a module may use beyond WebAssembly 2.0. Exceptions stay
// off: wazero 1.12.0 compiles some of them wrongly.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

// program is compiled code, shared by all plugins of the same content. It has a
// wazero runtime of its own, so that closing it gives everything back.
type program struct {
	owner  *Runtime
	digest string
	image  *image                // as it was read first
	units  []unit                // in the image's order: main last
	kernel wazero.CompiledModule // nil: the ABI has none

	runtime wazero.Runtime
	close   func()
	users   int // guarded by owner.mu
	// modules is how many are compiled, bytes their size as Wasm.
	modules, bytes atomic.Int64

	ready sync.Once
	err   *event.Error
}

// unit is one module of a program.
type unit struct {
	name     string
	compiled wazero.CompiledModule
	start    bool // it has a start function, which preparing turned into an export
	memory   bool // it has a memory of its own
	reset    module.Reset
}

// use returns the program of img, compiled, and counts one more user of it.
func (r *Runtime) use(ctx context.Context, img *image) (*program, *event.Error) {
	r.mu.Lock()
	p := r.programs[img.digest]
	if p == nil {
		p = &program{owner: r, digest: img.digest, image: img.kept()}
		r.programs[img.digest] = p
	}
	p.users++
	r.mu.Unlock()
	p.ready.Do(func() { p.err = p.build(context.WithoutCancel(ctx), img) })
	if p.err != nil {
		failed := *p.err
		p.release()
		return nil, &failed
	}
	return p, nil
}

// release gives a user back; the last one closes the program.
func (p *program) release() {
	p.owner.mu.Lock()
	p.users--
	last := p.users == 0
	if last && p.owner.programs[p.digest] == p {
		delete(p.owner.programs, p.digest)
	}
	p.owner.mu.Unlock()
	if last && p.close != nil {
		p.close()
	}
}

// build compiles all modules, out of the cache or into it. A disk without room
// costs the next process a compilation, and nobody his run.
func (p *program) build(ctx context.Context, img *image) *event.Error {
	cache, err := p.owner.openCache(img.digest)
	if err != nil && !noRoom(err) {
		return badCache(p.owner.cfg.CacheDir, err)
	}
	if err == nil {
		failed := p.buildWith(ctx, img, cache)
		if failed == nil || cache == nil || !noRoom(failed) {
			return failed
		}
		_ = cache.empty() // of what was half written
	}
	return p.buildWith(ctx, img, nil)
}

// noRoom reports whether a write failed because there is no room for it.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// buildWith compiles all modules and makes the host modules that they import.
func (p *program) buildWith(ctx context.Context, img *image, cache *codeCache) (failed *event.Error) {
	p.open(ctx, cache)
	defer func() {
		if failed != nil {
			p.close()
			p.close, p.units = nil, nil
		}
	}()
	for i := range img.modules {
		m := &img.modules[i]
		compiled, failed := p.compile(ctx, m, cache)
		if failed != nil {
			return failed
		}
		p.units = append(p.units, unit{name: m.name, compiled: compiled, start: m.info.Start, memory: m.info.Memory != nil && !m.info.MemoryImported, reset: m.info.Reset})
	}
	if failed := p.provide(ctx, img); failed != nil {
		return failed
	}
	for i := range img.modules {
		p.modules.Add(1)
		p.bytes.Add(int64(len(img.modules[i].prepared)))
	}
	if cache != nil {
		cache.seal()
	}
	return nil
}

// open makes the program's runtime.
func (p *program) open(ctx context.Context, cache *codeCache) {
	config := wazero.NewRuntimeConfig().WithCoreFeatures(features).WithDebugInfoEnabled(false)
	if cache != nil {
		config = config.WithCompilationCache(cache.cache)
	}
	p.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	p.close = func() {
		p.runtime.Close(ctx)
		if cache != nil {
			cache.cache.Close(ctx)
		}
	}
}

// provide makes the host modules that the image imports.
func (p *program) provide(ctx context.Context, img *image) *event.Error {
	if err := linkMeter(ctx, p.runtime); err != nil {
		return fault(event.System, codeHost, "the host module %s cannot be made: %v", module.YieldModule, err)
	}
	if img.abi == ABIExtism {
		var err error
		if p.kernel, err = linkEnv(ctx, p.runtime); err != nil {
			return fault(event.System, codeHost, "the host module %s cannot be made: %v", envModule, err)
		}
	}
	wasi := false
	for i := range img.modules {
		m := &img.modules[i]
		for _, imp := range m.info.Imports {
			if imp.Module != wasiModule || img.named(imp.Module) != nil {
				continue
			}
			if !wasi {
				wasi = true
				if err := linkWASI(ctx, p.runtime); err != nil {
					return fault(event.System, codeHost, "the host module %s cannot be made: %v", wasiModule, err)
				}
			}
			functions := p.runtime.Module(wasiModule).ExportedFunctionDefinitions()
			have, ok := functions[imp.Name]
			if imp.Kind != module.Func || !ok {
				return fault(event.Permanent, codeUnsupported, "%s imports %q of %s, which has no such function%s", m.what(), imp.Name, wasiModule, didYouMean(imp.Name, functions))
			}
			if is := signature(have.ParamTypes(), have.ResultTypes()); is != imp.Func.String() {
				return mistyped(m, imp, is)
			}
			if m.info.Memory == nil && !withoutMemory[imp.Name] {
				return fault(event.Permanent, codeBadModule, "%s imports %q of %s, which works on a memory, and has none", m.what(), imp.Name, wasiModule)
			}
		}
	}
	return nil
}
