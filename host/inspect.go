package host

import (
	"context"
	"slices"

	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
	"wasmhost/plugins"
)

// inspector looks into modules for package workflow.
type inspector struct{ host *Host }

// Inspect reads a module; nothing of it runs but its describe export, and that
// only when it has no section of that name.
func (i inspector) Inspect(ctx context.Context, p *workflow.Plugin, dir string) (*workflow.Module, error) {
	info, err := i.host.runtime.Inspect(ctx, inspectSpec(p, dir))
	if err != nil {
		return nil, err
	}
	m := &workflow.Module{ABI: info.ABI, Digest: info.Digest, Exports: info.Functions,
		Command: info.ABI == plugin.ABIWASI && info.Exports["_start"] != "",
		NoHTTP:  !importsHTTP(info)}
	if d := info.Description; d != nil {
		m.Functions = make(map[string]workflow.FunctionInfo, len(d.Functions))
		for name, f := range d.Functions {
			m.Functions[name] = workflow.FunctionInfo{Description: f.Description, Input: f.Input, Output: f.Output}
		}
	}
	if info.Asked != nil {
		m.AsksHTTP = info.Asked.HTTP
	}
	return m, nil
}

func importsHTTP(info *plugin.Info) bool {
	return slices.ContainsFunc(info.Imports, func(i plugin.Import) bool { return i.Name == "http_request" })
}

// Builtins are the names of the plugins that are embedded, for builtin:NAME.
func Builtins() []string { return plugins.Names() }
