//go:build !linux

package plugin

import (
	"errors"
	"os"
)

// Elsewhere memories are ordinary ones, and copied.

func reserve(uint64) []byte            { return nil }
func unreserve([]byte)                 {}
func newBacking([]byte) *os.File       { return nil }
func share(_ []byte, _ *os.File) error { return errors.ErrUnsupported }
func forget([]byte) error              { return errors.ErrUnsupported }
