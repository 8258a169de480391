//go:build unix

package plugin

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestOddSources: what has no end, or more of it than is read, is not begun.
func TestOddSources(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(dir+"/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", dir+"/zero"); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/large", "")
	if err := os.Truncate(dir+"/large", 3<<30); err != nil { // a hole: no disk is needed
		t.Fatal(err)
	}
	r := newTestRuntime(t, Config{})
	for source, says := range map[string]string{"pipe": "is not a file", "zero": "is not a file", "large": "has 3221225472 bytes; modules up to"} {
		if _, err := r.Load(t.Context(), Spec{Name: "guest", Source: source, Dir: dir}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", source, err)
		}
	}
}
