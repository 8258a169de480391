package plugin

import (
	"net/url"
	"strings"
	"testing"
)

func TestOrigins(t *testing.T) {
	for _, c := range []struct {
		rule     string
		yes, no_ []string
	}{
		{"https://api.example.com", []string{
			"https://api.example.com", "https://api.example.com/path?q#f", "https://API.example.COM:443/", "https://api.example.com./",
		}, []string{
			"http://api.example.com", "https://api.example.com:8443", "https://example.com", "https://x.api.example.com",
			"https://api.example.com.evil.org", "https://evilapi.example.com",
		}},
		{"https://*.example.com", []string{"https://a.example.com", "https://a.b.example.com/x"},
			[]string{"https://example.com", "https://.example.com", "https://aexample.com", "https://example.com.evil.org"}},
		{"http://127.0.0.1:8080", []string{"http://127.0.0.1:8080/x", "http://[::ffff:127.0.0.1]:8080/"}, []string{"http://127.0.0.1", "http://localhost:8080"}},
		{"http://[::1]:80", []string{"http://[::1]/", "http://[0:0:0:0:0:0:0:1]/"}, []string{"http://[::2]/"}},
		{"https://example.com/only/this", []string{"https://example.com/else"}, nil},
		{"*", []string{"http://anything.example", "https://x:1"}, nil},
		{"https://*", []string{"https://x:1", "https://y"}, []string{"http://y"}},
	} {
		o, err := parseOrigin(c.rule)
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		for i, list := range [][]string{c.yes, c.no_} {
			for _, text := range list {
				u, err := url.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				if o.allows(u) != (i == 0) {
					t.Errorf("%s allows %s: %v", c.rule, text, i != 0)
				}
			}
		}
	}
}

func TestBadOrigins(t *testing.T) {
	for text, says := range map[string]string{
		"":                         "write http://HOST",
		"example.com":              "write http://HOST",
		"ftp://example.com":        "write http://HOST",
		"https://":                 "it has no host",
		"https://a:b@example.com":  "no user name",
		"https://*.com":            "too wide",
		"https://a.*.example.com":  "whole labels at the beginning",
		"https://bücher.example":   "xn-- form",
		"https://0x7f.1":           "neither a name nor an address",
		"https://2130706433":       "neither a name nor an address",
		"https://127.1":            "neither a name nor an address",
		"https://exa mple.com":     "",
		"https://example.com:port": "",
	} {
		if _, err := parseOrigin(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestOriginText(t *testing.T) {
	for _, text := range []string{"https://example.com", "http://example.com:8080", "https://*.example.com", "http://[::1]:81", "http://[::1]", "*"} {
		o, err := parseOrigin(text)
		if err != nil || o.String() != text {
			t.Errorf("%s: %s, %v", text, o, err)
		}
	}
}

func TestOriginsInBoth(t *testing.T) {
	for _, c := range [][3]string{
		{"https://a.example.com", "https://a.example.com", "https://a.example.com"},
		{"https://*.example.com", "https://a.example.com", "https://a.example.com"},
		{"https://*.example.com", "https://*.b.example.com", "https://*.b.example.com"},
		{"https://a.example.com", "http://a.example.com", ""},
		{"https://a.example.com", "https://b.example.com", ""},
		{"https://*.example.com", "https://example.com", ""},
		{"*", "http://x.example:81", "http://x.example:81"},
		{"*", "*", "*"},
		{"https://*", "http://x.example", ""},
	} {
		for _, pair := range [][2]string{{c[0], c[1]}, {c[1], c[0]}} {
			a, _ := parseOrigin(pair[0])
			b, _ := parseOrigin(pair[1])
			both, ok := a.intersect(b)
			if ok != (c[2] != "") || ok && both.String() != c[2] {
				t.Errorf("%s and %s: %v %v", pair[0], pair[1], both, ok)
			}
		}
	}
}

// FuzzOrigin: what is read as an origin is written as the same origin, and
// allows itself.
func FuzzOrigin(f *testing.F) {
	for _, s := range []string{"https://example.com", "http://*.a.b:1", "http://[::1]:2", "*", "https://*", "http://1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parseOrigin(text)
		if err != nil || o.any {
			return
		}
		again, err := parseOrigin(o.String())
		if err != nil || again != o {
			t.Fatalf("%q is %+v, written %q is %+v, %v", text, o, o, again, err)
		}
		if u, err := url.Parse(o.String()); err != nil || !o.below && !o.allows(u) {
			t.Fatalf("%q does not allow itself: %v", text, err)
		}
	})
}
