package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestTheWordOfADeadServer: whoever listens at its address now must not be taken
// for it, and be sent a token.
func TestTheWordOfADeadServer(t *testing.T) {
	state := t.TempDir()
	if _, err := Served(state); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
	say := func(pid int) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(state, serveFile), fmt.Appendf(nil, `{"url":"http://127.0.0.1:7070","pid":%d}`, pid), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	say(os.Getpid())
	if _, err := Served(state); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nobody holds the folder: %v", err)
	}
	h, err := Open(t.Context(), Config{CacheDir: "-", State: state, Role: "serve"})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := Served(state); err != nil || info.URL != "http://127.0.0.1:7070" {
		t.Errorf("%+v, %v", info, err)
	}
	say(os.Getpid() + 1)
	if _, err := Served(state); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another one holds the folder: %v", err)
	}
	say(os.Getpid())
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Served(state); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nobody holds the folder any more: %v", err)
	}
}
