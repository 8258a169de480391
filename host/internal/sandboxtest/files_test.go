package sandboxtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
)

// folder makes a folder to be shown, one beside it that must not be, and links
// between them. It returns what of both is where.
func folder(t *testing.T) (shown, outside string) {
	t.Helper()
	base := t.TempDir()
	shown, outside = filepath.Join(base, "shown"), filepath.Join(base, "outside")
	for _, dir := range []string{shown, outside, shown + "/sub"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{shown + "/a.txt": "hello", shown + "/sub/b.txt": "below", outside + "/secret.txt": "secret"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{
		"inside": "a.txt", "up": "..", "up-secret": "../outside/secret.txt", "absolute": outside, "root": "/", "etc": "/etc/passwd", "crooked": "sub/../../outside",
		"chain": "up", "loop": "loop", "self": ".", "proc": "/proc/self/cwd", "dangling": "../outside/new",
	} {
		if err := os.Symlink(to, filepath.Join(shown, name)); err != nil {
			t.Fatal(err)
		}
	}
	return shown, outside
}

// shows is a change of a spec: the folder is shown at /.
func shows(dir string, write bool) func(*plugin.Spec) {
	return func(s *plugin.Spec) { s.Allow.FS = []plugin.Mount{{Path: dir, At: "/", Write: write}} }
}

// contents is what lies below dir, as text.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&b, path, info.Mode(), info.ModTime())
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			b.Write(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// loaded is one plugin of an attack, closed with the test.
func loaded(t *testing.T, a attack) func(function, input string) (plugin.Answer, error) {
	t.Helper()
	rt := plugin.NewRuntime(a.config)
	t.Cleanup(func() {
		if err := rt.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	p, err := rt.Load(t.Context(), a.spec(t))
	if err != nil {
		t.Fatal(err)
	}
	return func(function, input string) (plugin.Answer, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return p.Call(ctx, plugin.Call{Function: function, Input: []byte(input)})
	}
}

// TestPathTraversal: nothing outside of the folder is opened, by no path and by
// no link that was found; what is inside is.
func TestPathTraversal(t *testing.T) {
	shown, outside := folder(t)
	base := filepath.Dir(shown)
	if err := os.WriteFile(base+"/beside.txt", []byte("beside"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, write := range []bool{false, true} {
		call := loaded(t, attack{guest: "host/path.c", change: shows(shown, write)})
		for path, want := range map[string]string{"a.txt": "hello", "sub/b.txt": "below", "sub/../a.txt": "hello", "./a.txt": "hello", "inside": "hello", "self/self/a.txt": "hello"} {
			if err := (answer{output: "!" + want}).check(call("", path)); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		before := contents(t, base)
		for _, path := range []string{
			"..", "../", "../beside.txt", "../outside/secret.txt", "sub/../../beside.txt", "sub/../../../../../../../../etc/passwd", "a.txt/../../beside.txt", "./../beside.txt", ".//..//beside.txt",
			"/etc/passwd", "//etc/passwd", outside + "/secret.txt", base + "/beside.txt", "/proc/self/environ", "/proc/self/fd/0", "/dev/zero",
			"up/beside.txt", "up/outside/secret.txt", "up-secret", "absolute/secret.txt", "root/etc/passwd", "etc", "crooked/secret.txt", "chain/beside.txt", "self/up/beside.txt", "loop", "loop/x", "proc/go.mod", "proc", "dangling",
			"..\\beside.txt", "....//beside.txt", "..%2fbeside.txt", "%2e%2e/beside.txt", "..\x00/beside.txt", "a.txt\x00/../../beside.txt", "../beside.txt\x00", "\x00", "", " ../beside.txt",
			"sub/" + strings.Repeat("../", 300) + "etc/passwd", strings.Repeat("sub/../", 500) + "../beside.txt", strings.Repeat("self/", 600) + "up/beside.txt", strings.Repeat("x", 3000),
		} {
			got, err := call("", path)
			if err != nil || strings.HasPrefix(string(got.Output), "!") && len(got.Output) > 1 {
				t.Errorf("%.60q: %q, %v", path, got.Output, err)
			}
		}
		if after := contents(t, base); after != before {
			t.Errorf("something was changed:\n%s\n%s", before, after)
		}
	}
}

// TestSymlinksThatAreMade: a link that leads out is not made, and one that was
// made inside and then moved does not lead out either.
func TestSymlinksThatAreMade(t *testing.T) {
	shown, outside := folder(t)
	call := loaded(t, attack{guest: "host/symlink.c", change: shows(shown, true)})
	for _, to := range []string{
		"/etc/passwd", "/", outside, "..", "../outside", "../outside/secret.txt", "sub/../../outside", "./..", "sub/../..", "up", "up/outside/secret.txt", "a.txt/../../outside", "", strings.Repeat("sub/../", 500) + "../outside",
	} {
		got, err := call("", to)
		if err != nil {
			t.Errorf("%q: %v", to, err)
		}
		// A link to another link may be made; following both leads out no more than
		// following the second.
		made, lerr := os.Readlink(shown + "/made")
		if (string(got.Output) == "made") != (lerr == nil) || lerr == nil && !strings.HasPrefix(made, "up") {
			t.Errorf("%q: %q, and there is %q", to, got.Output, made)
		}
		if lerr == nil {
			if text, err := os.ReadFile(shown + "/made"); err == nil {
				t.Logf("%q leads to %q for a program outside of the sandbox, as the link %q did before", to, text, "up")
			}
			reader := loaded(t, attack{guest: "host/path.c", change: shows(shown, true)})
			if got, err := reader("", "made"); err != nil || strings.HasPrefix(string(got.Output), "!s") {
				t.Errorf("%q was followed: %q, %v", to, got.Output, err)
			}
			os.Remove(shown + "/made")
		}
	}
	readOnly := loaded(t, attack{guest: "host/symlink.c", change: shows(shown, false)})
	before := contents(t, shown)
	if got, err := readOnly("", "a.txt"); err != nil || string(got.Output) == "made" {
		t.Errorf("%q, %v", got.Output, err)
	}
	if after := contents(t, shown); after != before {
		t.Errorf("a read-only folder was changed:\n%s\n%s", before, after)
	}
}

// TestReadOnlyStaysAsItIs: O_TRUNC and O_CREAT, reading and writing.
func TestReadOnlyStaysAsItIs(t *testing.T) {
	shown, outside := folder(t)
	call := loaded(t, attack{guest: "host/truncate.c", change: shows(shown, false)})
	before := contents(t, filepath.Dir(shown))
	for _, path := range []string{"a.txt", "new.txt", "sub/b.txt", "sub/new.txt", "inside", "dangling", "up-secret", "../outside/secret.txt", "sub"} {
		if err := (answer{output: "........"}).check(call("", path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if after := contents(t, filepath.Dir(shown)); after != before {
			t.Fatalf("%s: something was changed:\n%s\n%s", path, before, after)
		}
	}
	// Where writing is allowed, it does not go through links that lead out.
	call = loaded(t, attack{guest: "host/truncate.c", change: shows(shown, true)})
	before = contents(t, outside)
	for _, path := range []string{"dangling", "up-secret", "absolute/secret.txt", "absolute/new.txt", "../outside/secret.txt", "chain/outside/new.txt", "crooked/new.txt"} {
		if err := (answer{output: "........"}).check(call("", path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if after := contents(t, outside); after != before {
		t.Fatalf("something outside was changed:\n%s\n%s", before, after)
	}
	if got, err := call("", "fresh.txt"); err != nil || !strings.Contains(string(got.Output), "!") {
		t.Errorf("a folder that may be written was not: %q, %v", got.Output, err)
	}
}

// TestFilesThatFlood: descriptors, and paths without end.
func TestFilesThatFlood(t *testing.T) {
	shown, _ := folder(t)
	show := shows(shown, false)
	// 64, besides the folder itself.
	full := answer{code: "file_limit", class: event.System, unknown: true, text: `limits\.files`}
	attacked(t, []attack{
		{name: "descriptor flood", guest: "host/descriptors.c", input: "a.txt", change: show, want: answer{output: "64"}},
		{name: "descriptor flood of folders", guest: "host/descriptors.c", input: "sub", change: show, want: answer{output: "64"}},
		{name: "descriptor flood that fails", guest: "host/descriptors.c", function: "fails", input: "a.txt", change: show, want: answer{code: "file_limit", text: `^there are no more files to be had`}},
		{name: "descriptor flood that traps", guest: "host/descriptors.c", function: "traps", input: "a.txt", change: show, want: full},
		{name: "open and close", guest: "host/descriptors.c", function: "churn", input: "a.txt", change: show, deadline: hang, want: stopped},
		{name: "path of 16 MiB", guest: "host/path.c", function: "endless", change: show, want: trapped.with(`path_open: a path of 16777216 bytes`)},
		{name: "paths of 64 KiB", guest: "host/path.c", function: "forever", change: show, deadline: hang, want: stopped},
	})
}

// TestPipesAndDevices: what would block or do things by being opened is not.
func TestPipesAndDevices(t *testing.T) {
	shown, _ := folder(t)
	if err := mkfifo(shown + "/pipe"); err != nil {
		t.Skip(err)
	}
	call := loaded(t, attack{guest: "host/path.c", change: shows(shown, true)})
	began := time.Now()
	if got, err := call("", "pipe"); err != nil || strings.HasPrefix(string(got.Output), "!") {
		t.Errorf("%q, %v", got.Output, err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("opening a pipe took %v", took)
	}
}
