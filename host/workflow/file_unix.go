//go:build unix

package workflow

import "syscall"

// nonblock opens a named pipe without waiting for somebody at its other end.
const nonblock = syscall.O_NONBLOCK
