package workflow

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// checkOrigin looks at an http permission; of a URL the origin counts. It
// accepts nothing that is refused when the plugin is loaded (host/internal/plugin,
// parseOrigin): a file that validates must run.
func checkOrigin(s string) *problem {
	bad := func(format string, args ...any) *problem {
		return &problem{code: "bad_origin", message: fmt.Sprintf(format, args...), hint: `write scheme://host[:port], for instance "https://api.example.com"`}
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		if s == "*" {
			return &problem{code: "bad_glob", anyHost: true, message: `"*" would allow every host`, hint: `name the hosts: "https://*.example.com"`}
		}
		return bad("%q has no scheme", s)
	}
	if scheme != "http" && scheme != "https" {
		return bad("an origin's scheme is http or https, not %q", scheme)
	}
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host = rest[:i]
	}
	if strings.Contains(host, "@") {
		return bad("an origin holds no user name")
	}
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name, port = host[:i], host[i+1:]
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return bad("%q is no port", port)
		}
	}
	if p := hostProblem(name, len(scheme)+3, bad); p != nil && !p.anyHost {
		return p
	} else if _, err := url.Parse(s); err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return bad("%q is no URL: %v", s, err)
	} else {
		return p
	}
}

// hostProblem looks at a host's name, which stands at byte at of the origin.
func hostProblem(name string, at int, bad func(string, ...any) *problem) *problem {
	if strings.Contains(name, "*") {
		glob := func(message string) *problem {
			return &problem{code: "bad_glob", message: message, hint: `"*." may stand at the beginning of the host: "https://*.example.com"`, at: at, width: len(name)}
		}
		tail, ok := strings.CutPrefix(name, "*.")
		switch {
		case name == "*":
			p := glob(`the host "*" would allow every host`)
			p.anyHost = true
			return p
		case !ok || strings.Contains(tail, "*"):
			return glob(fmt.Sprintf("%q: * stands for whole labels at the beginning only", name))
		case strings.HasPrefix(tail, "["):
			return glob(fmt.Sprintf("%q: an address has no labels that * could stand for", name))
		case tail != "" && !strings.Contains(strings.TrimSuffix(tail, "."), "."):
			p := glob(fmt.Sprintf("%q is too wide", name))
			p.hint = `a domain of at least two parts follows "*.": "https://*.example.com"`
			return p
		}
		name = tail
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		if addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]")); err != nil || !addr.Is6() {
			return bad("%q is no IPv6 address", name)
		}
		return nil
	}
	if name == "" {
		return bad("there is no host in it")
	}
	plain := strings.TrimSuffix(name, ".")
	for label := range strings.SplitSeq(plain, ".") {
		if label == "" || len(label) > 63 || !isName(label) {
			return bad("%q is no host", name)
		}
	}
	if _, err := netip.ParseAddr(plain); err == nil {
		return nil
	}
	// What ends in a number is an address to some programs, in a notation of
	// their own.
	last := strings.ToLower(plain[strings.LastIndexByte(plain, '.')+1:])
	if strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return bad("%q is neither a name nor an address in its usual form", name)
	}
	return nil
}

// everyHost reports whether an origin is one that needs Options.AllowAnyHost.
func everyHost(origin string) bool {
	p := checkOrigin(origin)
	return p != nil && p.anyHost
}

// overlap reports whether two http permissions have an origin in common. What
// cannot be read as an origin overlaps with everything.
func overlap(x, y string) bool {
	xs, xh, ok := splitOrigin(x)
	ys, yh, ok2 := splitOrigin(y)
	if !ok || !ok2 || xs != ys {
		return !ok || !ok2
	}
	covers := func(pattern, host string) bool {
		tail, wild := strings.CutPrefix(pattern, "*")
		return pattern == host || wild && (tail == "" || strings.HasPrefix(tail, ":") || strings.HasSuffix(host, tail))
	}
	return covers(xh, yh) || covers(yh, xh)
}

// splitOrigin returns the scheme and the host with its port, spelt out.
func splitOrigin(s string) (scheme, host string, ok bool) {
	scheme, rest, ok := strings.Cut(strings.ToLower(s), "://")
	if !ok {
		return "", "", false
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, ':'); i < 0 || strings.HasSuffix(rest, "]") {
		rest += map[string]string{"http": ":80", "https": ":443"}[scheme]
	}
	return scheme, rest, true
}
