package plugin

import (
	"context"
	"path/filepath"
	"strings"

	"wasmhost/host/event"
)

// Load reads a plugin's source, checks its digest, compiles it and prepares its
// permissions. No guest code runs but an export describe, without permissions,
// where there is no section of that name. The error is an *event.Error.
func (r *Runtime) Load(ctx context.Context, s Spec) (*Plugin, error) {
	if err := s.check(); err != nil { // shows no value, and a short one would tear its words
		err.Plugin = s.Name
		return nil, err
	}
	p, err := r.load(ctx, s)
	if err != nil {
		err.Plugin = s.Name
		newMasks(s.Secrets).error(err)
		return nil, err
	}
	return p, nil
}

func (r *Runtime) load(ctx context.Context, s Spec) (*Plugin, *event.Error) {
	img, err := r.read(ctx, s)
	if err != nil {
		return nil, err
	}
	return r.make(ctx, s, img)
}

// make makes a plugin of what was read, and asks it what it says of itself.
func (r *Runtime) make(ctx context.Context, s Spec, img *image) (*Plugin, *event.Error) {
	p, err := r.assemble(ctx, s, img)
	if err != nil {
		return nil, err
	}
	r.pruneOnce()
	// A description that cannot be had narrows nothing: it is the plugin's own
	// word, and the workflow's stands.
	if d, err := r.describe(ctx, img, &s); err == nil && d != nil {
		_ = p.network.ask(d)
		p.binary = d.binary()
	}
	return p, nil
}

// assemble makes a plugin of what was read.
func (r *Runtime) assemble(ctx context.Context, s Spec, img *image) (*Plugin, *event.Error) {
	if s.Reset == "" {
		s.Reset = ResetCall
	}
	s.Module, s.kept = nil, nil // they are in the image
	p := &Plugin{
		runtime:       r,
		spec:          s,
		reach:         img.reach(),
		limits:        img.tighten(s.Limits.withDefaults()),
		timeout:       img.timeout,
		exports:       newExports(img.abi, img.main().exports()),
		config:        mergeConfig(img.config, s.Config),
		configSecrets: map[string]string{},
		masks:         newMasks(s.Secrets),
		done:          make(chan struct{}),
	}
	p.pool.plugin = p
	touched(nil, nil) // opens what it asks, the first time
	for _, secret := range s.Secrets {
		if secret.Header == "" {
			p.configSecrets[secret.Name] = secret.Value
		}
	}
	for _, name := range s.Allow.Env {
		if value, ok := r.cfg.Getenv(name); ok {
			p.env = append(p.env, [2]string{name, value})
		}
	}
	var err *event.Error
	if p.network, err = r.newNetwork(&s, img); err != nil {
		return nil, err
	}
	if p.program, err = r.use(ctx, img); err != nil {
		return nil, err
	}
	if err = p.mountAll(); err == nil {
		err = r.adopt(p)
	}
	if err != nil {
		p.unmount()
		p.program.release()
		return nil, err
	}
	return p, nil
}

// inDir makes a path of a spec absolute.
func (s *Spec) inDir(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.Dir, path)
}

// wantedDigest is Spec.SHA256 in the form of Digest; "" when none is given.
func wantedDigest(hex string) string {
	hex = strings.ToLower(strings.TrimSpace(hex))
	if hex == "" || strings.HasPrefix(hex, "sha256:") {
		return hex
	}
	return "sha256:" + hex
}
