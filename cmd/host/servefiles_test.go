package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestServedFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"one.toml", "many/b.toml", "many/a.toml", "many/a.test.toml", "many/Cargo.toml", "many/.hidden.toml", "many/notes.txt", "single/workflow.toml", "single/level.toml"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("version = 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("empty", 0o700); err != nil {
		t.Fatal(err)
	}
	module := []byte("\x00asm\x01\x00\x00\x00")
	if err := os.WriteFile("plugin.wasm", module, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ args, want string }{
		{"", "one.toml"},
		{"one.toml ./one.toml", "one.toml"},
		{"single", "single/workflow.toml"},
		{"many one.toml", "many/a.toml many/b.toml one.toml"},
		{"many many/a.toml", "many/a.toml many/b.toml"},
	} {
		got, err := servedFiles(strings.Fields(tt.args))
		if err != nil || filepath.ToSlash(strings.Join(got, " ")) != tt.want {
			t.Errorf("%q: %v, %v; want %s", tt.args, got, err, tt.want)
		}
	}
	for arg, want := range map[string]int{"empty": exitNotFound, "nowhere.toml": exitNotFound, "plugin.wasm": exitInvalid} {
		var f *failure
		if _, err := servedFiles([]string{arg}); !errors.As(err, &f) || f.exit != want || f.hint == "" {
			t.Errorf("%s: %+v, want exit %d", arg, err, want)
		}
	}
}
