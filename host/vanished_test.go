package host

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPluginFileVanishes: the version that there is goes on, and it is shown that
// the file is gone; when it is back as it was, what somebody chose in its place
// stays.
func TestPluginFileVanishes(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	module := func(name string) []byte {
		t.Helper()
		text, err := os.ReadFile(filepath.Join("..", "testdata", "guests", name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	file, up := filepath.Join(dir, "w.toml"), filepath.Join(dir, "up.wasm")
	put := func(path string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(file, []byte("version = 1\nname = \"w\"\n[plugins.up]\nsource = \"up.wasm\"\n[nodes.a]\nplugin = \"up\"\n"))
	one := module("version.wasm")
	put(up, one)
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
	if _, err := h.plugins.load(ctx, e); err != nil {
		t.Fatal(err)
	}
	// Another version: a custom section is added that says nothing.
	r, err := h.Swap(ctx, SwapRequest{Plugin: "up", Module: append(one[:len(one):len(one)], 0, 2, 1, 'x')})
	if err != nil || r.Refused != nil || r.To == r.From {
		t.Fatal(r, err)
	}
	chosen := r.To
	changed := func() (told *SwapReport) {
		h.pluginFileChanged(ctx, up, func(*entry) bool { return true }, func(r *SwapReport) { told = r })
		if i := e.info(); i.Digest != chosen {
			t.Errorf("the version is %s, not %s", i.Digest, chosen)
		}
		return told
	}
	if err := os.Remove(up); err != nil {
		t.Fatal(err)
	}
	if r := changed(); r == nil || r.Refused == nil || r.Refused.Code != "not_found" || e.info().Error == nil {
		t.Errorf("the file is gone: told %+v, shown %v", r, e.info().Error)
	}
	put(up, one)
	if r := changed(); r != nil || e.info().Error != nil {
		t.Errorf("the file is back as it was: told %+v, shown %v", r, e.info().Error)
	}
}
