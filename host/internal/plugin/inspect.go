package plugin

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"wasmhost/host/event"
	"wasmhost/host/internal/module"
)

// Info is what there is to know about a plugin without calling it.
type Info struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	Digest string `json:"digest"` // "sha256:…"
	Size   int64  `json:"size"`   // bytes of all modules
	ABI    string `json:"abi"`
	// Manifest is true when the source is an Extism manifest, and Modules are
	// those it names, main last.
	Manifest bool         `json:"manifest"`
	Modules  []ModuleInfo `json:"modules"`
	// Functions are the exports that can be called, sorted; Exports are all
	// exported functions with their types.
	Functions []string          `json:"functions"`
	Exports   map[string]string `json:"exports"`
	Imports   []Import          `json:"imports"`
	// Languages and Tools made the main module, as it says itself; Features of
	// WebAssembly that it uses.
	Languages []Producer `json:"languages"`
	Tools     []Producer `json:"tools"`
	Features  []string   `json:"features"`
	// MemoryMin and MemoryMax are in bytes, of the main module; MemoryMax is 0
	// when only the limit bounds it.
	MemoryMin   int64        `json:"memory_min"`
	MemoryMax   int64        `json:"memory_max"`
	Description *Description `json:"description"` // nil: it has none
	Limits      Limits       `json:"limits"`      // those in force
	// Granted is what the workflow allows and the plugin asks for; Asked is nil
	// when it does not say.
	Granted Permissions `json:"granted"`
	Asked   *Asked      `json:"asked"`
	// Warnings are worth a person's attention; none keeps it from running.
	Warnings []string `json:"warnings"`
}

// Import is a function that the plugin takes from the host.
type Import struct {
	Module string `json:"module"`
	Name   string `json:"name"`
}

// Producer is a language, compiler or library, with its version where known.
type Producer struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// ModuleInfo is one module of a plugin.
type ModuleInfo struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// Permissions are what a plugin may do, in words.
type Permissions struct {
	HTTP    []string `json:"http"`
	FS      []string `json:"fs"`
	Env     []string `json:"env"`
	Secrets []string `json:"secrets"`
}

// Inspect reads a plugin and says what it is. Nothing of it runs but its export
// describe, and that only when it has no section of that name. The error is an
// *event.Error, with the codes of Load.
func (r *Runtime) Inspect(ctx context.Context, s Spec) (*Info, error) {
	info, err := r.inspect(ctx, s)
	if err != nil {
		err.Plugin = s.Name
		newMasks(s.Secrets).error(err)
		return nil, err
	}
	return info, nil
}

func (r *Runtime) inspect(ctx context.Context, s Spec) (*Info, *event.Error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	img, err := r.read(ctx, s)
	if err != nil {
		return nil, err
	}
	main := img.main()
	e := newExports(img.abi, main.exports())
	info := &Info{
		Name: s.Name, Source: s.Source, Digest: img.digest, Size: img.size, ABI: img.abi, Manifest: img.manifest,
		Functions: e.callables(), Exports: map[string]string{}, Features: main.info.Features.Names(),
		Limits: img.tighten(s.Limits.withDefaults()),
	}
	for name, f := range e.functions {
		info.Exports[name] = f.String()
	}
	for i := range img.modules {
		m := &img.modules[i]
		info.Modules = append(info.Modules, ModuleInfo{Name: m.name, Digest: digestName(m.hash()), Size: int64(len(m.wasm))})
		for _, imp := range m.info.Imports {
			if img.named(imp.Module) == nil && !slices.Contains(info.Imports, Import{imp.Module, imp.Name}) {
				info.Imports = append(info.Imports, Import{imp.Module, imp.Name})
			}
		}
	}
	if mem := main.info.Memory; mem != nil {
		info.MemoryMin = int64(mem.Min) << 16
		if mem.HasMax {
			info.MemoryMax = int64(mem.Max) << 16
		}
	}
	producers(main.info, info)
	net, err := r.newNetwork(&s, img)
	if err != nil {
		return nil, err
	}
	if info.Description, err = r.describe(ctx, img, &s); err != nil {
		info.Warnings = append(info.Warnings, err.Message)
	} else if info.Description != nil {
		info.Asked = info.Description.Allow
		if err := net.ask(info.Description); err != nil {
			info.Warnings = append(info.Warnings, err.Error())
		}
	}
	info.Granted = s.permissions(net)
	info.warn(img)
	return info, nil
}

func (s *Spec) permissions(n *network) Permissions {
	p := Permissions{HTTP: n.granted(), Env: slices.Clone(s.Allow.Env)}
	for _, m := range s.Allow.FS {
		how := "read"
		if m.Write {
			how = "read and write"
		}
		p.FS = append(p.FS, fmt.Sprintf("%s at %s: %s", m.Path, m.At, how))
	}
	for _, secret := range s.Secrets {
		if secret.Header == "" {
			p.Secrets = append(p.Secrets, secret.Name+" as config secret."+secret.Name)
		} else {
			p.Secrets = append(p.Secrets, secret.Name+" in the header "+secret.Header)
		}
	}
	return p
}

// warn looks for what runs but may not do what its author thinks.
func (info *Info) warn(img *image) {
	main := img.main()
	if len(info.Functions) == 0 {
		info.Warnings = append(info.Warnings, "it exports no function that can be called")
	}
	if img.manifest && len(img.hosts) > 0 && len(info.Granted.HTTP) == 0 {
		info.Warnings = append(info.Warnings, "its manifest lists allowed_hosts, but only the workflow's allow.http opens the network")
	}
	if mem := main.info.Memory; mem != nil && int64(mem.Min)<<16 > info.Limits.Memory {
		info.Warnings = append(info.Warnings, fmt.Sprintf("it starts with %s of memory, and limits.memory is %s: no call can succeed", size(int64(mem.Min)<<16), size(info.Limits.Memory)))
	}
	draws := slices.Contains(info.Imports, Import{wasiModule, "random_get"})
	_, initialises := main.exports()["_initialize"]
	if draws && (initialises || main.info.Start) {
		info.Warnings = append(info.Warnings, `its initialisation may draw random seeds; where they must differ from call to call, set reset = "instance"`)
	}
}

// producers reads the section of that name, which tools write by convention:
// fields (language, processed-by, sdk) with lists of names and versions.
func producers(m *module.Info, info *Info) {
	data, _ := m.CustomData("producers")
	ok := true
	number := func() int {
		n, size := binary.Uvarint(data)
		if size <= 0 || n > uint64(len(data)) {
			ok = false
			return 0
		}
		data = data[size:]
		return int(n)
	}
	text := func() string {
		n := number()
		if !ok || n > len(data) {
			ok = false
			return ""
		}
		s := printable(string(data[:n]))
		data = data[n:]
		return s
	}
	if len(data) == 0 {
		return
	}
	for range number() {
		field := text()
		for range number() {
			p := Producer{Name: text(), Version: text()}
			if !ok {
				return
			}
			if field == "language" {
				info.Languages = append(info.Languages, p)
			} else {
				info.Tools = append(info.Tools, p)
			}
		}
		if !ok {
			return
		}
	}
}
