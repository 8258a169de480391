// Package plugins holds the modules of the first-party plugins, which a
// workflow names as builtin:NAME. Their sources are the folders beside it; the
// modules are built by plugins/build and committed, so that the host builds
// with nothing but Go. It does not run them.
package plugins

import (
	_ "embed"
	"slices"
)

//go:generate go run ./build

var (
	//go:embed agent.wasm
	agent []byte
	//go:embed http.wasm
	http []byte
	//go:embed transform.wasm
	transform []byte
	//go:embed uppercase.wasm
	uppercase []byte
	//go:embed validate.wasm
	validate []byte
)

var modules = map[string][]byte{
	"agent":     agent,
	"http":      http,
	"transform": transform,
	"uppercase": uppercase,
	"validate":  validate,
}

// Module returns the module of that name. Its bytes are part of the program and
// must not be changed.
func Module(name string) ([]byte, bool) {
	module, ok := modules[name]
	return module, ok
}

// Names lists the plugins, sorted.
func Names() []string {
	names := make([]string, 0, len(modules))
	for name := range modules {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
