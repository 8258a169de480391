package server

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// dontWait is of no use here: a pipe has no path in a folder.
const dontWait = 0

// lock waits for the file's lock; it goes also by the death of the process.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &windows.Overlapped{}); err != nil {
		_ = f.Close()
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return func() { _ = f.Close() }, nil
}

// private is for the folder's access list to say here.
func private(fs.FileInfo) bool { return true }
