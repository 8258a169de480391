package plugin

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// origin is a permission to ask one server, or the servers below a name.
type origin struct {
	scheme string
	host   string // lower case, without brackets; after "*." when below is true
	port   string
	below  bool // any name that ends in "." + host
	any    bool // any host at all
}

// parseOrigin reads scheme://host[:port], where of a longer URL only that part
// counts. The scheme is http or https; the port defaults to the scheme's.
func parseOrigin(text string) (origin, error) {
	if text == "*" || text == "*://*" {
		return origin{any: true}, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return origin{}, fmt.Errorf("%q is not an origin: %w", text, bareError(err))
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return origin{}, fmt.Errorf("%q is not an origin: write http://HOST or https://HOST", text)
	}
	if u.User != nil {
		return origin{}, fmt.Errorf("%q: an origin has no user name or password", u.Redacted())
	}
	o := origin{scheme: u.Scheme, host: canonicalHost(u.Hostname()), port: portOf(u)}
	if o.host == "*" {
		return origin{any: true, scheme: o.scheme, port: u.Port()}, nil
	}
	if rest, ok := strings.CutPrefix(o.host, "*."); ok {
		o.below, o.host = true, rest
		if !strings.Contains(rest, ".") {
			return origin{}, fmt.Errorf("%q is too wide: name a domain of at least two parts, such as *.example.com", text)
		}
	}
	if err := checkHost(o.host); err != nil {
		return origin{}, fmt.Errorf("%q is not an origin: %w", text, err)
	}
	return o, nil
}

// checkHost refuses what different programs read differently.
func checkHost(host string) error {
	if host == "" {
		return errors.New("it has no host")
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	for _, c := range host {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		case c == '*':
			return errors.New(`a "*" stands for whole labels at the beginning only, as in *.example.com`)
		case c > 127:
			return fmt.Errorf("the host %q is not ASCII; write it in its xn-- form", host)
		default:
			return fmt.Errorf("the host %q has a %q", host, c)
		}
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last == "" || strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return fmt.Errorf("the host %q is neither a name nor an address in its usual form", host)
	}
	return nil
}

func canonicalHost(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String()
	}
	return host
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

// allows reports whether u lies in the origin.
func (o origin) allows(u *url.URL) bool {
	if o.scheme != "" && o.scheme != u.Scheme {
		return false
	}
	if o.any {
		return o.port == "" || o.port == portOf(u)
	}
	return o.port == portOf(u) && o.names(canonicalHost(u.Hostname()))
}

func (o origin) names(host string) bool {
	if o.any {
		return true
	}
	if o.below {
		return strings.HasSuffix(host, "."+o.host) && len(host) > len(o.host)+1
	}
	return host == o.host
}

// String writes the origin as it would be listed.
func (o origin) String() string {
	if o.any {
		return "*"
	}
	host := o.host
	if o.below {
		host = "*." + host
	} else if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if o.scheme == "https" && o.port == "443" || o.scheme == "http" && o.port == "80" {
		return o.scheme + "://" + host
	}
	return o.scheme + "://" + net.JoinHostPort(strings.Trim(host, "[]"), o.port)
}

// originOf is the origin of a URL, as people write it.
func originOf(u *url.URL) string {
	return origin{scheme: u.Scheme, host: canonicalHost(u.Hostname()), port: portOf(u)}.String()
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && canonicalHost(a.Hostname()) == canonicalHost(b.Hostname()) && portOf(a) == portOf(b)
}
