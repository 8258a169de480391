package workflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/checker/nature"

	"wasmhost/host/event"
)

// Inspector looks into modules for the reader of workflows. host implements it.
type Inspector interface {
	// Inspect reads a module without running it, except for its describe export
	// where it has no describe section. dir is the folder that relative sources
	// are relative to. The error is an *event.Error with one of the codes
	// bad_module, unsupported_module, digest_mismatch, bad_signature, not_found,
	// fetch_failed. It is called from several goroutines at once.
	Inspect(ctx context.Context, p *Plugin, dir string) (*Module, error)
}

// Module is what an Inspector found.
type Module struct {
	ABI    string // extism or wasi
	Digest string
	// Exports are the functions that can be called by name.
	Exports []string
	// Command is true of a WASI command: "", run and _start call the program.
	Command bool
	// Functions is what the module says of its functions, by name; nil when it
	// does not describe itself.
	Functions map[string]FunctionInfo
	// NoHTTP is true when the module cannot make HTTP requests at all.
	NoHTTP bool
	// AsksHTTP are the origins that the module itself asks for; nil when it does
	// not say. What it may reach is what both lists allow.
	AsksHTTP []string
}

// FunctionInfo is a function's description of itself.
type FunctionInfo struct {
	Description string
	// Input and Output are JSON Schemas as text, nil when not given.
	Input, Output []byte
}

// module is a Module with its schemas compiled.
type module struct {
	*Module
	inputs, outputs map[string]*Schema
}

func newModule(m *Module) *module {
	out := &module{Module: m, inputs: map[string]*Schema{}, outputs: map[string]*Schema{}}
	for name, f := range m.Functions {
		// A schema that cannot be used says nothing; it is the plugin author's to
		// mend, not the workflow author's.
		if len(f.Input) > 0 {
			if s, err := NewSchema(f.Input); err == nil {
				out.inputs[name] = s
			}
		}
		if len(f.Output) > 0 {
			if s, err := NewSchema(f.Output); err == nil {
				out.outputs[name] = s
			}
		}
	}
	return out
}

// output is the type of what a function returns.
func (m *module) output(function string) nature.Nature {
	if m == nil {
		return nature.Nature{}
	}
	return m.outputs[function].nature()
}

// inspection is a module as it was found, kept over the files of one Load.
type inspection struct {
	module *module
	err    error
}

// inspectAll looks into the modules of a file's plugins, a few at a time.
func (b *builder) inspectAll() {
	if b.l.o.Inspector == nil {
		return
	}
	type job struct {
		key    string
		plugin *Plugin
	}
	var jobs []job
	slots := make(chan struct{}, 4)
	results := make(chan struct {
		key string
		inspection
	})
	for _, name := range slices.Sorted(maps.Keys(b.plan.Plugins)) {
		p := b.plan.Plugins[name]
		if b.broken[name] || strings.HasPrefix(p.Source, "oci:") { // fetched by a later command only
			continue
		}
		key := fmt.Sprintf("%s\x00%s\x00%s\x00%s\x00%s", b.dir, p.Source, p.SHA256, p.ABI, p.PublicKey)
		b.moduleKeys[name] = key
		if _, ok := b.l.modules[key]; !ok {
			b.l.modules[key] = inspection{}
			jobs = append(jobs, job{key, p})
		}
	}
	for _, j := range jobs {
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			m, err := b.l.o.Inspector.Inspect(b.l.ctx, j.plugin, b.dir)
			r := inspection{err: err}
			if m != nil && err == nil {
				r.module = newModule(m)
			}
			results <- struct {
				key string
				inspection
			}{j.key, r}
		}()
	}
	for range jobs {
		r := <-results
		b.l.modules[r.key] = r.inspection
	}
	for _, e := range b.root.table("plugins").all() {
		key, ok := b.moduleKeys[e.key]
		if !ok {
			continue
		}
		if err := b.l.modules[key].err; err != nil {
			b.refused(e, err)
		}
	}
}

// module returns what is known of a plugin's module, nil for nothing.
func (b *builder) module(plugin string) *module {
	key, ok := b.moduleKeys[plugin]
	if !ok {
		return nil
	}
	return b.l.modules[key].module
}

// refused reports a module that cannot be used.
func (b *builder) refused(e *entry, err error) {
	at := e.item.get("source")
	code, message, hint := "bad_module", err.Error(), ""
	var known *event.Error
	if errors.As(err, &known) {
		message = known.Message
		if _, ok := Codes[known.Code]; ok {
			code = known.Code
		}
	}
	if name, ok := strings.CutPrefix(at.text, "builtin:"); ok && code == "not_found" {
		b.unknownBuiltin(at, name)
		return
	}
	if digest := e.item.get("sha256"); digest != nil && code == "digest_mismatch" {
		at = digest
	}
	b.say(at, code, hint, "plugin %s: %s", e.key, message)
}

func (b *builder) unknownBuiltin(at *item, name string) {
	hint := didYouMean(name, slices.Values(b.l.o.Builtins))
	if hint == "" && len(b.l.o.Builtins) > 0 {
		hint = "there are " + someOf(slices.Values(b.l.o.Builtins))
	}
	b.say(at, "unknown_builtin", hint, "there is no builtin plugin %q", name)
}

// callable checks that a plugin exports a function. at is the place of the
// function's name, or of the plugin's where the function is not given.
func (b *builder) callable(plugin, function string, at *item) {
	m := b.module(plugin)
	if m == nil || slices.Contains(m.Exports, function) || m.Command && isProgram(function) {
		return
	}
	hint := didYouMean(function, slices.Values(m.Exports))
	switch {
	case hint != "":
	case m.Command && !slices.ContainsFunc(m.Exports, func(name string) bool { return !isProgram(name) }):
		hint = `it is a WASI command: function = "run" calls it`
	case len(m.Exports) == 0:
		hint = "it exports no function at all"
	default:
		hint = "it exports " + someOf(slices.Values(m.Exports))
	}
	b.say(at, "missing_export", hint, "plugin %s exports no function %q", plugin, function)
}

// isProgram tells the names under which a WASI command itself is called.
func isProgram(function string) bool {
	return function == "" || function == "run" || function == "_start"
}
