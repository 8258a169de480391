package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"wasmhost/host/event"
)

// features is what a module may use beyond WebAssembly 2.0. Exceptions stay
// off: wazero 1.12.0 compiles some of them wrongly.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

// program is compiled code, shared by all plugins of the same content. It has a
// wazero runtime of its own, so that closing it gives everything back.
type program struct {
	owner   *Runtime
	key     string
	digest  string // "sha256:…" of the source's bytes
	abi     string
	main    *unit
	linked  []*unit // in an order in which each comes after what it imports
	exports map[string]api.FunctionDefinition

	runtime wazero.Runtime
	close   func()
	users   int // guarded by owner.mu

	ready sync.Once
	err   *event.Error
}

// unit is one module of a program.
type unit struct {
	name     string
	wasm     []byte // nil once it is compiled
	compiled wazero.CompiledModule
}

// use returns the program of img, compiled, and counts one more user of it.
func (r *Runtime) use(ctx context.Context, img *image, abi string) (*program, *event.Error) {
	key := img.digest + " " + abi
	r.mu.Lock()
	p := r.programs[key]
	if p == nil {
		p = &program{owner: r, key: key, digest: img.digest}
		r.programs[key] = p
	}
	p.users++
	r.mu.Unlock()
	p.ready.Do(func() { p.err = p.build(ctx, img, abi) })
	if p.err != nil {
		p.release()
		return nil, p.err
	}
	return p, nil
}

// release gives a user back; the last one closes the program.
func (p *program) release() {
	p.owner.mu.Lock()
	p.users--
	last := p.users == 0
	if last && p.owner.programs[p.key] == p {
		delete(p.owner.programs, p.key)
	}
	p.owner.mu.Unlock()
	if last && p.close != nil {
		p.close()
	}
}

// build compiles all modules and checks that they fit together.
func (p *program) build(ctx context.Context, img *image, abi string) (failed *event.Error) {
	cache, cached, err := p.owner.compilationCache(img.digest)
	if err != nil {
		return fault(event.System, codeHost, "the cache of compiled code cannot be used: %v", err)
	}
	background := context.WithoutCancel(ctx)
	config := wazero.NewRuntimeConfig().WithCoreFeatures(features).WithCloseOnContextDone(true).WithDebugInfoEnabled(false).WithCustomSections(true)
	if cache != nil {
		config = config.WithCompilationCache(cache)
	}
	p.runtime = wazero.NewRuntimeWithConfig(background, config)
	p.close = func() {
		p.runtime.Close(background)
		if cache != nil {
			cache.Close(background)
		}
	}
	defer func() {
		if failed != nil {
			p.close()
			p.close = nil
		}
	}()
	for i := range img.modules {
		m := &img.modules[i]
		u := &unit{name: m.name}
		if u.compiled, failed = p.compile(background, m, cached); failed != nil {
			return failed
		}
		if m.main {
			p.main = u
		} else {
			p.linked = append(p.linked, u)
		}
	}
	if failed := p.sortLinked(); failed != nil {
		return failed
	}
	if failed := p.link(background); failed != nil {
		return failed
	}
	p.exports = p.main.compiled.ExportedFunctions()
	p.abi = abi
	if found := p.findABI(); abi == "" {
		p.abi = found
	} else if abi == ABIWASI && found == ABIExtism {
		return fault(event.Permanent, codeBadModule, "the module imports %s, so its abi is extism, not wasi", envModule)
	}
	return nil
}

// units are all modules, main last.
func (p *program) units() []*unit { return append(slices.Clone(p.linked), p.main) }

func imported(u *unit) []string {
	var names []string
	for _, f := range u.compiled.ImportedFunctions() {
		if module, _, ok := f.Import(); ok && !slices.Contains(names, module) {
			names = append(names, module)
		}
	}
	return names
}

func (p *program) findABI() string {
	for _, u := range p.units() {
		if slices.Contains(imported(u), envModule) {
			return ABIExtism
		}
	}
	return ABIWASI
}

// sortLinked puts modules after those that they import.
func (p *program) sortLinked() *event.Error {
	byName := map[string]*unit{}
	for _, u := range p.linked {
		byName[u.name] = u
	}
	var sorted []*unit
	state := map[*unit]int{} // 1: being placed, 2: placed
	var place func(u *unit) *event.Error
	place = func(u *unit) *event.Error {
		if state[u] == 1 {
			return fault(event.Permanent, codeBadModule, "the manifest's modules import one another in a circle, through %q", u.name)
		}
		if state[u] == 2 {
			return nil
		}
		state[u] = 1
		for _, name := range imported(u) {
			if other := byName[name]; other != nil {
				if failed := place(other); failed != nil {
					return failed
				}
			}
		}
		state[u] = 2
		sorted = append(sorted, u)
		return nil
	}
	for _, u := range p.linked {
		if failed := place(u); failed != nil {
			return failed
		}
	}
	p.linked = sorted
	return nil
}

// link makes the host modules that are imported, and refuses an import that
// nothing answers, by name, before anything runs.
func (p *program) link(ctx context.Context) *event.Error {
	byName := map[string]map[string]api.FunctionDefinition{}
	for _, u := range p.linked {
		byName[u.name] = u.compiled.ExportedFunctions()
	}
	for _, u := range p.units() {
		for _, def := range u.compiled.ImportedFunctions() {
			module, name, _ := def.Import()
			functions, ok := byName[module]
			if !ok {
				var err error
				switch module {
				case envModule:
					err = linkEnv(ctx, p.runtime)
				case wasi_snapshot_preview1.ModuleName:
					_, err = wasi_snapshot_preview1.Instantiate(ctx, p.runtime)
				default:
					return unknownImport(module, name)
				}
				if err != nil {
					return fault(event.System, codeHost, "the host module %q cannot be made: %v", module, err)
				}
				functions = p.runtime.Module(module).ExportedFunctionDefinitions()
				byName[module] = functions
			}
			have, ok := functions[name]
			if !ok {
				return fault(event.Permanent, codeUnsupported, "the module imports %q of %q, which does not exist%s", name, module, didYouMean(name, functions))
			}
			if !slices.Equal(have.ParamTypes(), def.ParamTypes()) || !slices.Equal(have.ResultTypes(), def.ResultTypes()) {
				return fault(event.Permanent, codeUnsupported, "the module imports %q of %q as %s, but it is %s", name, module, signature(def), signature(have))
			}
		}
	}
	return nil
}

func unknownImport(module, name string) *event.Error {
	hint := "only " + envModule + " (the Extism ABI) and wasi_snapshot_preview1 are answered here"
	switch {
	case module == "extism:host/user":
		hint = "host functions of an embedding program are not offered to plugins; use " + envModule
	case module == "env" || module == "a":
		hint = "this looks like a module made for Emscripten's JavaScript glue; build it with -sSTANDALONE_WASM, or with wasi-libc"
	case strings.HasPrefix(module, "__wbindgen") || module == "wbg":
		hint = "this is a module made for a browser by wasm-bindgen; build it for wasm32-unknown-unknown with an Extism PDK, or for wasm32-wasip1"
	case module == "go" || module == "gojs":
		hint = "this is a Go program built for JavaScript; build it with GOOS=wasip1"
	case module == "wasi_unstable":
		hint = "this is a WASI of 2019; build it for wasip1 (wasi_snapshot_preview1)"
	case strings.HasPrefix(module, "wasi:"):
		hint = "this is WASI preview 2; build it for wasip1"
	}
	return fault(event.Permanent, codeUnsupported, "the module imports %q of %q, which is not there: %s", name, module, hint)
}

func signature(def api.FunctionDefinition) string {
	list := func(types []api.ValueType) string {
		names := make([]string, len(types))
		for i, t := range types {
			names[i] = api.ValueTypeName(t)
		}
		return "(" + strings.Join(names, ", ") + ")"
	}
	return fmt.Sprintf("%s -> %s", list(def.ParamTypes()), list(def.ResultTypes()))
}
