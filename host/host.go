// Package host is the embedding API of the workflow host: load a workflow file,
// start runs of it, watch them, wait for them. It only wires the rooms below
// together; what a file means is package workflow's business, when a node runs
// package engine's, and what a plugin may do package plugin's.
//
//	h, err := host.Open(ctx, host.Config{})
//	defer h.Close(ctx)
//	w, findings, err := h.Load(ctx, "workflow.toml")
//	run, err := h.Start(ctx, w, host.Options{})
//	result, err := run.Wait(ctx)
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/health"
	"wasmhost/host/internal/journal"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
	"wasmhost/plugins"
)

// Config says how a Host works. The zero value is a good one.
type Config struct {
	// CacheDir holds compiled plugins, so that the next process starts faster. It
	// is made with mode 0700; its contents are executed. "" is the user's cache
	// directory, or nothing where there is none to write to; "-" keeps nothing on
	// disk.
	CacheDir string
	// Getenv reads the environment; nil is os.LookupEnv.
	Getenv func(string) (string, bool)
	// AllowAnyHost lets a plugin's http permission be "*".
	AllowAnyHost bool
	// Sink takes the events of every run, in order for each run. It must not
	// block. nil: nobody.
	Sink event.Sink
	// Clock is the source of time for policies; nil is the real one.
	Clock Clock
	// State is the folder of the journal, shared by any number of processes. ""
	// keeps none: runs end with the process, and approvals cannot be waited for.
	State string
	// Durable says what a recorded step survives: DurableNone (runs are not
	// recorded; the rest of the journal, such as breakers, is used),
	// DurableNormal (the death of the process) or DurableFull (a power cut too).
	// "" is DurableNormal.
	Durable Durability
	// Role is told to other processes that meet this one in the journal: "run",
	// "serve". Only one "serve" may use a folder.
	Role string
	// Log takes what the Host has to say beside the runs; nil: nobody.
	Log *slog.Logger

	point func(name string) // of tests: faults in the journal
}

// Durability is what recorded steps survive.
type Durability string

// The durabilities.
const (
	DurableNone   Durability = "none"
	DurableNormal Durability = "normal"
	DurableFull   Durability = "full"
)

// Clock is a source of time; package resilience has two.
type Clock = call.Clock

// Host runs workflows. It is safe for concurrent use.
type Host struct {
	config  Config
	getenv  func(string) (string, bool)
	clock   call.Clock
	runtime *plugin.Runtime
	plugins *registry
	shared  *call.Shared
	caller  *call.Caller
	monitor *health.Monitor
	local   *engine.Local

	journal *journal.Journal // nil: none
	read    lastRead
	log     *slog.Logger

	// Of a Host that serves; see Serve.
	observer atomic.Pointer[observer]
	slots    *slots
	served   atomic.Pointer[served]
	keeping  sync.Mutex // of chosen versions and recordings

	saving   sync.Mutex // of breakers
	saved    map[breakerName]string
	saves    uint64               // how often one was
	adopting map[breakerName]bool // from the journal: not to be saved again

	mu       sync.Mutex
	runs     map[string]*Run
	held     map[heldKey]*Workflow
	followed map[*Run]bool
	metrics  map[string]*metrics // by root workflow
	closed   bool
	ending   sync.WaitGroup
}

// Open makes a Host. Close it.
func Open(ctx context.Context, c Config) (*Host, error) {
	h := &Host{config: c, getenv: c.Getenv, clock: c.Clock, log: c.Log, slots: &slots{}, runs: map[string]*Run{}, held: map[heldKey]*Workflow{}, followed: map[*Run]bool{}, metrics: map[string]*metrics{},
		saved: map[breakerName]string{}, adopting: map[breakerName]bool{}}
	if h.getenv == nil {
		h.getenv = os.LookupEnv
	}
	if h.clock == nil {
		h.clock = call.RealClock()
	}
	dir, err := cacheDir(c.CacheDir)
	if err != nil {
		return nil, err
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.runtime = plugin.NewRuntime(plugin.Config{CacheDir: dir, Builtin: plugins.Module, AllowAnyHost: c.AllowAnyHost, Getenv: h.getenv,
		Trace:  func(m plugin.Meta) string { return h.observer.Load().traceParent(m) },
		OnHTTP: func(m plugin.Meta, x plugin.HTTPExchange) { h.observer.Load().exchanged(m, x) }})
	h.plugins = newRegistry(h)
	h.shared = call.NewShared(h.clock, h.breakerChanged)
	h.caller = call.NewCaller(h.plugins, h.shared, h.clock)
	h.monitor = health.NewMonitor(h.caller, h.clock)
	h.local = &engine.Local{Caller: h.caller, Health: h.monitor, Clock: h.clock}
	if c.State == "" {
		return h, nil
	}
	if err := h.openJournal(ctx); err != nil {
		return nil, errors.Join(err, h.runtime.Close(ctx))
	}
	return h, nil
}

// openJournal opens the journal in the state folder.
func (h *Host) openJournal(ctx context.Context) error {
	o := journal.Options{Durability: journal.Normal, Role: h.config.Role, Now: h.clock.Now, OnCommand: h.command, OnBreaker: h.adopt, Point: h.config.point}
	switch h.config.Durable {
	case DurableFull:
		o.Durability = journal.Full
	case "", DurableNormal, DurableNone:
	default:
		return refusal("bad_setting", fmt.Sprintf("durability %q: it is none, normal or full", h.config.Durable))
	}
	j, err := journal.Open(ctx, h.config.State, o)
	if err != nil {
		return h.recorded(err)
	}
	h.journal = j
	h.monitor.OnReport = func(workflow string, r *event.Report) {
		j.SaveReport(workflow, r)
		h.observer.Load().report(workflow, r)
	}
	return nil
}

func cacheDir(dir string) (string, error) {
	switch dir {
	case "-":
		return "", nil
	case "":
		base, err := os.UserCacheDir()
		if err != nil {
			return "", nil // no home: nothing is kept
		}
		dir = filepath.Join(base, "host")
		if os.MkdirAll(dir, 0o700) != nil {
			return "", nil // a home that cannot be written to: the same
		}
		return dir, nil
	}
	return filepath.Abs(dir)
}

// ErrClosed is returned by a Host that was closed.
var ErrClosed error = &event.Error{Class: event.Transient, Code: "closed", Message: "the host is closed"}

// Close ends the work on the runs that are left, waits for them and gives
// everything back. Runs that are recorded are kept as they stand, the others
// are cancelled. Closing twice is harmless.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	for _, r := range h.runs {
		r.Interrupt(ErrClosed)
	}
	for r := range h.followed {
		r.Interrupt(ErrClosed)
	}
	h.mu.Unlock()
	done := make(chan struct{})
	go func() { h.ending.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	h.saveAllRecordings(ctx)
	var lost error
	if h.journal != nil {
		lost = h.journal.Close(ctx)
	}
	return errors.Join(lost, h.runtime.Close(ctx))
}

// Metrics are the counts of a root workflow since the Host was opened.
func (h *Host) Metrics(w *Workflow) event.Metrics {
	return h.metricsOf(w.plan).snapshot(h.shared.Breakers(w.plan.Name))
}

// Loading is how many plugins are being loaded now. The first load of a module
// compiles it, which takes seconds for large ones.
func (h *Host) Loading() int { return int(h.plugins.loading.Load()) }

// Breakers are the breakers of a root workflow, by key.
func (h *Host) Breakers(w *Workflow) []event.BreakerState { return h.shared.Breakers(w.plan.Name) }

// Health runs the workflow's health checks and returns the report.
func (h *Host) Health(ctx context.Context, w *Workflow) (*event.Report, error) {
	if err := h.plugins.prepare(w.plan); err != nil {
		return nil, err
	}
	return h.monitor.Check(ctx, w.plan, ""), nil
}

func (h *Host) metricsOf(p *workflow.Plan) *metrics {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.metrics[p.Name]
	if m == nil {
		m = newMetrics()
		h.metrics[p.Name] = m
	}
	return m
}

// breakerChanged tells every live run of the root workflow.
func (h *Host) breakerChanged(root, key, from, to string, s event.BreakerState) {
	h.observer.Load().breaker(root, from, to, s)
	for _, r := range h.liveOf(root) {
		r.emit(&event.Event{Type: event.BreakerChanged, Workflow: root, Breaker: key, From: from, To: to, Error: s.LastError,
			RetryInMS: float64(s.OpenForMS)})
	}
	h.saveBreaker(root, key)
}
