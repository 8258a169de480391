package plugin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wasmhost/host/event"
	"wasmhost/host/internal/module"
)

// entry is an exported function that a call can run.
type entry struct {
	name   string // as it was asked for
	export string
	// initialise is true when the guest's runtime is set up before it.
	initialise bool
	// once is true when the instance cannot be used again after it.
	once bool
}

const defaultFunction = "run"

// exports are the functions of the main module, under the ABI it speaks.
type exports struct {
	abi       string
	functions map[string]*module.FuncType
	known     map[string]entry // those that calls can run, by the names they use
}

func newExports(abi string, functions map[string]*module.FuncType) exports {
	p := exports{abi: abi, functions: functions, known: map[string]entry{}}
	for name := range functions {
		if e, failed := p.find(name); failed == nil {
			p.known[name] = e
		}
	}
	if e, failed := p.find(defaultFunction); failed == nil {
		p.known[""], p.known[defaultFunction] = e, e
	}
	return p
}

// entry finds the export behind a function's name; "" is run.
func (p *exports) entry(function string) (entry, *event.Error) {
	if e, ok := p.known[function]; ok {
		return e, nil
	}
	return p.find(cmp.Or(function, defaultFunction))
}

func (p *exports) find(function string) (entry, *event.Error) {
	e := entry{name: function, export: function, initialise: true}
	def, ok := p.functions[function]
	if !ok && p.abi == ABIWASI && function == defaultFunction {
		def, ok = p.functions["_start"]
		e.export = "_start"
	}
	if !ok {
		return entry{}, fault(event.Permanent, codeMissing, "the module has no export %q%s%s", function, didYouMean(function, p.functions), p.callableList())
	}
	if !callable(def) {
		return entry{}, fault(event.Permanent, codeMissing, "the export %q has the type %v; a plugin's function takes nothing and returns nothing or an i32%s", function, def, p.callableList())
	}
	if e.export == "_start" || e.export == "_initialize" {
		e.initialise = false
		e.once = e.export == "_start"
	}
	return e, nil
}

// callable are functions without parameters that return nothing or a number.
func callable(f *module.FuncType) bool {
	return len(f.Params) == 0 && (len(f.Results) == 0 || len(f.Results) == 1 && f.Results[0] == module.I32)
}

// callables are the exports that a caller may want: those with the right type
// that are not a runtime's own.
func (p *exports) callables() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(p.functions)) {
		if callable(p.functions[name]) && !runtimeExport(name) {
			names = append(names, name)
		}
	}
	return names
}

// runtimeExport tells what a toolchain exports for itself.
func runtimeExport(name string) bool {
	switch name {
	case "_initialize", "__wasm_call_ctors", "hs_init", "hs_exit", "main", "__main_void", "__main_argc_argv":
		return true
	}
	return strings.HasPrefix(name, "asyncify_") || strings.HasPrefix(name, "__")
}

func (p *exports) callableList() string {
	names := p.callables()
	switch {
	case len(names) == 0:
		return "; it exports no function that could be called"
	case len(names) > 10:
		return fmt.Sprintf("; it has %s and %d more", strings.Join(names[:10], ", "), len(names)-10)
	}
	return "; it has " + strings.Join(names, ", ")
}

// didYouMean names the key of known that is close to name, if one is.
func didYouMean[V any](name string, known map[string]V) string {
	best, distance := "", 1+len(name)/3
	for _, k := range slices.Sorted(maps.Keys(known)) {
		if d := editDistance(strings.ToLower(name), strings.ToLower(k)); d < distance || d == distance && best == "" {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// editDistance counts the letters to add, take or change.
func editDistance(a, b string) int {
	if len(a) > 100 || len(b) > 100 {
		return 100
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
