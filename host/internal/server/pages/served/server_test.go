package served

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// command is the built command.
var command string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "host")
	if err != nil {
		panic(err)
	}
	command = filepath.Join(dir, "host")
	if out, err := exec.Command("go", "build", "-o", command, "wasmhost/cmd/host").CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir) // it is in the folder for what nobody needs
	os.Exit(code)
}

// server is a `host serve` with a state folder of its own.
type server struct {
	t          *testing.T
	dir, state string
	url, token string
	cmd        *exec.Cmd
	log        bytes.Buffer
}

// start serves the workflows that lie in dir, and stops with the test.
func start(t *testing.T, dir string) *server {
	t.Helper()
	s := &server{t: t, dir: dir, state: filepath.Join(t.TempDir(), "state")}
	s.cmd = exec.Command(command, "serve", "--addr", "127.0.0.1:0", "--grace", "1s", "--state", s.state, dir)
	s.cmd.Env = append(os.Environ(), "HOST_SERVER=", "HOST_TOKEN=", "CI=true")
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	for began := time.Now(); !s.found(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
			t.Fatalf("host serve is not there after 30 s:\n%s", &s.log)
		}
	}
	return s
}

// found reads where the server is and the token of its owner.
func (s *server) found() bool {
	text, err := os.ReadFile(filepath.Join(s.state, "serve.json"))
	if err != nil {
		return false
	}
	var at struct{ URL string }
	token, err := os.ReadFile(filepath.Join(s.state, "admin.token"))
	if err != nil || json.Unmarshal(text, &at) != nil {
		return false
	}
	s.url, s.token = at.URL, strings.TrimSpace(string(token))
	return true
}

// stop ends the server as a terminal does, and it must end well.
func (s *server) stop() {
	if s.cmd.ProcessState != nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(20*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("host serve ended with %v:\n%s", err, &s.log)
	}
	for _, bad := range []string{"panic", "goroutine ", s.token} {
		if bad != "" && strings.Contains(s.log.String(), bad) {
			s.t.Errorf("the log of the server has %q:\n%s", bad, &s.log)
		}
	}
}

// link is a new one-time link, as the command prints it.
func (s *server) link() string {
	s.t.Helper()
	cmd := exec.Command(command, "tokens", "login", "--state", s.state)
	cmd.Env = append(os.Environ(), "HOST_SERVER=", "HOST_TOKEN=", "CI=true")
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("host tokens login: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// ask asks the API, beside the pages.
func (s *server) ask(method, path, body string, into any) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %v\n%s", method, path, res.Status, err, text)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(text, into); err != nil {
		s.t.Fatalf("%s %s: %v\n%s", method, path, err, text)
	}
}

// begin starts a run by the API.
func (s *server) begin(workflow, id string) {
	s.t.Helper()
	s.ask(http.MethodPost, "/v1/workflows/"+workflow+"/runs", fmt.Sprintf(`{"run_id": %q}`, id), nil)
}

// memory is what the server has of the machine, and the most that it had, in MiB.
func (s *server) memory() (now, most int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	read := func(name string) int {
		_, rest, _ := strings.Cut(string(text), name+":")
		kib, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
		return kib / 1024
	}
	return read("VmRSS"), read("VmHWM")
}

// guest is a module of testdata/guests.
func guest(t *testing.T, name string) []byte {
	t.Helper()
	return read(t, filepath.Join("../../../../../testdata/guests", name))
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// version writes a version of the plugin version.c, and returns its path.
func version(t *testing.T, file, plan string) string {
	t.Helper()
	module := guest(t, "version.wasm")
	at := bytes.Index(module, []byte("PLAN:"))
	if at < 0 {
		t.Fatal("version.wasm has no plan")
	}
	copy(module[at+len("PLAN:"):], plan+".")
	write(t, file, module)
	return file
}

// workflow puts a workflow of testdata into a folder; every address of the shop
// is that of the server that plays it.
func workflow(t *testing.T, dir, name, shop string) {
	t.Helper()
	write(t, filepath.Join(dir, name), bytes.ReplaceAll(read(t, filepath.Join("testdata", name)), []byte("https://shop.example"), []byte(shop)))
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
