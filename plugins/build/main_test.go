package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"wasmhost/plugins"
)

// TestCommittedModules rebuilds every module: what is committed must be what
// its source says, byte for byte.
func TestCommittedModules(t *testing.T) {
	if v := runtime.Version(); v != toolchain {
		t.Skipf("NOT TESTED: whether plugins/*.wasm are what their sources say: they are built with %s, and this is %s", toolchain, v)
	}
	for _, folder := range []string{"..", "../../pluginsdk", "../../go.mod", "../../go.sum"} {
		touch(t, folder)
	}
	out := t.TempDir()
	if err := build(out, false); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		rebuilt, err := os.ReadFile(filepath.Join(out, name+".wasm"))
		if err != nil {
			t.Fatal(err)
		}
		committed, ok := plugins.Module(name)
		if !ok {
			t.Errorf("package plugins does not embed %s", name)
		} else if !bytes.Equal(rebuilt, committed) {
			t.Errorf("plugins/%s.wasm is not what its source says: run go run ./plugins/build and commit the result", name)
		}
	}
	if got := plugins.Names(); len(got) != len(names) {
		t.Errorf("package plugins embeds %v, built are %v", got, names)
	}
}

// touch reads what go build will read, so that go test does not answer from its
// cache when a source has changed.
func touch(t *testing.T, path string) {
	t.Helper()
	err := filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		_, err = os.ReadFile(file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAppendSection(t *testing.T) {
	got := appendSection([]byte("\x00asm\x01\x00\x00\x00"), "ab", bytes.Repeat([]byte("x"), 200))
	want := append([]byte("\x00asm\x01\x00\x00\x00\x00\xcb\x01\x02ab"), bytes.Repeat([]byte("x"), 200)...)
	if !bytes.Equal(got, want) {
		t.Errorf("got %x", got)
	}
}
