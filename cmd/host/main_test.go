package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"wasmhost/host"
	"wasmhost/host/event"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"host": main})
}

// repo is the folder of the repository.
func repo(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// compiled is the folder of compiled plugins. It is shared by all tests, so that
// each is compiled once.
var compiled = sync.OnceValue(func() string {
	dir := filepath.Join(os.TempDir(), "host-test-cache")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		panic(err)
	}
	return dir
})

// TestScripts runs the pages under testdata/script: one for each command, good
// and bad, with stdout and stderr looked at apart.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_CACHE_HOME", compiled())
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
			e.Setenv("REPO", repo(t))
			e.Setenv("LANG", "C.UTF-8")
			for _, f := range []string{"examples/quickstart/reader.wasm", "testdata/guests/command.wasm", "testdata/guests/probe.wasm", "testdata/guests/files.wasm"} {
				text, err := os.ReadFile(filepath.Join(repo(t), f))
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(e.WorkDir, filepath.Base(f)), text, 0o644); err != nil {
					return err
				}
			}
			same, err := makeVersions(e.WorkDir)
			e.Setenv("SAME", same)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "isjson": isJSON, "serving": serving, "until": until},
	})
}

// exits CODE COMMAND…: the command ends with that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE host ARGS...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// makeVersions makes other versions of a plugin out of reader.wasm: terms.wasm
// calls what it counts otherwise, same.wasm answers alike, and broken.wasm is cut
// off.
func makeVersions(dir string) (digestOfSame string, err error) {
	module, err := os.ReadFile(filepath.Join(dir, "reader.wasm"))
	if err != nil {
		return "", err
	}
	terms, err := otherVersion(module, `{"words":`, `{"terms":`)
	if err != nil {
		return "", err
	}
	same := append(bytes.Clone(module), 0, 4, 3, 'o', 'w', 'n') // a custom section
	for name, text := range map[string][]byte{"terms.wasm": terms, "broken.wasm": module[:len(module)/2], "same.wasm": same} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x", sha256.Sum256(same)), nil
}

// otherVersion is a module with another text of the same length in it.
func otherVersion(module []byte, old, text string) ([]byte, error) {
	other := bytes.Replace(module, []byte(old), []byte(text), 1)
	if bytes.Equal(other, module) || len(other) != len(module) {
		return nil, fmt.Errorf("a module has no %q that could be %q", old, text)
	}
	return other, nil
}

func replaced(t *testing.T, module []byte, old, text string) []byte {
	t.Helper()
	other, err := otherVersion(module, old, text)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// until TEXT COMMAND…: the command is repeated until its output has the text.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until TEXT host ARGS...")
	}
	for late := time.Now().Add(time.Minute); time.Now().Before(late); time.Sleep(50 * time.Millisecond) {
		_ = ts.Exec(args[1], args[2:]...)
		if strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
	}
	ts.Fatalf("no %s", args[0])
}

// serving VAR [STATE]: waits until the server of a state folder answers, and sets
// VAR to its URL, ADDR to its address.
func serving(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: serving VAR [STATE]")
	}
	state := ts.MkAbs("state/host")
	if len(args) == 2 {
		state = ts.MkAbs(args[1])
	}
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		info, err := host.Served(state)
		if err != nil {
			continue
		}
		answer, err := http.Get(info.URL + "/healthz")
		if err != nil {
			continue // a word of one that was killed, or not yet
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			ts.Setenv(args[0], info.URL)
			ts.Setenv("ADDR", strings.TrimPrefix(info.URL, "http://"))
			return
		}
	}
	ts.Fatalf("no server answers for %s", state)
}

// isjson stdout: it holds JSON and nothing else.
func isJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: isjson FILE")
	}
	if json.Valid([]byte(ts.ReadFile(args[0]))) == neg {
		ts.Fatalf("%s: JSON is %v", args[0], neg)
	}
}

// The twelve mistakes of testdata/workflows, each with its place.
func TestTwelveMistakes(t *testing.T) {
	want, err := os.ReadFile(filepath.Join(repo(t), "testdata/workflows/twelve-mistakes.golden"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", compiled())
	t.Chdir(filepath.Join(repo(t), "testdata/workflows"))
	var out, errout bytes.Buffer
	if exit := run(t.Context(), []string{"host", "validate", "twelve-mistakes.toml"}, strings.NewReader(""), &out, &errout); exit != exitInvalid {
		t.Errorf("exit code %d, want %d", exit, exitInvalid)
	}
	if d := cmp.Diff(string(want), out.String()); d != "" {
		t.Error(d)
	}
	if got, want := errout.String(), "twelve-mistakes.toml: 12 errors, 0 warnings\n"; got != want {
		t.Errorf("stderr is %q, want %q", got, want)
	}
}

// endless is a workflow that waits for its next attempt for a minute.
const endless = `version = 1
name = "endless"
[plugins.reader]
source = "reader.wasm"
[nodes.headline]
plugin   = "reader"
function = "headline"
retry    = { max_retries = 9, backoff = "constant", base_delay = "60s" }
`

func writeEndless(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join(repo(t), "examples/quickstart/reader.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "reader.wasm"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "endless.toml")
	if err := os.WriteFile(file, []byte(endless), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// The first ctrl-C ends the work cleanly: the result so far is written, and the
// run is kept. One that is not recorded is cancelled.
func TestInterrupt(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", compiled())
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	ctrlC := &interruption{"ctrl-C", exitInterrupted}
	for _, tt := range []struct {
		durable string
		why     *interruption
		exit    int
		status  event.Status
		says    string
	}{
		{"normal", ctrlC, 130, event.Running, "was interrupted; the run is kept\n  next: host runs resume "},
		{"full", &interruption{"SIGTERM", exitTerminated}, 143, event.Running, "was interrupted; the run is kept\n  next: host runs resume "},
		{"none", ctrlC, 130, event.Cancelled, "was interrupted\n  next: run it again; with --durable none nothing is kept"},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		out, w := io.Pipe()
		code := make(chan int, 1)
		var errout bytes.Buffer
		go func() {
			code <- run(ctx, []string{"host", "run", writeEndless(t), "-o", "jsonl", "--durable", tt.durable}, strings.NewReader(""), w, &errout)
			w.Close()
		}()
		var last []byte
		for lines := bufio.NewScanner(out); lines.Scan(); {
			last = bytes.Clone(lines.Bytes())
			if bytes.Contains(last, []byte(`"node.retrying"`)) {
				cancel(tt.why)
			}
		}
		if got := <-code; got != tt.exit {
			t.Errorf("%s, %s: exit code %d, want %d\n%s", tt.durable, tt.why.name, got, tt.exit, &errout)
		}
		var r event.Result
		if err := json.Unmarshal(last, &r); err != nil || r.Status != tt.status || r.Nodes["headline"] == nil || r.Nodes["headline"].Status != tt.status {
			t.Errorf("%s, %s: the last line is no result of a run that is %s: %v\n%s", tt.durable, tt.why.name, tt.status, err, last)
		}
		if !strings.Contains(errout.String(), tt.says) {
			t.Errorf("%s, %s: stderr does not say %q: %s", tt.durable, tt.why.name, tt.says, &errout)
		}
		cancel(nil)
	}
}

// The second ctrl-C ends the process at once, whatever it is doing: here it
// writes to somebody who does not read.
func TestInterruptTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	cmd := exec.Command("host", "schema")
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	// A pipe that is full.
	if err := w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Skip("no deadlines on pipes here")
	}
	for {
		if _, err := w.Write(make([]byte, 4096)); err != nil {
			break
		}
	}
	var errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &errout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	// Signals that come before the handler is there end the process with their
	// own status, so give it two until it has ended.
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for sent := 0; ; sent++ {
		select {
		case <-ended:
			if got := cmd.ProcessState.ExitCode(); got != exitInterrupted {
				t.Errorf("exit code %d after %d signals, want %d: %s", got, sent, exitInterrupted, &errout)
			}
			if sent < 2 {
				t.Errorf("the process ended after %d signals, want 2", sent)
			}
			return
		case <-tick.C:
			if sent > 20 {
				_ = cmd.Process.Kill()
				t.Fatal("the process does not end")
			}
			if sent < 2 || sent > 10 {
				_ = cmd.Process.Signal(os.Interrupt)
			}
		}
	}
}
