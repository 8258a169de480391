package pages_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"wasmhost/host/event"
	"wasmhost/host/internal/server"
	"wasmhost/host/workflow"
)

const serverPublic = server.Public

var graphPlain = workflow.GraphOptions{}

// TestChanges: every form does what it says and ends on a page that tells.
func TestChanges(t *testing.T) {
	for _, c := range []struct {
		name, path, form string
		shows            []string
		then             func(*memory) bool
		audit            string // action and whether it was done
	}{
		{"cancel", "/runs/waiting-run/cancel", "reason=not+wanted", []string{"The run is being cancelled.", "cancelled", "not wanted"}, nil, "run.cancel true"},
		{"cancel what has ended", "/runs/failed-run/cancel", "", []string{"run failed-run has ended"}, nil, "run.cancel false"},
		{"resume", "/runs/interrupted-run/resume", "", []string{"The run goes on."}, nil, "run.resume true"},
		{"retry", "/runs/failed-run/retry", "", []string{"what succeeded is kept", "running", "Generation 2"}, nil, "run.retry true"},
		{"retry from a node", "/runs/failed-run/retry", "from=price", []string{"started again from price"}, nil, "run.retry true"},
		{"retry and stay", "/runs/failed-run/retry", "from=price&back=" + url.QueryEscape("/runs/failed-run/node?node=price"), []string{"started again from price", "Attempts"}, nil, "run.retry true"},
		{"go nowhere else", "/runs/failed-run/retry", "back=//evil.example/runs/failed-run", []string{"Generation 2"}, nil, "run.retry true"},
		{"retry what has succeeded", "/runs/long-run/retry", "", []string{"nothing is left to do again"}, nil, "run.retry false"},
		{"retry many", "/runs/retry", "run=failed-run&run=long-run&run=nothing&back=/runs?status%3Dfailed", []string{"1 run started again; 2 could not be", "long-run: run long-run has succeeded", "there is no run nothing"}, nil, "run.retry false"},
		{"retry none", "/runs/retry", "", []string{"No run was ticked"}, nil, "run.retry false"},
		{"approve", "/runs/waiting-run/approve", "node=review&answer=approve&comment=fine", []string{"Approved: the run goes on."},
			func(m *memory) bool {
				a := m.answers[0]
				return a.Comment == "fine" && a.Node == "review" && !a.HasOutput && !a.Reject && a.By == "admin"
			}, "run.approve true"},
		{"approve with an output", "/runs/waiting-run/approve", `node=review&answer=approve&output={"n":1.50}`, []string{"Approved"},
			func(m *memory) bool { return m.answers[0].HasOutput && m.answers[0].Output.String() == `{"n":1.50}` }, "run.approve true"},
		{"approve with what is no JSON", "/runs/waiting-run/approve", `node=review&answer=approve&output=fine`, []string{"the output is no JSON", "a text needs quotes"},
			func(m *memory) bool { return len(m.answers) == 0 }, "run.approve false"},
		{"reject", "/runs/waiting-run/approve", "node=review&answer=reject&comment=too+large", []string{"Rejected: the node has failed.", "too large"}, nil, "run.approve true"},
		{"approve what does not wait", "/runs/failed-run/approve", "node=review&answer=approve", []string{"does not wait for a person"}, nil, "run.approve false"},
		{"delete", "/runs/failed-run/delete", "", []string{"Run failed-run was deleted."}, func(m *memory) bool { _, err := m.find("failed-run"); return err != nil }, "run.delete true"},
		{"delete nothing", "/runs/nothing/delete", "", []string{"Not found"}, nil, "run.delete false"},
		{"roll back", "/plugins/orders.prices/rollback", "", []string{"Rolled back: new calls go to bbbbbbbbbbbb"}, nil, "plugin.rollback true"},
		{"roll back to nothing", "/plugins/orders.rules/rollback", "", []string{"has no version to go back to"}, nil, "plugin.rollback false"},
		{"promote nothing", "/plugins/orders.prices/promote", "", []string{"has no trial to promote"}, nil, "plugin.promote false"},
		{"reset", "/breakers/reset", "breaker=orders.prices", []string{"Breaker orders.prices is closed"}, nil, "breaker.reset true"},
		{"open", "/breakers/open", "breaker=archive.store", []string{"Breaker archive.store is open"}, nil, "breaker.open true"},
		{"reset nothing", "/breakers/reset", "breaker=x", []string{`there is no breaker "x"`}, nil, "breaker.reset false"},
		{"check", "/health/check", "workflow=orders", []string{"orders was checked: unhealthy."}, nil, "health.check true"},
		{"check well", "/health/check", "workflow=archive", []string{"archive was checked: healthy."}, nil, "health.check true"},
		{"check nothing", "/health/check", "workflow=x", []string{`no workflow "x"`}, nil, "health.check false"},
		{"add a token", "/tokens", "name=ci&scope=run", []string{"Token ci was added", "shown this once"}, nil, "token.add true"},
		{"add a token of no scope", "/tokens", "name=ci&scope=all", []string{"there are read, run, approve and admin"}, nil, "token.add false"},
		{"remove no token", "/tokens/remove", "name=zzz", []string{"zzz"}, nil, "token.remove false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := lively(t)
			s := newSite(t, m)
			w := s.post(c.path, c.form)
			page := text(parse(t, w))
			for _, want := range c.shows {
				if !strings.Contains(page, want) {
					t.Errorf("the page does not show %q (%d):\n%s", want, w.Code, cutTo(page, 2500))
				}
			}
			if c.then != nil && !c.then(m) {
				t.Error("it was not done")
			}
			action, done, _ := strings.Cut(c.audit, " ")
			if a := m.audits[0]; a.Action != action || (done == "true") != a.OK {
				t.Errorf("audit %+v, want %s", a, c.audit)
			}
		})
	}
}

// TestTypedAnswer: an answer that was not taken is in its form again, for who gave
// it and in the form of its node alone.
func TestTypedAnswer(t *testing.T) {
	m := lively(t)
	s := newSite(t, m)
	page := parse(t, s.post("/runs/waiting-run/approve", "node=review&answer=approve&comment=seen+%22it%22&output=fine"))
	if c, o := byID(page, "comment-0"), byID(page, "output-0"); attr(c, "value") != `seen "it"` || text(o) != "fine" || !has(o.Parent.Parent, "open") {
		t.Errorf("comment %q, output %q", attr(c, "value"), text(o))
	}
	m.fails["ApproveRun"] = &event.Error{Code: "closed", Message: "the host is stopping"}
	page = parse(t, s.post("/runs/waiting-run/approve", "node=review&answer=reject&comment=no"))
	if c := byID(page, "comment-0"); attr(c, "value") != "no" || !strings.Contains(text(page), "the host is stopping") {
		t.Errorf("comment %q", attr(c, "value"))
	}
	page = parse(t, s.post("/runs/waiting-run/approve", "node=other&answer=approve&comment=theirs&output=fine"))
	if c, o := byID(page, "comment-0"), byID(page, "output-0"); has(c, "value") || text(o) != "" || has(o.Parent.Parent, "open") {
		t.Errorf("the answer for another node is in the form: %q, %q", attr(c, "value"), text(o))
	}
}

// TestRetryManyAudit: who looks for a run in the audit finds it, however many were
// ticked with it.
func TestRetryManyAudit(t *testing.T) {
	m := lively(t)
	s := newSite(t, m)
	form := url.Values{"run": {"failed-run"}}
	for range 49 {
		form.Add("run", "a-run-with-a-long-name-that-is-gone")
	}
	form.Add("run", "the-last-of-them")
	s.post("/runs/retry", form.Encode())
	a := m.audits[0]
	if a.Target != "51 runs" || !strings.Contains(a.Detail, "started again: failed-run") || !strings.Contains(a.Detail, "the-last-of-them") || a.OK {
		t.Errorf("the audit is %+v", a)
	}
}

// TestTokenOnce: the secret of a new token is shown once, to who made it.
func TestTokenOnce(t *testing.T) {
	s := newSite(t, lively(t))
	r := httptest.NewRequest("POST", "/tokens", strings.NewReader("name=ci&scope=run"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	to := s.do(r).Header().Get("Location")
	if other := s.as(server.Admin); byID(parse(t, other.get(to)), "secret") != nil {
		t.Error("another admin sees the secret")
	}
	first, again := s.get(to), s.get(to)
	node := byID(parse(t, first), "secret")
	if node == nil {
		t.Fatal("the secret is not shown")
	}
	if who, ok := s.tokens.Check(text(node)); !ok || who.Scope != server.Run {
		t.Errorf("the secret shown opens nothing: %v", who)
	}
	if byID(parse(t, again), "secret") != nil {
		t.Error("the secret is shown twice")
	}
	if w := s.post("/tokens/remove", "name=ci"); !strings.Contains(w.Body.String(), "it opens nothing any more") {
		t.Error("the token was not removed")
	}
	if _, ok := s.tokens.Check(text(node)); ok {
		t.Error("the token still opens something")
	}
}

// TestNotice: nobody's address makes a page say something.
func TestNotice(t *testing.T) {
	s := newSite(t, lively(t))
	if n := byID(parse(t, s.get("/runs?note=Your+password+please")), "notice"); n != nil {
		t.Errorf("a note from nowhere is shown: %s", text(n))
	}
}

func (s *site) swap(t *testing.T, plugin string, module []byte, fields url.Values) *httptest.ResponseRecorder {
	t.Helper()
	var body bytes.Buffer
	f := multipart.NewWriter(&body)
	for name, values := range fields {
		if err := f.WriteField(name, values[0]); err != nil {
			t.Fatal(err)
		}
	}
	if module != nil {
		part, err := f.CreateFormFile("module", "new.wasm")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = part.Write(module)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/plugins/"+plugin+"/swap", &body)
	r.Header.Set("Content-Type", f.FormDataContentType())
	w := s.do(r)
	if w.Code == http.StatusSeeOther {
		return s.get(w.Header().Get("Location"))
	}
	return w
}

func TestSwap(t *testing.T) {
	module := []byte("\x00asm\x01\x00\x00\x00")
	for _, c := range []struct {
		name, plugin string
		module       []byte
		fields       url.Values
		refuse       bool
		shows        []string
		want         *event.SwapRequest
	}{
		{name: "now", plugin: "orders.prices", module: module, fields: url.Values{"from": {"upload"}, "mode": {"now"}},
			shows: []string{"The new version gets all new calls", "c0ffeec0ffee", "compile", "passed", "Roll back to aaaaaaaaaaaa"}, want: &event.SwapRequest{Plugin: "orders.prices", Module: module, Mode: event.SwapNow, By: "admin"}},
		{name: "canary, all gates", plugin: "orders.prices", module: module, fields: url.Values{"from": {"upload"}, "mode": {"canary"}, "good": {"50"}, "replay": {"true"}, "same": {"98.5"}, "accept_permissions": {"true"}},
			shows: []string{"on trial", "197 of 200 identical, 3 differ", `{"price":13}`, "Promote c0ffeec0ffee", "End the trial"},
			want:  &event.SwapRequest{Plugin: "orders.prices", Module: module, Mode: event.SwapCanary, Good: 50, Replay: true, Same: .985, AcceptPermissions: true, By: "admin"}},
		{name: "shadow from the source", plugin: "orders.prices", module: []byte{}, fields: url.Values{"from": {"source"}, "mode": {"shadow"}}, shows: []string{"never answers"}, want: &event.SwapRequest{Plugin: "orders.prices", Mode: event.SwapShadow, By: "admin"}},
		{name: "refused", plugin: "orders.prices", module: module, fields: url.Values{"mode": {"now"}}, refuse: true, shows: []string{"was refused; the old one goes on", "https://evil.example is new", "failed"}},
		{name: "pinned", plugin: "orders.rules", module: module, fields: url.Values{"mode": {"now"}}, shows: []string{"is pinned to a digest"}},
		{name: "unpinned", plugin: "orders.rules", module: module, fields: url.Values{"mode": {"now"}, "unpin": {"true"}}, shows: []string{"gets all new calls"}},
		{name: "no file", plugin: "orders.prices", module: nil, fields: url.Values{"mode": {"now"}}, shows: []string{"no module was chosen"}},
		{name: "an empty file", plugin: "orders.prices", module: []byte{}, fields: url.Values{"mode": {"now"}}, shows: []string{"the module is empty"}},
		{name: "no mode", plugin: "orders.prices", module: module, fields: url.Values{"mode": {"soon"}}, shows: []string{"there is no mode"}},
		{name: "no number", plugin: "orders.prices", module: module, fields: url.Values{"mode": {"canary"}, "good": {"many"}}, shows: []string{"must be a whole number"}},
		{name: "no share", plugin: "orders.prices", module: module, fields: url.Values{"mode": {"now"}, "same": {"120"}}, shows: []string{"must be a number up to 100"}},
		{name: "nothing", plugin: "nothing", module: module, fields: url.Values{"mode": {"now"}}, shows: []string{"Not found"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := lively(t)
			m.refuse = c.refuse
			w := newSite(t, m).swap(t, c.plugin, c.module, c.fields)
			page := text(parse(t, w))
			for _, want := range c.shows {
				if !strings.Contains(page, want) {
					t.Errorf("the page does not show %q (%d):\n%s", want, w.Code, cutTo(page, 2500))
				}
			}
			if c.want == nil {
				return
			}
			if len(m.swapped) != 1 {
				t.Fatal("nothing was asked")
			}
			got := m.swapped[0]
			if !bytes.Equal(got.Module, c.want.Module) || got.Plugin != c.want.Plugin || got.Mode != c.want.Mode || got.Good != c.want.Good || got.Replay != c.want.Replay || got.Same != c.want.Same || got.AcceptPermissions != c.want.AcceptPermissions || got.By != c.want.By {
				t.Errorf("asked for %+v, want %+v", got, *c.want)
			}
		})
	}
}
