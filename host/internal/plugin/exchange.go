package plugin

import (
	"net/http"
	"net/url"
	"time"

	"wasmhost/host/event"
)

// HTTPExchange is one request of a plugin, redirects included, as telemetry
// knows it: without query, headers and bodies.
type HTTPExchange struct {
	Plugin string // its name
	// TraceParent is what Config.Trace gave for it, "" when it went without.
	TraceParent string
	Method      string
	URL         string // origin and path
	Status      int    // 0: there was no answer
	Code        string // of the error; "" when the plugin got an answer
	Start       time.Time
	End         time.Time
	// Sent is the size of the plugin's body, Received that of the answer's, as far
	// as it was read.
	Sent, Received int64
}

// traceHeader is W3C's; it is dropped, like most headers, where a redirect leads
// to another origin.
const traceHeader = "Traceparent"

// trace puts the call's trace into a request, where the guest put none, and
// returns what it put there.
func (in *instance) trace(req *http.Request) string {
	trace := in.plugin.runtime.cfg.Trace
	if trace == nil || req.Header.Get(traceHeader) != "" {
		return ""
	}
	parent := trace(in.meta)
	if parent != "" {
		req.Header.Set(traceHeader, parent)
	}
	return parent
}

// exchanged tells of a request that is over.
func (in *instance) exchanged(began time.Time, trace, method string, u *url.URL, body []byte, received int64, answer []byte, failed *event.Error) {
	if t := in.tape; t != nil && failed == nil {
		t.add(method, u, body, &in.http, answer)
	}
	tell := in.plugin.runtime.cfg.OnHTTP
	if tell == nil {
		return
	}
	x := HTTPExchange{Plugin: in.plugin.spec.Name, TraceParent: trace, Method: method, URL: in.plugin.masks.text(shown(u)), Status: in.http.status, Start: began, End: time.Now(), Sent: int64(len(body)), Received: received}
	if failed != nil {
		x.Code = failed.Code
	}
	tell(in.meta, x)
}
