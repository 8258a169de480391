//go:build !unix

package sandboxtest

import "errors"

func mkfifo(string) error { return errors.ErrUnsupported }
