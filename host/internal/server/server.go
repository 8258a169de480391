package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server serves the API, the pages and webhooks. It is safe for concurrent use.
type Server struct {
	cfg    Config
	limits Limits
	log    *slog.Logger
	now    func() time.Time

	mux             *http.ServeMux
	routes          map[string]*route // by pattern
	hosts           map[string]bool
	cross           *http.CrossOriginProtection
	failures        failures
	hub             *hub
	work            chan struct{}
	unknown         budget
	bodies, modules budget

	http    *http.Server
	stopCtx context.Context // ends when the server begins to stop
	stop    context.CancelFunc
}

// New makes a server. Nothing runs before Serve; Close frees what ServeHTTP alone
// has begun.
func New(c Config) *Server {
	if c.Tokens == nil && !c.NoAuth {
		panic("server: New without Tokens, and not NoAuth")
	}
	s := &Server{cfg: c, limits: c.Limits.withDefaults(), log: c.Log, now: c.Now, mux: http.NewServeMux(), routes: map[string]*route{}}
	s.stopCtx, s.stop = context.WithCancel(context.Background())
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.hosts = allowedHosts(c.Hosts)
	s.cross = http.NewCrossOriginProtection()
	s.failures = failures{now: s.now}
	s.hub = newHub(c.Service, s.limits)
	s.work = make(chan struct{}, s.limits.Requests)
	s.unknown.most, s.unknown.each = s.limits.HookBodies, s.limits.HookBodies/4
	s.modules.most = s.limits.Modules
	s.bodies.most = s.limits.Bodies
	for _, r := range s.table() {
		s.add(r)
	}
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: s.limits.HeaderTime,
		IdleTimeout:       s.limits.IdleTime,
		// Headers that are too large get an answer of ours up to here, a shorter one
		// of net/http beyond.
		MaxHeaderBytes: 2 * s.limits.HeaderBytes,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve answers what comes in on l until ctx ends, then lets requests in flight
// end for Limits.Grace: event streams and waits end at once. It returns nil after
// that, and an error when it cannot serve at all. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if s.cfg.NoAuth && !loopback(l.Addr()) {
		_ = l.Close()
		return refusal("bad_request", fmt.Sprintf("without authentication host serves on loopback only, and %s is not; listen on 127.0.0.1, or leave --no-auth out", l.Addr()))
	}
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(limit(l, s.limits.Connections)) }()
	select {
	case err := <-failed:
		if errors.Is(err, http.ErrServerClosed) { // by Close
			return nil
		}
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	s.stop()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.Grace)
	defer cancel()
	if s.http.Shutdown(grace) != nil {
		_ = s.http.Close()
	}
	<-failed
	s.hub.close()
	return nil
}

// stopped reports whether the server has begun to stop: streams and waits end,
// and no run is started.
func (s *Server) stopped() bool { return s.stopCtx.Err() != nil }

// Close ends everything at once. Closing twice is harmless.
func (s *Server) Close() error {
	s.stop()
	err := s.http.Close()
	s.hub.close()
	return err
}

// loopback reports whether only this machine reaches the address.
func loopback(a net.Addr) bool {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}
