//go:build unix

package journal

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes the lock of an open file at once, or reports that somebody has
// it. It goes when the file is closed, also by the death of the process. Shared
// locks exclude only exclusive ones.
func lockFile(f *os.File, exclusive bool) (bool, error) {
	how := syscall.LOCK_SH
	if exclusive {
		how = syscall.LOCK_EX
	}
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
	}
}
