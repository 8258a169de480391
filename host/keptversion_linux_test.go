package host

import (
	"encoding/binary"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// opened tells what is done to a folder while do runs, in order: names that come
// into it, and "opened" each time it is opened itself, which is how it is synced.
func opened(t *testing.T, folder string, do func()) (seen []string) {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if _, err := syscall.InotifyAddWatch(fd, folder, syscall.IN_MOVED_TO|syscall.IN_CREATE|syscall.IN_OPEN); err != nil {
		t.Fatal(err)
	}
	do()
	text := make([]byte, 1<<16)
	n, err := syscall.Read(fd, text)
	if err != nil {
		t.Fatal("nothing was done to the folder:", err)
	}
	for text = text[:n]; len(text) > 0; {
		mask, size := binary.NativeEndian.Uint32(text[4:]), binary.NativeEndian.Uint32(text[12:])
		name := strings.TrimRight(string(text[syscall.SizeofInotifyEvent:syscall.SizeofInotifyEvent+size]), "\x00")
		switch {
		case mask&(syscall.IN_MOVED_TO|syscall.IN_CREATE) != 0 && !strings.HasPrefix(name, "."):
			seen = append(seen, name)
		case mask&syscall.IN_OPEN != 0 && name == "":
			seen = append(seen, "opened")
		}
		text = text[syscall.SizeofInotifyEvent+size:]
	}
	return seen
}

// TestKeptModuleIsInItsFolder: the row that names a module is written after it, and
// a power cut may leave that row alone if the folder was not synced.
func TestKeptModuleIsInItsFolder(t *testing.T) {
	h := &Host{config: Config{State: t.TempDir()}}
	keep := func(digest string) func() {
		return func() {
			if err := h.keepModule("sha256:"+digest, []byte(digest), nil); err != nil {
				t.Error(err)
			}
		}
	}
	if seen := opened(t, h.config.State, keep("one")); !slices.Equal(seen, []string{"modules", "opened"}) {
		t.Error("the state folder:", seen)
	}
	modules := filepath.Join(h.config.State, "modules")
	if seen := opened(t, modules, keep("two")); !slices.Equal(seen, []string{"two.wasm", "opened"}) {
		t.Error("a new module:", seen)
	}
	// Its process may have ended between the two.
	if seen := opened(t, modules, keep("two")); !slices.Equal(seen, []string{"opened"}) {
		t.Error("one that is there:", seen)
	}
}
