package server

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// raw sends bytes as they are and returns the answer, if any. It reads while it
// writes, as a caller does that wants to know early.
func (s *served) raw(send func(io.Writer) error) (*http.Response, []byte) {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_ = send(c) // that it breaks is the point
	}()
	defer func() { _ = c.Close(); <-sent }()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return nil, nil
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(res.Body)
	return res, body
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// What net/http refuses before there is a request is a problem too.
func TestRawRequests(t *testing.T) {
	s := serve(t, nil)
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "X-%d: y\r\n", i)
		}
		return b.String()
	}
	for what, c := range map[string]struct {
		text   string
		status int
		code   string
	}{
		"10,000 headers":     {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + many(10_000) + "\r\n", 431, "headers_too_large"},
		"1,000 headers":      {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + many(1000) + "\r\n", 431, "headers_too_large"},
		"a header of 1 MB":   {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("y", 1<<20) + "\r\n\r\n", 431, "headers_too_large"},
		"no Host":            {"GET /healthz HTTP/1.1\r\n\r\n", 400, "bad_request"},
		"two Hosts":          {"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad_request"},
		"no HTTP":            {"hello\r\n\r\n", 400, "bad_request"},
		"transfer encoding":  {"POST /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: magic\r\n\r\n", 501, "unsupported"},
		"HTTP/9":             {"GET /healthz HTTP/9.1\r\nHost: localhost\r\n\r\n", 505, "bad_request"},
		"other host in line": {"GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 421, "bad_host"},
		"an asterisk":        {"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 0, ""},
		"bytes in the path":  {"GET /v1/runs/\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_path"},
		"bad escape":         {"GET /v1/runs/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_request"},
	} {
		res, body := s.raw(func(w io.Writer) error { _, err := io.WriteString(w, c.text); return err })
		switch {
		case c.status == 0:
		case res == nil:
			t.Errorf("%s: no answer", what)
		case res.StatusCode != c.status || !bytes.Contains(body, []byte(`"code":"`+c.code+`"`)) || res.Header.Get("Content-Type") != "application/problem+json":
			t.Errorf("%s: %d %s, want %d %s", what, res.StatusCode, body, c.status, c.code)
		}
	}
	s.do("GET", "/v1/runs", "").want(t, "after all that", 200, "")
}

// endless is a body that never ends.
type endless struct{ sent atomic.Int64 }

func (e *endless) writeTo(w io.Writer, head string, most int64) error {
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	part := bytes.Repeat([]byte("x"), 64<<10)
	for e.sent.Load() < most {
		if _, err := w.Write(part); err != nil {
			return err
		}
		e.sent.Add(int64(len(part)))
	}
	return nil
}

// A body of a gigabyte is refused early: by its length, or as soon as it is more
// than may be, and it is never in memory.
func TestHugeBody(t *testing.T) {
	s := serve(t, nil)
	const size = 1 << 30
	before := heap()
	for what, head := range map[string]string{
		"announced":    fmt.Sprintf("PUT /v1/plugins/up HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", s.admin, size),
		"in chunks":    fmt.Sprintf("POST /v1/workflows/hello/runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nTransfer-Encoding: chunked\r\n\r\n40000000\r\n", s.admin),
		"of a webhook": "POST /hooks/signed/hello HTTP/1.1\r\nHost: localhost\r\nX-Hub-Signature-256: " + sign(`1`) + "\r\nTransfer-Encoding: chunked\r\n\r\n40000000\r\n",
		"of a GET":     fmt.Sprintf("GET /v1/runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", s.admin, size),
	} {
		var e endless
		res, body := s.raw(func(w io.Writer) error { return e.writeTo(w, head, size) })
		if res == nil || res.StatusCode != http.StatusRequestEntityTooLarge || !bytes.Contains(body, []byte("body_too_large")) {
			t.Errorf("%s: %v %s", what, res, body)
		}
		if sent := e.sent.Load(); sent > 128<<20 {
			t.Errorf("%s: %d MiB were taken", what, sent>>20)
		}
	}
	var e endless
	res, _ := s.raw(func(w io.Writer) error {
		return e.writeTo(w, fmt.Sprintf("PUT /v1/plugins/up HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", 60<<20), 60<<20)
	})
	if res == nil || res.StatusCode != http.StatusUnauthorized || e.sent.Load() > 32<<20 {
		t.Errorf("without a token: %v after %d bytes", res, e.sent.Load())
	}
	eventually(t, "the memory is back", func() bool { return heap() < before+32<<20 })
	if used := s.bodies.used.Load() + s.unknown.used.Load() + s.modules.used.Load(); used != 0 {
		t.Errorf("%d bytes of bodies are still counted", used)
	}
}

// 500 callers that send a byte and then nothing hold little, keep nobody from
// being served, and are let go.
func TestSlowCallers(t *testing.T) {
	s := serve(t, func(c *Config) {
		c.Limits.HeaderTime, c.Limits.BodyTime = 2*time.Second, 2*time.Second
	})
	s.do("GET", "/healthz", "")
	before := heap()
	heads := []string{
		"GET /v1/ru",
		"POST /v1/workflows/hello/runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + s.admin + "\r\nContent-Length: 8000000\r\n\r\n{",
		"POST /hooks/signed/hello HTTP/1.1\r\nHost: localhost\r\nX-Hub-Signature-256: " + sign(`1`) + "\r\nContent-Length: 1000000\r\n\r\n{",
		"PUT /v1/plugins/up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000000\r\n\r\n{",
	}
	var all []net.Conn
	for i := range 500 {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if _, err := io.WriteString(c, heads[i%len(heads)]); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	for range 50 {
		s.do("POST", "/v1/workflows/hello/runs", `{}`).want(t, "somebody else", 201, "")
	}
	s.do("POST", "/hooks/slow", `1`, "Authorization", "Bearer "+hookBearer).want(t, "somebody else's webhook", 202, "")
	if grown := int64(heap()) - int64(before); grown > 64<<20 {
		t.Errorf("500 slow callers hold %d MiB", grown>>20)
	}
	for i, c := range all {
		_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
		text, err := io.ReadAll(c)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("caller %d was not let go", i)
		}
		if i%len(heads) == 1 && len(text) > 0 && !bytes.Contains(text, []byte("slow_request")) {
			t.Fatalf("caller %d was told %s", i, text)
		}
	}
}

// A caller that takes nothing of a stream is given up, and the run does not wait.
func TestDeafWatcher(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.WriteTime = 200 * time.Millisecond })
	s.start("r1", "slow")
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
	_, _ = fmt.Fprintf(c, "GET /v1/runs/r1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", s.admin)
	watching := func() int { s.hub.mu.Lock(); defer s.hub.mu.Unlock(); return s.hub.all }
	eventually(t, "it watches", func() bool { return watching() == 1 })
	for range 64 {
		s.emit("r1", logOf(512<<10))
	}
	eventually(t, "it is given up", func() bool { return watching() == 0 })
	s.finish("r1")
}

func TestConnectionLimit(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.Connections = 2 })
	var held []net.Conn
	for range 2 {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	res, body := s.raw(func(w io.Writer) error { return nil })
	if res == nil || res.StatusCode != 503 || !bytes.Contains(body, []byte("busy_server")) {
		t.Errorf("one connection too many: %v %s", res, body)
	}
	for _, c := range held {
		_ = c.Close()
	}
	eventually(t, "there is room again", func() bool {
		res, err := s.client.Get(s.url + "/healthz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == 200
	})
}

// More requests than are worked on at once wait, and are told when it is too long;
// those that need no work are answered all the same.
func TestBusy(t *testing.T) {
	m := newMemory()
	m.hold = make(chan struct{})
	s := serve(t, func(c *Config) { c.Service, c.Limits.Requests, c.Limits.WorkTime = m, 2, 600*time.Millisecond })
	codes := make(chan int, 4)
	for range 4 {
		go func() { codes <- s.do("GET", "/v1/workflows", "").status }()
	}
	got := map[int]int{}
	for range 4 {
		got[<-codes]++
	}
	close(m.hold)
	if got[503] != 2 || got[504] != 2 {
		t.Errorf("%v: want two that worked too long and two that waited too long", got)
	}
	s.do("GET", "/v1/workflows", "").want(t, "later", 200, "")
}

func TestNoAuth(t *testing.T) {
	s := serve(t, func(c *Config) { c.NoAuth = true })
	s.do("GET", "/v1/audit", "", "Authorization", "").want(t, "admin", 200, "")
	s.do("GET", "/v1/tokens", "", "Authorization", "").want(t, "tokens", 409, "no_tokens")
	s.do("GET", "/v1/runs", "", "Authorization", "", "Host", "evil.example").want(t, "rebound", 421, "bad_host")
	s.do("POST", "/v1/runs/x/cancel", "", "Authorization", "", "Origin", "http://evil.example").want(t, "foreign", 403, "cross_origin")

	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := New(Config{Service: newMemory(), NoAuth: true}).Serve(t.Context(), l); code(err) != "bad_request" {
		t.Errorf("on every address without authentication: %v", err)
	}
}

// A page panics, or takes the place of nothing: the next request is served.
func TestPages(t *testing.T) {
	s := serve(t, func(c *Config) {
		c.Pages = []Route{
			{Pattern: "GET /broken", Scope: Read, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") })},
			{Pattern: "POST /change/{id}", Scope: Run, Action: "run.cancel", Body: 10, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				ChangeOf(r.Context()).Detail = string(body)
				ChangeOf(r.Context()).Err = refusal("run_ended", "it has ended")
				http.Redirect(w, r, "/", http.StatusSeeOther)
			})},
		}
		c.PageProblem = func(w http.ResponseWriter, r *http.Request, p *Problem) {
			w.WriteHeader(p.Status)
			_, _ = fmt.Fprintf(w, "page of %s", p.Code)
		}
	})
	if a := s.do("GET", "/broken", ""); a.status != 500 || bytes.Contains(a.body, []byte("goroutine")) {
		t.Errorf("a page that panics: %d %s", a.status, a.body)
	}
	if a := s.do("GET", "/broken", "", "Authorization", ""); a.status != 401 || string(a.body) != "page of unauthorized" {
		t.Errorf("a page without a token: %d %s", a.status, a.body)
	}
	if a := s.do("POST", "/change/r9", "hello"); a.status != 303 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.do("POST", "/change/r9", "hello hello hello"); a.status != 413 || string(a.body) != "page of body_too_large" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.audits[0]; a.Action != "run.cancel" || a.Target != "r9" || a.OK || !strings.Contains(a.Detail, "hello") || !strings.Contains(a.Detail, "it has ended") {
		t.Errorf("the audit is %+v", a)
	}
	if got := s.do("GET", "/healthz", "").header.Get("Content-Security-Policy"); got != policy {
		t.Errorf("the policy is %q", got)
	}
}
