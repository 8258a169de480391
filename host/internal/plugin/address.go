package plugin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// addressRules decide which addresses may be connected to, whatever a name
// resolved to: public ones always, others only when they are listed as such. An
// origin lists an address when its host is that address, or when it is
// localhost (or a name below it) and the address is a loopback one.
type addressRules []origin

// addressError refuses a connection.
type addressError struct {
	host string
	addr netip.AddrPort
	kind string
}

func (e *addressError) Error() string {
	return fmt.Sprintf("%s is at %s, a %s address; such an address must be listed itself, as http://%s", e.host, e.addr.Addr(), e.kind, e.addr)
}

func (r addressRules) check(host string, at netip.AddrPort) error {
	ip := at.Addr().Unmap().WithZone("")
	kind := special(ip)
	if kind == "" {
		return nil
	}
	for _, o := range r {
		if o.any || o.below && o.host != "localhost" || o.port != fmt.Sprint(at.Port()) {
			continue
		}
		if listed, err := netip.ParseAddr(o.host); err == nil && listed.Unmap() == ip {
			return nil
		}
		if ip.IsLoopback() && (o.host == "localhost" || strings.HasSuffix(o.host, ".localhost")) && o.names(canonicalHost(host)) {
			return nil
		}
	}
	return &addressError{host: host, addr: netip.AddrPortFrom(ip, at.Port()), kind: kind}
}

// specials are networks that are not the public internet, or that carry an
// address of another kind within.
var specials = func() (list []struct {
	prefix netip.Prefix
	kind   string
}) {
	for _, s := range [][2]string{
		{"0.0.0.0/8", "unspecified"},
		{"10.0.0.0/8", "private"},
		{"100.64.0.0/10", "carrier-private"},
		{"127.0.0.0/8", "loopback"},
		{"169.254.169.254/32", "metadata"},
		{"169.254.0.0/16", "link-local"},
		{"172.16.0.0/12", "private"},
		{"192.0.0.0/24", "reserved"},
		{"192.168.0.0/16", "private"},
		{"198.18.0.0/15", "reserved"},
		{"224.0.0.0/4", "multicast"},
		{"240.0.0.0/4", "reserved"},
		{"::/128", "unspecified"},
		{"::1/128", "loopback"},
		{"::/96", "reserved"},
		{"100::/64", "reserved"},
		{"2001::/32", "tunnel"},
		{"fc00::/7", "private"},
		{"fe80::/10", "link-local"},
		{"fec0::/10", "private"},
		{"ff00::/8", "multicast"},
	} {
		list = append(list, struct {
			prefix netip.Prefix
			kind   string
		}{netip.MustParsePrefix(s[0]), s[1]})
	}
	return list
}()

// special says what kind of address ip is when it is not a public one.
func special(ip netip.Addr) string {
	ip = ip.Unmap()
	if inner, ok := embedded(ip); ok {
		return special(inner)
	}
	for _, s := range specials {
		if s.prefix.Contains(ip) {
			return s.kind
		}
	}
	return ""
}

// embedded is the IPv4 address that a translated IPv6 address leads to: NAT64,
// its local form, SIIT and 6to4.
func embedded(ip netip.Addr) (netip.Addr, bool) {
	if !ip.Is6() {
		return netip.Addr{}, false
	}
	b := ip.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(ip), netip.MustParsePrefix("64:ff9b:1::/48").Contains(ip),
		netip.MustParsePrefix("::ffff:0:0:0/96").Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case netip.MustParsePrefix("2002::/16").Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}

// guardedTransport connects to what rules allow, by itself: no proxy, and the
// address is checked after the name was resolved, for every connection.
func guardedTransport(rules addressRules, roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			dialer := net.Dialer{Timeout: 30 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
				at, err := netip.ParseAddrPort(address)
				if err != nil {
					return err
				}
				return rules.check(host, at)
			}}
			return dialer.DialContext(ctx, network, address)
		},
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    15 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        60 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}
