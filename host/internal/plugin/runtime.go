// Package plugin runs WebAssembly modules as plugins: it reads them from their
// sources, checks and compiles them, gives every call an instance in its
// initial state, speaks both ABIs (Extism and WASI preview 1), and lets a
// plugin do what its permissions say and nothing else. Versions is a plugin
// whose module may change while it is called. It is the only door to wazero and
// to extism/go-sdk.
//
// It knows no workflows, no policies and no retries: one Call is one attempt.
package plugin

import (
	"context"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"wasmhost/host/event"
	"wasmhost/host/internal/module"
)

// Config is what all plugins of one Runtime share. The zero value works.
type Config struct {
	// CacheDir keeps compiled code and fetched modules. It is created with mode
	// 0700; what lies in it is executed, so nobody else may write there. "" keeps
	// compiled code in memory and fetches anew for every Load.
	CacheDir string
	// Builtin returns the module behind builtin:NAME. nil: there are none.
	Builtin func(name string) ([]byte, bool)
	// AllowAnyHost permits the http permission "*": any host, though never a
	// loopback, private or link-local address that is not listed by itself.
	AllowAnyHost bool
	// RootCAs verifies TLS servers, of https sources and of plugins' requests.
	// nil: the system's.
	RootCAs *x509.CertPool
	// Getenv looks up the variables that a plugin's `env` names. nil:
	// os.LookupEnv.
	Getenv func(name string) (string, bool)
	// MaxModuleBytes is the largest module that is read. 0: 64 MiB.
	MaxModuleBytes int64
	// Trace gives the W3C traceparent that goes into one request of a call's plugin;
	// "": none. It is asked for each request, and OnHTTP is told what it gave. A
	// guest's own header is never replaced. nil: no tracing.
	Trace func(Meta) string
	// OnHTTP is told of every request of a plugin when it is over, on the call's
	// goroutine, which waits for it. nil: nobody wants to know.
	OnHTTP func(Meta, HTTPExchange)
}

// Runtime loads plugins. Plugins of the same content share compiled code. It
// is safe for concurrent use.
type Runtime struct {
	cfg      Config
	prepared func() (*module.Cache, error) // opened when it is first needed; nil without a CacheDir

	pruning    sync.Once
	background sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	programs map[string]*program // by key, while anybody uses them
	plugins  map[*Plugin]struct{}
}

const defaultMaxModule = 64 << 20

// NewRuntime returns a Runtime. It starts nothing.
func NewRuntime(cfg Config) *Runtime {
	if cfg.Getenv == nil {
		cfg.Getenv = os.LookupEnv
	}
	if cfg.MaxModuleBytes == 0 {
		cfg.MaxModuleBytes = defaultMaxModule
	}
	r := &Runtime{cfg: cfg, programs: map[string]*program{}, plugins: map[*Plugin]struct{}{}}
	r.prepared = sync.OnceValues(func() (*module.Cache, error) {
		if cfg.CacheDir == "" {
			return nil, nil
		}
		if err := privateDir(cfg.CacheDir); err != nil {
			return nil, err
		}
		return module.OpenCache(filepath.Join(cfg.CacheDir, "prepared"))
	})
	return r
}

// Close closes all plugins: new calls are refused, calls in flight end
// properly. It waits for them until ctx is done; what is left then is released
// by the last call itself. Closing twice is harmless.
func (r *Runtime) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	open := make([]*Plugin, 0, len(r.plugins))
	for p := range r.plugins {
		open = append(open, p)
	}
	r.mu.Unlock()
	for _, p := range open {
		p.pool.end()
	}
	r.background.Wait() // it removes some files, and is soon done
	var errs []error
	for _, p := range open {
		errs = append(errs, p.Close(ctx))
	}
	return errors.Join(errs...)
}

func (r *Runtime) adopt(p *Plugin) *event.Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return &event.Error{Plugin: p.spec.Name, Class: event.System, Code: codeClosed, Message: "the plugin runtime is closed"}
	}
	r.plugins[p] = struct{}{}
	return nil
}

func (r *Runtime) forget(p *Plugin) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.plugins, p)
}
