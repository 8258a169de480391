package host

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPluginFileChangesWhileItIsLoaded: the load has read it as it was, and nothing
// would be told of it a second time.
func TestPluginFileChangesWhileItIsLoaded(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	one, err := os.ReadFile(filepath.Join("..", "testdata", "guests", "version.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	file, up := filepath.Join(dir, "w.toml"), filepath.Join(dir, "up.wasm")
	put := func(path string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(file, []byte("version = 1\nname = \"w\"\n[plugins.up]\nsource = \"up.wasm\"\n[nodes.a]\nplugin = \"up\"\n"))
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
	e.turn <- struct{}{} // as who loads it has
	v, err := h.loadVersions(ctx, e)
	if err != nil {
		t.Fatal(err)
	}
	put(up, append(one[:len(one):len(one)], 0, 2, 1, 'x'))
	began, told := make(chan struct{}), make(chan *SwapReport, 1)
	go func() {
		defer close(told)
		close(began)
		h.pluginFileChanged(ctx, up, func(*entry) bool { return true }, func(r *SwapReport) { told <- r })
	}()
	<-began
	e.live.Store(v)
	<-e.turn
	if r := <-told; r == nil || r.Refused != nil || e.info().Digest != r.To || r.To == r.From {
		t.Errorf("told %+v", r)
	}
}
