package server

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"
)

func sign(body string) string {
	m := hmac.New(sha256.New, []byte(hookHMAC))
	_, _ = m.Write([]byte(body))
	return hex.EncodeToString(m.Sum(nil))
}

func TestHooks(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.Hook = 1000 })
	const signed = "/hooks/signed/hello"
	good := sign(`{"a": 1}`)
	for _, c := range []struct {
		what, path, body string
		status           int
		code, input      string
		headers          []string
	}{
		{"signed", signed, `{"a": 1}`, 202, "", `{"a": 1}`, []string{"X-Hub-Signature-256", "sha256=" + good, "X-GitHub-Delivery", "d1"}},
		{"delivered again", signed, `{"a": 1}`, 200, "", `{"a": 1}`, []string{"X-Hub-Signature-256", good, "X-GitHub-Delivery", "d1"}},
		{"other body, same id", signed, `{"a": 2}`, 409, "run_conflict", "", []string{"X-Hub-Signature-256", sign(`{"a": 2}`), "X-GitHub-Delivery", "d1"}},
		{"text", signed, `hello`, 202, "", `"hello"`, []string{"X-Hub-Signature-256", sign(`hello`), "Content-Type", "text/plain"}},
		{"nothing", signed, ``, 202, "", `null`, []string{"X-Hub-Signature-256", sign(``)}},
		{"bearer", "/hooks/slow", `7`, 202, "", `7`, []string{"Authorization", "Bearer " + hookBearer, "Idempotency-Key", "k1", "X-Run-Id", "k2"}},
		{"one byte more", signed, `{"a": 1} `, 401, "unauthorized", "", []string{"X-Hub-Signature-256", good}},
		{"no signature", signed, `{"a": 1}`, 401, "unauthorized", "", nil},
		{"no signature and too large", signed, string(make([]byte, 1001)), 401, "unauthorized", "", nil},
		{"half a signature", signed, `{"a": 1}`, 401, "unauthorized", "", []string{"X-Hub-Signature-256", good[:32]}},
		{"other bearer", "/hooks/slow", `7`, 401, "unauthorized", "", []string{"Authorization", "Bearer " + hookHMAC}},
		{"the admin token is no hook's", "/hooks/slow", `7`, 401, "unauthorized", "", []string{"Authorization", "Bearer " + s.admin}},
		{"bad run id", "/hooks/slow", `7`, 400, "bad_run_id", "", []string{"Authorization", "Bearer " + hookBearer, "X-Run-Id", "a/b"}},
		{"run id of dots", "/hooks/slow", `7`, 400, "bad_run_id", "", []string{"Authorization", "Bearer " + hookBearer, "Idempotency-Key", ".."}},
		{"no such hook", "/hooks/nothing", `7`, 404, "not_found", "", nil},
		{"not UTF-8", signed, "\xff", 400, "bad_request", "", []string{"X-Hub-Signature-256", sign("\xff")}},
		{"too large", signed, string(make([]byte, 1001)), 413, "body_too_large", "", []string{"X-Hub-Signature-256", good}},
	} {
		headers := append([]string{"Authorization", ""}, c.headers...)
		a := s.do("POST", c.path, c.body, headers...)
		a.want(t, c.what, c.status, c.code)
		if c.status >= 300 {
			continue
		}
		var told HookAnswer
		strict := json.NewDecoder(bytes.NewReader(a.body))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&told); err != nil || told.Status == "" || told.Workflow == "" {
			t.Errorf("%s: the answer is %s (%v), want run_id, status and workflow alone", c.what, a.body, err)
		}
		run, err := s.RunInfo(t.Context(), told.RunID)
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if got := string(run.Input.JSON()); got != c.input {
			t.Errorf("%s: the input is %s, want %s", c.what, got, c.input)
		}
		if c.what == "bearer" && told.RunID != "k1" {
			t.Errorf("the run is %q, want that of Idempotency-Key", told.RunID)
		}
	}
	last := s.audits[0]
	if last.By != "hook signed/hello" || last.Action != "run.start" || last.Target != "d1" || !last.OK {
		t.Errorf("the audit is %+v", last)
	}
}

// TestHookWithoutSecret: a hook that lacks both takes nobody.
func TestHookWithoutSecret(t *testing.T) {
	if (&Hook{}).proves(map[string][]string{"Authorization": {"Bearer "}}, nil) {
		t.Error("an empty secret proves something")
	}
}
