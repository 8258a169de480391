//go:build unix

package server

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// dontWait opens a fifo at once, for it to be seen what it is.
const dontWait = syscall.O_NONBLOCK

// lock waits for the file's lock; it goes also by the death of the process.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, &os.PathError{Op: "lock", Path: path, Err: err}
		}
	}
}

// private reports whether nobody but the owner reads the file.
func private(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 == 0 }
