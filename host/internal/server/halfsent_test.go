package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// halfSent sends all of a body but its last byte, so often, and goes silent.
func (s *served) halfSent(count, size int, head string) (all []net.Conn) {
	s.t.Helper()
	body := strings.Repeat("x", size-1)
	var sent sync.WaitGroup
	for range count {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		all = append(all, c)
		sent.Go(func() {
			_, _ = io.WriteString(c, fmt.Sprintf("%s\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", head, size, body))
		})
	}
	sent.Wait()
	return all
}

// Callers whom nobody knows and who send nearly all of their bodies do not keep
// webhooks from being taken: without a hook or its proof no body is read at all.
func TestHalfSentHooks(t *testing.T) {
	for what, head := range map[string]string{
		"no such hook":   "POST /hooks/nope HTTP/1.1",
		"no bearer":      "POST /hooks/slow HTTP/1.1",
		"a wrong bearer": "POST /hooks/slow HTTP/1.1\r\nAuthorization: Bearer wrong",
		"no signature":   "POST /hooks/signed/hello HTTP/1.1",
		"no hex digits":  "POST /hooks/signed/hello HTTP/1.1\r\nX-Hub-Signature-256: " + strings.Repeat("x", 64),
	} {
		s := serve(t, func(c *Config) { c.Limits.Hook, c.Limits.HookBodies = 64<<10, 1<<20 })
		for i, c := range s.halfSent(20, 60<<10, head) {
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatalf("%s: caller %d has no answer: %v", what, i, err)
			}
			_ = res.Body.Close()
			if want := map[bool]int{true: 404, false: 401}[what == "no such hook"]; res.StatusCode != want && res.StatusCode != 429 {
				t.Errorf("%s: caller %d is told %s", what, i, res.Status)
			}
		}
		s.do("POST", "/hooks/signed/hello", `1`, "Authorization", "", "X-Hub-Signature-256", sign(`1`)).want(t, what, 202, "")
		if used := s.unknown.used.Load(); used != 0 {
			t.Errorf("%s: %d bytes of bodies are held", what, used)
		}
	}
}

// stuck is a body that comes but for its end, which waits for the test.
type stuck struct {
	io.Reader
	here chan<- struct{}
	gone <-chan struct{}
}

func (s *stuck) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	if err == io.EOF {
		s.here <- struct{}{}
		<-s.gone
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// A signature can be checked only when the body is there: one address takes a
// quarter of the room for bodies of callers whom nobody knows yet, and others are
// served.
func TestShareOfBodies(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.Hook, c.Limits.HookBodies = 64<<10, 1<<20 })
	here, gone := make(chan struct{}), make(chan struct{})
	ask := func(from, path string, body io.Reader, size int64) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", path, body)
		r.Host, r.RemoteAddr, r.ContentLength = "localhost", from, size
		r.Header.Set("X-Hub-Signature-256", sign(`1`))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			from := fmt.Sprintf("[2001:db8::%d]:1000", i+1) // one network is one caller
			ask(from, "/hooks/signed/hello", &stuck{strings.NewReader(strings.Repeat("x", 60<<10)), here, gone}, 60<<10+1)
		})
	}
	for range 4 {
		<-here
	}
	if w := ask("[2001:db8::9]:1", "/hooks/signed/hello", strings.NewReader(strings.Repeat("x", 60<<10)), 60<<10); w.Code != 503 || !strings.Contains(w.Body.String(), "busy_server") {
		t.Errorf("one more of the same network: %d %s", w.Code, w.Body)
	}
	if w := ask("192.0.2.7:1", "/hooks/signed/hello", strings.NewReader(`1`), 1); w.Code != http.StatusAccepted {
		t.Errorf("another address: %d %s", w.Code, w.Body)
	}
	close(gone)
	all.Wait()
	if used, kept := s.unknown.used.Load(), len(s.unknown.by); used != 0 || kept != 0 {
		t.Errorf("%d bytes are still counted, of %d addresses", used, kept)
	}
}

// The form of a login, which anybody may send, and modules have room of their own:
// half of them sent, runs are started as ever.
func TestHalfSentForms(t *testing.T) {
	page := Route{Pattern: "POST /swap", Scope: Admin, Body: 1 << 20, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	for what, head := range map[string]string{
		"a login":       "POST /login HTTP/1.1",
		"a module":      "PUT /v1/plugins/up HTTP/1.1\r\nAuthorization: Bearer ",
		"a module form": "POST /swap HTTP/1.1\r\nAuthorization: Bearer ",
	} {
		s := serve(t, func(c *Config) {
			c.Pages = []Route{page}
			c.Limits.JSON, c.Limits.Module, c.Limits.Bodies = 100<<10, 1<<20, 512<<10
		})
		if strings.HasSuffix(head, "Bearer ") {
			head += s.admin
		}
		s.halfSent(20, 60<<10, head)
		eventually(t, "what was sent is held", func() bool {
			return s.unknown.used.Load()+s.modules.used.Load()+s.bodies.used.Load() > 512<<10
		})
		s.do("POST", "/v1/workflows/hello/runs", `{}`).want(t, what, 201, "")
		if used := s.bodies.used.Load(); used != 0 {
			t.Errorf("%s: %d bytes are held of the room for everybody's", what, used)
		}
	}
}
