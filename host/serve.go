package host

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/alert"
	"wasmhost/host/internal/schedule"
	"wasmhost/host/internal/server"
	"wasmhost/host/internal/server/pages"
	"wasmhost/host/internal/telemetry"
)

// Serve serves workflows over HTTP until ctx ends: the API, the pages, webhooks,
// schedules, health in the background and alerts. It goes on with every run of
// the journal that nobody works on, watches the files that it serves, and needs
// a Host that was opened with State and the Role "serve".
//
// When ctx ends it takes no new runs, lets those that go on have their Grace, and
// returns nil; what is left is kept as it stands, for the next Serve. An error
// keeps it from serving at all: codes no_journal, bad_setting, invalid_workflow,
// missing_secret, address_in_use.
func (h *Host) Serve(ctx context.Context, o ServeOptions) error {
	o.setDefaults()
	if err := h.servable(o); err != nil {
		if o.Listener != nil {
			_ = o.Listener.Close()
		}
		return err
	}
	listener, err := o.listen()
	if err != nil {
		return err
	}
	if t, ok := listener.Addr().(*net.TCPAddr); ok && o.NoAuth && !t.IP.IsLoopback() {
		_ = listener.Close()
		return refusal("bad_setting", fmt.Sprintf("without authentication a server listens on loopback only, and %s is reached from elsewhere", listener.Addr()))
	}
	if o.BaseURL == "" {
		o.BaseURL = urlOf(listener.Addr())
	}
	s, err := h.newServed(ctx, o)
	if err != nil {
		_ = listener.Close()
		return err
	}
	defer s.close()
	return s.serve(ctx, listener)
}

// served is a Host that serves; it is the server.Service.
type served struct {
	*Host
	o         ServeOptions
	tokens    *server.Tokens // nil: everybody may do everything
	telemetry *telemetry.Telemetry
	alerts    *alert.Alerts
	scheduler *schedule.Scheduler
	flows     flows

	stopping chan struct{} // closed when no new runs are taken
	stop     sync.Once
	checked  writeCheck
	arrivals arrivals
}

var errServed = refusal("bad_setting", "this Host serves already")

// servable refuses a Host that was not opened for it, and what cannot be served.
func (h *Host) servable(o ServeOptions) error {
	switch {
	case !h.records():
		return refusal("no_journal", "serving needs a journal with recorded runs: open the Host with a State folder, and not with DurableNone")
	case h.config.Role != "serve":
		return refusal("bad_setting", `serving needs a Host that was opened with the Role "serve", so that there is only one in a state folder`)
	}
	if err := server.CheckHosts(o.Hosts); err != nil {
		return refusal("bad_setting", err.Error())
	}
	return nil
}

// newServed reads what is to be served. Nothing runs yet.
func (h *Host) newServed(ctx context.Context, o ServeOptions) (*served, error) {
	s := &served{Host: h, o: o, stopping: make(chan struct{})}
	s.flows.of = map[string]*flow{}
	if err := s.loadFlows(ctx); err != nil {
		s.unloadFlows(ctx)
		return nil, err
	}
	fail := func(err error) (*served, error) {
		s.unloadFlows(ctx)
		return nil, err
	}
	var err error
	if !o.NoAuth {
		if s.tokens, err = server.OpenTokens(h.config.State); err != nil {
			return fail(err)
		}
	}
	if s.telemetry, err = telemetry.New(telemetry.Config{Version: o.Version, Log: h.config.Log, Sources: s.sources()}); err != nil {
		return fail(refusal("bad_setting", err.Error()))
	}
	seen := &observer{telemetry: s.telemetry}
	s.alerts = alert.New(alert.Config{BaseURL: o.BaseURL, Version: o.Version, Log: h.log, OnAlert: seen.alert, OnSent: seen.sent})
	seen.alerts = s.alerts
	s.scheduler = schedule.New(s.scheduleConfig())
	for _, f := range s.flows.loaded() {
		s.scheduler.Set(f.name, f.w.plan.Schedules)
		s.alerts.Set(f.name, f.w.plan.Alerts, f.w.plan.Health)
	}
	if !h.served.CompareAndSwap(nil, s) {
		_ = s.telemetry.Close(ctx)
		return fail(errServed)
	}
	h.slots.bound(o.MaxRuns, o.MaxQueued)
	h.observer.Store(seen)
	return s, nil
}

// close gives back what newServed took.
func (s *served) close() {
	ctx := context.Background()
	s.stop.Do(func() { close(s.stopping) })
	s.unloadFlows(ctx)
	s.Host.observer.Store(nil)
	flush, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.telemetry.Close(flush); err != nil {
		s.log.Warn("not all telemetry could be sent", "error", err)
	}
	s.Host.served.Store(nil)
}

// serve answers on l until ctx has ended and the rest has come to an end. Who
// stops whom: ctx ends the intake (schedules, watching, going on with runs); then
// the runs have their grace, during which the API still answers; then alerts and
// the API end.
func (s *served) serve(ctx context.Context, l net.Listener) error {
	info := ServeInfo{URL: urlOf(l.Addr()), PID: os.Getpid()}
	config := server.Config{Service: s, Tokens: s.tokens, NoAuth: s.o.NoAuth, Hosts: s.o.Hosts, Secure: s.o.Secure, Metrics: s.telemetry.Handler(),
		Answered: s.telemetry.Served, Watching: s.telemetry.Watching, LoginPage: pages.Login, PageProblem: pages.Problem,
		Log: s.config.Log, Now: s.clock.Now, Pages: pages.New(s, pages.Options{Tokens: s.tokens, Now: s.clock.Now, Version: s.o.Version})}
	web := server.New(config)
	forget, err := s.announce(info)
	if err != nil {
		_ = l.Close()
		return err
	}
	defer forget()

	answering, stopAnswering := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAnswering()
	taking, stopTaking := context.WithCancel(ctx)
	defer stopTaking()
	var failed error
	var outer, inner sync.WaitGroup
	outer.Go(func() {
		if failed = web.Serve(answering, l); failed != nil {
			stopTaking()
		}
	})
	outer.Go(func() { s.alerts.Run(answering) })
	s.takeIn(taking, &inner)

	if s.tokens != nil {
		path, _ := s.tokens.LoginLink()
		info.LoginURL, info.AdminTokenFile = info.URL+path, s.tokens.AdminFile()
	}
	s.log.Info("serving", "url", info.URL, "workflows", len(s.flows.names()))
	if s.o.OnReady != nil {
		s.o.OnReady(info)
	}
	<-taking.Done()
	s.stop.Do(func() { close(s.stopping) })
	s.endRuns(context.WithoutCancel(ctx), &inner)
	stopAnswering()
	outer.Wait()
	s.saveAllRecordings(context.WithoutCancel(ctx))
	if failed != nil {
		return &event.Error{Class: event.System, Code: "host_failure", Cause: failed, Message: failed.Error()}
	}
	return nil
}

// takeIn starts what brings runs in and goes on with them, until ctx ends.
func (s *served) takeIn(ctx context.Context, all *sync.WaitGroup) {
	all.Go(func() {
		if err := s.scheduler.Run(ctx); err != nil {
			s.log.Error("schedules do not run", "error", err)
		}
	})
	all.Go(func() { s.flows.watchHealth(ctx, s) })
	all.Go(func() { s.goOnWithRuns(ctx) })
	all.Go(func() { s.warmPlugins(ctx) })
	all.Go(func() { s.tidy(ctx) })
	if !s.o.NoWatch {
		all.Go(func() { s.watchFiles(ctx) })
	}
}
