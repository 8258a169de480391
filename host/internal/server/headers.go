package server

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// policy is what a browser may do with an answer: only what comes from here, no
// inline script or style, in no frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// graphPolicy is that of an SVG, which has its colours inside and runs nothing.
const graphPolicy = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'; base-uri 'none'"

// protect sets the headers that every answer has. A handler of a page may set
// another Cache-Control for what never changes.
func protect(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// headers are those that a problem brings along.
func (p *Problem) headers(h http.Header) {
	switch p.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="host"`)
	case http.StatusMethodNotAllowed:
		h.Set("Allow", p.allow)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.FormatInt(max(1, (p.RetryAfterMS+999)/1000), 10))
	}
}

// allowedHosts are the names that requests may be addressed to.
func allowedHosts(more []string) map[string]bool {
	hosts := map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true}
	for _, h := range more {
		hosts[hostName(h)] = true
	}
	return hosts
}

// hostName is a Host header or an address without its port and brackets.
func hostName(h string) string {
	if name, _, err := net.SplitHostPort(h); err == nil {
		h = name
	}
	h = strings.TrimSuffix(strings.TrimPrefix(h, "["), "]")
	return strings.ToLower(strings.TrimSuffix(h, "."))
}

// checkHost refuses requests that are addressed to a name that is not ours: a
// page that had its own name resolved to this machine would pass the browser's
// rules and could do what the user may. An address cannot be rebound, so the one
// that the connection came in on is always right.
func (s *Server) checkHost(r *http.Request) error {
	name := hostName(r.Host)
	if s.hosts[name] {
		return nil
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		given, err1 := netip.ParseAddr(name)
		own, err2 := netip.ParseAddrPort(local.String())
		if err1 == nil && err2 == nil && given.Unmap() == own.Addr().Unmap().WithZone("") {
			return nil
		}
	}
	return refusal("bad_host", fmt.Sprintf("the server does not answer to the name %q", shorten(name)))
}

// checkHeaders refuses more or larger headers than anybody needs.
func (s *Server) checkHeaders(r *http.Request) error {
	count, size := 0, len(r.Host)+len(r.RequestURI)
	for name, values := range r.Header {
		for _, v := range values {
			count++
			size += len(name) + len(v) + 4
		}
	}
	if count > s.limits.Headers {
		return refusal("headers_too_large", fmt.Sprintf("the request has %d header fields, and %d are taken", count, s.limits.Headers))
	}
	if size > s.limits.HeaderBytes {
		return refusal("headers_too_large", fmt.Sprintf("the request's headers have %d bytes, and %d are taken", size, s.limits.HeaderBytes))
	}
	return nil
}

// shorten keeps what a caller sent from filling messages and logs.
func shorten(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
