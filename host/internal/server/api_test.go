package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"wasmhost/host/event"
)

func TestStart(t *testing.T) {
	s := serve(t, nil)
	a := s.do("POST", "/v1/workflows/hello/runs", `{"input": {"a": 1.50}, "run_id": "r1"}`)
	a.want(t, "fresh", 201, "")
	if got := a.header.Get("Location"); got != "/v1/runs/r1" {
		t.Errorf("Location %q", got)
	}
	var run RunAnswer
	a.into(t, &run)
	if string(run.Input.JSON()) != `{"a":1.50}` || run.Result != nil {
		t.Errorf("the run is %s", a.body)
	}
	s.do("POST", "/v1/workflows/hello/runs", `{"input": {"a": 1.50}, "run_id": "r1"}`).want(t, "known", 200, "")
	s.do("POST", "/v1/workflows/hello/runs", `{"input": 2, "run_id": "r1"}`).want(t, "conflict", 409, "run_conflict")

	a = s.do("POST", "/v1/workflows/hello/runs", `{"input": "x", "wait": true}`)
	a.want(t, "wait", 201, "")
	a.into(t, &run)
	if run.Result == nil || run.Result.Output.String() != "x" {
		t.Errorf("waited for, and no result: %s", a.body)
	}
	a = s.do("POST", "/v1/workflows/slow/runs", `{"run_id": "r2", "wait": "20ms"}`)
	a.want(t, "wait that was too short", 202, "")
	s.do("POST", "/v1/workflows/ask/runs", ``).want(t, "no body at all", 201, "")
}

func TestRefusedRequests(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.JSON = 1000 })
	start := "/v1/workflows/hello/runs"
	for _, c := range []struct {
		what, method, path, body string
		status                   int
		code                     string
		headers                  []string
	}{
		{"unknown field", "POST", start, `{"inputs": 1}`, 400, "bad_request", nil},
		{"field in other letters", "POST", start, `{"INPUT": 1}`, 400, "bad_request", nil},
		{"field twice", "POST", start, `{"input": 1, "input": 2}`, 400, "bad_request", nil},
		{"two objects", "POST", start, `{} {}`, 400, "bad_request", nil},
		{"a list", "POST", start, `[]`, 400, "bad_request", nil},
		{"cut off", "POST", start, `{"input": `, 400, "bad_request", nil},
		{"not UTF-8", "POST", start, "{\"input\": \"\xff\"}", 400, "bad_request", nil},
		{"wait too long", "POST", start, `{"wait": "2h"}`, 400, "bad_request", nil},
		{"wait backwards", "POST", start, `{"wait": "-2s"}`, 400, "bad_request", nil},
		{"wait a number", "POST", start, `{"wait": 3}`, 400, "bad_request", nil},
		{"bad run id", "POST", start, `{"run_id": "a/b"}`, 400, "bad_run_id", nil},
		{"run id of a dot", "POST", start, `{"run_id": "."}`, 400, "bad_run_id", nil},
		{"run id of dots", "POST", start, `{"run_id": "..."}`, 400, "bad_run_id", nil},
		{"null run id", "POST", start, `{"run_id": null}`, 400, "bad_request", nil},
		{"bad input", "POST", start, `{"input": "bad"}`, 422, "invalid_input", nil},
		{"too large", "POST", start, `{"input": "` + strings.Repeat("x", 1000) + `"}`, 413, "body_too_large", nil},
		{"other media", "POST", start, `{}`, 415, "bad_media_type", []string{"Content-Type", "text/plain"}},
		{"no such workflow", "POST", "/v1/workflows/nope/runs", `{}`, 404, "not_found", nil},
		{"no such path", "GET", "/v2", "", 404, "not_found", nil},
		{"wrong method", "DELETE", "/v1/runs", "", 405, "method_not_allowed", nil},
		{"body of a GET", "GET", "/v1/runs", "{}", 413, "body_too_large", nil},
		{"unknown parameter", "GET", "/v1/runs?state=failed", "", 400, "bad_request", nil},
		{"parameter twice", "GET", "/v1/runs?limit=1&limit=2", "", 400, "bad_request", nil},
		{"bad status", "GET", "/v1/runs?status=broken", "", 400, "bad_request", nil},
		{"bad limit", "GET", "/v1/runs?limit=0", "", 400, "bad_request", nil},
		{"bad time", "GET", "/v1/runs?since=yesterday", "", 400, "bad_request", nil},
		{"slash in an id", "GET", "/v1/runs/a%2Fb", "", 400, "bad_path", nil},
		{"slash in an id, small", "GET", "/v1/runs/a%2fb", "", 400, "bad_path", nil},
		{"dots", "GET", "/v1/runs/%2e%2e", "", 400, "bad_path", nil},
		{"dots in plain", "GET", "/v1/runs/../audit", "", 400, "bad_path", nil},
		{"backslash", "GET", "/v1/runs/a%5Cb", "", 400, "bad_path", nil},
		{"NUL", "GET", "/v1/runs/a%00", "", 400, "bad_path", nil},
		{"path not UTF-8", "GET", "/v1/runs/%ff", "", 400, "bad_path", nil},
		{"query not UTF-8", "GET", "/v1/runs?workflow=%ff", "", 400, "bad_request", nil},
		{"empty segment", "GET", "/v1//runs", "", 400, "bad_path", nil},
		{"id with a space", "GET", "/v1/runs/a%20b", "", 400, "bad_id", nil},
		{"id too long", "GET", "/v1/runs/" + strings.Repeat("a", 129), "", 400, "bad_id", nil},
		{"three dots", "GET", "/v1/runs/...", "", 400, "bad_id", nil},
		{"foreign page", "POST", start, `{}`, 403, "cross_origin", []string{"Origin", "http://evil.example"}},
		{"foreign page that browsers name", "POST", start, `{}`, 403, "cross_origin", []string{"Sec-Fetch-Site", "cross-site"}},
		{"rebound name", "GET", "/v1/runs", "", 421, "bad_host", []string{"Host", "evil.example"}},
		{"rebound name with port", "GET", "/healthz", "", 421, "bad_host", []string{"Host", "127.0.0.1.evil.example:80"}},
		{"other address", "GET", "/healthz", "", 421, "bad_host", []string{"Host", "10.0.0.1"}},
		{"large header", "GET", "/v1/runs", "", 431, "headers_too_large", []string{"X-A", strings.Repeat("x", 70<<10)}},
		{"bad last event", "GET", "/v1/runs/r/events?after=-1", "", 400, "bad_request", nil},
	} {
		a := s.do(c.method, c.path, c.body, c.headers...)
		a.want(t, c.what, c.status, c.code)
		if c.status == 405 && a.header.Get("Allow") == "" {
			t.Errorf("%s: no Allow", c.what)
		}
	}
	if n := len(s.runs); n != 0 {
		t.Errorf("%d runs were started", n)
	}
	for _, host := range []string{"localhost", "localhost:99", "127.0.0.1:1", "[::1]:2", "LOCALHOST."} {
		s.do("GET", "/healthz", "", "Host", host).want(t, host, 200, "")
	}
}

func TestRuns(t *testing.T) {
	s := serve(t, nil)
	for _, body := range []string{`{"run_id": "a1"}`, `{"run_id": "a2"}`, `{"run_id": "b1"}`} {
		s.do("POST", "/v1/workflows/hello/runs", body).want(t, body, 201, "")
	}
	s.do("POST", "/v1/workflows/ask/runs", `{"run_id": "w1"}`).want(t, "ask", 201, "")
	s.do("POST", "/v1/workflows/slow/runs", `{"run_id": "s1"}`).want(t, "slow", 201, "")

	var list RunList
	a := s.do("GET", "/v1/runs?limit=2&counts=true", "")
	a.into(t, &list)
	if len(list.Runs) != 2 || list.Next != "w1" || list.Counts[event.Succeeded] != 3 || list.Counts[event.Running] != 1 {
		t.Errorf("the list is %s", a.body)
	}
	a = s.do("GET", "/v1/runs?status=succeeded,waiting&status=running&after=w1&workflow=hello", "")
	list = RunList{}
	a.into(t, &list)
	if len(list.Runs) != 3 || list.Runs[0].ID != "b1" || list.Next != "" {
		t.Errorf("the list is %s", a.body)
	}
	s.do("GET", "/v1/runs/b", "").want(t, "the beginning of an id", 200, "")
	s.do("GET", "/v1/runs/a", "").want(t, "of several", 409, "ambiguous")
	s.do("GET", "/v1/runs/a1/result", "").want(t, "result", 200, "")
	s.do("GET", "/v1/runs/w1/result", "").want(t, "result so far", 200, "")
	s.do("GET", "/v1/runs/w1/why", "").want(t, "why", 200, "")
	a = s.do("GET", "/v1/runs/a1/export", "")
	a.want(t, "export", 200, "")
	if !strings.Contains(a.header.Get("Content-Disposition"), "run-a1.json") {
		t.Error("the export has no name")
	}
	s.do("GET", "/v1/runs/zz/export", "").want(t, "export of nothing", 404, "not_found")
	var events struct{ Events []event.Event }
	s.do("GET", "/v1/runs/a1/events.json?after=1&limit=2", "").into(t, &events)
	if len(events.Events) != 2 || events.Events[0].Seq != 2 {
		t.Errorf("events %v", events)
	}

	s.do("POST", "/v1/runs/s1/cancel", `{"reason": "enough"}`).want(t, "cancel", 202, "")
	s.do("POST", "/v1/runs/s1/cancel", "").want(t, "cancel again", 409, "run_ended")
	s.do("POST", "/v1/runs/s1/retry", `{"from": "nope"}`).want(t, "retry of nothing", 422, "unknown_node")
	s.do("POST", "/v1/runs/s1/retry", `{"from": "a"}`).want(t, "retry", 202, "")
	s.do("POST", "/v1/runs/s1/resume", `{}`).want(t, "resume", 202, "")
	s.do("POST", "/v1/runs/s1/resume", `{"x": 1}`).want(t, "resume with a field", 400, "bad_request")
	s.do("DELETE", "/v1/runs/s1", "").want(t, "delete what goes on", 409, "run_alive")
	s.do("DELETE", "/v1/runs/b1", "").want(t, "delete", 204, "")
	a = s.do("POST", "/v1/runs/w1/approve", `{"node": "a", "output": null, "comment": "fine"}`)
	a.want(t, "approve", 202, "")
	var run event.RunInfo
	if a.into(t, &run); run.Owner != "admin" {
		t.Errorf("approved by %q", run.Owner)
	}
}

func TestOtherRoutes(t *testing.T) {
	s := serve(t, nil)
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "/v1/workflows", "", 200, ""},
		{"GET", "/v1/workflows/hello", "", 200, ""},
		{"GET", "/v1/workflows/nope", "", 404, "not_found"},
		{"GET", "/v1/workflows/hello/graph.svg?run=r1", "", 200, ""},
		{"GET", "/v1/plugins", "", 200, ""},
		{"GET", "/v1/plugins/hello.up", "", 200, ""},
		{"POST", "/v1/plugins/up/reload?mode=canary&good=3", "", 200, ""},
		{"POST", "/v1/plugins/up/reload?mode=fast", "", 400, "bad_request"},
		{"POST", "/v1/plugins/up/reload?same=2", "", 400, "bad_request"},
		{"POST", "/v1/plugins/up/rollback", "", 200, ""},
		{"POST", "/v1/plugins/up/promote", "{}", 409, "no_version"},
		{"GET", "/v1/breakers", "", 200, ""},
		{"POST", "/v1/breakers/hello.api/reset", "", 200, ""},
		{"POST", "/v1/breakers/api/open", "", 200, ""},
		{"POST", "/v1/breakers/x/open", "", 404, "not_found"},
		{"GET", "/v1/health", "", 200, ""},
		{"POST", "/v1/health/hello/check", "", 200, ""},
		{"GET", "/v1/schedules", "", 200, ""},
		{"GET", "/v1/audit?limit=3", "", 200, ""},
		{"GET", "/healthz", "", 200, ""},
		{"GET", "/readyz", "", 200, ""},
		{"GET", "/metrics", "", 200, ""},
		{"HEAD", "/v1/runs", "", 200, ""},
	} {
		s.do(c.method, c.path, c.body).want(t, c.method+" "+c.path, c.status, c.code)
	}
	s.memory.mu.Lock()
	s.reasons = []string{"check db is not healthy"}
	s.memory.mu.Unlock()
	var ready Readiness
	a := s.do("GET", "/readyz", "", "Authorization", "")
	if a.into(t, &ready); a.status != 503 || ready.Ready || len(ready.Reasons) != 1 {
		t.Errorf("readyz: %d %s", a.status, a.body)
	}
}

func TestSwap(t *testing.T) {
	s := serve(t, nil)
	wasm := []string{"Content-Type", "application/wasm"}
	s.do("PUT", "/v1/plugins/up?mode=shadow&accept_permissions=true&unpin=true&replay=true&same=0.5", "\x00asm rest", wasm...).want(t, "swap", 200, "")
	got := s.swaps[0]
	if string(got.Module) != "\x00asm rest" || got.Mode != event.SwapShadow || !got.AcceptPermissions || !got.Unpin || !got.Replay || got.Same != 0.5 || got.By != "admin" {
		t.Errorf("the request arrived as %+v", got)
	}
	s.do("PUT", "/v1/plugins/up", "", wasm...).want(t, "no module", 400, "bad_request")
	s.do("PUT", "/v1/plugins/up", "{}", "Content-Type", "application/json").want(t, "JSON", 415, "bad_media_type")
	a := s.do("PUT", "/v1/plugins/up", "rubbish", wasm...)
	a.want(t, "refused", 422, "bad_module")
	if a.problem.Report == nil || a.problem.Report.Refused == nil || len(a.problem.Report.Steps) == 0 {
		t.Errorf("no report beside the error: %s", a.body)
	}
}

// TestEventPages: a page is bounded by bytes beside the number of its events, and
// says when there is more; the client's caller sees nothing of that.
func TestEventPages(t *testing.T) {
	s := serve(t, nil)
	s.start("big", "slow")
	s.mu.Lock()
	for range 200 {
		s.runs["big"].emit(event.Event{Type: event.Log, Message: strings.Repeat("x", 100<<10)})
	}
	all := len(s.runs["big"].events)
	s.mu.Unlock()
	type page struct {
		Events []event.Event
		More   *bool
	}
	get := func(query string) page {
		t.Helper()
		a := s.do("GET", "/v1/runs/big/events.json?"+query, "")
		var p page
		if a.into(t, &p); p.More == nil || len(a.body) > pageBytes+(200<<10) {
			t.Fatalf("%s: %d events in %d bytes, more %v", query, len(p.Events), len(a.body), p.More)
		}
		return p
	}
	n := 0
	for more := true; more; {
		p := get(fmt.Sprintf("limit=5000&after=%d", n))
		if len(p.Events) == 0 || p.Events[0].Seq != uint64(n+1) {
			t.Fatalf("after %d: %d events", n, len(p.Events))
		}
		n += len(p.Events)
		more = *p.More
	}
	if n != all {
		t.Errorf("%d events in pages, want %d", n, all)
	}
	if p := get(fmt.Sprintf("limit=2&after=%d", all-3)); len(p.Events) != 2 || !*p.More {
		t.Errorf("%d events, more %v", len(p.Events), *p.More)
	}
	if p := get(fmt.Sprintf("limit=2&after=%d", all-2)); len(p.Events) != 2 || *p.More {
		t.Errorf("%d events, more %v", len(p.Events), *p.More)
	}
	c := Dial(s.url, s.admin)
	defer func() { _ = c.Close() }()
	for _, limit := range []int{150, 5000} {
		if got, err := c.RunEvents(t.Context(), "big", 0, limit); err != nil || len(got) != min(limit, all) {
			t.Errorf("the client has %d of %d: %v", len(got), limit, err)
		}
	}
}

// Every change leaves an audit, also one that was refused; looking leaves none.
func TestAudit(t *testing.T) {
	s := serve(t, nil)
	read, err := s.tokens.Add("looker", Read)
	if err != nil {
		t.Fatal(err)
	}
	s.do("GET", "/v1/runs", "")
	s.do("POST", "/v1/workflows/hello/runs", `{"run_id": "r1"}`)
	s.do("DELETE", "/v1/runs/r1", "", "Authorization", "Bearer "+read)
	s.do("POST", "/v1/runs/r1/cancel", "")
	s.do("DELETE", "/v1/runs/r1", "")
	s.do("POST", "/v1/breakers/api/reset", "", "Authorization", "Bearer nonsense")
	s.do("POST", "/v1/tokens", `{"name": "ci", "scope": "run"}`)
	s.do("PUT", "/v1/plugins/up", "rubbish", "Content-Type", "application/wasm")
	want := []event.Audit{
		{By: "admin", Action: "run.start", Target: "r1", OK: true},
		{By: "looker", Action: "run.delete", Target: "r1"},
		{By: "admin", Action: "run.cancel", Target: "r1"},
		{By: "admin", Action: "run.delete", Target: "r1", OK: true},
		{By: "nobody", Action: "breaker.reset", Target: "api"},
		{By: "admin", Action: "token.add", Target: "ci", OK: true},
		{By: "admin", Action: "plugin.swap", Target: "hello.up"},
	}
	if len(s.audits) != len(want) {
		t.Fatalf("%d audits, want %d: %+v", len(s.audits), len(want), s.audits)
	}
	for i, a := range s.audits {
		w := want[i]
		if a.By != w.By || a.Action != w.Action || a.Target != w.Target || a.OK != w.OK || !strings.Contains(a.Detail, "127.0.0.1") || a.Time.IsZero() {
			t.Errorf("audit %d is %+v, want %+v", i, a, w)
		}
	}
	all, _ := json.Marshal(s.audits)
	for _, secret := range []string{s.admin, read, "nonsense"} {
		if strings.Contains(string(all), secret) {
			t.Error("a secret is in the audit")
		}
	}
}
