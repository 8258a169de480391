package sandboxtest

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
)

// request is what a guest asks for, as JSON.
func request(url string, headers ...string) string {
	r := map[string]any{"url": url}
	h := map[string]string{}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "method" {
			r["method"] = headers[i+1]
			continue
		}
		h[headers[i]] = headers[i+1]
	}
	r["headers"] = h
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// allow is a change of a spec: these origins may be asked.
func allow(origins ...string) func(*plugin.Spec) {
	return func(s *plugin.Spec) {
		s.Allow.HTTP = origins
		s.Limits.HTTPBytes = 1 << 20
		s.Limits.HTTPRequests = 20
	}
}

// hostileServer answers in every way that a client should not trust. It ends
// with the test.
func hostileServer(t *testing.T) *httptest.Server {
	done := make(chan struct{})
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		port := s.URL[strings.LastIndexByte(s.URL, ':')+1:]
		to := strings.TrimPrefix(r.URL.Path, "/redirect/")
		switch {
		case to != r.URL.Path:
			http.Redirect(w, r, strings.NewReplacer("PORT", port).Replace(to), http.StatusFound)
		case r.URL.Path == "/never":
			<-either(done, r)
		case r.URL.Path == "/slow":
			for tick := time.NewTicker(10 * time.Millisecond); ; {
				w.Write([]byte("."))
				w.(http.Flusher).Flush()
				select {
				case <-tick.C:
				case <-either(done, r):
					tick.Stop()
					return
				}
			}
		case r.URL.Path == "/endless":
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		case r.URL.Path == "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			for range 1024 { // a gigabyte, of which a megabyte is sent
				if _, err := z.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
			z.Close()
		case r.URL.Path == "/fields":
			for i := range 10000 {
				w.Header().Set(fmt.Sprintf("X-%d", i), "v")
			}
		case r.URL.Path == "/values":
			for range 10000 {
				w.Header().Add("X", "v")
			}
		case r.URL.Path == "/long-field":
			w.Header().Set("X", strings.Repeat("v", 1<<20))
		default:
			fmt.Fprint(w, "reached")
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(done) })
	return s
}

// either is closed when the test or the request is over.
func either(done chan struct{}, r *http.Request) chan struct{} {
	over := make(chan struct{})
	go func() {
		defer close(over)
		select {
		case <-done:
		case <-r.Context().Done():
		}
	}()
	return over
}

// rawServer speaks answer to everybody, and counts.
func rawServer(t *testing.T, answer func(net.Conn)) (url string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-ended })
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(10 * time.Second))
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					answer(c)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// TestServersThatAttack: what a server sends does not hurt the host, whatever
// it is. The guest asks for it.
func TestServersThatAttack(t *testing.T) {
	s := hostileServer(t)
	limit := answer{code: "http_limit", class: event.System, text: `more than 1 MiB by http \(limits\.http_bytes\)`}
	fields := answer{code: "http_limit", class: event.Permanent, text: `header fields, and 256 are the most`}
	failed := answer{code: "http_failed", class: event.Transient, text: `.`}
	forever := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			for {
				if _, err := c.Write([]byte(text)); err != nil {
					return
				}
			}
		}
	}
	after := func(head, text string) func(net.Conn) {
		return func(c net.Conn) {
			c.Write([]byte(head))
			forever(text)(c)
		}
	}
	ok := "HTTP/1.1 200 OK\r\n"
	var attacks []attack
	for _, c := range []struct {
		name, url string
		deadline  time.Duration
		want      answer
	}{
		{"no answer", s.URL + "/never", hang, stopped},
		{"slow body", s.URL + "/slow", hang, stopped},
		{"endless body", s.URL + "/endless", 0, limit},
		{"gzip bomb", s.URL + "/bomb", 0, limit},
		{"10000 header fields", s.URL + "/fields", 0, fields},
		{"10000 values of a field", s.URL + "/values", 0, fields},
		{"field of a megabyte", s.URL + "/long-field", 0, failed},
		{"endless status line", rawServer(t, forever("HTTP/1.1 200 OK")), 0, failed},
		{"endless field", rawServer(t, after(ok+"X: ", strings.Repeat("v", 1000))), 0, failed},
		{"endless fields", rawServer(t, after(ok, "X: v\r\n")), 0, failed},
		{"endless informational answers", rawServer(t, forever("HTTP/1.1 103 Early Hints\r\nX: v\r\n\r\n")), 0, failed},
		{"endless length of a chunk", rawServer(t, after(ok+"Transfer-Encoding: chunked\r\n\r\n", "0")), 0, failed},
		{"endless extension of a chunk", rawServer(t, after(ok+"Transfer-Encoding: chunked\r\n\r\n1;", strings.Repeat("x", 1000))), 0, failed},
		{"endless chunks of nothing much", rawServer(t, after(ok+"Transfer-Encoding: chunked\r\n\r\n", strings.Repeat("1\r\nx\r\n", 1000))), 0, limit},
		{"endless trailers", rawServer(t, after(ok+"Transfer-Encoding: chunked\r\n\r\n0\r\n", "X: v\r\n")), 0, failed},
		{"gzip of nothing without end", rawServer(t, after(ok+"Content-Encoding: gzip\r\n\r\n", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00")), hang, stopped},
		{"something else", rawServer(t, forever("\x00\xff\x00\xff")), 0, failed},
	} {
		a := attack{name: c.name, guest: "host/http.c", input: request(c.url), deadline: c.deadline, change: allow(c.url[:strings.IndexByte(c.url[8:]+"/", '/')+8]), want: c.want}
		attacks = append(attacks, a)
	}
	attacks = append(attacks,
		attack{name: "request of 32 MiB", guest: "host/http.c", function: "headers", want: answer{code: "http_limit", class: event.Permanent, text: `bytes without its body`}},
		attack{name: "too many requests", guest: "host/http.c", function: "flood", input: request(s.URL), change: allow(s.URL),
			want: answer{code: "http_limit", class: event.System, text: `more than 20 http requests \(limits\.http_requests\)`}},
	)
	attacked(t, attacks)
}

// counted is a server that must not be reached, and how often it was.
func counted(t *testing.T, address string) (port string, hits *atomic.Int64) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	hits = new(atomic.Int64)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		fmt.Fprint(w, "reached")
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Serve(l)
	}()
	t.Cleanup(func() { s.Close(); <-ended })
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port, hits
}

// TestPrivateAddresses: loopback in every spelling, and other places that are
// nobody's business, asked for directly and by a redirect, with a permission
// for any host there is.
func TestPrivateAddresses(t *testing.T) {
	s := hostileServer(t)
	port, hits := counted(t, ":0") // on every address of this machine
	anyHost := plugin.Config{AllowAnyHost: true}
	denied := answer{code: "denied", class: event.Permanent, text: `.`}
	p := &attack{guest: "host/http.c", config: anyHost, change: allow("*", s.URL)}
	rt := plugin.NewRuntime(p.config)
	defer rt.Close(t.Context())
	loaded, err := rt.Load(t.Context(), p.spec(t))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(input string) (plugin.Answer, error) {
		return loaded.Call(t.Context(), plugin.Call{Input: []byte(input)})
	}
	// The permission works at all.
	if err := (answer{output: "200 reached"}).check(ask(request(s.URL))); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{
		"127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "0177.0.0.1", "017700000001", "127.0.0.01",
		"127.0.0.1.", "localhost", "LOCALHOST", "localhost.", "LocalHost.", "0", "0.0.0.0", "0.0.0.1", "00000000",
		"[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::FFFF:127.0.0.1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[::7f00:1]",
		"[64:ff9b::7f00:1]", "[64:ff9b:1::127.0.0.1]", "[2002:7f00:1::]", "[::1%25lo]", "[fe80::1%25lo]", "[::ffff:0:127.0.0.1]",
		"①②⑦.⓪.⓪.①", "127。0。0。1", "loca\u00adlhost", "%31%32%37.0.0.1", "127.0.0.1%00.example.com", "example.com@127.0.0.1", "127.0.0.1#@example.com", "127.0.0.1\\@example.com",
		"10.0.0.1", "192.168.0.1", "172.16.0.1", "169.254.169.254", "[fd00:ec2::254]", "[fe80::1]", "100.100.100.200", "224.0.0.1", "255.255.255.255",
	} {
		for _, input := range []string{request("http://" + host + ":" + port + "/"), request(s.URL + "/redirect/http://" + strings.ReplaceAll(host, "%", "%25") + ":" + port + "/")} {
			got, err := ask(input)
			if e := denied.check(got, err); e != nil {
				// What no program would read as an address of this machine may fail in
				// another way, but it must fail.
				other := answer{code: "http_request", class: event.Permanent, text: `.`}
				failed := answer{code: "http_failed", class: event.Transient, text: `.`}
				if other.check(got, err) != nil && failed.check(got, err) != nil {
					t.Errorf("%s: %v", input, e)
				}
			}
		}
	}
	for _, scheme := range []string{"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "unix:///run/docker.sock", "//127.0.0.1:" + port, "http:127.0.0.1:" + port, "http:///127.0.0.1:" + port, "http://"} {
		for _, input := range []string{request(scheme), request(s.URL + "/redirect/" + scheme)} {
			got, err := ask(input)
			if denied.check(got, err) != nil && (answer{code: "http_request", class: event.Permanent, text: `.`}).check(got, err) != nil && !strings.HasPrefix(input, request(s.URL)[:12]) {
				t.Errorf("%s: %q, %v", input, got.Output, err)
			}
			if strings.Contains(string(got.Output), "root:") {
				t.Errorf("%s: %q", input, got.Output)
			}
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the server that must not be reached was reached %d times", n)
	}
}

// TestHeaderInjection: nothing that a guest writes into a request becomes a
// second one, or a header that belongs to the host.
func TestHeaderInjection(t *testing.T) {
	got := make(chan string, 100)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 1<<16)
			c.SetDeadline(time.Now().Add(5 * time.Second))
			n, _ := c.Read(buf)
			got <- string(buf[:n])
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
			c.Close()
		}
	}()
	defer func() { l.Close(); <-ended }()
	url := "http://" + l.Addr().String()
	a := attack{guest: "host/http.c", change: allow(url)}
	rt := plugin.NewRuntime(plugin.Config{})
	defer rt.Close(t.Context())
	p, err := rt.Load(t.Context(), a.spec(t))
	if err != nil {
		t.Fatal(err)
	}
	const evil = "GET /evil"
	for _, input := range []string{
		request(url, "X-A", "b\r\n\r\n"+evil+" HTTP/1.1\r\n\r\n"), request(url, "X-A", "b\n"+evil), request(url, "X-A", "b\r"+evil), request(url, "X-A", "b\x00"+evil),
		request(url, "X-A: b\r\n"+evil, "c"), request(url, "X-A:", "b"), request(url, "X A", "b"), request(url, "", "b"), request(url, "X-Ä", "b"),
		request(url, "Host", "evil.example"), request(url, "hOsT", "evil.example"), request(url, "Transfer-Encoding", "chunked"), request(url, "Content-Length", "1000"),
		request(url, "Connection", "X-Secret"), request(url, "Upgrade", "h2c"), request(url, "Proxy-Connection", "x"), request(url, "TE", "trailers"), request(url, "Trailer", "x"), request(url, "Expect", "100-continue"),
		request(url, "method", "GET /evil HTTP/1.1\r\nX: "), request(url, "method", "GET /evil"), request(url, "method", "CONNECT"), request(url, "method", "TRACE"), request(url, "method", "PRI"),
		request(url + "/ HTTP/1.1\r\n" + evil), request(url + "/\r\n" + evil), request(url + "/a b"), request(url + "/%0d%0a" + evil), request(url + "?a b\tc"), request(url + "/#\r\nx"),
	} {
		answer, err := p.Call(t.Context(), plugin.Call{Input: []byte(input)})
		if err != nil && len(got) > 0 {
			t.Errorf("%s: refused with %v, but sent %q", input, err, <-got)
			continue
		}
		if err != nil {
			continue
		}
		sent := <-got
		head, rest, _ := strings.Cut(sent, "\r\n\r\n")
		lower := strings.ToLower(head)
		if rest != "" || strings.Contains(head, "\r\n"+evil) || strings.Count(lower, "\nhost:") != 1 || !strings.Contains(lower, "\nhost: "+l.Addr().String()) ||
			strings.Contains(lower, "transfer-encoding") || strings.Contains(lower, "content-length: 1000") || strings.Contains(lower, "upgrade") || strings.Contains(lower, "\nconnection: x") {
			t.Errorf("%s: %q sent %q", input, answer.Output, sent)
		}
	}
}
