package journal

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"wasmhost/host/event"
)

// TestMain is also the other processes of the tests: the test binary, started
// again with a part to play.
func TestMain(m *testing.M) {
	if part := os.Getenv("JOURNAL_PART"); part != "" {
		play := parts[part]
		if play == nil {
			fmt.Fprintln(os.Stderr, "there is no part", part)
			os.Exit(2)
		}
		if err := play(os.Getenv("JOURNAL_DIR")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// parts are what a second process of a test does.
var parts = map[string]func(dir string) error{}

// play is a second process that plays a part in dir.
func play(part, dir string, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "JOURNAL_PART="+part, "JOURNAL_DIR="+dir), env...)
	cmd.Stderr = os.Stderr
	return cmd
}

func open(t testing.TB, dir string, o Options) *Journal {
	t.Helper()
	j, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, j) })
	return j
}

func shut(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Close(context.Background()); err != nil {
		t.Errorf("closing: %v", err)
	}
}

func begin(t testing.TB, j *Journal, id string) *Writer {
	t.Helper()
	w, err := j.Begin(t.Context(), NewRun{ID: id, Workflow: "flow", File: "/w.toml", Digest: "sha256:1", Input: event.Text("in")})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// append1 appends a record and waits for it.
func append1(w *Writer, r Record) error {
	told := make(chan error, 1)
	w.Append(r, func(err error) { told <- err })
	return <-told
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wait waits for what a done is told.
func wait(call func(done func(error))) error {
	told := make(chan error, 1)
	call(func(err error) { told <- err })
	return <-told
}

// step is the n-th record of a test's run: some with an event, some for the
// engine alone, some with large outputs.
func step(run string, n int) Record {
	r := Record{Key: fmt.Sprintf("0/node%d", n), Mark: uint8(n % 7)}
	if n%5 != 4 {
		r.Event = &event.Event{V: event.Version, Seq: uint64(n), Time: time.Unix(int64(n), 0).UTC(), Run: run, Type: event.NodeSucceeded, Node: fmt.Sprintf("node%d", n)}
	} else {
		r.Note = []byte(fmt.Sprintf(`{"n":%d}`, n))
	}
	if n%3 == 0 {
		out := event.Of(map[string]any{"run": run, "text": strings.Repeat("x", (n%10)*700)})
		if r.Event != nil {
			r.Event.Output = &out
		}
		r.Output = out.JSON()
	}
	return r
}

// testContext is for what outlives a test's own context.
func testContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 2*time.Minute)
}

// secondBuild lets the sqlite3 tool, another build of SQLite, check the file.
func secondBuild(t *testing.T, dir string) {
	t.Helper()
	tool, err := exec.LookPath("sqlite3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("the sqlite3 tool is missing: apt-get install sqlite3")
		}
		t.Log("NOT CHECKED by a second build of SQLite: the sqlite3 tool is missing")
		return
	}
	if _, err := os.Stat(filepath.Join(dir, fileName)); err != nil {
		return // it died before there was one
	}
	out, err := exec.Command(tool, filepath.Join(dir, fileName), "PRAGMA integrity_check").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "ok" {
		t.Fatalf("sqlite3 says %q, %v", out, err)
	}
}
