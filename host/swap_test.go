package host_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
)

// guests is the folder of modules for tests.
var guests = func() string {
	dir, err := filepath.Abs("../testdata/guests")
	if err != nil {
		panic(err)
	}
	return filepath.ToSlash(dir)
}()

// version is a module that answers with its number and its input.
func version(t *testing.T, n int) (module []byte, digest string) {
	t.Helper()
	return guest(t, fmt.Sprintf("eh%06d", n))
}

// guest is testdata/guests/version.wasm with a plan: see version.c.
func guest(t *testing.T, plan string) (module []byte, digest string) {
	t.Helper()
	module, err := os.ReadFile(guests + "/version.wasm")
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(module, []byte("PLAN:"))
	if at < 0 || len(plan) > 40 {
		t.Fatalf("%q cannot be written at %d", plan, at)
	}
	copy(module[at+len("PLAN:"):], plan+".")
	sum := sha256.Sum256(module)
	return module, "sha256:" + hex.EncodeToString(sum[:])
}

// module writes a version into a file, as a build does: beside it first.
func module(t *testing.T, path string, n int) (digest string) {
	t.Helper()
	bytes, digest := version(t, n)
	if err := os.WriteFile(path+".new", bytes, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return digest
}

const shoutsFromFile = `
[plugins.up]
source = "up.wasm"
[nodes.a]
plugin = "up"
`

func swapTo(t *testing.T, s interface {
	Swap(context.Context, host.SwapRequest) (*host.SwapReport, error)
}, r host.SwapRequest) *host.SwapReport {
	t.Helper()
	report, err := s.Swap(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func digestOf(t *testing.T, s *serving, plugin string) string {
	t.Helper()
	info, err := s.Plugin(t.Context(), plugin)
	if err != nil {
		t.Fatal(err)
	}
	return info.Digest
}

func TestSwap(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	one := module(t, filepath.Join(dir, "up.wasm"), 1)
	s := serve(t, state, nil, host.ServeOptions{Files: []string{file(t, dir, "shout", shoutsFromFile), file(t, dir, "other", shoutsFromFile)}})
	ctx := t.Context()
	bytesOfTwo, two := version(t, 2)

	_, err := s.Plugin(ctx, "up")
	wantCode(t, err, "ambiguous")
	_, err = s.Plugin(ctx, "shout.upp")
	wantCode(t, err, "not_found")
	if err == nil || !strings.Contains(err.Error(), "shout.up") {
		t.Errorf("%v: no near name", err)
	}
	until(t, "the plugin to be loaded", func() bool { return digestOf(t, s, "shout.up") == one })

	r := swapTo(t, s, host.SwapRequest{Plugin: "shout.up", Module: bytesOfTwo})
	if r.Refused != nil || r.From != one || r.To != two || r.Mode != event.SwapNow {
		t.Fatalf("swap: %+v", r)
	}
	if got := digestOf(t, s, "shout.up"); got != two {
		t.Errorf("current is %s, not %s", got, two)
	}
	if r = swapTo(t, s, host.SwapRequest{Plugin: "shout.up", Module: bytesOfTwo}); !r.Unchanged {
		t.Errorf("the same again: %+v", r)
	}
	r = swapTo(t, s.host, host.SwapRequest{Plugin: "shout.up", Module: []byte("no module at all")})
	if r.Refused == nil || digestOf(t, s, "shout.up") != two {
		t.Errorf("a bad module: %+v", r)
	}
	r = swapTo(t, s, host.SwapRequest{Plugin: "shout.up", Module: []byte("\x00asm\x01\x00\x00\x00")})
	if r.Refused == nil || r.Refused.Code != "missing_export" || !strings.Contains(r.Refused.Message, `"run"`) || digestOf(t, s, "shout.up") != two {
		t.Errorf("a module without the function that the workflow calls: %+v", r)
	}
	if _, _, err := s.Start(ctx, host.StartRequest{Workflow: "shout", RunID: "with-two", Input: event.Text("x"), HasInput: true}); err != nil {
		t.Fatal(err)
	}
	followed(t, s, "with-two")
	if result, err := s.RunResult(ctx, "with-two"); err != nil || result.Nodes["a"].Digest != two {
		t.Errorf("the run had %v, %v", result, err)
	}
	info, err := s.Rollback(ctx, "shout.up", "")
	if err != nil || info.Digest != one {
		t.Fatalf("rollback: %+v, %v", info, err)
	}
	if !slices.ContainsFunc(info.Versions, func(v event.PluginVersion) bool { return v.Digest == two }) {
		t.Errorf("what was rolled back is not among the versions: %+v", info.Versions)
	}
	if info, err := s.Rollback(ctx, "shout.up", ""); err != nil || info.Digest != two {
		t.Errorf("rollback of the rollback: %+v, %v", info, err)
	}
	_, err = s.Promote(ctx, "shout.up", "")
	wantCode(t, err, "no_version")
	audits, err := s.Audits(ctx, 0)
	if err != nil || !slices.ContainsFunc(audits, func(a event.Audit) bool { return a.Action == "plugin.swap" && a.OK && a.By != "" }) {
		t.Errorf("audits: %+v, %v", audits, err)
	}
}

func TestPinnedPluginIsSwappedWithUnpin(t *testing.T) {
	dir := t.TempDir()
	one := module(t, filepath.Join(dir, "up.wasm"), 1)
	bytesOfTwo, two := version(t, 2)
	pinned := strings.Replace(shoutsFromFile, "up.wasm\"", "up.wasm\"\nsha256 = \""+strings.TrimPrefix(one, "sha256:")+"\"", 1)
	s := serve(t, t.TempDir(), nil, host.ServeOptions{Files: []string{file(t, dir, "shout", pinned)}})
	_, err := s.Swap(t.Context(), host.SwapRequest{Plugin: "up", Module: bytesOfTwo})
	wantCode(t, err, "pinned")
	if r := swapTo(t, s, host.SwapRequest{Plugin: "up", Module: bytesOfTwo, Unpin: true}); r.To != two || r.Refused != nil {
		t.Errorf("unpinned: %+v", r)
	}
}

// TestSwapOutlivesTheServer: a version that somebody chose stays until the file's
// own content changes, and so does what a rollback goes back to.
func TestSwapOutlivesTheServer(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "up.wasm")
	module(t, path, 1)
	bytesOfTwo, two := version(t, 2)
	bytesOfThree, three := version(t, 3)
	o := host.ServeOptions{Files: []string{file(t, dir, "shout", shoutsFromFile)}}
	current := func(s *serving, want string) {
		t.Helper()
		until(t, "the version "+want, func() bool { return digestOf(t, s, "up") == want })
	}
	kept := func() []string {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(state, "modules", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	s := serve(t, state, nil, o)
	swapTo(t, s, host.SwapRequest{Plugin: "up", Module: bytesOfTwo})
	swapTo(t, s, host.SwapRequest{Plugin: "up", Module: bytesOfThree})
	for _, f := range kept() {
		if i, err := os.Stat(f); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, i.Mode(), err)
		}
	}
	s.end(t)

	s = serve(t, state, nil, o)
	current(s, three)
	if len(kept()) != 2 {
		t.Errorf("kept: %v", kept())
	}
	if i, err := s.Rollback(t.Context(), "up", ""); err != nil || i.Digest != two {
		t.Errorf("rollback after a restart: %+v, %v", i, err)
	}
	s.end(t)

	s = serve(t, state, nil, o)
	current(s, two)
	s.end(t)

	four := module(t, path, 4)
	s = serve(t, state, nil, o)
	current(s, four)
	// Back to what the file holds: nothing is left to be kept.
	swapTo(t, s, host.SwapRequest{Plugin: "up", Module: bytesOfTwo})
	if r := swapTo(t, s, host.SwapRequest{Plugin: "up"}); r.To != four || r.Refused != nil {
		t.Errorf("from the source again: %+v", r)
	}
	if left := kept(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	s.end(t)

}

// TestFileWatch: a plugin's file that changes is the next version, in new and in
// running runs; one that is no module is refused, and said.
func TestFileWatch(t *testing.T) {
	out, dir, state := newService(t), t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "up.wasm")
	one := module(t, path, 1)
	text := asking("shout", ask("wait", ""), out) + "[plugins.up]\nsource = \"up.wasm\"\n[nodes.a]\nplugin = \"up\"\nwith = \"x\"\n[nodes.b]\nplugin = \"up\"\nwith = \"y\"\nneeds = [\"wait\"]\n"
	gate := make(chan struct{})
	out.on("/wait", func(_ http.ResponseWriter, _ *http.Request) { <-gate })
	s := serve(t, state, map[string]string{"URL": out.URL}, host.ServeOptions{Files: []string{file(t, dir, "shout", text)}})
	until(t, "the plugin to be loaded", func() bool { return digestOf(t, s, "shout.up") == one })
	if _, _, err := s.Start(t.Context(), host.StartRequest{Workflow: "shout", RunID: "across"}); err != nil {
		t.Fatal(err)
	}
	out.next(t, "/wait")
	until(t, "the first call", func() bool {
		r, err := s.RunResult(t.Context(), "across")
		return err == nil && r.Nodes["a"] != nil && r.Nodes["a"].Status == event.Succeeded
	})
	two := module(t, path, 2)
	until(t, "the new version", func() bool { return digestOf(t, s, "shout.up") == two })
	if err := os.WriteFile(path, []byte("\x00asm\x01\x00\x00\x00"), 0o644); err != nil {
		t.Fatal(err)
	}
	until(t, "the refusal", func() bool {
		audits, err := s.Audits(t.Context(), 0)
		return err == nil && slices.ContainsFunc(audits, func(a event.Audit) bool { return a.By == "file watch" && a.Action == "plugin.swap" && !a.OK })
	})
	if got := digestOf(t, s, "shout.up"); got != two {
		t.Errorf("after a bad file the version is %s", got)
	}
	if p, err := s.Plugin(t.Context(), "shout.up"); err != nil || p.Error == nil || p.Error.Code != "missing_export" {
		t.Errorf("of the refused file nothing is shown: %+v, %v", p, err)
	}
	module(t, path, 2)
	until(t, "the good file again", func() bool {
		p, err := s.Plugin(t.Context(), "shout.up")
		return err == nil && p.Error == nil
	})
	close(gate)
	events := followed(t, s, "across")
	result, err := s.RunResult(t.Context(), "across")
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, result, event.Succeeded)
	if a, b := result.Nodes["a"].Digest, result.Nodes["b"].Digest; a != one || b != two {
		t.Errorf("a had %s, b %s", a, b)
	}
	if !slices.ContainsFunc(events, func(e *event.Event) bool {
		return e.Type == event.PluginSwapped && e.From == one && e.To == two && e.Plugin == "up"
	}) {
		t.Error("the run was not told")
	}
	recorded, err := s.RunEvents(t.Context(), "across", 0, 0)
	if err != nil || !slices.ContainsFunc(recorded, func(e *event.Event) bool { return e.Type == event.PluginSwapped }) {
		t.Errorf("it is not recorded: %v", err)
	}
}

// TestSwapsUnderRuns: versions come and go, good ones and bad, while runs go on.
// No call fails, is lost or made twice, and each has a version that was current
// while it was made.
func TestSwapsUnderRuns(t *testing.T) {
	const swaps = 300
	dir := t.TempDir()
	one := module(t, filepath.Join(dir, "up.wasm"), 0)
	h := open(t, nil)
	w := loaded(t, h, file(t, dir, "shout", shoutsFromFile+"[nodes.b]\nplugin = \"up\"\nneeds = [\"a\"]\n"))
	first, err := h.Start(t.Context(), w, host.Options{Input: event.Text("x"), HasInput: true})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, first)

	// span is when a version was current: from before its swap began until after the
	// next one's had ended.
	type span struct{ from, to time.Time }
	current := map[string][]span{one: {{from: time.Now()}}}
	var mu sync.Mutex
	var runs sync.WaitGroup
	stop := make(chan struct{})
	type call struct {
		digest   string
		from, to time.Time
	}
	var calls []call
	n := 0
	for worker := range 4 {
		runs.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				var mine []call
				began := map[string]time.Time{}
				r, err := h.Start(t.Context(), w, host.Options{RunID: fmt.Sprintf("%d-%d", worker, i), Input: event.Text("x"), HasInput: true,
					Sink: event.SinkFunc(func(e *event.Event) {
						switch e.Type {
						case event.NodeStarted:
							began[e.Node] = e.Time
						case event.NodeSucceeded:
							mine = append(mine, call{e.Digest, began[e.Node], e.Time})
						}
					})})
				if err != nil {
					t.Error(err)
					return
				}
				result := wait(t, r)
				if result.Status != event.Succeeded || result.Nodes["a"].Attempts != 1 || result.Nodes["b"].Attempts != 1 || !strings.HasSuffix(result.Output.String(), " x") {
					t.Errorf("a run %s: %v", result.Status, result.Error)
					return
				}
				mu.Lock()
				calls = append(calls, mine...)
				n++
				mu.Unlock()
			}
		})
	}
	last := one
	for i := 1; i <= swaps; i++ {
		if i%3 == 0 {
			if r := swapTo(t, h, host.SwapRequest{Plugin: "shout.up", Module: []byte(fmt.Sprintf("bad %d", i))}); r.Refused == nil {
				t.Fatal("a bad module came in")
			}
			continue
		}
		next, digest := version(t, i)
		from := time.Now()
		if r := swapTo(t, h, host.SwapRequest{Plugin: "shout.up", Module: next}); r.Refused != nil {
			t.Fatal(r.Refused)
		}
		mu.Lock()
		old := current[last]
		old[len(old)-1].to = time.Now()
		current[digest] = append(current[digest], span{from: from})
		last = digest
		mu.Unlock()
	}
	close(stop)
	runs.Wait()
	if n == 0 || len(calls) != 2*n {
		t.Fatalf("%d runs made %d calls", n, len(calls))
	}
	for _, c := range calls {
		if !slices.ContainsFunc(current[c.digest], func(s span) bool { return !s.from.After(c.to) && (s.to.IsZero() || !s.to.Before(c.from)) }) {
			t.Errorf("a call between %s and %s had %s, which was not current", c.from, c.to, c.digest)
		}
	}
	info, err := h.PluginInfo(t.Context(), "up")
	if err != nil || info.Digest != last || len(info.Versions) > 3 {
		t.Errorf("at the end: %+v, %v", info, err)
	}
	t.Logf("%d swaps under %d runs", swaps, n)
}
