package host_test

import (
	"context"
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

// TestChangedBeforeItIsWatched: what was loaded, and changed before the watch first
// looked, is as missed as what changes afterwards.
func TestChangedBeforeItIsWatched(t *testing.T) {
	dir := t.TempDir()
	up, in := filepath.Join(dir, "up.wasm"), filepath.Join(dir, "in.wasm")
	module(t, up, 1)
	module(t, in, 1)
	manifest := file(t, dir, "manifest", "[plugins.up]\nsource = \"up.json\"\n[nodes.a]\nplugin = \"up\"\n")
	same := file(t, dir, "same", "[plugins.up]\nsource = \"same.wasm\"\n[nodes.a]\nplugin = \"up\"\n")
	module(t, filepath.Join(dir, "same.wasm"), 1)
	if err := os.WriteFile(filepath.Join(dir, "up.json"), []byte(`{"wasm":[{"path":"in.wasm"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	shout := file(t, dir, "shout", shoutsFromFile)
	s := serve(t, t.TempDir(), nil, host.ServeOptions{Files: []string{shout, manifest, same}, NoWatch: true})
	var linked string
	until(t, "the plugins to be loaded", func() bool {
		linked = digestOf(t, s, "manifest.up")
		return linked != "" && digestOf(t, s, "shout.up") != "" && digestOf(t, s, "same.up") != ""
	})
	bytesOfTwo, chosen := version(t, 2)
	swapTo(t, s, host.SwapRequest{Plugin: "same.up", Module: bytesOfTwo})
	digest := module(t, up, 3)
	module(t, in, 3)
	file(t, dir, "shout", shoutsFromFile+"[plugins.more]\nsource = \"in.wasm\"\n[nodes.b]\nplugin = \"more\"\n")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.host.WatchFiles(ctx)
	}()
	until(t, "the module that had changed", func() bool { return digestOf(t, s, "shout.up") == digest })
	until(t, "the module of a manifest that had changed", func() bool { return digestOf(t, s, "manifest.up") != linked })
	until(t, "the workflow that had changed", func() bool {
		_, err := s.Plugin(t.Context(), "shout.more")
		return err == nil
	})
	cancel()
	<-ended
	if now := digestOf(t, s, "same.up"); now != chosen {
		t.Errorf("what was chosen in place of a file that has not changed is %s by now", now)
	}
}
