package pages

import (
	"html/template"
	"net/http"
	"time"

	"wasmhost/host/internal/server"
)

// Options say what the pages know beside the service.
type Options struct {
	// Tokens are listed, added and removed by admins; nil: there is no such page.
	Tokens *server.Tokens
	// Now is the clock that ages and countdowns are reckoned by; nil: time.Now.
	Now func() time.Time
	// Version of the host, for the foot of every page.
	Version string
}

// Pages are the pages of one service.
type Pages struct {
	service server.Service
	tokens  *server.Tokens
	now     func() time.Time
	version string
	notices *notices

	templates *template.Template
}

const (
	formBody   = 8 << 20  // a form with an input or an output in it
	moduleBody = 65 << 20 // a form with a module in it
)

// New returns the pages of a service as routes of its server. Login and Problem
// are the pages that the server shows by itself.
func New(service server.Service, o Options) []server.Route {
	if o.Now == nil {
		o.Now = time.Now
	}
	p := (&Pages{service: service, tokens: o.Tokens, now: o.Now, version: o.Version, notices: newNotices(o.Now)}).parse()
	read := func(pattern string, f page) server.Route {
		return server.Route{Pattern: "GET " + pattern, Scope: server.Read, Handler: p.show(f)}
	}
	change := func(pattern string, scope server.Scope, action string, body int64, f http.HandlerFunc) server.Route {
		return server.Route{Pattern: "POST " + pattern, Scope: scope, Action: action, Body: body, Handler: f}
	}
	routes := []server.Route{
		{Pattern: "GET /{$}", Scope: server.Read, Handler: http.RedirectHandler("/runs", http.StatusSeeOther)},
		{Pattern: "GET /assets/{version}/{name}", Scope: server.Public, Handler: http.HandlerFunc(asset)},

		read("/runs", p.runs),
		read("/runs/{id}", p.run),
		read("/runs/{id}/node", p.node),
		read("/runs/{id}/events", p.events),
		{Pattern: "GET /runs/{id}/raw", Scope: server.Read, Handler: http.HandlerFunc(p.raw)},
		change("/runs/retry", server.Run, "run.retry", 0, p.retryMany),
		change("/runs/{id}/cancel", server.Run, "run.cancel", 0, p.cancel),
		change("/runs/{id}/resume", server.Run, "run.resume", 0, p.resume),
		change("/runs/{id}/retry", server.Run, "run.retry", 0, p.retry),
		change("/runs/{id}/approve", server.Approve, "run.approve", formBody, p.approve),
		change("/runs/{id}/delete", server.Admin, "run.delete", 0, p.delete),

		read("/workflows", p.workflows),
		read("/workflows/{name}", p.workflow),
		change("/workflows/{name}", server.Run, "run.start", formBody, p.start),

		read("/plugins", p.plugins),
		read("/plugins/{name}", p.plugin),
		change("/plugins/{name}/swap", server.Admin, "plugin.swap", moduleBody, p.swap),
		change("/plugins/{name}/rollback", server.Admin, "plugin.rollback", 0, p.rollback),
		change("/plugins/{name}/promote", server.Admin, "plugin.promote", 0, p.promote),

		read("/health", p.health),
		change("/health/check", server.Run, "health.check", 0, p.check),
		change("/breakers/reset", server.Admin, "breaker.reset", 0, p.resetBreaker),
		change("/breakers/open", server.Admin, "breaker.open", 0, p.openBreaker),

		read("/schedules", p.schedules),
		{Pattern: "GET /audit", Scope: server.Admin, Handler: p.show(p.audit)},
	}
	if o.Tokens != nil {
		routes = append(routes,
			server.Route{Pattern: "GET /tokens", Scope: server.Admin, Handler: p.show(p.tokenList)},
			change("/tokens", server.Admin, "token.add", 0, p.addToken),
			change("/tokens/remove", server.Admin, "token.remove", 0, p.removeToken))
	}
	return routes
}
