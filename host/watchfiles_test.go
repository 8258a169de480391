package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"wasmhost/host"
)

// TestFilesThatChangeTogether: a workflow that names other plugins than before, and
// a plugin of it, are deployed at once. None of the two is missed.
func TestFilesThatChangeTogether(t *testing.T) {
	dir := t.TempDir()
	up := filepath.Join(dir, "up.wasm")
	digest := module(t, up, 1)
	flow := file(t, dir, "shout", shoutsFromFile)
	s := serve(t, t.TempDir(), nil, host.ServeOptions{Files: []string{flow}})
	current := func(what string) {
		t.Helper()
		until(t, what, func() bool { return digestOf(t, s, "shout.up") == digest })
	}
	current("the plugin to be loaded")
	for n := 2; n < 5; n++ {
		other := fmt.Sprintf("other%d", n)
		module(t, filepath.Join(dir, other+".wasm"), 100+n)
		digest = module(t, up, n)
		file(t, dir, "shout", shoutsFromFile+fmt.Sprintf("[plugins.%s]\nsource = \"%s.wasm\"\n[nodes.b]\nplugin = \"%s\"\n", other, other, other))
		current("the plugin that changed with the workflow")
		until(t, "the workflow that changed with the plugin", func() bool {
			_, err := s.Plugin(t.Context(), "shout."+other)
			return err == nil
		})
	}
}

// TestModuleOfAManifestIsWatched: the file of a plugin is a manifest, and what
// changes is the module that it names.
func TestModuleOfAManifestIsWatched(t *testing.T) {
	dir := t.TempDir()
	module(t, filepath.Join(dir, "in.wasm"), 1)
	if err := os.WriteFile(filepath.Join(dir, "up.wasm"), []byte(`{"wasm":[{"path":"in.wasm"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, t.TempDir(), nil, host.ServeOptions{Files: []string{file(t, dir, "shout", shoutsFromFile)}})
	one := ""
	until(t, "the plugin to be loaded", func() bool { one = digestOf(t, s, "shout.up"); return one != "" })
	module(t, filepath.Join(dir, "in.wasm"), 2)
	until(t, "the new version", func() bool { return digestOf(t, s, "shout.up") != one })
}
