package host

import (
	"context"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/plugin"
)

// PluginOptions describe a plugin outside of any workflow. It may do nothing
// but what is allowed here.
type PluginOptions struct {
	// Source is a path, relative to Dir, builtin:NAME or https://… with a SHA256.
	Source, Dir, SHA256 string
	Config              map[string]string
	Args                []string
	AllowHTTP           []string // origins
	AllowFS             []FSPermission
	AllowEnv            []string // names of variables
}

// FSPermission shows a folder to a plugin.
type FSPermission struct {
	Path, At string
	Write    bool
}

// Plugin is a plugin outside of any workflow. It is safe for concurrent use.
type Plugin struct {
	host *Host
	live *plugin.Plugin
}

// Plugin loads a plugin. The error is an *event.Error.
func (h *Host) Plugin(ctx context.Context, o PluginOptions) (*Plugin, error) {
	s := plugin.Spec{Name: o.Source, Source: o.Source, Dir: o.Dir, SHA256: o.SHA256, Config: o.Config, Args: o.Args,
		Allow: plugin.Allow{HTTP: o.AllowHTTP, Env: o.AllowEnv}}
	for _, m := range o.AllowFS {
		s.Allow.FS = append(s.Allow.FS, plugin.Mount{Path: m.Path, At: m.At, Write: m.Write})
	}
	live, err := h.runtime.Load(ctx, s)
	if err != nil {
		return nil, err
	}
	return &Plugin{host: h, live: live}, nil
}

// Close gives the plugin back when its calls in flight have ended.
func (p *Plugin) Close(ctx context.Context) error { return p.live.Close(ctx) }

// CallResult is what one call came to, in the shape of `host call -o json`.
type CallResult struct {
	Output      event.Value    `json:"output"`
	Error       *event.Error   `json:"error"`
	DurationMS  float64        `json:"duration_ms"`
	Steps       uint64         `json:"steps"`
	MemoryBytes uint64         `json:"memory_bytes"`
	Logs        []LogLine      `json:"logs"`
	Warnings    []*event.Error `json:"warnings,omitempty"`
	// HostCalls are what the plugin asked of the host.
	HostCalls event.HostCalls `json:"host_calls"`
	Digest    string          `json:"digest"`
}

// LogLine is what a plugin logged.
type LogLine struct {
	Level   string `json:"level"`
	Message string `json:"message"`
}

// Call calls one function ("" means run) under a timeout (0: none), as a node
// without policies would.
func (p *Plugin) Call(ctx context.Context, function string, input event.Value, timeout time.Duration) *CallResult {
	r := &CallResult{Logs: []LogLine{}}
	got, err := call.Direct(ctx, p.live, plugin.Call{Function: function, Input: input.Bytes(),
		Log: func(level, message string) { r.Logs = append(r.Logs, LogLine{level, message}) },
	}, timeout, p.host.clock)
	r.DurationMS = float64(got.Duration.Microseconds()) / 1e3
	r.Steps, r.MemoryBytes, r.HostCalls, r.Digest, r.Warnings = got.Steps, got.MemoryBytes, got.HostCalls, got.Digest, got.Warnings
	if r.Error = err; err != nil {
		return r
	}
	out, bad := call.Output(got)
	if bad != nil {
		r.Error = bad
		return r
	}
	r.Output = out
	return r
}
