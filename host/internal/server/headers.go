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
		if name, err := givenHost(h); err == nil {
			hosts[name] = true
		}
	}
	return hosts
}

// CheckHosts refuses names that no request can be addressed to. A Server passes
// them over: who starts one asks first.
func CheckHosts(names []string) error {
	for _, h := range names {
		if _, err := givenHost(h); err != nil {
			return err
		}
	}
	return nil
}

// givenHost is a name that the server shall answer to, as hostName has it.
func givenHost(h string) (string, error) {
	bare := h
	if a, err := netip.ParseAddr(h); err == nil && a.Is6() {
		bare = "[" + h + "]"
	}
	name, ok := hostName(bare)
	if !ok || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_:") != "" {
		return "", fmt.Errorf("%q is no name of a host: it is written like host.example.com, without https:// and a path, without wildcards, and in ASCII (xn--…)", shorten(h))
	}
	return name, nil
}

// hostName is a Host header without its port and brackets, in lower case. Only an
// IPv6 address is in brackets, and a port has digits: what others might read as
// another name is none.
func hostName(h string) (string, bool) {
	name, port, found := strings.Cut(h, ":")
	if strings.HasPrefix(h, "[") {
		var closed bool
		if name, port, closed = strings.Cut(h[1:], "]"); !closed {
			return "", false
		}
		a, err := netip.ParseAddr(name)
		if err != nil || !a.Is6() || a.Zone() != "" {
			return "", false
		}
		name = a.String()
		if port, found = strings.CutPrefix(port, ":"); !found && port != "" {
			return "", false
		}
	}
	if found && (len(port) > 5 || strings.Trim(port, "0123456789") != "") {
		return "", false
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return name, name != ""
}

// checkHost refuses requests that are addressed to a name that is not ours: a
// page that had its own name resolved to this machine would pass the browser's
// rules and could do what the user may. An address cannot be rebound, so the one
// that the connection came in on is always right.
func (s *Server) checkHost(r *http.Request) error {
	name, ok := hostName(r.Host)
	if !ok {
		return refusal("bad_host", fmt.Sprintf("%q is no name of a server, with or without a port", shorten(r.Host)))
	}
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
