package pages_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"wasmhost/host/event"
	"wasmhost/host/internal/server"
	"wasmhost/host/internal/server/pages"
)

// TestPages: what each page must show, in a service that has seen much.
func TestPages(t *testing.T) {
	m := lively(t)
	m.large(1000)
	s := newSite(t, m)
	for _, c := range []struct {
		path   string
		status int
		shows  []string
		hides  []string
	}{
		{"/runs", 200, []string{"all 66", "waiting 2", "failed 1", "waiting-run", "Retry the ticked runs", "Older", "review: Is this order all right?"}, []string{"Newest"}},
		{"/runs?status=failed", 200, []string{"failed-run", "the bank declined the card"}, []string{"waiting-run"}},
		{"/runs?workflow=archive", 200, []string{"large-run", "all 1 "}, []string{"waiting-run"}},
		{"/runs?before=failed-run", 200, []string{"orders-0-done", "Newest"}, []string{"long-run"}},
		{"/runs?status=refused", 200, []string{"No run fits."}, nil},
		{"/runs/waiting-run", 200, []string{"waiting", "Is this order all right?", "Approve", "Reject", "Cancel the run", "Timeline", "7 rules, all hold", `"quantity": 900`}, []string{"Retry the run", "Resume"}},
		{"/runs/failed-run", 200, []string{"failed", "the bank declined the card", "<U+202E>", "answered by fallback[0]", "charge failed", "Retry the run", "Delete the run"}, []string{"Cancel the run", "Approve"}},
		{"/runs/interrupted-run", 200, []string{"the process that worked on it is gone", "Resume"}, nil},
		{"/runs/unknown-run", 200, []string{"nobody knows what it did", "It was done", "Let it fail", "Call it again", "without it null"}, []string{"Approve"}},
		{"/runs/large-run", 200, []string{"A graph of 10 000 nodes is too large", "1–100 of 1 000", "pack-9", "Next", "Find"}, []string{"pack-150"}},
		{"/runs/large-run?nodes=failed", 200, []string{"pack-17", "more than 32 MiB"}, []string{"pack-18 "}},
		{"/runs/large-run?find=PACK-150", 200, []string{"pack-150"}, []string{"pack-18 "}},
		{"/runs/large-run?from=900", 200, []string{"pack-950", "Before"}, nil},
		{"/runs/long-run", 200, []string{"The beginning of 1.0 MB.", "Read all of it", "all 1.0 MB", "older"}, nil},
		{"/runs/long-run/events", 200, []string{"What happened", "line 2990", "Older"}, []string{"line 10 "}},
		{"/runs/long-run/events?only=log", 200, []string{"line 2990", "Older"}, nil},
		{"/runs/long-run/events?only=log&before=500", 200, []string{"line 400", "Older", "Newest"}, []string{"line 2990"}},
		{"/runs/long-run/events?only=log&before=20", 200, []string{"line 5", "Newest"}, []string{"Older"}},
		{"/runs/waiting-run/node?node=price", 200, []string{"Attempt 1", "Attempt 2", "503 Service Unavailable", "then waited 30.0 s", "succeeded", "slow answer: <script>alert('x')</script>", "<U+001B>[31mred", "<U+202E>gnp.exe"}, nil},
		{"/runs/waiting-run/node?node=review", 200, []string{"What it waits for", "Approve"}, nil},
		{"/runs/failed-run/node?node=charge", 200, []string{"Retry from here", "card_declined"}, nil},
		{"/runs/failed-run/node?node=nothing", 404, []string{"Not found", "has no node nothing"}, nil},
		{"/runs/waiting-run/node?node=charge", 200, []string{"charge", "pending"}, nil},
		{"/runs/waiting-run/node?node=nonsense", 404, []string{"Not found", "has no node nonsense"}, nil},
		{"/runs/waiting-run/node?node=nonsense&before=3", 404, []string{"Not found"}, nil},
		{"/runs/waiting-run/node", 404, []string{"Not found"}, nil},
		{"/runs/nothing", 404, []string{"Not found", "there is no run nothing", "To the runs"}, nil},
		{"/runs/nothing/node?node=x", 404, []string{"Not found"}, nil},
		{"/runs/nothing/events", 404, []string{"Not found"}, nil},
		{"/runs/nothing/raw?of=input", 404, []string{"Not found"}, nil},
		{"/runs/failed-run/raw?of=event&seq=x", 404, []string{"there is no such value"}, nil},
		{"/runs/failed-run/raw?of=event&seq=999", 404, []string{"there is no such value"}, nil},
		{"/workflows", 200, []string{"orders", "archive", "10 000 nodes", "unhealthy", "98.4 %", "webhook"}, nil},
		{"/workflows/orders", 200, []string{"Start a run", "Customer", "Express delivery", "Address", "POST /hooks/orders", "30 6 * * mon-fri", `source = "builtin:validate"`, "as JSON", "Last runs"}, nil},
		{"/workflows/orders?as=json", 200, []string{"as a form", "JSON, as the schema"}, []string{"Express delivery"}},
		{"/workflows/archive", 200, []string{"too large for this page", "The workflow takes any input."}, nil},
		{"/workflows/nothing", 404, []string{`no workflow "nothing" is served`}, nil},
		{"/plugins", 200, []string{"orders.prices", "aaaaaaaaaaaa", "http https://prices.example.com", "pinned", "a function without an end", "not loaded"}, nil},
		{"/plugins/orders.prices", 200, []string{"current", "previous", "48211", "Roll back to bbbbbbbbbbbb", "Check and swap", "200 calls", "Percent of them"}, []string{"Unpin", "Promote"}},
		{"/plugins/orders.rules", 200, []string{"Unpin", "none is recorded", "nothing outside of itself"}, []string{"Roll back"}},
		{"/plugins/archive.pack", 200, []string{"The module as it is now is not used.", "None is loaded yet."}, nil},
		{"/plugins/nothing", 404, []string{"Not found"}, nil},
		{"/health", 200, []string{"No runs are taken", "no answer within 5s", "critical", "Check now", "It has no checks.", "Breakers", "prices", "half open", "in 4", "Reset", "Open"}, nil},
		{"/schedules", 200, []string{"30 6 * * mon-fri", "Europe/Berlin", "06:30 CE", "queue, 1 time queued", "what is up to 2h late", "started", "It has not been due yet."}, nil},
		{"/audit", 200, []string{"plugin.swap", "admin (browser)", "(failed)"}, nil},
		{"/audit?find=CI", 200, []string{"breaker.reset"}, []string{"plugin.swap"}},
		{"/audit?find=zzz", 200, []string{"No change has that word"}, nil},
		{"/tokens", 200, []string{"Add a token", "starts, cancels"}, nil},
		{"/login", 200, []string{"Log in", "admin.token"}, nil},
		{"/nothing", 404, []string{"Not found", "there is nothing at /nothing", "Workflows", "admin"}, nil},
		{"/breakers", 404, []string{"Not found", "To the runs"}, nil},
		{"/v1/nothing", 404, []string{"Not found"}, nil},
		{"/v1/runs/nothing", 404, []string{"Not found", "there is no run nothing", "Workflows"}, nil},
		{"/v1/runs?colour=red", 400, []string{"there is no parameter", "Workflows"}, nil},
		{"/logout", 405, []string{"GET is not done to /logout"}, nil},
		{"/runs/a%2Fb", 400, []string{"has a slash in a segment"}, nil},
	} {
		w := s.get(c.path)
		if w.Code != c.status {
			t.Errorf("%s: status %d, want %d", c.path, w.Code, c.status)
			continue
		}
		page := text(parse(t, w))
		for _, want := range c.shows {
			if !strings.Contains(page, want) {
				t.Errorf("%s does not show %q:\n%s", c.path, want, cutTo(page, 3000))
			}
		}
		for _, not := range c.hides {
			if strings.Contains(page, not) {
				t.Errorf("%s shows %q", c.path, not)
			}
		}
		if strings.ContainsAny(w.Body.String(), "\u202e\x1b") {
			t.Errorf("%s has a character that is not seen or turns text around", c.path)
		}
		if len(w.Body.String()) > 300_000 {
			t.Errorf("%s has %d bytes", c.path, w.Body.Len())
		}
	}
}

// TestProblemsForPrograms: who does not ask for a page gets a problem.
func TestProblemsForPrograms(t *testing.T) {
	s := newSite(t, lively(t))
	for _, path := range []string{"/nothing", "/v1/runs/nothing", "/runs/a%2Fb"} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Accept", "*/*")
		if w := s.do(r); w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s answers %d %s", path, w.Code, w.Header())
		}
	}
}

func cutTo(s string, n int) string { return s[:min(len(s), n)] }

// TestEmpty: a service in which nothing is and has been says so.
func TestEmpty(t *testing.T) {
	s := newSite(t, empty())
	for path, want := range map[string]string{
		"/runs": "Nothing has run yet.", "/workflows": "No workflow is served.", "/plugins": "No workflow names a plugin.", "/health": "No breaker has been used yet.",
		"/schedules": "No workflow has a schedule.", "/audit": "Nobody has changed anything yet.", "/tokens": "There is none beside",
	} {
		w := s.get(path)
		if page := text(parse(t, w)); w.Code != 200 || !strings.Contains(page, want) {
			t.Errorf("%s: %d, %s", path, w.Code, page)
		}
	}
	if w := s.get("/"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/runs" {
		t.Errorf("/: %d %v", w.Code, w.Header())
	}
}

// TestFailures: what the service cannot answer is said, on every page.
func TestFailures(t *testing.T) {
	for method, paths := range map[string][]string{
		"Runs": {"/runs", "/workflows/orders"}, "RunCounts": {"/runs"}, "RunInfo": {"/runs/failed-run", "/runs/failed-run/node?node=charge", "/runs/failed-run/events"},
		"RunResult": {"/runs/failed-run", "/runs/failed-run/node?node=charge", "/runs/failed-run/raw?of=output"}, "RunEvents": {"/runs/failed-run", "/runs/long-run/events", "/runs/failed-run/raw?of=event&seq=1"},
		"Why": {"/runs/failed-run", "/runs/failed-run/node?node=charge"}, "Workflows": {"/runs", "/workflows"}, "Workflow": {"/workflows/orders"}, "Plugins": {"/plugins"}, "AllBreakers": {"/health"},
		"Health": {"/health"}, "Schedules": {"/schedules"}, "Audits": {"/audit"},
	} {
		m := lively(t)
		s := newSite(t, m)
		m.fails[method] = &event.Error{Class: event.System, Code: "journal", Message: "the journal cannot be read: disk I/O error"}
		for _, path := range paths {
			if w := s.get(path); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "disk I/O error") {
				t.Errorf("%s without %s: %d", path, method, w.Code)
			}
		}
	}
	m := lively(t)
	m.fails["Graph"] = &event.Error{Class: event.System, Message: "no room"}
	s := newSite(t, m)
	for _, path := range []string{"/runs/failed-run", "/workflows/orders"} {
		if w := s.get(path); w.Code != 200 || !strings.Contains(w.Body.String(), "The graph cannot be shown: no room") {
			t.Errorf("%s without a graph: %d", path, w.Code)
		}
	}
}

// TestInside: what failed inside the host is for its log, and not for everybody
// who may look.
func TestInside(t *testing.T) {
	m := lively(t)
	var log bytes.Buffer
	s := newSite(t, m)
	s.server = server.New(server.Config{Service: m, Tokens: s.tokens, Pages: pages.New(m, pages.Options{}), PageProblem: pages.Problem, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for what, ask := range map[string]func() *httptest.ResponseRecorder{
		"a page": func() *httptest.ResponseRecorder {
			m.fails["Runs"] = errors.New("open /var/state/journal.db: input/output error")
			return s.get("/runs")
		},
		"a change": func() *httptest.ResponseRecorder {
			m.fails["Runs"] = nil
			m.fails["RetryRun"] = errors.New("open /var/state/journal.db: input/output error")
			return s.post("/runs/failed-run/retry", "")
		},
	} {
		log.Reset()
		w := ask()
		if page := text(parse(t, w)); strings.Contains(page, "/var/state") || !strings.Contains(page, "its log has what happened") {
			t.Errorf("%s: %d %s", what, w.Code, cutTo(page, 500))
		}
		if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "/var/state/journal.db: input/output error") {
			t.Errorf("%s: the log has %s", what, log.String())
		}
	}
}

// TestScopes: who may not do a thing is not offered it, and is refused it.
func TestScopes(t *testing.T) {
	s := newSite(t, lively(t))
	nobody := s.as(server.Public)
	for _, path := range []string{"/runs", "/plugins/orders.prices", "/audit"} {
		if w := nobody.get(path); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "prints a link") || !strings.Contains(w.Body.String(), `value="`+path+`"`) {
			t.Errorf("%s for nobody: %d", path, w.Code)
		}
	}
	// Those whose frame is drawn for the server offer the same.
	if w := s.get("/nowhere"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `href="/tokens"`) {
		t.Errorf("a page that is not there, for an admin: %d, without the tokens", w.Code)
	}
	open := server.New(server.Config{Service: s.service, NoAuth: true, Pages: pages.New(s.service, pages.Options{}), PageProblem: pages.Problem})
	defer open.Close()
	if w := (&site{t: t, server: open}).get("/nowhere"); w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), `href="/tokens"`) {
		t.Errorf("a page that is not there, where there are no tokens: %d, offers them", w.Code)
	}
	reader, runner, approver := s.as(server.Read), s.as(server.Run), s.as(server.Approve)
	for _, c := range []struct {
		who     *site
		path    string
		offered []string
		not     []string
	}{
		{reader, "/runs", nil, []string{"Retry the ticked", "Audit", "Tokens"}},
		{reader, "/runs/waiting-run", []string{"Somebody with the scope approve"}, []string{"Cancel the run", "Approve"}},
		{runner, "/runs/waiting-run", []string{"Cancel the run"}, []string{"Delete", "value=\"approve\""}},
		{approver, "/runs/waiting-run", []string{"Cancel the run", "value=\"approve\""}, nil},
		{reader, "/workflows/orders", nil, []string{"Start the run"}},
		{runner, "/workflows/orders", []string{"Start the run"}, nil},
		{approver, "/plugins/orders.prices", nil, []string{"Check and swap", "Roll back"}},
		{approver, "/health", []string{"Check now"}, []string{"/breakers/reset"}},
		{reader, "/health", nil, []string{"Check now"}},
	} {
		w := c.who.get(c.path)
		for _, want := range c.offered {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s does not offer %q", c.path, want)
			}
		}
		for _, not := range c.not {
			if strings.Contains(w.Body.String(), not) {
				t.Errorf("%s offers %q", c.path, not)
			}
		}
	}
	for _, c := range []struct {
		who  *site
		path string
	}{
		{reader, "/runs/waiting-run/cancel"}, {reader, "/workflows/orders"}, {reader, "/runs/retry"}, {runner, "/runs/waiting-run/approve"}, {approver, "/runs/failed-run/delete"},
		{approver, "/plugins/orders.prices/swap"}, {approver, "/plugins/orders.prices/rollback"}, {approver, "/plugins/orders.prices/promote"},
		{approver, "/breakers/reset"}, {approver, "/breakers/open"}, {approver, "/tokens"}, {approver, "/tokens/remove"}, {reader, "/health/check"},
	} {
		if w := c.who.post(c.path, ""); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "Not allowed") {
			t.Errorf("POST %s: %d, want 403 and a page", c.path, w.Code)
		}
	}
	if w := approver.get("/audit"); w.Code != http.StatusForbidden {
		t.Errorf("/audit for approve: %d", w.Code)
	}
}

// TestEndsWhileDrawn: a run that ends while its page is drawn has ended on it.
func TestEndsWhileDrawn(t *testing.T) {
	m := lively(t)
	s := newSite(t, m)
	m.told = func() {
		if err := m.CancelRun(t.Context(), "waiting-run", "not wanted"); err != nil {
			t.Error(err)
		}
	}
	page := parse(t, s.get("/runs/waiting-run"))
	if got := text(byID(page, "status")); !strings.Contains(got, "cancelled") {
		t.Errorf("the status is %q", got)
	}
	if got := text(byID(page, "happened")); !strings.Contains(got, "The run ended") {
		t.Errorf("what happened: %s", got)
	}
}
