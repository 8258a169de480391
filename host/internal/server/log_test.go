package server

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// locked is a buffer that the server writes to while the test reads.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }
func (l *locked) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// The log names who did what to which run, and holds no secret: no token, no
// cookie, no login link, no signature, no input.
func TestLog(t *testing.T) {
	var log locked
	s := serve(t, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	var link LoginLink
	s.do("POST", "/v1/login-links", "").into(t, &link)
	cookie := s.cookie(s.do("GET", link.Path, "", "Authorization", ""))
	s.do("POST", "/v1/workflows/hello/runs", `{"run_id": "r1", "input": "the canary"}`)
	s.do("POST", "/v1/runs/r1/cancel", "", "Authorization", "", "Cookie", cookie.Name+"="+cookie.Value)
	s.do("POST", "/hooks/slow", `"the canary"`, "Authorization", "Bearer "+hookBearer)
	s.do("POST", "/hooks/signed/hello", `1`, "X-Hub-Signature-256", sign(`1`))
	s.do("GET", "/v1/runs", "", "Authorization", "Bearer a-wrong-secret")
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	text := log.String()
	for _, want := range []string{"run=r1", `by=admin`, `by="admin (browser)"`, "from=127.0.0.1", `route="POST /v1/runs/{id}/cancel"`, "status=409"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %s:\n%s", want, text)
		}
	}
	for _, secret := range []string{s.admin, cookie.Value, strings.TrimPrefix(link.Path, "/login?token="), hookBearer, sign(`1`), "canary", "a-wrong-secret"} {
		if strings.Contains(text, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}
