package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"wasmhost/host/workflow"
)

// pluginView is a plugin of a plan with its permissions and limits. Values from
// the environment are named, never shown.
type pluginView struct {
	Name    string            `json:"name"`
	Source  string            `json:"source"`
	SHA256  string            `json:"sha256,omitempty"`
	ABI     string            `json:"abi,omitempty"` // "": found out from the module
	Reset   string            `json:"reset"`
	Config  map[string]string `json:"config,omitempty"`
	HTTP    []string          `json:"http"`
	FS      []string          `json:"fs"`
	Env     []string          `json:"env"`
	Secrets []string          `json:"secrets"`
	Limits  map[string]int64  `json:"limits,omitempty"` // bytes, or counts
}

func viewPlugins(p *workflow.Plan) []pluginView {
	out := []pluginView{}
	for _, name := range slices.Sorted(maps.Keys(p.Plugins)) {
		pl := p.Plugins[name]
		v := pluginView{Name: name, Source: pl.Source, SHA256: pl.SHA256, ABI: pl.ABI, Reset: pl.Reset,
			HTTP: []string{}, FS: []string{}, Env: append([]string{}, pl.Allow.Env...), Secrets: []string{}}
		for k, s := range pl.Config {
			if v.Config == nil {
				v.Config = map[string]string{}
			}
			v.Config[k] = saySetting(s)
		}
		for _, o := range pl.Allow.HTTP {
			v.HTTP = append(v.HTTP, saySetting(o))
		}
		for _, m := range pl.Allow.FS {
			mode := "read-only"
			if m.Write {
				mode = "read and write"
			}
			v.FS = append(v.FS, fmt.Sprintf("%s at %s, %s", m.Path, m.At, mode))
		}
		for _, s := range pl.Allow.Secrets {
			use := s.Name + " as config secret." + s.Name
			if s.Header != "" {
				use = fmt.Sprintf("%s in the header %s of its requests", s.Name, s.Header)
			}
			v.Secrets = append(v.Secrets, use)
		}
		l := pl.Limits
		for name, n := range map[string]int64{"memory": l.Memory, "input": l.Input, "output": l.Output, "log": l.Log, "vars": l.Vars,
			"http_bytes": l.HTTPBytes, "http_requests": int64(l.HTTPRequests), "files": int64(l.Files), "steps": l.Steps, "instances": int64(l.Instances)} {
			if n > 0 {
				if v.Limits == nil {
					v.Limits = map[string]int64{}
				}
				v.Limits[name] = n
			}
		}
		out = append(out, v)
	}
	return out
}

func saySetting(s workflow.Setting) string {
	if s.Env == "" {
		return s.Value
	}
	if s.HasDefault {
		return fmt.Sprintf("$%s, else %s", s.Env, s.Default)
	}
	return "$" + s.Env
}

// may tells the permissions, a line each.
func (p *pluginView) may() []string {
	var out []string
	add := func(what string, list []string) {
		if len(list) > 0 {
			out = append(out, what+strings.Join(list, "; "))
		}
	}
	add("http: ", p.HTTP)
	add("files: ", p.FS)
	add("variables: ", p.Env)
	add("secrets: ", p.Secrets)
	if len(out) == 0 {
		out = append(out, "nothing outside of its sandbox")
	}
	var limits []string
	for _, name := range slices.Sorted(maps.Keys(p.Limits)) {
		limits = append(limits, name+" "+sayLimit(name, p.Limits[name]))
	}
	add("limits: ", limits)
	return out
}

func sayLimit(name string, n int64) string {
	switch name {
	case "http_requests", "files", "steps", "instances":
		return fmt.Sprint(n)
	}
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
