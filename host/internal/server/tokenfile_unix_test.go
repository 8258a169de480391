//go:build unix

package server

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// What is no file of its owner's alone is refused in words, at the start and while
// it serves, and nobody waits for it.
func TestTokenFilesOfOthers(t *testing.T) {
	fifo := func(path string) error {
		_ = os.Remove(path)
		return syscall.Mkfifo(path, 0o600)
	}
	wide := func(path string) error { return os.Chmod(path, 0o640) }
	for _, c := range []struct {
		what, file string
		spoil      func(string) error
		says       string
	}{
		{"a fifo", "tokens.json", fifo, "no regular file"},
		{"a fifo", "admin.token", fifo, "no regular file"},
		{"mode 0640", "tokens.json", wide, "chmod 600 "},
		{"mode 0640", "admin.token", wide, "chmod 600 "},
	} {
		dir := t.TempDir()
		tokens, err := OpenTokens(dir)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := tokens.Add("ci", Read)
		if err != nil {
			t.Fatal(err)
		}
		admin := tokens.Admin()
		used := map[string]string{"tokens.json": secret, "admin.token": admin}
		path := dir + "/" + c.file
		if err := c.spoil(path); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenTokens(dir); code(err) != "bad_tokens" || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s of %s, at the start: %v", c.file, c.what, err)
		}
		if _, err := tokens.check(used[c.file]); code(err) != "bad_tokens" || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s of %s, while it serves: %v", c.file, c.what, err)
		}
		delete(used, c.file)
		for other, secret := range used {
			if _, err := tokens.check(secret); err != nil {
				t.Errorf("the token of %s, which is as ever: %v", other, err)
			}
		}
		if c.what == "mode 0640" {
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := tokens.check(map[string]string{"tokens.json": secret, "admin.token": admin}[c.file]); err != nil {
				t.Errorf("%s, narrow again: %v", c.file, err)
			}
		}
	}
}
