package host_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
	"wasmhost/host/internal/journal"
	"wasmhost/plugins"
)

// TestWorkflowFileChanges: a valid file is what new runs get, a run that goes on
// keeps its own, an invalid one is told and what was there goes on.
func TestWorkflowFileChanges(t *testing.T) {
	out, dir := newService(t), t.TempDir()
	gate := make(chan struct{})
	out.on("/a", func(w http.ResponseWriter, _ *http.Request) { <-gate; _, _ = w.Write([]byte(`"a"`)) })
	one := asking("flow", ask("a", "")+ask("b", "needs = [\"a\"]"), out)
	s := serve(t, t.TempDir(), map[string]string{"URL": out.URL}, host.ServeOptions{Files: []string{file(t, dir, "flow", one)}})
	ctx := t.Context()
	info := func() event.WorkflowInfo {
		t.Helper()
		i, _, err := s.Workflow(ctx, "flow")
		if err != nil {
			t.Fatal(err)
		}
		return *i
	}
	before := info()
	if _, _, err := s.Start(ctx, host.StartRequest{Workflow: "flow", RunID: "old"}); err != nil {
		t.Fatal(err)
	}
	out.next(t, "/a")

	file(t, dir, "flow", one+"[nodes.broken]\nplugin = \"none\"\n")
	until(t, "the finding", func() bool { return info().Error != nil })
	if i := info(); i.Error.Code != "invalid_workflow" || !strings.Contains(i.Error.Message, "flow.toml:") || i.Digest != before.Digest {
		t.Errorf("a file that is not valid: %+v", i)
	}
	file(t, dir, "flow", asking("flow", ask("c", ""), out))
	until(t, "the new workflow", func() bool { return info().Digest != before.Digest })
	if i := info(); i.Error != nil || i.Nodes != 1 {
		t.Errorf("mended: %+v", i)
	}
	if _, _, err := s.Start(ctx, host.StartRequest{Workflow: "flow", RunID: "new"}); err != nil {
		t.Fatal(err)
	}
	followed(t, s, "new")
	close(gate)
	followed(t, s, "old")
	for id, nodes := range map[string]string{"old": "a b", "new": "c"} {
		r, err := s.RunResult(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		wantStatus(t, r, event.Succeeded)
		for _, n := range strings.Fields(nodes) {
			if r.Nodes[n] == nil || r.Nodes[n].Status != event.Succeeded {
				t.Errorf("run %s, node %s: %+v", id, n, r.Nodes[n])
			}
		}
	}
	// The old plan has gone with its last run; its plugin, which the new one has too,
	// has not.
	if plugins, err := s.Plugins(ctx); err != nil || len(plugins) != 1 || plugins[0].Digest == "" {
		t.Errorf("plugins: %+v, %v", plugins, err)
	}
}

// TestChangedWhileTheServerWasAway: the file has changed since, and the
// server says so instead of mixing two workflows.
func TestChangedWhileTheServerWasAway(t *testing.T) {
	out, dir, state := newService(t), t.TempDir(), t.TempDir()
	env := map[string]string{"URL": out.URL}
	out.on("/a", hang)
	f := file(t, dir, "flow", asking("flow", ask("a", ""), out))
	s := serve(t, state, env, host.ServeOptions{Files: []string{f}, Grace: time.Millisecond})
	if _, _, err := s.Start(t.Context(), host.StartRequest{Workflow: "flow", RunID: "cut-short"}); err != nil {
		t.Fatal(err)
	}
	out.next(t, "/a")
	s.end(t)
	out.on("/a", nil)
	file(t, dir, "flow", asking("flow", ask("b", ""), out))
	s = serve(t, state, env, host.ServeOptions{Files: []string{f}})
	_, err := s.ResumeRun(t.Context(), "cut-short")
	wantCode(t, err, "workflow_changed")
	info, err := s.RetryRun(t.Context(), "cut-short", "")
	if err != nil || info.Generation != 2 {
		t.Fatalf("retry: %+v, %v", info, err)
	}
	followed(t, s, "cut-short")
	if a, b := out.count("/a"), out.count("/b"); a != 1 || b != 1 {
		t.Errorf("asked a %d, b %d times", a, b)
	}
}

// TestServedApproval: a run that waits needs no process, is followed all the same,
// goes on when it is answered, and fails when nobody does in time.
func TestServedApproval(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	text := "[plugins.up]\nsource = \"" + guests + "/version.wasm\"\n[nodes.ask]\napproval = \"Go on?\"\n%s\n[nodes.a]\nplugin = \"up\"\nneeds = [\"ask\"]\nwith = \"x\"\n"
	files := []string{file(t, dir, "patient", fmt.Sprintf(text, "")), file(t, dir, "hasty", fmt.Sprintf(text, `deadline = "300ms"`))}
	s := serve(t, state, nil, host.ServeOptions{Files: files})
	ctx := t.Context()
	for _, name := range []string{"patient", "hasty"} {
		if _, _, err := s.Start(ctx, host.StartRequest{Workflow: name, RunID: name}); err != nil {
			t.Fatal(err)
		}
	}
	events := make(chan []*event.Event, 1)
	go func() {
		var all []*event.Event
		_ = s.Follow(ctx, "patient", 0, func(e *event.Event) error { all = append(all, e); return nil })
		events <- all
	}()
	until(t, "the run to wait", func() bool {
		i, err := s.RunInfo(ctx, "patient")
		return err == nil && i.Status == event.Waiting && !i.Alive
	})
	if _, err := s.ApproveRun(ctx, "patient", event.Approval{Comment: "well"}); err != nil {
		t.Fatal(err)
	}
	all := <-events
	if last := all[len(all)-1]; last.Type != event.RunFinished || last.Status != event.Succeeded {
		t.Errorf("the last event: %+v", last)
	}
	for i, e := range all {
		if e.Seq != uint64(i+1) {
			t.Fatalf("event %d has the number %d", i, e.Seq)
		}
	}
	// Nobody says anything to the other one: it is woken by its deadline.
	followed(t, s, "hasty")
	r, err := s.RunResult(ctx, "hasty")
	if err != nil || r.Status != event.Failed || r.Nodes["ask"].Error.Code != "deadline" {
		t.Errorf("the run whose deadline passed: %+v, %v", r, err)
	}
}

// TestQueue: no more runs than allowed go on at once; the others are recorded, can
// be cancelled, and survive the server.
func TestQueue(t *testing.T) {
	out, dir, state := newService(t), t.TempDir(), t.TempDir()
	env := map[string]string{"URL": out.URL}
	out.on("/a", hang)
	o := host.ServeOptions{Files: []string{file(t, dir, "flow", asking("flow", ask("a", ""), out))}, MaxRuns: 2, MaxQueued: 3, Grace: time.Millisecond}
	s := serve(t, state, env, o)
	ctx := t.Context()
	begin := func(id string) error {
		_, _, err := s.Start(ctx, host.StartRequest{Workflow: "flow", RunID: id})
		return err
	}
	for i := range 5 {
		if err := begin(fmt.Sprintf("queued-%d", i)); err != nil {
			t.Fatal(err)
		}
		if i < 2 {
			out.next(t, "/a")
		}
	}
	until(t, "a full queue", func() bool {
		var e *event.Error
		err := begin("one-too-many")
		if err == nil {
			t.Fatal("a run more than may queue was taken")
		}
		return errorAs(err, &e) && e.Code == "busy_server"
	})
	if err := s.CancelRun(ctx, "queued-4", "not needed"); err != nil {
		t.Fatal(err)
	}
	followed(t, s, "queued-4")
	why, err := s.Why(ctx, "queued-3")
	if err != nil || len(why) != 1 || why[0].Kind != "queue" {
		t.Errorf("why: %+v, %v", why, err)
	}
	s.end(t)
	if n := out.count("/a"); n != 2 {
		t.Errorf("%d runs began", n)
	}
	out.on("/a", nil)
	s = serve(t, state, env, o)
	for i := range 4 {
		followed(t, s, fmt.Sprintf("queued-%d", i))
	}
	counts, err := s.RunCounts(ctx, "flow")
	if err != nil || counts[event.Succeeded] != 4 || counts[event.Cancelled] != 1 {
		t.Errorf("counts: %v, %v", counts, err)
	}
}

func errorAs(err error, to **event.Error) bool {
	e, ok := err.(*event.Error)
	*to = e
	return ok
}

// TestSchedulesOverARestart: a time that passed while no server ran is made up for
// once, and its run has the id that follows from it.
func TestSchedulesOverARestart(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	f := file(t, dir, "nightly", shouts+"[input]\ndefault = \"x\"\n[[schedule]]\ncron = \"* * * * *\"\ncatch_up = \"2h\"\n")
	s := serve(t, state, nil, host.ServeOptions{Files: []string{f}})
	until(t, "the schedule", func() bool {
		all, err := s.Schedules(t.Context())
		return err == nil && len(all) == 1 && len(all[0].Next) > 0 && all[0].Workflow == "nightly"
	})
	j, err := journal.Open(t.Context(), state, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var rows []journal.Schedule
	until(t, "its state", func() bool { rows, err = j.Schedules(t.Context()); return err == nil && len(rows) == 1 })
	s.end(t)
	// The last server went an hour ago.
	rows[0].State = hourAgo(t, rows[0].State)
	if err := j.SaveSchedule(t.Context(), rows[0]); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s = serve(t, state, nil, host.ServeOptions{Files: []string{f}})
		until(t, "a run that was made up for", func() bool {
			runs, err := s.Runs(t.Context(), host.RunFilter{})
			return err == nil && len(runs) > 0 && runs[0].Status == event.Succeeded
		})
		s.end(t)
	}
	h := serve(t, state, nil, host.ServeOptions{Files: []string{f}})
	runs, err := h.Runs(t.Context(), host.RunFilter{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range runs {
		if !strings.HasPrefix(r.ID, "nightly-") || seen[r.ID] {
			t.Errorf("run %s", r.ID)
		}
		seen[r.ID] = true
	}
	// The minute may turn while the test goes on: then it has a run of its own.
	if len(runs) > 4 {
		t.Errorf("%d runs for one time that was missed", len(runs))
	}
}

// hourAgo moves every time in a state an hour back.
func hourAgo(t *testing.T, state []byte) []byte {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(state, &v); err != nil {
		t.Fatal(err)
	}
	moved := 0
	for key, one := range v {
		if text, ok := one.(string); ok {
			if at, err := time.Parse(time.RFC3339Nano, text); err == nil && !at.IsZero() {
				v[key] = at.Add(-time.Hour).Format(time.RFC3339Nano)
				moved++
			}
		}
	}
	if moved == 0 {
		t.Fatalf("no time in %s", state)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestWebhook: a signed body starts a run, once for an id; anything else does not.
func TestWebhook(t *testing.T) {
	dir := t.TempDir()
	text := "[secrets]\nkey = { env = \"KEY\" }\n[webhook]\npath = \"in/here\"\nauth = { hmac = \"key\", header = \"X-Hub-Signature-256\" }\n" + shouts
	s := serve(t, t.TempDir(), map[string]string{"KEY": "the-key-of-the-hook"}, host.ServeOptions{Files: []string{file(t, dir, "hooked", text)}})
	post := func(path, key, body string) (int, string) {
		t.Helper()
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(body))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.info.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		r.Header.Set("X-Run-Id", "from-outside")
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		text, err := io.ReadAll(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		return a.StatusCode, string(text)
	}
	defer http.DefaultClient.CloseIdleConnections()
	if code, text := post("/hooks/in/here", "another-key-altogether", `"hello"`); code != http.StatusUnauthorized {
		t.Errorf("a wrong signature: %d %s", code, text)
	}
	if code, _ := post("/hooks/nowhere", "the-key-of-the-hook", `"hello"`); code/100 != 4 {
		t.Errorf("no such hook: %d", code)
	}
	for range 2 {
		if code, text := post("/hooks/in/here", "the-key-of-the-hook", `"hello"`); code/100 != 2 {
			t.Fatalf("signed: %d %s", code, text)
		}
	}
	followed(t, s, "from-outside")
	if r, err := s.RunResult(t.Context(), "from-outside"); err != nil || r.Output.String() != "  hello" {
		t.Errorf("the run: %+v, %v", r, err)
	}
	if runs, err := s.Runs(t.Context(), host.RunFilter{}); err != nil || len(runs) != 1 {
		t.Errorf("%d runs, %v", len(runs), err)
	}
	if i, _, err := s.Workflow(t.Context(), "hooked"); err != nil || i.Webhook != "/hooks/in/here" {
		t.Errorf("%+v, %v", i, err)
	}
}

// TestBackgroundHealth: checks are made without runs, decide whether the server is
// ready, and a change of theirs is told.
func TestBackgroundHealth(t *testing.T) {
	out, dir := newService(t), t.TempDir()
	alerts := make(chan string, 64)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		alerts <- string(body)
	}))
	defer receiver.Close()
	text := asking("flow", ask("a", ""), out) + "[health.out]\nplugin = \"ask\"\nevery = \"1s\"\ncritical = true\n[[alert]]\nurl = \"" + receiver.URL + "\"\non = [\"health\"]\n"
	s := serve(t, t.TempDir(), map[string]string{"URL": out.URL}, host.ServeOptions{Files: []string{file(t, dir, "flow", text)}, NoWatch: true})
	until(t, "the first report", func() bool {
		all, err := s.Health(t.Context())
		return err == nil && len(all) == 1 && len(all[0].Reports) > 0 && all[0].Healthy && len(s.Ready(t.Context())) == 0
	})
	change := func(do http.HandlerFunc, ready bool, to string) {
		t.Helper()
		out.on("/", do)
		until(t, "the server to notice", func() bool { return len(s.Ready(t.Context())) == 0 == ready })
		select {
		case got := <-alerts:
			if !strings.Contains(got, `"to":"`+to+`"`) || !strings.Contains(got, `"workflow":"flow"`) {
				t.Errorf("told: %s", got)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("nobody was told that it is %s", to)
		}
	}
	change(broken, false, "unhealthy")
	change(nil, true, "healthy")
	if n := len(out.calls); n != 1 {
		t.Errorf("%d paths were asked for: a run was started", n)
	}
	// A version that does not pass the check does not come in either.
	out.on("/", broken)
	if r, err := s.Swap(t.Context(), host.SwapRequest{Plugin: "ask", Module: marked(t, "http")}); err != nil || r.Refused == nil || r.Refused.Code != "unhealthy" {
		t.Errorf("swapped to a version that is not healthy: %+v, %v", r, err)
	}
}

// TestServedBreakers: a breaker can be opened by hand before its first failure.
func TestServedBreakers(t *testing.T) {
	dir := t.TempDir()
	text := "[breakers.model]\nfailure_threshold = 3\n[plugins.up]\nsource = \"" + guests + "/version.wasm\"\n[nodes.a]\nplugin = \"up\"\nbreaker = \"model\"\n"
	s := serve(t, t.TempDir(), nil, host.ServeOptions{Files: []string{file(t, dir, "one", text), file(t, dir, "two", text)}})
	all, err := s.AllBreakers(t.Context())
	if err != nil || len(all) != 2 || all[0].State != "closed" {
		t.Fatalf("%+v, %v", all, err)
	}
	_, err = s.OpenBreaker(t.Context(), "model")
	wantCode(t, err, "ambiguous")
	if b, err := s.OpenBreaker(t.Context(), "two.model"); err != nil || b.State != "open" {
		t.Errorf("%+v, %v", b, err)
	}
	for name, want := range map[string]event.Status{"one": event.Succeeded, "two": event.Failed} {
		if _, _, err := s.Start(t.Context(), host.StartRequest{Workflow: name, RunID: name + "-run", Input: event.Text("x"), HasInput: true}); err != nil {
			t.Fatal(err)
		}
		followed(t, s, name+"-run")
		r, err := s.RunResult(t.Context(), name+"-run")
		if err != nil {
			t.Fatal(err)
		}
		wantStatus(t, r, want)
	}
	if b, err := s.ResetBreaker(t.Context(), "two.model"); err != nil || b.State != "closed" {
		t.Errorf("%+v, %v", b, err)
	}
}

// marked is a builtin with other bytes and the same behaviour.
func marked(t *testing.T, name string) []byte {
	t.Helper()
	module, ok := plugins.Module(name)
	if !ok {
		t.Fatalf("there is no builtin %s", name)
	}
	return append(bytes.Clone(module), 0, 2, 1, 'x') // an empty custom section
}

// TestRunsLeaveNothing: after many runs the process holds no more than after few.
func TestRunsLeaveNothing(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	module(t, filepath.Join(dir, "up.wasm"), 1)
	s := serve(t, state, nil, host.ServeOptions{Files: []string{file(t, dir, "shout", shoutsFromFile)}, NoAuth: true, KeepRuns: 10})
	// The whole way but HTTP, which would be most of the work.
	run := func(n int) {
		t.Helper()
		for range n {
			info, fresh, err := s.host.Served().Start(t.Context(), host.StartRequest{Workflow: "shout", Input: event.Text("x"), HasInput: true})
			if err != nil || !fresh {
				t.Fatal(err)
			}
			if err := s.host.Served().Follow(t.Context(), info.ID, 0, func(*event.Event) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	heap := func() int {
		t.Helper()
		var m runtime.MemStats
		for range 3 {
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	run(500)
	before, routines := heap(), runtime.NumGoroutine()
	run(3000)
	after := heap()
	if grown := after - before; grown > 3000*200 {
		t.Errorf("3,000 runs left %d bytes", grown)
	}
	until(t, "the goroutines to go", func() bool { return runtime.NumGoroutine() <= routines+5 })
	if n := s.host.RunsHere(); n != 0 {
		t.Errorf("%d runs are still known", n)
	}
}

// TestDeletedRunIsFollowedToItsEnd: a run that waits may be deleted while somebody
// follows it, such as the schedule that started it and skips its times until it has
// ended.
func TestDeletedRunIsFollowedToItsEnd(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, t.TempDir(), nil, host.ServeOptions{Files: []string{file(t, dir, "asks", "[nodes.ok]\napproval = \"Well?\"\n")}})
	ctx := t.Context()
	if _, _, err := s.Start(ctx, host.StartRequest{Workflow: "asks", RunID: "gone"}); err != nil {
		t.Fatal(err)
	}
	waits, over := make(chan struct{}), make(chan error, 1)
	go func() {
		over <- s.host.Served().Follow(ctx, "gone", 0, func(e *event.Event) error {
			if e.Type == event.NodeWaiting {
				close(waits)
			}
			return nil
		})
	}()
	<-waits
	until(t, "the run to be let go of", func() bool { return s.host.RunsHere() == 0 })
	if err := s.DeleteRun(ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, <-over, "not_found")
}
