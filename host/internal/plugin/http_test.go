package plugin

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"wasmhost/host/event"
)

// ask makes a guest send a request, and returns what it got.
func ask(t *testing.T, p *Plugin, url string, more ...string) (status, headers, body string, failed *event.Error) {
	t.Helper()
	request := map[string]any{"url": url}
	for _, m := range more {
		name, value, _ := strings.Cut(m, ":")
		if name == "method" {
			request["method"] = value
			continue
		}
		if request["headers"] == nil {
			request["headers"] = map[string]string{}
		}
		request["headers"].(map[string]string)[name] = value
	}
	text, _ := json.Marshal(request)
	a, err := p.Call(t.Context(), Call{Function: "http", Input: text})
	if err != nil {
		return "", "", "", err.(*event.Error)
	}
	parts := strings.SplitN(string(a.Output), "\n", 3)
	return parts[0], parts[1], parts[2], nil
}

// twoServers are two origins on loopback, each with the handler.
func twoServers(t *testing.T, h http.HandlerFunc) (a, b *httptest.Server) {
	a, b = httptest.NewServer(h), httptest.NewServer(h)
	t.Cleanup(a.Close)
	t.Cleanup(b.Close)
	return a, b
}

func asker(t *testing.T, change func(*Spec), origins ...string) *Plugin {
	s := guest("probe")
	s.Allow.HTTP = origins
	if change != nil {
		change(&s)
	}
	return load(t, s)
}

func TestHTTP(t *testing.T) {
	server, _ := twoServers(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Add("X-Two", "1")
		w.Header().Add("X-Two", "2")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL, r.Header.Get("X-Mine"), body)
	})
	p := asker(t, func(s *Spec) { s.Config = map[string]string{"url": server.URL + "/post"} }, server.URL)
	status, headers, body, err := ask(t, p, server.URL+"/path?q=1", "X-Mine:yes")
	if err != nil || status != "418" || body != "GET /path?q=1 yes " {
		t.Fatal(status, headers, body, err)
	}
	var h map[string]string
	if json.Unmarshal([]byte(headers), &h) != nil || h["x-two"] != "1,2" {
		t.Error(headers)
	}
	a, callErr := p.Call(t.Context(), Call{Function: "post", Input: []byte("payload")})
	if callErr != nil || string(a.Output) != "POST /post  payload" {
		t.Errorf("%q, %v", a.Output, callErr)
	}
	if _, _, body, err := ask(t, p, server.URL, "method:delete", "Content-Length:0"); err != nil || !strings.HasPrefix(body, "DELETE /") {
		t.Error(body, err)
	}
}

func TestHTTPDenied(t *testing.T) {
	a, b := twoServers(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "reached") })
	port := strings.TrimPrefix(a.URL, "http://127.0.0.1:")
	p := asker(t, nil, a.URL)
	for _, c := range []struct{ url, header, says string }{
		{b.URL, "", "is not allowed: the plugin may ask " + a.URL},
		{"http://localhost:" + port, "", "is not allowed"},
		{"https://127.0.0.1:" + port, "", "is not allowed"},
		{"http://127.1:" + port, "", "neither a name nor an address"},
		{"http://0x7f000001:" + port, "", "neither a name nor an address"},
		{"http://2130706433:" + port, "", "neither a name nor an address"},
		{"http://user:pass@127.0.0.1:" + port, "", "a URL with a user name"},
		{"file:///etc/passwd", "", "is not http or https"},
		{a.URL, "Host:evil.example", "the header Host belongs to the host"},
		{a.URL, "connection:close", "belongs to the host"},
		{a.URL, "Proxy-Authorization:x", "belongs to the host"},
		{a.URL, "Transfer-Encoding:chunked", "belongs to the host"},
		{a.URL, "X-A:b\r\nHost: evil", "a line end in its value"},
		{a.URL, "method:CONNECT", `the method "CONNECT" is not allowed`},
		{a.URL, "method:GET / HTTP/1.1\r\n", "is not allowed"},
	} {
		var more []string
		if c.header != "" {
			more = append(more, c.header)
		}
		_, _, body, err := ask(t, p, c.url, more...)
		if err == nil || err.Code != codeDenied || err.Class != event.Permanent || err.OutcomeUnknown || !strings.Contains(err.Message, c.says) {
			t.Errorf("%s %s: %q, %+v", c.url, c.header, body, err)
		}
	}
	if _, _, _, err := ask(t, load(t, guest("probe")), "https://example.com"); err == nil || err.Message != `GET https://example.com: https://example.com is not allowed: the plugin may not use the network; allow = { http = ["https://example.com"] } would permit it` {
		t.Error(err)
	}
	if _, _, _, err := ask(t, p, "http://[::1"); err == nil || err.Code != codeHTTPRequest {
		t.Error(err)
	}
	if _, _, _, err := ask(t, p, a.URL, "X bad:v"); err == nil || err.Code != codeHTTPRequest {
		t.Error(err)
	}
}

// TestHTTPAddressIsChecked: a name that is allowed leads to loopback.
func TestHTTPAddressIsChecked(t *testing.T) {
	server, _ := twoServers(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "reached") })
	port := strings.TrimPrefix(server.URL, "http://127.0.0.1:")
	local := "http://localhost:" + port
	if _, _, body, err := ask(t, asker(t, nil, local), local); err != nil || body != "reached" {
		t.Error(body, err)
	}
	// The name of this machine, where it resolves to an address of its own.
	for _, name := range []string{"ip6-localhost", "localhost.localdomain"} {
		if addrs, err := net.LookupHost(name); err != nil || len(addrs) == 0 {
			continue
		}
		url := "http://" + name + ":" + port
		_, _, body, err := ask(t, asker(t, nil, url), url)
		if err == nil || err.Code != codeDenied || !strings.Contains(err.Message, "a loopback address; such an address must be listed itself") {
			t.Error(body, err)
		}
	}
	r := newTestRuntime(t, Config{AllowAnyHost: true})
	s := guest("probe")
	s.Allow.HTTP = []string{"*"}
	p, err := r.Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, body, err := ask(t, p, server.URL); err == nil || err.Code != codeDenied || !strings.Contains(err.Message, "a loopback address") {
		t.Error(body, err)
	}
}

func TestHTTPRedirects(t *testing.T) {
	var other string
	var seen http.Header
	a, b := twoServers(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header
		switch r.URL.Path {
		case "/same":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/other":
			http.Redirect(w, r, other+"/end", http.StatusFound)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		default:
			fmt.Fprint(w, "end")
		}
	})
	other = b.URL
	key := func(s *Spec) {
		s.Secrets = []Secret{{Name: "key", Value: "sesame-open", Header: "X-Key", Prefix: "Bearer "}}
	}
	p := asker(t, key, a.URL, b.URL)
	if _, _, body, err := ask(t, p, a.URL+"/same", "Authorization:mine"); err != nil || body != "end" || seen.Get("Authorization") != "mine" || seen.Get("X-Key") != "Bearer sesame-open" {
		t.Error(body, err, seen)
	}
	if _, _, body, err := ask(t, p, a.URL+"/other", "Authorization:mine", "X-Api-Key:mine", "Cookie:mine", "Accept:text/plain"); err != nil || body != "end" {
		t.Error(body, err)
	}
	if seen.Get("Authorization") != "" || seen.Get("X-Api-Key") != "" || seen.Get("Cookie") != "" || seen.Get("X-Key") != "" || seen.Get("Accept") != "text/plain" {
		t.Errorf("another origin was sent %v", seen)
	}
	for path, says := range map[string]string{
		"/metadata": "it redirects to http://169.254.169.254/latest/meta-data: http://169.254.169.254 is not allowed",
		"/file":     "it redirects to file:///etc/passwd: \"file\" is not http or https",
	} {
		if _, _, _, err := ask(t, p, a.URL+path); err == nil || err.Code != codeDenied || !strings.Contains(err.Message, says) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, _, _, err := ask(t, asker(t, nil, a.URL), a.URL+"/other"); err == nil || err.Code != codeDenied {
		t.Error(err)
	}
	if _, _, _, err := ask(t, p, a.URL+"/loop"); err == nil || err.Code != codeHTTPFailed || !strings.Contains(err.Message, "it redirects more than 10 times") {
		t.Error(err)
	}
}

func TestHTTPNoProxy(t *testing.T) {
	reached := false
	proxy, _ := twoServers(t, func(http.ResponseWriter, *http.Request) { reached = true })
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	ask(t, asker(t, nil, "http://nowhere.invalid"), "http://nowhere.invalid")
	if reached {
		t.Error("the proxy of the environment was asked")
	}
}

func TestHTTPLimits(t *testing.T) {
	server, _ := twoServers(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/endless":
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		case "/bomb": // a megabyte and more of zeros, in a kilobyte
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(make([]byte, 4<<20))
			z.Close()
		case "/fields":
			for i := range 10000 {
				w.Header().Add(fmt.Sprintf("X-%d", i%5000), "v")
			}
		case "/many":
			for i := range 300 {
				w.Header().Add(fmt.Sprintf("X-%d", i), "v")
			}
		case "/cut":
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("some"))
		case "/zipped":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write([]byte("unzipped"))
			z.Close()
		}
	})
	p := asker(t, func(s *Spec) { s.Limits = Limits{HTTPBytes: 1 << 20, HTTPRequests: 5} }, server.URL)
	for _, c := range []struct{ path, class, code, says string }{
		{"/endless", event.System, codeHTTPLimit, "sent and received more than 1 MiB by http (limits.http_bytes)"},
		{"/bomb", event.System, codeHTTPLimit, "sent and received more than 1 MiB by http (limits.http_bytes)"},
		{"/many", event.Permanent, codeHTTPLimit, "header fields, and 256 are the most"},
		{"/fields", event.Permanent, codeHTTPLimit, "header fields, and 256 are the most"},
		{"/cut", event.Transient, codeHTTPFailed, "the answer was cut off after 4 bytes"},
	} {
		_, _, body, err := ask(t, p, server.URL+c.path)
		if err == nil || err.Code != c.code || err.Class != c.class || !strings.Contains(err.Message, c.says) {
			t.Errorf("%s: %d bytes, %+v", c.path, len(body), err)
		}
	}
	if _, _, body, err := ask(t, p, server.URL+"/zipped"); err != nil || body != "unzipped" {
		t.Error(body, err)
	}
	if e := fails(t, p, Call{Function: "http_flood", Input: []byte(`{"url":"` + server.URL + `"}`)}); e.Code != codeHTTPLimit || e.Message != "the call made more than 5 http requests (limits.http_requests)" {
		t.Error(e)
	}
	many := []string{}
	for i := range 101 {
		many = append(many, fmt.Sprintf("X-%d:v", i))
	}
	if _, _, _, err := ask(t, p, server.URL, many...); err == nil || err.Code != codeHTTPLimit {
		t.Error(err)
	}
}

// TestHTTPFailure: nobody there, and a connection lost after the request was
// sent; whether it was worked on is known for the first only.
func TestHTTPFailure(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	_, _, _, err := ask(t, asker(t, nil, gone.URL), gone.URL+"/x?token=1")
	if err == nil || err.Code != codeHTTPFailed || err.Class != event.Transient || err.OutcomeUnknown || !strings.Contains(err.Message, "connection refused") || strings.Contains(err.Message, "token") {
		t.Errorf("%+v", err)
	}
	lost, _ := twoServers(t, func(w http.ResponseWriter, r *http.Request) {
		c, _, _ := w.(http.Hijacker).Hijack()
		c.Close()
	})
	p := asker(t, nil, lost.URL)
	if _, _, _, err := ask(t, p, lost.URL, "method:POST"); err == nil || err.Code != codeHTTPFailed || !err.OutcomeUnknown {
		t.Errorf("%+v", err)
	}
	if _, _, _, err := ask(t, p, lost.URL); err == nil || err.Code != codeHTTPFailed || err.OutcomeUnknown {
		t.Errorf("%+v", err)
	}
}

func TestBadNetworkSpecs(t *testing.T) {
	for says, change := range map[string]func(*Spec){
		`allow.http: "example.com" is not an origin`:                              func(s *Spec) { s.Allow.HTTP = []string{"example.com"} },
		`allow.http: "*" opens every host`:                                        func(s *Spec) { s.Allow.HTTP = []string{"*"} },
		`secret "k": "Host" cannot be set as a header`:                            func(s *Spec) { s.Secrets = []Secret{{Name: "k", Value: "12345678", Header: "Host"}} },
		`secret "k": "a b" cannot be set as a header`:                             func(s *Spec) { s.Secrets = []Secret{{Name: "k", Value: "12345678", Header: "a b"}} },
		`secret "k": to: "x" is not an origin`:                                    func(s *Spec) { s.Secrets = []Secret{{Name: "k", Value: "12345678", Header: "A", To: []string{"x"}}} },
		`secret "k" would be sent to any host`:                                    func(s *Spec) { s.Secrets = []Secret{{Name: "k", Value: "12345678", Header: "A", To: []string{"*"}}} },
		`allow.fs: nowhere cannot be shown to the plugin`:                         func(s *Spec) { s.Allow.FS = []Mount{{Path: "nowhere", At: "/x"}} },
		`config key "host.node": keys that begin with "host." belong to the host`: func(s *Spec) { s.Config = map[string]string{"host.node": "x"} },
		`abi is "wasm"; it must be extism or wasi`:                                func(s *Spec) { s.ABI = "wasm" },
		`reset is "always"; it must be call, instance or never`:                   func(s *Spec) { s.Reset = "always" },
		`limits.files is -1`:                                                      func(s *Spec) { s.Limits.Files = -1 },
	} {
		s := guest("probe")
		change(&s)
		refusedAs(t, s, codeBadSpec, says)
	}
}
