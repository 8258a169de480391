package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// terminal is what a command prints while it goes on.
type terminal struct {
	t     *testing.T
	lines chan string
}

func newTerminal(t *testing.T, out io.Reader) *terminal {
	lines := make(chan string, 100)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
		close(lines)
	}()
	return &terminal{t, lines}
}

// expect waits for a line that holds some words, and returns those before it.
func (x *terminal) expect(want string) string {
	x.t.Helper()
	late := time.After(60 * time.Second)
	before := ""
	for {
		select {
		case l, open := <-x.lines:
			if !open {
				x.t.Fatalf("it ended before %q:\n%s", want, before)
			}
			if strings.Contains(l, want) {
				return before
			}
			before += l + "\n"
		case <-late:
			x.t.Fatalf("no %q:\n%s", want, before)
		}
	}
}

const building = `version = 1
name = "building"
[input]
default = "to be or"
[plugins.reader]
source = "plugin/reader.wasm"
build  = "cp source.txt reader.wasm"
[nodes.read]
plugin = "reader"
[nodes.headline]
plugin     = "reader"
function   = "headline"
needs      = ["read"]
retry      = { max_retries = 100, backoff = "constant", base_delay = "50ms" }
idempotent = true
`

// While a run goes on, a plugin whose sources change is built and swapped, and the
// run is the same one: here it fails until the plugin is mended. A build that
// fails changes nothing.
func TestWatchBuildsAndSwaps(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the build command is one of sh")
	}
	t.Setenv("XDG_CACHE_HOME", compiled())
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	dir := t.TempDir()
	put := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "plugin"), 0o755); err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(filepath.Join(repo(t), "examples/quickstart/reader.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	put("plugin/reader.wasm", module)
	put("plugin/source.txt", module)
	put("flow.toml", []byte(building))
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	out, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"host", "run", "--watch", filepath.Join(dir, "flow.toml")}, strings.NewReader(""), w, w)
		w.Close()
	}()
	x := newTerminal(t, out)
	x.expect("building: run ")
	x.expect("headline: attempt 3 failed: the headline service is down")
	// What answers otherwise is seen in the same run.
	put("plugin/source.txt", replaced(t, module, "the headline service is down", "the headline service is gone"))
	x.expect("building plugin reader: cp source.txt reader.wasm")
	before := x.expect("plugin reader: sha256:")
	before += x.expect("failed: the headline service is gone")
	if strings.Contains(before, "building: run ") {
		t.Errorf("the run was begun anew:\n%s", before)
	}
	// What is no module is refused.
	put("plugin/source.txt", []byte("\x00asm and no more"))
	x.expect("building plugin reader")
	x.expect("the new version is refused, the old one goes on: ")
	x.expect("failed: the headline service is gone")
	put("plugin/source.txt", module)
	x.expect("plugin reader: sha256:")
	if err := os.Remove(filepath.Join(dir, "plugin/source.txt")); err != nil {
		t.Fatal(err)
	}
	x.expect("the build of plugin reader failed: exit status 1")
	// A workflow that changes is run anew.
	put("flow.toml", []byte(strings.Replace(building, "to be or", "not to be", 1)))
	x.expect("building: run ")
	cancel(&interruption{"ctrl-C", exitInterrupted})
	for range x.lines {
	}
	if got := <-code; got != exitInterrupted {
		t.Errorf("exit code %d, want %d", got, exitInterrupted)
	}
}

// A plugin that changes too late for a run to call it has it run again.
func TestWatchRunsAgainForAPluginItMissed(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", compiled())
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	dir := t.TempDir()
	module, err := os.ReadFile(filepath.Join(repo(t), "examples/quickstart/reader.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "reader.wasm")
	if err := os.WriteFile(file, module, 0o644); err != nil {
		t.Fatal(err)
	}
	flow := filepath.Join(dir, "flow.toml")
	if err := os.WriteFile(flow, []byte("version = 1\nname = \"flow\"\n[input]\ndefault = \"to be or\"\n[plugins.reader]\nsource = \"reader.wasm\"\n"+
		"[nodes.read]\nplugin = \"reader\"\n[output]\nvalue = \"{{ string(nodes.read.output) }}\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	out, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"host", "run", "--watch", flow}, strings.NewReader(""), w, w)
		w.Close()
	}()
	x := newTerminal(t, out)
	x.expect("words")
	x.expect("watching 1 folder; ctrl-C ends")
	if err := os.WriteFile(file, replaced(t, module, `{"words":`, `{"terms":`), 0o644); err != nil {
		t.Fatal(err)
	}
	x.expect("terms")
	x.expect("watching")
	cancel(&interruption{"ctrl-C", exitInterrupted})
	for range x.lines {
	}
	<-code
}

const slowBuild = `version = 1
name = "building"
[input]
default = "one"
[plugins.reader]
source = "plugin/reader.wasm"
build  = "echo begins >> ../builds; until test -e ../go; do sleep 0.02; done; cp source.txt reader.wasm; echo ends >> ../builds"
[nodes.read]
plugin = "reader"
[output]
value = "{{ input }}"
`

// A build outlives the run in which it was begun: the next run waits for it
// before it builds the same plugin, and so does the end of the command.
func TestWatchBuildsOneAfterAnother(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the build command is one of sh")
	}
	t.Setenv("XDG_CACHE_HOME", compiled())
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	dir := t.TempDir()
	put := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "plugin"), 0o755); err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(filepath.Join(repo(t), "examples/quickstart/reader.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	put("plugin/reader.wasm", module)
	put("plugin/source.txt", module)
	put("flow.toml", []byte(slowBuild))
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	out, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"host", "run", "--watch", filepath.Join(dir, "flow.toml")}, strings.NewReader(""), w, w)
		w.Close()
	}()
	x := newTerminal(t, out)
	x.expect("watching")
	put("plugin/source.txt", append(module, 0, 2, 1, 'a'))
	x.expect("building plugin reader")
	for _, input := range []string{"two", "three"} { // a run each, while the build goes on
		put("flow.toml", []byte(strings.Replace(slowBuild, "one", input, 1)))
		put("plugin/source.txt", append(module, append([]byte{0, 6, 5}, (input + "!!")[:5]...)...))
		x.expect("building: run ")
		x.expect("watching")
	}
	put("go", nil)
	x.expect("building plugin reader")
	x.expect("watching")
	cancel(&interruption{"ctrl-C", exitInterrupted})
	for range x.lines {
	}
	<-code
	said, err := os.ReadFile(filepath.Join(dir, "builds"))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Fields(string(said)) {
		if want := []string{"begins", "ends"}[i%2]; line != want {
			t.Fatalf("builds of one plugin went on side by side:\n%s", said)
		}
	}
}

// A module that is not there yet is built before the first run, and one that is
// lost before the next. A build that fails is tried again when a source changes.
func TestWatchBuildsWhatIsMissing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the build command is one of sh")
	}
	t.Setenv("XDG_CACHE_HOME", compiled())
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	dir := t.TempDir()
	module, err := os.ReadFile(filepath.Join(repo(t), "examples/quickstart/reader.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "plugin"), 0o755); err != nil {
		t.Fatal(err)
	}
	flow, source := filepath.Join(dir, "flow.toml"), filepath.Join(dir, "plugin", "source.txt")
	text := strings.Replace(slowBuild, "echo begins >> ../builds; until test -e ../go; do sleep 0.02; done; cp source.txt reader.wasm; echo ends >> ../builds", "cp source.txt reader.wasm", 1)
	if err := os.WriteFile(flow, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	out, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"host", "run", "--watch", flow}, strings.NewReader(""), w, w)
		w.Close()
	}()
	x := newTerminal(t, out)
	x.expect("building plugin reader: cp source.txt reader.wasm")
	x.expect("the build of plugin reader failed: exit status 1")
	x.expect("there is no file ")
	x.expect("watching")
	if err := os.WriteFile(source, module, 0o644); err != nil {
		t.Fatal(err)
	}
	x.expect("building plugin reader: cp source.txt reader.wasm")
	x.expect("building: succeeded")
	x.expect("watching")
	if err := os.Remove(filepath.Join(dir, "plugin", "reader.wasm")); err != nil {
		t.Fatal(err)
	}
	x.expect("building plugin reader: cp source.txt reader.wasm")
	if before := x.expect("building: succeeded"); strings.Contains(before, "there is no file") {
		t.Errorf("it ran without the module:\n%s", before)
	}
	cancel(&interruption{"ctrl-C", exitInterrupted})
	for range x.lines {
	}
	if got := <-code; got != exitInterrupted {
		t.Errorf("exit code %d, want %d", got, exitInterrupted)
	}
}
