package host

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"wasmhost/host/event"
)

// TestForgottenPluginIsNotLoaded: a file is loaded again while a server still warms
// the plugins of what it was. Who comes to one of these then loads what nobody would
// close.
func TestForgottenPluginIsNotLoaded(t *testing.T) {
	ctx := t.Context()
	file := filepath.Join(t.TempDir(), "w.toml")
	if err := os.WriteFile(file, []byte("version = 1\nname = \"w\"\n[plugins.p]\nsource = \"builtin:uppercase\"\n[nodes.a]\nplugin = \"p\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := Open(ctx, Config{CacheDir: "-"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(ctx)
	w, findings, err := h.Load(ctx, file)
	if err != nil {
		t.Fatal(err, findings)
	}
	if err := h.plugins.prepare(w.plan); err != nil {
		t.Fatal(err)
	}
	e := h.plugins.all(nil)[0]
	h.Unload(ctx, w)
	var closed *event.Error
	if _, err := h.plugins.load(ctx, e); !errors.As(err, &closed) || closed.Code != "closed" {
		t.Errorf("a plugin that nobody uses any more: %v, want code closed", err)
	}
	if n := len(h.runtime.Stats().Plugins); n != 0 {
		t.Errorf("%d plugins are left", n)
	}
}
