//go:build !unix

package workflow

// nonblock: there are no named pipes among the files.
const nonblock = 0
