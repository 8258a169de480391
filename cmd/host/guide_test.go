package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The guide on serving is played through: its files are written, its servers are
// started, its lines typed, and what they print compared with what stands below
// them. Words behind the language of a block say what it is:
//
//	toml|go file=NAME   a file
//	sh serve            started in the background, and stopped by the next of them
//	sh run [exit=N]     typed, from top to bottom; it ends with 0, or with N
//	LANGUAGE output     what the block above prints, on both streams; … stands for anything
//
// Other blocks are only read.
func TestGuideOnServing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	if runtime.GOOS == "windows" {
		t.Skip("the lines are those of sh")
	}
	for _, tool := range []string{"sh", "curl", "openssl", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("the guide needs %s: %v", tool, err)
			}
			t.Skipf("NOT TESTED: the guide needs %s: %v", tool, err)
		}
	}
	text, err := os.ReadFile(filepath.Join(repo(t), "docs/guide/serve.md"))
	if err != nil {
		t.Fatal(err)
	}
	g := newGuide(t)
	blocks := fencedBlocks(g.at(string(text)))
	for i, b := range blocks {
		switch {
		case b.value("file") != "":
			g.write(b.value("file"), b.text)
		case b.is("sh", "serve"):
			g.serve(b)
		case b.is("sh", "run"):
			out := g.run(b)
			if i+1 < len(blocks) && slices.Contains(blocks[i+1].words, "output") {
				if want := blocks[i+1].text; !fits(out, want) {
					t.Errorf("line %d prints\n%s\nnot\n%s", b.line, out, want)
				}
			}
		}
		if t.Failed() {
			break
		}
	}
	g.stop()
}

// guide is a folder in which a guide is played through.
type guide struct {
	t    *testing.T
	dir  string
	env  []string
	port string

	server *exec.Cmd
	said   bytes.Buffer
	over   chan error
}

func newGuide(t *testing.T) *guide {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	g := &guide{t: t, dir: t.TempDir(), port: port}
	g.env = append(os.Environ(), "XDG_STATE_HOME="+filepath.Join(g.dir, "state"), "XDG_CACHE_HOME="+compiled(), "CI=true", "HOST_STATE=", "HOST_SERVER=", "HOST_TOKEN=",
		"HOST_ADDR=127.0.0.1:"+port, "GOFLAGS=-mod=mod", "GO111MODULE=auto")
	t.Cleanup(g.stop)
	return g
}

// at moves a guide from the usual port to the one that is free here.
func (g *guide) at(text string) string { return strings.ReplaceAll(text, ":7070", ":"+g.port) }

func (g *guide) write(name, text string) {
	g.t.Helper()
	file := filepath.Join(g.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guide) shell(b *fenced) *exec.Cmd {
	cmd := exec.Command("sh", "-euc", b.text)
	cmd.Dir, cmd.Env = g.dir, g.env
	return cmd
}

// serve starts a server and waits until it answers.
func (g *guide) serve(b *fenced) {
	g.t.Helper()
	g.stop()
	g.said.Reset()
	cmd := g.shell(&fenced{text: "exec env " + strings.TrimSpace(b.text)})
	cmd.Stdout, cmd.Stderr = &g.said, &g.said
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	g.server, g.over = cmd, over
	until := time.Now().Add(time.Minute)
	for {
		if answer, err := http.Get("http://127.0.0.1:" + g.port + "/healthz"); err == nil {
			answer.Body.Close()
			return
		}
		select {
		case err := <-over:
			g.server = nil
			g.t.Fatalf("line %d: the server has ended: %v\n%s", b.line, err, &g.said)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(until) {
			g.t.Fatalf("line %d: the server does not answer", b.line)
		}
	}
}

// stop ends the server as systemd does.
func (g *guide) stop() {
	if g.server == nil {
		return
	}
	_ = g.server.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-g.over:
		if err != nil {
			g.t.Errorf("the server ends with %v\n%s", err, &g.said)
		}
	case <-time.After(time.Minute):
		_ = g.server.Process.Kill()
		<-g.over
		g.t.Errorf("the server does not end\n%s", &g.said)
	}
	if g.t.Failed() {
		g.t.Logf("the server said:\n%s", &g.said)
	}
	g.server = nil
}

func (g *guide) run(b *fenced) string {
	g.t.Helper()
	cmd := g.shell(b)
	out, err := cmd.CombinedOutput()
	want := b.value("exit")
	if want == "" {
		want = "0"
	}
	if got := fmt.Sprint(cmd.ProcessState.ExitCode()); got != want {
		g.t.Fatalf("line %d: exit code %s, want %s (%v)\n%s\n%s", b.line, got, want, err, b.text, out)
	}
	return string(out)
}

// fenced is a block of a guide.
type fenced struct {
	line  int
	words []string // the language first
	text  string
}

func (b *fenced) is(language, word string) bool {
	return len(b.words) > 0 && b.words[0] == language && slices.Contains(b.words, word)
}

func (b *fenced) value(key string) string {
	for _, w := range b.words {
		if v, ok := strings.CutPrefix(w, key+"="); ok {
			return v
		}
	}
	return ""
}

func fencedBlocks(text string) []*fenced {
	var all []*fenced
	var in *fenced
	for i, line := range strings.Split(text, "\n") {
		switch {
		case in != nil && line == "```":
			in = nil
		case in != nil:
			in.text += line + "\n"
		case strings.HasPrefix(line, "```"):
			in = &fenced{line: i + 1, words: strings.Fields(strings.TrimPrefix(line, "```"))}
			all = append(all, in)
		}
	}
	return all
}

// fits compares lines; … in those that are wanted stands for anything, as a line
// of its own for any number of lines.
func fits(got, want string) bool {
	var pattern strings.Builder
	pattern.WriteString(`\A`)
	for line := range strings.Lines(want) {
		if line == "…\n" {
			pattern.WriteString(`(?:[^\n]*\n)*?`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", `[^\n]*`))
	}
	pattern.WriteString(`\z`)
	return regexp.MustCompile(pattern.String()).MatchString(strings.TrimRight(got, "\n") + "\n")
}

func TestFits(t *testing.T) {
	for _, tt := range []struct {
		got, want string
		fits      bool
	}{
		{"a\nb\n", "a\nb\n", true},
		{"a\nb", "a\nb\n", true},
		{"a 12 b\n", "a … b\n", true},
		{"a\n1\n2\nb\n", "a\n…\nb\n", true},
		{"a\nb\n", "a\n", false},
		{"a (b)\n", "a (b)\n", true},
	} {
		if fits(tt.got, tt.want) != tt.fits {
			t.Errorf("%q fits %q: %v", tt.got, tt.want, !tt.fits)
		}
	}
}
