package server

import "testing"

func TestCheckHosts(t *testing.T) {
	for _, h := range []string{"flows.example", "[2001:db8::1]", "2001:db8::2", "box.example:8443", "Other.Example.", "192.0.2.1", "xn--mnchen-3ya.example", "my_box"} {
		if err := CheckHosts([]string{h}); err != nil {
			t.Errorf("%s: %v", h, err)
		}
	}
	for _, h := range []string{"", "https://flows.example", "flows.example/pages", "*.example", "a:b:c", "two words", "münchen.example", "[::1", "one.example,two.example"} {
		if err := CheckHosts([]string{"good.example", h}); err == nil {
			t.Errorf("%q is taken for a name", h)
		}
	}
}

// What a Host header says must be what a browser went to, whole: a form that other
// readers take for another name is refused.
func TestHostForms(t *testing.T) {
	s := serve(t, func(c *Config) {
		c.Hosts = []string{"flows.example", "[2001:db8::1]", "2001:db8::2", "box.example:8443", "Other.Example."}
	})
	for host, status := range map[string]int{
		"localhost": 200, "LOCALHOST": 200, "localhost:80": 200, "localhost.": 200, "localhost.:7070": 200, "127.0.0.1:1": 200, "[::1]": 200, "[::1]:7070": 200,
		"[0:0:0:0:0:0:0:1]": 200, "flows.example:443": 200, "[2001:db8::1]:1": 200, "[2001:db8::2]": 200, "box.example": 200, "other.example": 200,
		"localhost:evil.com": 421, "localhost:80:90": 421, "localhost:80x": 421, "localhost:-1": 421, "localhost:123456": 421, "[localhost]": 421, "[localhost]:80": 421,
		"[::1": 421, "::1": 421, "::1]": 421, "[::1]x": 421, "[::1]:x": 421, "[::1]80": 421, "[127.0.0.1]": 421, "localhost..": 421, ".": 421, "evil.example": 421,
		"localhost@evil.example": 421, "localhost,evil.example": 421, "127.1": 421, "0x7f000001": 421,
	} {
		code := ""
		if status == 421 {
			code = "bad_host"
		}
		s.do("GET", "/healthz", "", "Host", host).want(t, host, status, code)
	}
}
