package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
)

// service counts what it is asked by path, and holds back the answers of some.
type service struct {
	url   string
	began chan string // paths that are held back, as they are asked

	mu    sync.Mutex
	asked map[string]int
	held  map[string]chan struct{}
}

func newService(t *testing.T, hold ...string) *service {
	t.Helper()
	s := &service{began: make(chan string, 64), asked: map[string]int{}, held: map[string]chan struct{}{}}
	for _, path := range hold {
		s.held[path] = make(chan struct{})
	}
	server := httptest.NewServer(s)
	s.url = server.URL
	t.Cleanup(func() { s.release(); server.Close() })
	return s
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked[r.URL.Path]++
	held := s.held[r.URL.Path]
	s.mu.Unlock()
	if held != nil {
		s.began <- r.URL.Path
		select {
		case <-held:
		case <-r.Context().Done():
			return
		}
	}
	fmt.Fprint(w, r.URL.Path)
}

// release answers what was held back, and holds nothing back from now on.
func (s *service) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for path, held := range s.held {
		close(held)
		delete(s.held, path)
	}
}

// wait waits until a path that is held back is asked.
func (s *service) wait(t *testing.T, path string) {
	t.Helper()
	select {
	case got := <-s.began:
		if got != path {
			t.Fatalf("%s was asked, not %s", got, path)
		}
	case <-time.After(time.Minute):
		t.Fatalf("nobody asks %s", path)
	}
}

// counts compares how often every path was asked.
func (s *service) counts(t *testing.T, want map[string]int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for path, n := range want {
		if s.asked[path] != n {
			t.Errorf("%s was asked %d times, want %d", path, s.asked[path], n)
		}
	}
	for path, n := range s.asked {
		if _, ok := want[path]; !ok {
			t.Errorf("%s was asked %d times, want 0", path, n)
		}
	}
}

// desk is a state folder with a workflow, and commands that use both.
type desk struct {
	t    *testing.T
	dir  string
	file string
	env  []string
}

func newDesk(t *testing.T, s *service, workflow string) *desk {
	t.Helper()
	dir := t.TempDir()
	d := &desk{t: t, dir: dir, file: filepath.Join(dir, "steps.toml")}
	if err := os.WriteFile(d.file, []byte(workflow), 0o644); err != nil {
		t.Fatal(err)
	}
	d.env = append(os.Environ(), "XDG_STATE_HOME="+filepath.Join(dir, "state"), "XDG_CACHE_HOME="+compiled(), "SERVICE="+s.url, "CI=true", "HOST_STATE=")
	return d
}

// atWork is a process that works on the run "job" of a workflow, in the middle of
// asking for a path.
func atWork(t *testing.T, workflow, path string) (*service, *desk, *started) {
	t.Helper()
	s := newService(t, path)
	d := newDesk(t, s, workflow)
	p := d.start("run", d.file, "--run-id", "job", "--input", s.url)
	s.wait(t, path)
	return s, d, p
}

// ended is how a command ended.
type ended struct {
	exit        int
	out, errout string
}

// started is a command that goes on.
type started struct {
	cmd         *exec.Cmd
	out, errout bytes.Buffer
	over        chan error
}

func (d *desk) start(args ...string) *started {
	d.t.Helper()
	p := &started{cmd: exec.Command("host", args...), over: make(chan error, 1)}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = d.env, &p.out, &p.errout
	if err := p.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() { p.over <- p.cmd.Wait() }()
	d.t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

func (d *desk) end(p *started) ended {
	d.t.Helper()
	select {
	case err := <-p.over:
		e := ended{exit: p.cmd.ProcessState.ExitCode(), out: p.out.String(), errout: p.errout.String()}
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			d.t.Fatal(err)
		}
		return e
	case <-time.After(2 * time.Minute):
		d.t.Fatalf("%v does not end\n%s", p.cmd.Args, &p.errout)
	}
	return ended{}
}

// follow starts a command and reads what it says on stderr up to some words; said
// is what comes behind them.
func (d *desk) follow(words string, args ...string) (follower *exec.Cmd, said io.Reader) {
	d.t.Helper()
	follower = exec.Command("host", args...)
	follower.Env = d.env
	said, err := follower.StderrPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := follower.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = follower.Process.Kill() })
	var seen bytes.Buffer
	for one := make([]byte, 1); !strings.Contains(seen.String(), words); seen.Write(one) {
		if _, err := said.Read(one); err != nil {
			d.t.Fatalf("%v after %s", err, &seen)
		}
	}
	return follower, said
}

// host runs a command to its end, which has the exit code want.
func (d *desk) host(want int, args ...string) ended {
	d.t.Helper()
	e := d.end(d.start(args...))
	if e.exit != want {
		d.t.Fatalf("host %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), e.exit, want, e.out, e.errout)
	}
	return e
}

// kill is kill -9, while the process works.
func (d *desk) kill(p *started) {
	d.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	d.end(p)
}

func (d *desk) result(e ended) event.Result {
	d.t.Helper()
	var r event.Result
	if err := json.Unmarshal([]byte(e.out), &r); err != nil {
		d.t.Fatalf("no result: %v\n%s%s", err, e.out, e.errout)
	}
	return r
}

func (d *desk) runs() []host.RunInfo {
	d.t.Helper()
	var all []host.RunInfo
	if err := json.Unmarshal([]byte(d.host(0, "runs", "list", "-o", "json").out), &all); err != nil {
		d.t.Fatal(err)
	}
	return all
}

// squeezed is text with its columns one space apart.
func squeezed(text string) string { return strings.Join(strings.Fields(text), " ") }

// says checks what a command told on stderr.
func (e ended) says(t *testing.T, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(e.errout, w) {
			t.Errorf("stderr does not say %q:\n%s", w, e.errout)
		}
	}
}
