package workflow

import (
	"os"
	"path/filepath"
	"testing"
)

// Who is about to build a missing module gets the plan that says how.
func TestUnbuilt(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		plugin string
		want   bool
	}{
		{"source = \"gone.wasm\"\nbuild = \"make\"", true},
		{"source = \"gone/gone.wasm\"\nbuild = \"make\"", true},
		{"source = \"gone.wasm\"", false},
		{"source = \".\"\nbuild = \"make\"", false},
	} {
		file := filepath.Join(dir, "flow.toml")
		if err := os.WriteFile(file, []byte("[plugins.p]\n"+tt.plugin+"\n[nodes.n]\nplugin = \"p\"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if p, _ := Load(t.Context(), file, Options{}); p != nil {
			t.Errorf("%s: it is no mistake", tt.plugin)
		}
		if p, findings := Load(t.Context(), file, Options{Unbuilt: true}); (p != nil) != tt.want {
			t.Errorf("%s: a plan: %v, want %v: %v", tt.plugin, p != nil, tt.want, findings)
		}
	}
}
