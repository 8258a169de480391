package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// served is a server on loopback, as it really is: sockets, not recorders.
type served struct {
	*memory
	*Server
	t      testing.TB
	tokens *Tokens
	addr   string
	url    string
	admin  string
	end    func() error
	client *http.Client
}

func serve(t testing.TB, change func(*Config)) *served {
	t.Helper()
	m := newMemory()
	c := Config{Service: m, Metrics: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = io.WriteString(w, "host_up 1\n")
	})}
	if change != nil {
		change(&c)
	}
	s := &served{memory: m, t: t}
	if c.Tokens == nil && !c.NoAuth {
		tokens, err := OpenTokens(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		c.Tokens = tokens
	}
	if c.Tokens != nil {
		s.tokens, s.admin = c.Tokens, c.Tokens.Admin()
	}
	if c.Service != m {
		s.memory = nil
	}
	s.Server = New(c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr, s.url = l.Addr().String(), "http://"+l.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	s.client = &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ended := false
	s.end = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		s.client.CloseIdleConnections()
		select {
		case err := <-done:
			return err
		case <-time.After(30 * time.Second):
			t.Error("the server did not stop")
			return nil
		}
	}
	t.Cleanup(func() {
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// answer is what came back.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	problem Problem
}

// do makes a request as admin, unless a header says otherwise. Headers come in
// pairs.
func (s *served) do(method, path, body string, headers ...string) answer {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, bytes.NewBufferString(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body == "" {
		r.Body, r.ContentLength = nil, 0
	}
	r.Header.Set("Authorization", "Bearer "+s.admin)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		switch {
		case headers[i] == "Host":
			r.Host = headers[i+1]
		case headers[i+1] == "":
			r.Header.Del(headers[i])
		default:
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	a := s.send(r)
	s.conforms(r, body, a)
	return a
}

func (s *served) send(r *http.Request) answer {
	s.t.Helper()
	res, err := s.client.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer func() { _ = res.Body.Close() }()
	a := answer{status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(res.Body); err != nil {
		s.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	if res.Header.Get("Content-Type") == "application/problem+json" {
		if err := json.Unmarshal(a.body, &a.problem); err != nil {
			s.t.Fatalf("%s %s: a problem that is no JSON: %v", r.Method, r.URL, err)
		}
	}
	return a
}

// want checks status and code of an answer; every error is a whole problem.
func (a answer) want(t testing.TB, what string, status int, code string) {
	t.Helper()
	if a.status != status || a.problem.Code != code {
		t.Errorf("%s: %d %s, want %d %s\n%s", what, a.status, a.problem.Code, status, code, a.body)
		return
	}
	if status < 400 || code == "" {
		return
	}
	p := a.problem
	if p.Status != status || p.Title == "" || p.Detail == "" || p.Next == "" || p.Class == "" || p.Type != "urn:host:error:"+code {
		t.Errorf("%s: the problem lacks something: %s", what, a.body)
	}
	if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: headers are missing: %v", what, a.header)
	}
}

func (a answer) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// eventually waits for what another goroutine does.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not in ten seconds: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func writeTo(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
