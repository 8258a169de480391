package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"wasmhost/host/event"
)

// noting is a service and an answer that say in which order they are used.
type noting struct {
	*memory
	http.ResponseWriter
	order []string
}

func (n *noting) Audit(ctx context.Context, a event.Audit) {
	if _, ok := ctx.Deadline(); !ok || ctx.Err() != nil {
		n.order = append(n.order, "audit without time")
	}
	n.order = append(n.order, "audit")
	n.memory.Audit(ctx, a)
}

func (n *noting) WriteHeader(status int) {
	n.order = append(n.order, "answer")
	n.ResponseWriter.WriteHeader(status)
}

// TestAuditComesFirst: who is told that a change was made, or refused, finds it in
// the audit: that is written before the first byte of the answer, and once.
func TestAuditComesFirst(t *testing.T) {
	for _, c := range []struct {
		method, path, body string
		status             int
		ok                 bool
	}{
		{"POST", "/v1/workflows/hello/runs", `{"run_id": "r1"}`, 201, true},
		{"POST", "/v1/runs/nothing/cancel", "", 404, false},
		{"POST", "/v1/tokens", "rubbish", 400, false},
		{"PUT", "/v1/plugins/up", "rubbish", 422, false},
		{"POST", "/logout", "", 303, true},
	} {
		n := &noting{memory: newMemory()}
		tokens, err := OpenTokens(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		s := New(Config{Service: n, Tokens: tokens})
		w := httptest.NewRecorder()
		n.ResponseWriter = w
		gone, leave := context.WithCancel(t.Context())
		leave() // the caller does not wait for the answer
		r := httptest.NewRequestWithContext(gone, c.method, "http://localhost"+c.path, strings.NewReader(c.body))
		r.Header.Set("Authorization", "Bearer "+tokens.Admin())
		if c.method == "PUT" {
			r.Header.Set("Content-Type", "application/wasm")
		}
		s.ServeHTTP(n, r)
		if w.Code != c.status || !slices.Equal(n.order, []string{"audit", "answer"}) || n.audits[0].OK != c.ok {
			t.Errorf("%s %s: %d, %v, %+v", c.method, c.path, w.Code, n.order, n.audits)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
