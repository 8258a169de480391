package server

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"
)

// route is one method on one path, and what holds for it before its handler.
type route struct {
	pattern string // METHOD /path
	scope   Scope
	action  string   // of the audit; "" for what changes nothing
	limit   int64    // of the body; 0: none is taken
	kinds   []string // media types of the body; nil: any
	query   []string // parameters that are understood
	within  time.Duration
	stream  bool              // has no end of its own: it takes no place at work
	before  func(*call) error // refuses before a body is read; nil: nothing is to be seen then
	do      func(*call) error
	page    *Route
}

var jsonOnly = []string{"application/json"}

// changes reports whether a method changes something.
func changes(method string) bool { return method != http.MethodGet && method != http.MethodHead }

func method(pattern string) string {
	m, _, _ := strings.Cut(pattern, " ")
	return m
}

// table are the routes of the API. openapi.yaml describes each.
func (s *Server) table() []*route {
	l := s.limits
	read := func(path string, do func(*call) error, query ...string) *route {
		return &route{pattern: "GET " + path, scope: Read, do: do, query: query}
	}
	change := func(method, path string, scope Scope, action string, limit int64, do func(*call) error) *route {
		return &route{pattern: method + " " + path, scope: scope, action: action, limit: limit, kinds: jsonOnly, do: do}
	}
	const small = 64 << 10
	swap := change("PUT", "/v1/plugins/{name}", Admin, "plugin.swap", l.Module, swapPlugin)
	swap.kinds = []string{"application/wasm", "application/octet-stream"}
	swap.query, swap.within = swapQuery, swapTime
	reload := change("POST", "/v1/plugins/{name}/reload", Admin, "plugin.swap", small, swapPlugin)
	reload.query, reload.within = swapQuery, swapTime
	check := change("POST", "/v1/health/{workflow}/check", Run, "health.check", small, checkHealth)
	check.within = swapTime
	stream := read("/v1/runs/{id}/events", streamEvents, "after")
	stream.stream = true
	export := read("/v1/runs/{id}/export", exportRun)
	export.within = swapTime
	open := func(pattern string, do func(*call) error) *route { return &route{pattern: pattern, do: do} }
	login := &route{pattern: "POST /login", action: "login", limit: small, kinds: []string{"application/x-www-form-urlencoded"}, do: logIn}
	loginForm := open("GET /login", loginForm)
	loginForm.query = []string{"token", "next"}

	routes := []*route{
		read("/v1/workflows", listWorkflows),
		read("/v1/workflows/{name}", showWorkflow),
		read("/v1/workflows/{name}/graph.svg", showGraph, "run"),
		change("POST", "/v1/workflows/{name}/runs", Run, "run.start", l.JSON, startRun),

		read("/v1/runs", listRuns, "status", "workflow", "after", "since", "limit", "counts"),
		read("/v1/runs/{id}", showRun),
		stream,
		read("/v1/runs/{id}/events.json", listEvents, "after", "limit"),
		read("/v1/runs/{id}/result", showResult),
		read("/v1/runs/{id}/why", showWhy),
		export,
		change("POST", "/v1/runs/{id}/cancel", Run, "run.cancel", small, cancelRun),
		change("POST", "/v1/runs/{id}/resume", Run, "run.resume", small, resumeRun),
		change("POST", "/v1/runs/{id}/retry", Run, "run.retry", small, retryRun),
		change("POST", "/v1/runs/{id}/approve", Approve, "run.approve", l.JSON, approveRun),
		change("DELETE", "/v1/runs/{id}", Admin, "run.delete", 0, deleteRun),

		read("/v1/plugins", listPlugins),
		read("/v1/plugins/{name}", showPlugin),
		swap, reload,
		change("POST", "/v1/plugins/{name}/rollback", Admin, "plugin.rollback", small, rollbackPlugin),
		change("POST", "/v1/plugins/{name}/promote", Admin, "plugin.promote", small, promotePlugin),

		read("/v1/breakers", listBreakers),
		change("POST", "/v1/breakers/{key}/reset", Admin, "breaker.reset", small, resetBreaker),
		change("POST", "/v1/breakers/{key}/open", Admin, "breaker.open", small, openBreaker),

		read("/v1/health", listHealth),
		check,
		read("/v1/schedules", listSchedules),
		{pattern: "GET /v1/audit", scope: Admin, do: listAudits, query: []string{"limit"}},

		{pattern: "GET /v1/tokens", scope: Admin, do: listTokens},
		change("POST", "/v1/tokens", Admin, "token.add", small, addToken),
		change("DELETE", "/v1/tokens/{name}", Admin, "token.remove", 0, removeToken),
		change("POST", "/v1/login-links", Admin, "login.link", small, makeLink),

		{pattern: "POST /hooks/{path...}", action: "run.start", limit: l.Hook, before: findHook, do: hookRun},

		loginForm, login,
		{pattern: "POST /logout", action: "logout", limit: small, do: logOut},
		open("GET /healthz", alive),
		open("GET /readyz", ready),
		open("GET /openapi.yaml", describe),
	}
	if s.cfg.Metrics != nil {
		routes = append(routes, read("/metrics", func(c *call) error {
			s.cfg.Metrics.ServeHTTP(c.w, c.r.WithContext(c.ctx))
			return nil
		}))
	}
	for i := range s.cfg.Pages {
		routes = append(routes, pageRoute(&s.cfg.Pages[i]))
	}
	return routes
}

// pageRoute is a page under the guards of the API.
func pageRoute(p *Route) *route {
	r := &route{pattern: p.Pattern, scope: p.Scope, limit: p.Body, page: p}
	if changes(method(p.Pattern)) {
		r.action = cmp.Or(p.Action, p.Pattern)
		if r.limit == 0 {
			r.limit = 1 << 20
		}
		r.within = swapTime // a form may carry a module
	}
	return r
}

// swapTime is what compiling, health and replay of a new version may take.
const swapTime = 10 * time.Minute

// add puts a route under the guards.
func (s *Server) add(r *route) {
	s.routes[r.pattern] = r
	s.mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) { s.serve(r, w, req) })
}

// call is one request in the hands of its handler.
type call struct {
	*Server
	w      *responder
	r      *http.Request
	route  *route
	who    Identity
	body   []byte
	hook   *Hook
	change *Change
	// quiet keeps one more failed login of a caller who had many out of the audit.
	quiet bool
	// reached is true once the handler has the request.
	reached bool
	// ctx ends when the service has had its time. What changes something is not
	// given up because the caller went away; what reads is.
	ctx context.Context
	// release gives the place at work back, for a handler that goes on to wait.
	release func()
}
