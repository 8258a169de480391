package host

import (
	"fmt"
	"path/filepath"
	"strings"

	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
)

// spec turns a plugin table into what package plugin takes: settings read from
// the environment, secrets from where they are kept.
func (h *Host) spec(p *workflow.Plan, pl *workflow.Plugin) (plugin.Spec, error) {
	s := inspectSpec(pl, p.Dir)
	s.Config = make(map[string]string, len(pl.Config))
	for key, setting := range pl.Config {
		v, err := h.setting(p, pl.Name, "config."+key, setting)
		if err != nil {
			return s, err
		}
		s.Config[key] = v
	}
	var err error
	if s.Allow.HTTP, err = h.settings(p, pl.Name, "allow.http", pl.Allow.HTTP); err != nil {
		return s, err
	}
	s.Allow.Env = pl.Allow.Env
	for _, m := range pl.Allow.FS {
		s.Allow.FS = append(s.Allow.FS, plugin.Mount{Path: m.Path, At: m.At, Write: m.Write})
	}
	for _, use := range pl.Allow.Secrets {
		value, ok, err := h.secret(p, use.Name)
		if err != nil {
			return s, err
		}
		if !ok {
			continue // optional, and not there
		}
		secret := plugin.Secret{Name: use.Name, Value: value, Header: use.Header, Prefix: use.Prefix}
		if use.To != nil {
			if secret.To, err = h.settings(p, pl.Name, "allow.secrets", use.To); err != nil {
				return s, err
			}
		}
		s.Secrets = append(s.Secrets, secret)
	}
	return s, nil
}

// inspectSpec is the part of a spec that needs no environment.
func inspectSpec(pl *workflow.Plugin, dir string) plugin.Spec {
	l := pl.Limits
	return plugin.Spec{Name: pl.Name, Source: pl.Source, Dir: dir, SHA256: pl.SHA256, ABI: pl.ABI, Reset: pl.Reset, Args: pl.Args, Record: pl.Record,
		Limits: plugin.Limits{Memory: l.Memory, Input: l.Input, Output: l.Output, Log: l.Log, Vars: l.Vars, HTTPBytes: l.HTTPBytes,
			HTTPRequests: l.HTTPRequests, Files: l.Files, Steps: l.Steps, Instances: l.Instances}}
}

func (h *Host) settings(p *workflow.Plan, name, where string, all []workflow.Setting) ([]string, error) {
	var values []string
	for _, s := range all {
		v, err := h.setting(p, name, where, s)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

func (h *Host) setting(p *workflow.Plan, name, where string, s workflow.Setting) (string, error) {
	if s.Env == "" {
		return s.Value, nil
	}
	if v, ok := h.getenv(s.Env); ok && v != "" {
		return v, nil
	}
	if s.HasDefault {
		return s.Default, nil
	}
	return "", refusal("bad_setting", fmt.Sprintf(
		"plugins.%s.%s of workflow %q comes from the environment variable %s, which is not set, and has no default; set it, or give a default in %s",
		name, where, p.Name, s.Env, p.File))
}

// maxSecret bounds the file of a secret: keys and certificates are far smaller.
const maxSecret = 1 << 20

// secret reads a secret's value; false when it is optional and not there.
func (h *Host) secret(p *workflow.Plan, name string) (string, bool, error) {
	s, ok := p.Secrets[name]
	if !ok {
		return "", false, refusal("missing_secret", fmt.Sprintf("workflow %q names no secret %q", p.Name, name))
	}
	var value, why string
	if s.Env != "" {
		value, ok = h.getenv(s.Env)
		if !ok || value == "" {
			ok, why = false, "the environment variable "+s.Env+" is not set"
		}
	} else {
		file := s.File
		if !filepath.IsAbs(file) {
			file = filepath.Join(p.Dir, file)
		}
		text, err := workflow.ReadFile(file, maxSecret)
		value, ok = strings.TrimRight(string(text), "\r\n"), err == nil
		if err != nil {
			why = err.Error()
		}
	}
	if ok && len(value) < plugin.MinSecret {
		return "", false, refusal("bad_secret", fmt.Sprintf(
			"secret %q of workflow %q has %d bytes; values of fewer than %d cannot be kept out of outputs and logs without tearing ordinary text apart: use a longer one", name, p.Name, len(value), plugin.MinSecret))
	}
	if ok || s.Optional {
		return value, ok, nil
	}
	return "", false, refusal("missing_secret", fmt.Sprintf(
		"secret %q of workflow %q: %s; provide it, or mark it optional in %s", name, p.Name, why, p.File))
}
