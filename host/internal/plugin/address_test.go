package plugin

import (
	"net/netip"
	"strings"
	"testing"
)

func TestSpecialAddresses(t *testing.T) {
	for ip, kind := range map[string]string{
		"1.1.1.1": "", "2606:4700::1111": "", "64:ff9b::1.1.1.1": "", "2002:0101:0101::1": "",
		"127.0.0.1": "loopback", "127.9.9.9": "loopback", "::1": "loopback", "::ffff:127.0.0.1": "loopback",
		"64:ff9b::127.0.0.1": "loopback", "64:ff9b:1::127.0.0.1": "loopback", "2002:7f00:0001::": "loopback",
		"0.0.0.0": "unspecified", "0.1.2.3": "unspecified", "::": "unspecified", "::ffff:0.0.0.0": "unspecified",
		"10.0.0.1": "private", "172.16.0.1": "private", "172.31.255.255": "private", "172.32.0.1": "",
		"192.168.1.1": "private", "fd00::1": "private", "fd00:ec2::254": "private", "::ffff:10.1.2.3": "private",
		"100.64.0.1": "carrier-private", "169.254.169.254": "metadata", "::ffff:169.254.169.254": "metadata",
		"169.254.1.1": "link-local", "fe80::1": "link-local", "224.0.0.1": "multicast", "ff02::1": "multicast",
		"255.255.255.255": "reserved", "240.0.0.1": "reserved", "198.18.0.1": "reserved", "192.0.0.8": "reserved",
		"::ffff:0:127.0.0.1": "loopback", "::ffff:0:1.1.1.1": "",
		"::7f00:1": "reserved", "2001::1": "tunnel",
	} {
		if got := special(netip.MustParseAddr(ip)); got != kind {
			t.Errorf("%s is %q, want %q", ip, got, kind)
		}
	}
}

func TestAddressRules(t *testing.T) {
	for _, c := range []struct {
		rules, host, at string
		ok              bool
	}{
		{"https://example.com", "example.com", "93.184.216.34:443", true},
		// A name that leads to a private place is not that place being listed.
		{"http://example.com", "example.com", "127.0.0.1:80", false},
		{"http://example.com", "example.com", "10.0.0.1:80", false},
		{"http://*.example.com", "a.example.com", "169.254.169.254:80", false},
		{"*", "example.com", "127.0.0.1:80", false},
		{"http://127.0.0.1:8080", "127.0.0.1", "127.0.0.1:8080", true},
		{"http://127.0.0.1:8080", "127.0.0.1", "127.0.0.1:8081", false},
		{"http://127.0.0.1:8080", "127.0.0.1", "[::ffff:127.0.0.1]:8080", true},
		{"http://[::ffff:127.0.0.1]:8080", "127.0.0.1", "127.0.0.1:8080", true},
		{"http://localhost:8080", "localhost", "127.0.0.1:8080", true},
		{"http://localhost:8080", "localhost", "[::1]:8080", true},
		{"http://localhost:8080", "localhost", "10.0.0.1:8080", false},
		{"http://localhost:8080", "evil.example", "127.0.0.1:8080", false},
		{"http://app.localhost", "app.localhost", "127.0.0.1:80", true},
		// A name and the address it leads to, both listed.
		{"http://db.internal http://10.0.0.5", "db.internal", "10.0.0.5:80", true},
	} {
		var rules addressRules
		for _, text := range strings.Fields(c.rules) {
			o, err := parseOrigin(text)
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, o)
		}
		if err := rules.check(c.host, netip.MustParseAddrPort(c.at)); (err == nil) != c.ok {
			t.Errorf("%s, %s at %s: %v", c.rules, c.host, c.at, err)
		}
	}
}
