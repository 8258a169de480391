package host_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
)

// serving is a host that serves, as a process has it, and its client.
type serving struct {
	*host.Client
	host *host.Host
	info host.ServeInfo

	stop  context.CancelFunc
	ended chan error
	over  bool
}

// serve starts a server and waits until it is ready.
func serve(t *testing.T, state string, env map[string]string, o host.ServeOptions) *serving {
	t.Helper()
	h, err := host.Open(t.Context(), host.Config{CacheDir: cache(), State: state, Role: "serve", Getenv: func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}})
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, h, o)
}

// serveOn is serve on a host that is open.
func serveOn(t *testing.T, h *host.Host, o host.ServeOptions) *serving {
	t.Helper()
	s := &serving{host: h, ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	ready := make(chan host.ServeInfo, 1)
	o.OnReady = func(i host.ServeInfo) { ready <- i }
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	t.Cleanup(func() { s.end(t) })
	go func() { s.ended <- h.Serve(ctx, o) }()
	select {
	case s.info = <-ready:
	case err := <-s.ended:
		s.ended <- err
		t.Fatalf("the server did not start: %v", err)
	}
	token := ""
	if f := s.info.AdminTokenFile; f != "" {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		token = strings.TrimSpace(string(text))
	}
	s.Client = host.Dial(s.info.URL, token)
	return s
}

// end stops the server, as a signal does, and closes its host.
func (s *serving) end(t *testing.T) {
	t.Helper()
	if s.over {
		return
	}
	s.over = true
	s.stop()
	select {
	case err := <-s.ended:
		if err != nil && s.Client != nil {
			t.Errorf("the server ended: %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the server does not end")
	}
	if s.Client != nil {
		_ = s.Client.Close()
	}
	closeHost(t, s.host)
}

// file writes a workflow file of a name.
func file(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name+".toml")
	if err := os.WriteFile(path, []byte("version = 1\nname = \""+name+"\"\n"+text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func asking(name, more string, s *service) string {
	return strings.Replace(asks, `name = "w"`, "", 1)[len("version = 1\n"):] + strings.ReplaceAll(more, "{{ run.base }}\", path = \"", s.URL)
}

// followed follows a run to its end and returns what was told.
func followed(t *testing.T, s *serving, id string) []*event.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var events []*event.Event
	if err := s.Follow(ctx, id, 0, func(e *event.Event) error { events = append(events, e); return nil }); err != nil {
		t.Fatalf("following %s: %v", id, err)
	}
	return events
}

// shouts answers with the input, twice through a plugin that writes a number
// before it. It is small: a builtin takes half a minute to compile with -race.
var shouts = `
[plugins.up]
source = "` + guests + `/version.wasm"
[nodes.a]
plugin = "up"
[nodes.b]
plugin = "up"
needs  = ["a"]
`

func TestServe(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	s := serve(t, state, nil, host.ServeOptions{Files: []string{file(t, dir, "shout", shouts)}})
	ctx := t.Context()

	where, err := host.Served(state)
	if err != nil || where.URL != s.info.URL || where.PID != os.Getpid() {
		t.Errorf("served: %+v, %v", where, err)
	}
	all, err := s.Workflows(ctx)
	if err != nil || len(all) != 1 || all[0].Name != "shout" || all[0].Nodes != 2 {
		t.Fatalf("workflows: %+v, %v", all, err)
	}
	info, fresh, err := s.Start(ctx, host.StartRequest{Workflow: "shout", Input: event.Text("hello"), HasInput: true, RunID: "one"})
	if err != nil || !fresh || info.ID != "one" || info.Status != event.Running {
		t.Fatalf("start: %+v, %v, %v", info, fresh, err)
	}
	events := followed(t, s, "one")
	for i, e := range events {
		if e.Seq != uint64(i+1) {
			t.Fatalf("event %d has the number %d", i, e.Seq)
		}
	}
	last := events[len(events)-1]
	if last.Type != event.RunFinished || last.Result == nil || last.Result.Output.String() != "  hello" {
		t.Errorf("the last event: %+v", last)
	}
	again := followed(t, s, "one") // from the journal now
	if len(again) != len(events) || again[len(again)-1].Result == nil {
		t.Errorf("followed again: %d events, not %d", len(again), len(events))
	}
	if info, fresh, err = s.Start(ctx, host.StartRequest{Workflow: "shout", Input: event.Text("hello"), HasInput: true, RunID: "one"}); err != nil || fresh || info.Status != event.Succeeded {
		t.Errorf("started again: %+v, %v, %v", info, fresh, err)
	}
	_, _, err = s.Start(ctx, host.StartRequest{Workflow: "shout", Input: event.Text("bye"), HasInput: true, RunID: "one"})
	wantCode(t, err, "run_conflict")
	_, _, err = s.Start(ctx, host.StartRequest{Workflow: "whisper"})
	wantCode(t, err, "not_found")
	runs, err := s.Runs(ctx, host.RunFilter{Workflow: "shout"})
	if err != nil || len(runs) != 1 || runs[0].Status != event.Succeeded {
		t.Errorf("runs: %+v, %v", runs, err)
	}
	svg, err := s.Graph(ctx, "shout", "one")
	if err != nil || !strings.Contains(string(svg), "state-succeeded") {
		t.Errorf("graph: %v", err)
	}
	plugins, err := s.Plugins(ctx)
	if err != nil || len(plugins) != 1 || plugins[0].Name != "shout.up" || plugins[0].Digest == "" || len(plugins[0].Versions) != 1 {
		t.Errorf("plugins: %+v, %v", plugins, err)
	}
	if why := s.Ready(ctx); why != nil {
		t.Errorf("not ready: %v", why)
	}
	s.end(t)
	if _, err := host.Served(state); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("serve.json is left: %v", err)
	}
}

func TestServeRefuses(t *testing.T) {
	dir := t.TempDir()
	good := file(t, dir, "good", shouts)
	hook := "[secrets]\nkey = { env = \"KEY\" }\n[webhook]\npath = \"in\"\nauth = { bearer = \"key\" }\n"
	twin := filepath.Join(t.TempDir(), "twin.toml")
	if err := os.WriteFile(twin, []byte("version = 1\nname = \"good\"\n"+shouts), 0o600); err != nil {
		t.Fatal(err)
	}
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	empty := t.TempDir()
	env := map[string]string{"KEY": "a-secret-of-some-length"}
	for _, c := range []struct {
		name, code, says string
		env              map[string]string
		o                host.ServeOptions
	}{
		{"nothing", "bad_setting", "nothing to serve", nil, host.ServeOptions{}},
		{"no file", "not_found", "nowhere.toml", nil, host.ServeOptions{Files: []string{filepath.Join(dir, "nowhere.toml")}}},
		{"an empty folder", "not_found", "no workflow in the folder", nil, host.ServeOptions{Files: []string{empty}}},
		{"findings", "invalid_workflow", "bad.toml:", nil, host.ServeOptions{Files: []string{good, file(t, t.TempDir(), "bad", "[nodes.a]\nplugin = \"none\"\n")}}},
		{"one name twice", "bad_setting", "both workflow", nil, host.ServeOptions{Files: []string{good, twin}}},
		{"a webhook without its secret", "missing_secret", "KEY", nil, host.ServeOptions{Files: []string{file(t, t.TempDir(), "hooked", hook+shouts)}}},
		{"one path twice", "bad_setting", "webhook path", env, host.ServeOptions{Files: []string{file(t, t.TempDir(), "h1", hook+shouts), file(t, t.TempDir(), "h2", hook+shouts)}}},
		{"a port in use", "address_in_use", busy.Addr().String(), nil, host.ServeOptions{Files: []string{good}, Addr: busy.Addr().String()}},
		{"everybody from everywhere", "bad_setting", "loopback", nil, host.ServeOptions{Files: []string{good}, Addr: "0.0.0.0:0", NoAuth: true}},
		{"an address that is none", "bad_setting", "nowhere at all", nil, host.ServeOptions{Files: []string{good}, Addr: "nowhere at all"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := host.Open(t.Context(), host.Config{CacheDir: cache(), State: t.TempDir(), Role: "serve",
				Getenv: func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }})
			if err != nil {
				t.Fatal(err)
			}
			defer closeHost(t, h)
			if c.o.Addr == "" {
				c.o.Addr = "127.0.0.1:0"
			}
			err = h.Serve(t.Context(), c.o)
			wantCode(t, err, c.code)
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v: does not say %q", err, c.says)
			}
		})
	}
	h := open(t, nil)
	wantCode(t, h.Serve(t.Context(), host.ServeOptions{Files: []string{good}}), "no_journal")
}

// TestServeResumes: runs that were cut by the end of the server go on with the next
// one, and what they did is not done again.
func TestServeResumes(t *testing.T) {
	out, dir, state := newService(t), t.TempDir(), t.TempDir()
	env := map[string]string{"URL": out.URL}
	f := file(t, dir, "long", asking("long", ask("a", "")+ask("b", "needs = [\"a\"]")+ask("c", "needs = [\"b\"]"), out))
	out.on("/b", hang)
	s := serve(t, state, env, host.ServeOptions{Files: []string{f}, Grace: 50 * time.Millisecond})
	if _, _, err := s.Start(t.Context(), host.StartRequest{Workflow: "long", RunID: "long-1"}); err != nil {
		t.Fatal(err)
	}
	out.next(t, "/b")
	s.end(t)

	out.on("/b", nil)
	s = serve(t, state, env, host.ServeOptions{Files: []string{f}})
	events := followed(t, s, "long-1")
	result, err := s.RunResult(t.Context(), "long-1")
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, result, event.Succeeded)
	if a, b, c := out.count("/a"), out.count("/b"), out.count("/c"); a != 1 || b != 2 || c != 1 {
		t.Errorf("asked a %d, b %d, c %d times", a, b, c)
	}
	if !slices.ContainsFunc(events, func(e *event.Event) bool { return e.Type == event.RunResumed }) {
		t.Error("nothing says that the run was resumed")
	}
}

// TestGracefulStop: the call that is at work ends, the next one is for the next
// server; and meanwhile no runs are taken.
func TestGracefulStop(t *testing.T) {
	out, dir, state := newService(t), t.TempDir(), t.TempDir()
	env := map[string]string{"URL": out.URL}
	f := file(t, dir, "long", asking("long", ask("a", "idempotent = false")+ask("b", "needs = [\"a\"]"), out))
	gate := make(chan struct{})
	out.on("/a", func(w http.ResponseWriter, _ *http.Request) { <-gate; _, _ = w.Write([]byte(`"done"`)) })
	s := serve(t, state, env, host.ServeOptions{Files: []string{f}, Grace: time.Minute})
	if _, _, err := s.Start(t.Context(), host.StartRequest{Workflow: "long", RunID: "long-1"}); err != nil {
		t.Fatal(err)
	}
	out.next(t, "/a")
	s.stop()
	until(t, "the server to refuse runs", func() bool {
		// The run that is there: another one might still be taken.
		_, _, err := s.Start(t.Context(), host.StartRequest{Workflow: "long", RunID: "long-1"})
		var e *event.Error
		return errors.As(err, &e) && e.Code == "stopping"
	})
	if why := s.Ready(t.Context()); len(why) == 0 {
		t.Error("it says that it is ready")
	}
	close(gate)
	s.end(t)
	if a, b := out.count("/a"), out.count("/b"); a != 1 || b != 0 {
		t.Errorf("asked a %d, b %d times before the end", a, b)
	}
	s = serve(t, state, env, host.ServeOptions{Files: []string{f}})
	followed(t, s, "long-1")
	if a, b := out.count("/a"), out.count("/b"); a != 1 || b != 1 {
		t.Errorf("asked a %d, b %d times", a, b)
	}
}
