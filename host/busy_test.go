package host

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"wasmhost/host/event"
)

// TestOneSwapAtATime: a swap, a rollback and a promotion refuse to run into each
// other; what the file watch has to do waits.
func TestOneSwapAtATime(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	file := filepath.Join(dir, "w.toml")
	if err := os.WriteFile(file, []byte("[plugins.p]\nsource = \"builtin:uppercase\"\n[nodes.a]\nplugin = \"p\"\n"), 0o600); err != nil {
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
	e, err := h.plugins.find("p", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.hold(); err != nil {
		t.Fatal(err)
	}
	busy := func(err error) {
		t.Helper()
		var e *event.Error
		if !errors.As(err, &e) || e.Code != "busy" {
			t.Errorf("%v, want code busy", err)
		}
	}
	_, err = h.Swap(ctx, SwapRequest{Plugin: "p"})
	busy(err)
	_, err = h.Rollback(ctx, "p", "")
	busy(err)
	_, err = h.Promote(ctx, "p", "")
	busy(err)
	e.release()
	if _, err = h.Promote(ctx, "p", ""); !errors.As(err, new(*event.Error)) {
		t.Errorf("%v", err)
	}
}

// TestAddresses: a plugin has one address in a root workflow, whoever names it, as
// long as all say the same of it.
func TestAddresses(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const up = "[plugins.p]\nsource = \"builtin:uppercase\"\n"
	write("same.toml", "name = \"same\"\n"+up+"[nodes.a]\nplugin = \"p\"\n")
	write("other.toml", "name = \"other\"\n"+up+"limits = { memory = \"32MiB\" }\n[nodes.a]\nplugin = \"p\"\n")
	root := write("root.toml", "name = \"root\"\n"+up+"[nodes.a]\nplugin = \"p\"\n[nodes.b]\nworkflow = \"same.toml\"\n[nodes.c]\nworkflow = \"other.toml\"\n")
	h, err := Open(ctx, Config{CacheDir: "-"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(ctx)
	load := func() *Workflow {
		t.Helper()
		w, findings, err := h.Load(ctx, root)
		if err != nil {
			t.Fatal(err, findings)
		}
		if err := h.plugins.prepare(w.plan); err != nil {
			t.Fatal(err)
		}
		return w
	}
	names := func(want ...string) {
		t.Helper()
		all, err := h.Plugins(ctx)
		if err != nil || len(all) != len(want) {
			t.Fatalf("%+v, %v", all, err)
		}
		for i, p := range all {
			if p.Name != want[i] {
				t.Errorf("plugin %s, want %s", p.Name, want[i])
			}
		}
	}
	first := load()
	names("root.other.p", "root.p")
	e, err := h.plugins.find("root.p", nil)
	if err != nil {
		t.Fatal(err)
	}
	// Loaded again, the file has the plugins that are there.
	second := load()
	names("root.other.p", "root.p")
	if again, err := h.plugins.find("root.p", nil); err != nil || again != e {
		t.Error("the plugin is another one")
	}
	h.Unload(ctx, first)
	names("root.other.p", "root.p")
	h.Unload(ctx, second)
	names()
	if len(h.plugins.uses)+len(h.plugins.entries)+len(h.plugins.prepared) > 0 {
		t.Error("something is left")
	}
}
