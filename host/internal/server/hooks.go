package server

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"

	"wasmhost/host/event"
)

// runIDHeaders name a webhook's run, the first that is there: what is delivered
// twice runs once.
var runIDHeaders = []string{"Idempotency-Key", "X-Run-Id", "X-GitHub-Delivery"}

// HookAnswer is what the sender of a webhook is told: it has a secret of one
// workflow, and none of the scopes that a run is seen with.
type HookAnswer struct {
	RunID    string       `json:"run_id"`
	Status   event.Status `json:"status"`
	Workflow string       `json:"workflow"`
}

// findHook finds the webhook, and refuses a sender without a proof before anything
// of the body is read. A path that has no hook is 404 and a wrong proof 401: the
// path is no secret, the secret is, and a sender who cannot tell the two apart
// looks for the mistake in the wrong place.
func findHook(c *call) (err error) {
	c.who.Name = "hook " + shorten(c.r.PathValue("path"))
	if c.hook, err = c.cfg.Service.Hook(c.r.Context(), c.r.PathValue("path")); err != nil {
		return err
	}
	if !c.hook.mayProve(c.r.Header) {
		return errNobody
	}
	return nil
}

// hookRun starts the run of a webhook.
func hookRun(c *call) (err error) {
	if !c.hook.proves(c.r.Header, c.body) {
		return errNobody
	}
	ask := StartRequest{Workflow: c.hook.Workflow}
	if ask.Input, ask.HasInput, err = hookInput(c.body); err != nil {
		return err
	}
	for _, name := range runIDHeaders {
		if ask.RunID = c.r.Header.Get(name); ask.RunID != "" {
			break
		}
	}
	info, isNew, err := c.begin(ask)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if isNew {
		status = http.StatusAccepted
	}
	return c.answer(status, HookAnswer{info.ID, info.Status, info.Workflow})
}

// mayProve is proves as far as headers say it: a bearer is the right one, and a
// signature has the form of one.
func (h *Hook) mayProve(header http.Header) bool {
	if len(h.HMAC) > 0 {
		_, ok := parseSignature(header.Values(h.Header))
		return ok
	}
	return h.proves(header, nil)
}

// proves reports whether the sender has the hook's secret. All comparisons take
// the same time wherever they differ.
func (h *Hook) proves(header http.Header, body []byte) bool {
	if len(h.HMAC) > 0 {
		given, ok := parseSignature(header.Values(h.Header))
		m := hmac.New(sha256.New, h.HMAC)
		_, _ = m.Write(body)
		return ok && hmac.Equal(given, m.Sum(nil))
	}
	if h.Bearer == "" {
		return false
	}
	scheme, secret, _ := strings.Cut(header.Get("Authorization"), " ")
	given, want := digestOf(strings.TrimSpace(secret)), digestOf(h.Bearer)
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(given[:], want[:]) == 1
}

// parseSignature reads the hex digits of an HMAC-SHA256, with or without sha256=
// before them. Two headers of the name are none: which one counts would depend on
// who reads them.
func parseSignature(values []string) ([]byte, bool) {
	if len(values) != 1 {
		return nil, false
	}
	digits := strings.TrimPrefix(strings.TrimSpace(values[0]), "sha256=")
	if len(digits) != 2*sha256.Size {
		return nil, false
	}
	sum, err := hex.DecodeString(digits)
	return sum, err == nil
}

// hookInput is the body as input: JSON when it is that, else a string.
func hookInput(body []byte) (event.Value, bool, error) {
	trimmed := bytes.TrimSpace(body)
	if len(trimmed) == 0 {
		return event.Null, false, nil
	}
	if !utf8.Valid(body) {
		return event.Null, false, refusal("bad_request", "the body is not UTF-8")
	}
	if json.Valid(trimmed) {
		return event.Raw(trimmed), true, nil
	}
	return event.Text(string(body)), true, nil
}
