package plugin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"wasmhost/host/event"
	"wasmhost/host/internal/module"
)

const wasiModule = wasi_snapshot_preview1.ModuleName

// link checks that everything the modules import is there, puts them into an
// order in which each comes after what it imports, and finds the ABI. Nothing
// is compiled for that.
func (img *image) link(abi string) *event.Error {
	for i := range img.modules {
		m := &img.modules[i]
		for _, imp := range m.info.Imports {
			if failed := img.resolve(m, imp); failed != nil {
				return failed
			}
			if imp.Module == envModule {
				img.abi = ABIExtism
			}
		}
	}
	switch {
	case img.abi == "" && abi == "":
		img.abi = ABIWASI
	case img.abi == "":
		img.abi = abi
	case abi == ABIWASI:
		return fault(event.Permanent, codeBadModule, "abi is wasi, but the module imports %s; leave abi out, or make it extism", envModule)
	}
	return img.sort()
}

// resolve checks one import against what answers it; the functions of WASI are
// checked when the program is built.
func (img *image) resolve(m *imageModule, imp module.Import) *event.Error {
	if other := img.named(imp.Module); other != nil && other != m {
		exp, ok := other.info.Export(imp.Name)
		switch {
		case !ok:
			return fault(event.Permanent, codeUnsupported, "%s imports %q of module %q, which does not export it%s", m.what(), imp.Name, imp.Module, didYouMean(imp.Name, other.exports()))
		case exp.Kind != imp.Kind:
			return fault(event.Permanent, codeUnsupported, "%s imports %q of module %q as a %v, but it is a %v", m.what(), imp.Name, imp.Module, imp.Kind, exp.Kind)
		case exp.Kind == module.Func && exp.Func.String() != imp.Func.String():
			return mistyped(m, imp, exp.Func.String())
		}
		return nil
	}
	switch imp.Module {
	case envModule:
		if imp.Kind != module.Func {
			return fault(event.Permanent, codeUnsupported, "%s imports a %v, %q, of %s, which has functions only", m.what(), imp.Kind, imp.Name, imp.Module)
		}
		have, ok := envSignatures[imp.Name]
		if !ok {
			return fault(event.Permanent, codeUnsupported, "%s imports %q of %s, which has no such function%s", m.what(), imp.Name, imp.Module, didYouMean(imp.Name, envSignatures))
		}
		if have != imp.Func.String() {
			return mistyped(m, imp, have)
		}
		return nil
	case wasiModule:
		return nil
	}
	return unknownImport(m, imp.Module, imp.Name)
}

func mistyped(m *imageModule, imp module.Import, have string) *event.Error {
	return fault(event.Permanent, codeUnsupported, "%s imports %q of %s as %v, but it is %s", m.what(), imp.Name, imp.Module, imp.Func, have)
}

func (img *image) named(name string) *imageModule {
	for i := range img.modules {
		if m := &img.modules[i]; m.name == name && !m.main {
			return m
		}
	}
	return nil
}

// sort puts modules after those that they import, main last.
func (img *image) sort() *event.Error {
	var sorted []imageModule
	state := map[string]int{} // 1: being placed, 2: placed
	var place func(m *imageModule) *event.Error
	place = func(m *imageModule) *event.Error {
		switch state[m.name] {
		case 1:
			return fault(event.Permanent, codeBadModule, "the manifest's modules import one another in a circle, through %q", m.name)
		case 2:
			return nil
		}
		state[m.name] = 1
		for _, imp := range m.info.Imports {
			if other := img.named(imp.Module); other != nil {
				if failed := place(other); failed != nil {
					return failed
				}
			}
		}
		state[m.name] = 2
		sorted = append(sorted, *m)
		return nil
	}
	for i := range img.modules {
		if failed := place(&img.modules[i]); failed != nil {
			return failed
		}
	}
	slices.SortStableFunc(sorted, func(a, b imageModule) int {
		switch {
		case a.main:
			return 1
		case b.main:
			return -1
		}
		return 0
	})
	img.modules = sorted
	return nil
}

// main is the module whose exports are the plugin's functions: the last one.
func (img *image) main() *imageModule { return &img.modules[len(img.modules)-1] }

// exports are the functions a module offers.
func (m *imageModule) exports() map[string]*module.FuncType {
	functions := map[string]*module.FuncType{}
	for _, e := range m.info.Exports {
		if e.Kind == module.Func {
			functions[e.Name] = e.Func
		}
	}
	return functions
}

func unknownImport(m *imageModule, from, name string) *event.Error {
	hint := "only " + envModule + " (the Extism ABI) and " + wasiModule + " are answered here"
	switch {
	case from == "extism:host/user":
		hint = "host functions of an embedding program are not offered to plugins; use " + envModule
	case from == "env" || from == "a":
		hint = "this looks like a module made for Emscripten's JavaScript glue; build it with -sSTANDALONE_WASM, or with wasi-libc"
	case strings.HasPrefix(from, "__wbindgen") || from == "wbg":
		hint = "this is a module made for a browser by wasm-bindgen; build it for wasm32-unknown-unknown with an Extism PDK, or for wasm32-wasip1"
	case from == "go" || from == "gojs":
		hint = "this is a Go program built for JavaScript; build it with GOOS=wasip1"
	case from == "wasi_unstable":
		hint = "this is a WASI of 2019; build it for wasip1 (" + wasiModule + ")"
	case strings.HasPrefix(from, "wasi:"):
		hint = "this is WASI preview 2; build it for wasip1 (" + wasiModule + ")"
	}
	return fault(event.Permanent, codeUnsupported, "%s imports %q of %q, which is not there: %s", m.what(), name, from, hint)
}

// signature writes a type as package module does.
func signature(params, results []api.ValueType) string {
	list := func(types []api.ValueType) string {
		names := make([]string, len(types))
		for i, t := range types {
			names[i] = api.ValueTypeName(t)
		}
		return "(" + strings.Join(names, ", ") + ")"
	}
	return fmt.Sprintf("%s -> %s", list(params), list(results))
}
