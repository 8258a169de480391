package server

import (
	"log/slog"
	"net/http"
	"time"
)

// Config says what is served and to whom.
type Config struct {
	Service Service
	// Tokens say who callers are. Required unless NoAuth.
	Tokens *Tokens
	// NoAuth lets everybody do everything. Serve refuses it on a listener that is
	// not loopback.
	NoAuth bool
	// Hosts are further names (without port) that requests may be addressed to,
	// beside localhost and the address that the connection came in on. A browser
	// that was tricked into resolving another name to this machine is refused.
	Hosts []string
	// Secure says that TLS ends in front of the server, so that cookies are Secure.
	// Over TLS that the server ends itself they are so anyway.
	Secure bool
	// Metrics answers GET /metrics (scope read); nil: there is none.
	Metrics http.Handler
	// Pages are further routes, under the same guards.
	Pages []Route
	// LoginPage answers GET /login, with what went wrong before, if anything; its
	// form POSTs the field "token" (and "next") to /login. nil: a plain one.
	LoginPage func(w http.ResponseWriter, r *http.Request, message string)
	// PageProblem answers in place of a handler of Pages that is not reached
	// (scope, Host, limits), and a browser (Accept: text/html) wherever something
	// went wrong or nothing is; nil: problem+json, as for programs.
	PageProblem func(w http.ResponseWriter, r *http.Request, p *Problem)
	// Answered is told of every request that came to a route, event streams apart:
	// its pattern, method and status, and how long it took. Watching is told when n
	// event streams more are open. Neither may block; nil: nobody wants to know.
	Answered func(route, method string, status int, took time.Duration)
	Watching func(n int)
	// Log takes the server's own log; nil: none.
	Log *slog.Logger
	// Now is the clock of tokens, sessions and audits; nil: time.Now.
	Now func() time.Time
	// Limits bound what callers may take; zero fields have their defaults.
	Limits Limits
}

// Limits bound what callers may take of the server.
type Limits struct {
	Connections int           // 4096, the next one is told to come again
	Requests    int           // 256 at work at once; others wait for their turn
	Bodies      int64         // 256 MiB of bodies in memory, all requests together but the next two kinds
	Modules     int64         // 256 MiB of those that may be larger than JSON: modules
	HookBodies  int64         // 64 MiB of those of webhooks and logins, whose callers are not known yet; a quarter from one address
	Streams     int           // 1024 event streams
	StreamsEach int           // 512 of one identity
	Headers     int           // 100 header fields
	HeaderBytes int           // 64 KiB
	JSON        int64         // 8 MiB: the body that starts a run, or answers an approval
	Module      int64         // 64 MiB
	Hook        int64         // 1 MiB
	HeaderTime  time.Duration // 10 s to send the headers
	BodyTime    time.Duration // 30 s to send a body; a module has 5 min
	HookTime    time.Duration // 10 s to send that of a webhook or login, BodyTime where it is shorter
	IdleTime    time.Duration // 2 min between requests of a connection
	WriteTime   time.Duration // 30 s to take each 64 KiB of an answer
	WorkTime    time.Duration // 30 s for the service to answer; a swap has 10 min
	WaitTime    time.Duration // 5 min, the longest wait for the end of a run
	Heartbeat   time.Duration // 15 s between signs of life of an event stream
	Grace       time.Duration // 10 s for requests in flight when Serve ends
}

func (l Limits) withDefaults() Limits {
	orInt := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	orBytes := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	orTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	orInt(&l.Connections, 4096)
	orInt(&l.Requests, 256)
	orBytes(&l.Bodies, 256<<20)
	orBytes(&l.Modules, 256<<20)
	orBytes(&l.HookBodies, 64<<20)
	orInt(&l.Streams, 1024)
	orInt(&l.StreamsEach, 512)
	orInt(&l.Headers, 100)
	orInt(&l.HeaderBytes, 64<<10)
	orBytes(&l.JSON, 8<<20)
	orBytes(&l.Module, 64<<20)
	orBytes(&l.Hook, 1<<20)
	orTime(&l.HeaderTime, 10*time.Second)
	orTime(&l.BodyTime, 30*time.Second)
	orTime(&l.HookTime, 10*time.Second)
	orTime(&l.IdleTime, 2*time.Minute)
	orTime(&l.WriteTime, 30*time.Second)
	orTime(&l.WorkTime, 30*time.Second)
	orTime(&l.WaitTime, 5*time.Minute)
	orTime(&l.Heartbeat, 15*time.Second)
	orTime(&l.Grace, 10*time.Second)
	return l
}

// Route is a page, or something else that is served beside the API.
type Route struct {
	// Pattern is METHOD /path, as http.ServeMux has it.
	Pattern string
	// Scope is what the caller needs; a page that anybody may see is Public.
	Scope Scope
	// Action is what the audit calls a change, such as "run.cancel"; "" of a
	// method that changes something is the pattern. See Change.
	Action string
	// Body is the most that a request may carry; 0: 1 MiB for a method that
	// changes something, nothing for others.
	Body    int64
	Handler http.Handler
}
