package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
)

const localName = "local"

// identify finds out who makes a request. Nobody is no error here.
func (s *Server) identify(r *http.Request) (Identity, error) {
	if s.cfg.NoAuth {
		if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && !loopback(local) {
			return Identity{}, refusal("forbidden", "without authentication the server answers on loopback only")
		}
		return Identity{Name: localName, Scope: Admin}, nil
	}
	if given := r.Header.Get("Authorization"); given != "" {
		scheme, secret, _ := strings.Cut(given, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Identity{}, errNobody
		}
		return s.cfg.Tokens.check(strings.TrimSpace(secret))
	}
	if c, err := r.Cookie(cookieName(r)); err == nil {
		return s.cfg.Tokens.resume(c.Value)
	}
	return Identity{}, nil
}

// authorize lets a request pass that may do what the scope stands for.
func (s *Server) authorize(r *http.Request, need Scope) (Identity, error) {
	who, err := s.identify(r)
	if need == Public {
		return who, nil
	}
	switch {
	case errors.Is(err, errNobody):
		return who, refusal("unauthorized", "the server does not know this token, or it was taken back")
	case err != nil:
		return who, err
	case who.Name == "":
		return who, refusal("unauthorized", "this needs a token")
	case !who.Scope.Contains(need):
		return who, refusal("forbidden", fmt.Sprintf("token %q has scope %s, and this needs %s", who.Name, who.Scope, need))
	}
	return who, nil
}

// still reports whether who was accepted still would be.
func (s *Server) still(who Identity) bool {
	return s.cfg.NoAuth || s.cfg.Tokens.still(who)
}

// cookieName has the port in it: cookies are shared by all ports of a host, and
// several servers may run on one.
func cookieName(r *http.Request) string {
	if _, port, err := net.SplitHostPort(r.Host); err == nil && port != "" && len(port) <= 5 && strings.Trim(port, "0123456789") == "" {
		return "host_session_" + port
	}
	return "host_session"
}

// address is where a request comes from, without the port.
func address(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}
