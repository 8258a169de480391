package host_test

import (
	"os"
	"path/filepath"
	"testing"

	"wasmhost/host"
)

// TestKeptManifest: a version that is a manifest comes back after a restart with the
// modules that it had, whatever lies in its files by now.
func TestKeptManifest(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	in := filepath.Join(dir, "in.wasm")
	module(t, in, 1)
	if err := os.WriteFile(filepath.Join(dir, "up.wasm"), []byte(`{"wasm":[{"path":"in.wasm"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	o := host.ServeOptions{Files: []string{file(t, dir, "shout", shoutsFromFile)}, NoWatch: true}
	s := serve(t, state, nil, o)
	one := ""
	until(t, "the plugin to be loaded", func() bool { one = digestOf(t, s, "shout.up"); return one != "" })
	module(t, in, 2)
	two := swapTo(t, s, host.SwapRequest{Plugin: "shout.up"}).To
	if i, err := s.Rollback(t.Context(), "shout.up", ""); err != nil || i.Digest != one || two == one {
		t.Fatal(i, err)
	}
	for range 2 { // what is kept was loaded from what is kept
		s.end(t)
		s = serve(t, state, nil, o)
		now := ""
		until(t, "the plugin to be loaded again", func() bool { now = digestOf(t, s, "shout.up"); return now != "" })
		if now != one {
			t.Errorf("it is %s after a restart; chosen was %s", now, one)
		}
	}
	for _, want := range []string{two, one} {
		if i, err := s.Rollback(t.Context(), "shout.up", ""); err != nil || i.Digest != want {
			t.Error(i, err)
		}
	}
	bytesOfThree, _ := version(t, 3)
	for range 2 { // both that are kept are others by then
		swapTo(t, s, host.SwapRequest{Plugin: "shout.up", Module: bytesOfThree})
		bytesOfThree, _ = version(t, 4)
	}
	if left, err := filepath.Glob(filepath.Join(state, "modules", "*")); err != nil || len(left) != 2 {
		t.Error(left, err)
	}
}
