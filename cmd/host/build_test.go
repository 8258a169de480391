package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A build runs for changes of sources, and not for what builds write themselves.
func TestBuilder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the commands are those of sh")
	}
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	module := filepath.Join(dir, "plugin.wasm")
	put("plugin.wasm", "old")
	put("src/main.c", "one")
	put("other.txt", "a")
	// It writes a file that differs every time, as compilers with dates in it do.
	b := newBuilder("plugin", `echo x >> object.o; cat src/main.c > plugin.wasm`, module)
	if b.stale() {
		t.Error("it wants to build what nobody has changed")
	}
	for _, name := range []string{"plugin.wasm", "other.wasm", "flow.toml", ".hidden", ".git/x", "target/x", "node_modules/a/b", "save~"} {
		put(name, "changed")
		if b.stale() {
			t.Errorf("%s is taken for a source", name)
		}
	}
	for _, name := range []string{"src/main.c", "other.txt", "src/new.h", "Cargo.toml"} {
		put(name, "changed")
		if !b.stale() {
			t.Errorf("%s is not taken for a source", name)
		}
	}
	builds := 0
	for b.stale() {
		if builds++; builds > 2 {
			t.Fatal("what the build writes makes it run again and again")
		}
		if err := b.build(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(module); err != nil || string(text) != "changed" {
		t.Errorf("the module is %q, %v", text, err)
	}
	put("src/main.c", "again")
	if !b.stale() {
		t.Error("a source that has changed is overlooked after a build")
	}

	b = newBuilder("plugin", `echo 'main.c:1: no such thing' >&2; exit 3`, module)
	put("src/main.c", "broken")
	err := b.build(t.Context())
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "main.c:1: no such thing") {
		t.Errorf("the failure says %v", err)
	}
	if b.stale() {
		t.Error("a build that failed is tried again although nothing has changed")
	}
	if err := os.Remove(module); err != nil {
		t.Fatal(err)
	}
	if err := newBuilder("plugin", "true", module).build(t.Context()); err == nil || !strings.Contains(err.Error(), "made no ") {
		t.Errorf("a build without a module says %v", err)
	}
}

func TestTail(t *testing.T) {
	for _, tt := range []struct {
		most  int
		wrote []string
		want  string
	}{
		{100, []string{"a\n", "b\x1b[2J\n"}, "a\nb[2J\n"},
		{6, []string{"first\n", "second\n", "x\n"}, "…\nx\n"},
	} {
		out := &tail{most: tt.most}
		for _, w := range tt.wrote {
			_, _ = out.Write([]byte(w))
		}
		if got := out.String(); got != tt.want {
			t.Errorf("%q gives %q, want %q", tt.wrote, got, tt.want)
		}
	}
}
