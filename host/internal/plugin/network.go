package plugin

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"wasmhost/host/event"
)

// network is what a plugin may ask, and what is put into its requests.
type network struct {
	rules   []origin // what the workflow grants
	asked   []origin // what the plugin itself asks for; nil: it does not say
	hosts   []string // allowed_hosts of a manifest; nil: it does not say
	secrets []headerSecret
	masks   *masks // of secrets that the guest never holds
	// transport is nil for a plugin that may ask nobody.
	transport *http.Transport
}

type headerSecret struct {
	name, header, value string
	to                  []origin
}

func (r *Runtime) newNetwork(s *Spec, img *image) (*network, *event.Error) {
	n := &network{hosts: img.hosts}
	for _, text := range s.Allow.HTTP {
		o, err := parseOrigin(text)
		if err != nil {
			return nil, fault(event.Permanent, codeBadSpec, "allow.http: %v", err)
		}
		if o.any && !r.cfg.AllowAnyHost {
			return nil, fault(event.Permanent, codeBadSpec, "allow.http: %q opens every host; name the hosts, or start with --allow-any-host", text)
		}
		n.rules = append(n.rules, o)
	}
	var hidden []Secret
	for _, secret := range s.Secrets {
		if secret.Header == "" {
			continue
		}
		if !token(secret.Header) || forbiddenHeader(secret.Header) {
			return nil, fault(event.Permanent, codeBadSpec, "secret %q: %q cannot be set as a header", secret.Name, secret.Header)
		}
		if strings.ContainsAny(secret.Prefix+secret.Value, "\r\n\x00") {
			return nil, fault(event.Permanent, codeBadSecret, "secret %q has a line end in it and cannot be sent as a header", secret.Name)
		}
		h := headerSecret{name: secret.Name, header: http.CanonicalHeaderKey(secret.Header), value: secret.Prefix + secret.Value, to: n.rules}
		if secret.To != nil {
			h.to = nil
			for _, text := range secret.To {
				o, err := parseOrigin(text)
				if err != nil {
					return nil, fault(event.Permanent, codeBadSpec, "secret %q: to: %v", secret.Name, err)
				}
				h.to = append(h.to, o)
			}
		}
		for _, o := range h.to {
			if o.any {
				return nil, fault(event.Permanent, codeBadSpec, "secret %q would be sent to any host; name the origins in to", secret.Name)
			}
		}
		n.secrets = append(n.secrets, h)
		hidden = append(hidden, secret)
	}
	n.masks = newMasks(hidden)
	if len(n.rules) > 0 {
		n.transport = guardedTransport(n.rules, r.cfg.RootCAs)
	}
	return n, nil
}

func (n *network) close() {
	if n.transport != nil {
		n.transport.CloseIdleConnections()
	}
}

// permit says whether a URL may be asked, and if not, why and what would
// change that.
func (n *network) permit(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is not http or https", u.Scheme)
	}
	host := canonicalHost(u.Hostname())
	if err := checkHost(host); err != nil {
		return err
	}
	if u.User != nil {
		return fmt.Errorf("a URL with a user name is not asked; send an Authorization header")
	}
	at := originOf(u)
	if !covers(n.rules, u) {
		if len(n.rules) == 0 {
			return fmt.Errorf("%s is not allowed: the plugin may not use the network; allow = { http = [%q] } would permit it", at, at)
		}
		return fmt.Errorf("%s is not allowed: the plugin may ask %s; add %q to its http permissions if that is meant", at, listOrigins(n.rules), at)
	}
	if n.asked != nil && !covers(n.asked, u) {
		return fmt.Errorf("%s is allowed, but the plugin's own description asks for %s only", at, listOrigins(n.asked))
	}
	if n.hosts != nil && !matchesHost(n.hosts, host) {
		return fmt.Errorf("%s is allowed, but the plugin's manifest lists %s only", at, strings.Join(n.hosts, ", "))
	}
	return nil
}

func covers(rules []origin, u *url.URL) bool {
	for _, o := range rules {
		if o.allows(u) {
			return true
		}
	}
	return false
}

func listOrigins(rules []origin) string {
	if len(rules) == 0 {
		return "nobody"
	}
	names := make([]string, len(rules))
	for i, o := range rules {
		names[i] = o.String()
	}
	return strings.Join(names, ", ")
}

// matchesHost reads a manifest's allowed_hosts, where "*" stands for any text.
func matchesHost(patterns []string, host string) bool {
	for _, p := range patterns {
		if p == "*" || strings.EqualFold(p, host) {
			return true
		}
		// Neither a pattern nor a host has a slash, so that "*" crosses dots.
		if ok, err := path.Match(strings.ToLower(p), host); err == nil && ok {
			return true
		}
	}
	return false
}

// token reports whether s can be the name of a header or a method.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// forbiddenHeader tells the headers that belong to the connection or to the
// host: a guest that sets them could speak to another server than the one that
// was checked, or smuggle a second request.
func forbiddenHeader(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "http2-settings":
		return true
	}
	return strings.HasPrefix(name, "proxy-")
}
