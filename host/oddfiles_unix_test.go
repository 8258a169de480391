//go:build unix

package host_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"wasmhost/host"
	"wasmhost/host/event"
)

// TestSecretFromAPipe: who would have to be waited for is no file of a secret.
func TestSecretFromAPipe(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "key"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := host.Open(t.Context(), host.Config{CacheDir: cache()})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(t.Context())
	w, findings, err := h.Load(t.Context(), file(t, dir, "w", "[secrets]\nkey = { file = \"key\" }\n[plugins.up]\nsource = \"builtin:uppercase\"\nallow.secrets = [\"key\"]\n[nodes.a]\nplugin = \"up\"\n"))
	if err != nil {
		t.Fatal(err, findings)
	}
	_, err = h.Start(t.Context(), w, host.Options{Input: event.Text("x")})
	wantCode(t, err, "missing_secret")
	if err == nil || !strings.Contains(err.Error(), "key is a named pipe") {
		t.Errorf("%v", err)
	}
}

// TestServePipe: a folder with a pipe in it does not hold the server up.
func TestServePipe(t *testing.T) {
	dir := t.TempDir()
	file(t, dir, "good", "[plugins.up]\nsource = \"builtin:uppercase\"\n[nodes.a]\nplugin = \"up\"\n")
	if err := syscall.Mkfifo(filepath.Join(dir, "odd.toml"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := host.Open(t.Context(), host.Config{CacheDir: cache(), State: t.TempDir(), Role: "serve"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(t.Context())
	for _, of := range []string{dir, filepath.Join(dir, "odd.toml")} {
		err := h.Serve(t.Context(), host.ServeOptions{Files: []string{of}, Addr: "127.0.0.1:0"})
		if err == nil || !strings.Contains(err.Error(), "odd.toml is a named pipe") {
			t.Errorf("%s: %v", of, err)
		}
	}
}
