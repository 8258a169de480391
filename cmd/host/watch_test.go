package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Saving the file, as an editor does it, runs the workflow again; a file that
// is not valid is told and mended; ctrl-C ends it.
func TestWatch(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", compiled())
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	dir := t.TempDir()
	file := filepath.Join(dir, "flow.toml")
	// An atomic save: a new file takes the place of the old one.
	save := func(text string) {
		t.Helper()
		if err := os.WriteFile(file+"~", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+"~", file); err != nil {
			t.Fatal(err)
		}
	}
	flow := func(input string) string {
		return "version = 1\nname = \"flow\"\n[input]\ndefault = \"" + input + "\"\n" +
			"[plugins.uppercase]\nsource = \"builtin:uppercase\"\n[nodes.upper]\nplugin = \"uppercase\"\n"
	}
	save(flow("one"))
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	out, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"host", "run", "--watch", file}, strings.NewReader(""), w, w)
		w.Close()
	}()
	lines := make(chan string, 100)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
		close(lines)
	}()
	expect := func(want string) {
		t.Helper()
		late := time.After(60 * time.Second)
		for {
			select {
			case l, open := <-lines:
				if !open {
					t.Fatalf("it ended before %q", want)
				}
				if strings.Contains(l, want) {
					return
				}
			case <-late:
				t.Fatalf("no %q", want)
			}
		}
	}
	expect("ONE")
	expect("watching 1 folder; ctrl-C ends")
	save(flow("two"))
	expect("TWO")
	expect("watching")
	save(strings.Replace(flow("three"), "plugin =", "plugn =", 1))
	expect(`did you mean "plugin"?`)
	expect("watching")
	save(flow("four"))
	expect("FOUR")
	expect("watching")
	cancel(&interruption{"ctrl-C", exitInterrupted})
	for range lines {
	}
	if got := <-code; got != exitInterrupted {
		t.Errorf("exit code %d, want %d", got, exitInterrupted)
	}
}
