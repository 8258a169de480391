//go:build unix

package main

import (
	"syscall"
	"testing"
)

// TestServedPipe: nobody waits for the other end of a pipe to learn what it is;
// who reads it says that it is none that can be read.
func TestServedPipe(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := syscall.Mkfifo("odd.toml", 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{".", "odd.toml"} {
		if files, err := servedFiles([]string{arg}); err != nil || len(files) != 1 || files[0] != "odd.toml" {
			t.Errorf("%s: %v, %v", arg, files, err)
		}
	}
}
