package host_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wasmhost/host"
)

// TestDoctor: what keeps runs from being recorded is found, with what to do.
func TestDoctor(t *testing.T) {
	s := newService(t)
	for name, c := range map[string]struct {
		harm func(t *testing.T, state string)
		want string // "": nothing is bad
	}{
		"as it should be": {func(*testing.T, string) {}, ""},
		"not there yet":   {func(t *testing.T, state string) { must(t, os.RemoveAll(state)) }, ""},
		"a journal without its file": {func(t *testing.T, state string) {
			must(t, os.Remove(filepath.Join(state, "journal.db")))
			must(t, os.WriteFile(filepath.Join(state, "journal.db-wal"), []byte("x"), 0o600))
		}, "the journal is gone"},
		"a file in the way": {func(t *testing.T, state string) {
			must(t, os.Remove(filepath.Join(state, "journal.db")))
			must(t, os.Mkdir(filepath.Join(state, "journal.db"), 0o700))
		}, "journal.db"},
	} {
		t.Run(name, func(t *testing.T) {
			state := filepath.Join(t.TempDir(), "state")
			h, err := host.Open(t.Context(), host.Config{CacheDir: cache(), State: state, Getenv: func(name string) (string, bool) { return s.URL, name == "URL" }})
			if err != nil {
				t.Fatal(err)
			}
			wait(t, start(t, h, write(t, t.TempDir(), "[nodes.ok]\napproval = \"Well?\"\n", s), "r1"))
			closeHost(t, h)
			c.harm(t, state)
			found, err := host.Doctor(t.Context(), state, cache())
			bad := ""
			for _, f := range found {
				if f.Bad {
					bad += f.What + " " + f.Where + "\n"
					if f.Next == "" {
						t.Errorf("%s: nothing to do about it", f.What)
					}
				}
			}
			if (bad == "") != (c.want == "") || !strings.Contains(bad, c.want) {
				t.Errorf("found %q (%v), want %q", bad, err, c.want)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
