package journal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// An owner is one open Journal. While it lives it holds the lock of a file of
// its own, which the system takes away when the process dies: so others know at
// once that its runs are free. Its row in the journal has the heartbeat, for a
// process that lives and does nothing.
type owner struct {
	id   int64
	lock *os.File
	path string
}

func newOwner(dir string) (*owner, error) {
	for {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		o := &owner{id: int64(binary.LittleEndian.Uint64(b[:])>>2) + 1}
		o.path = ownerFile(dir, o.id)
		f, err := os.OpenFile(o.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		o.lock = f
		ok, err := lockFile(f, true)
		if err != nil {
			o.release()
			return nil, err
		}
		// Somebody may have taken the file for one of the dead before it was locked.
		ours, err := f.Stat()
		if err != nil {
			o.release()
			return nil, err
		}
		if there, err := os.Stat(o.path); !ok || err != nil || !os.SameFile(ours, there) {
			f.Close()
			continue
		}
		return o, nil
	}
}

func (o *owner) release() {
	o.lock.Close()
	_ = os.Remove(o.path)
}

func ownerFile(dir string, id int64) string {
	return filepath.Join(dir, "owners", strconv.FormatInt(id, 16)+".lock")
}

// lives reports whether the process of an owner holds its lock.
func lives(dir string, id int64) (bool, error) {
	f, err := os.Open(ownerFile(dir, id))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	// Shared, so that two who look do not take each other for the owner.
	free, err := lockFile(f, false)
	return !free, err
}

// bury removes the lock files of owners that died.
func bury(dir string) {
	names, _ := filepath.Glob(filepath.Join(dir, "owners", "*.lock"))
	for _, name := range names {
		id, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(name), ".lock"), 16, 64)
		if err != nil {
			continue // serve.lock
		}
		if alive, err := lives(dir, id); err == nil && !alive {
			_ = os.Remove(name)
		}
	}
}

// serve takes the lock that only one "serve" may have, and writes down who has it.
// Nobody else ever takes it, not even to look: see Serving.
func serve(dir string, by *owner) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "owners", "serve.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	ok, err := lockFile(f, true)
	if err != nil {
		f.Close()
		return nil, err
	}
	if !ok {
		var text [128]byte
		n, _ := f.ReadAt(text[:], 0)
		f.Close()
		who, _, _ := strings.Cut(string(text[:n]), "\n")
		return nil, &servedError{who}
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, servedBy, os.Getpid(), by.id), 0)
	}
	return f, nil
}

// servedBy is what lies in serve.lock: who, in OwnerName's words, and the owner
// whose own lock tells whether that one still lives.
const servedBy = "host serve, pid %d\nowner %x\n"

// Serving reports whether a live process has the state folder as its "serve", and
// which. It makes nothing, and is in nobody's way.
func Serving(dir string) (pid int, ok bool) {
	text, err := os.ReadFile(filepath.Join(dir, "owners", "serve.lock"))
	if err != nil {
		return 0, false
	}
	var id int64
	if _, err := fmt.Sscanf(string(text), servedBy, &pid, &id); err != nil {
		return 0, false
	}
	alive, err := lives(dir, id)
	return pid, alive && err == nil
}

type servedError struct{ who string }

func (e *servedError) Error() string {
	if e.who == "" {
		return ErrServed.Error()
	}
	return fmt.Sprintf("%v (%s)", ErrServed, e.who)
}

func (e *servedError) Unwrap() error { return ErrServed }

// OwnerName is who owns, as others read it.
func OwnerName(role string, pid int64) string { return fmt.Sprintf("host %s, pid %d", role, pid) }
