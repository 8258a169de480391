package resilience

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"syscall"
)

// classOfStatus is the class of an HTTP status, "" for one that is no error.
func classOfStatus(status int) Class {
	switch status {
	case 408, 425, 429, 500, 502, 503, 504:
		return Transient
	}
	if status >= 400 && status <= 599 {
		return Permanent
	}
	return ""
}

// codes are the classes of codes that have one meaning: this package's own and
// those of a host that runs other people's code.
var codes = map[string]Class{
	CodeTimeout:     Transient,
	CodeDeadline:    Transient,
	CodeBreakerOpen: Transient,
	CodeRateLimited: Transient,
	"fetch_failed":  Transient,
	"unhealthy":     Transient,

	"denied":             Permanent,
	"missing_export":     Permanent,
	"invalid_input":      Permanent,
	"invalid_output":     Permanent,
	"input_limit":        Permanent,
	"bad_module":         Permanent,
	"unsupported_module": Permanent,
	"digest_mismatch":    Permanent,
	"not_found":          Permanent,
	"expression":         Permanent,

	CodePanic:      System,
	"trap":         System,
	"memory_limit": System,
	"step_limit":   System,
	"output_limit": System,

	CodeCancelled: Unknown,
}

// classOfCode knows the codes above; a code of three digits is an HTTP status.
func classOfCode(code string) Class {
	if class, ok := codes[code]; ok {
		return class
	}
	if len(code) == 3 {
		if status, err := strconv.Atoi(code); err == nil {
			return classOfStatus(status)
		}
	}
	return ""
}

// classOfError knows errors by their type, never by their words.
func classOfError(err error) Class {
	if err == nil {
		return ""
	}
	var f *Failure
	var opErr *net.OpError
	var netErr net.Error
	switch {
	case errors.As(err, &f):
		return f.Class
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return Transient
	case errors.Is(err, context.Canceled):
		return Unknown
	case errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return System
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		return Permanent
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF),
		errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Transient
	case errors.As(err, &opErr):
		return Transient
	case errors.As(err, &netErr):
		if netErr.Timeout() {
			return Transient
		}
	}
	return ""
}

// mayHaveHappened reports whether the work of a failed call may have been done:
// it was cut off after it had begun, or the connection was lost after something
// may have been sent. What never got through to the other side did not happen.
func mayHaveHappened(err error) bool {
	var opErr *net.OpError
	var dnsErr *net.DNSError
	var netErr net.Error
	switch {
	case errors.As(err, &dnsErr), errors.Is(err, syscall.ECONNREFUSED):
		return false
	case errors.As(err, &opErr) && opErr.Op == "dial":
		return false
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded):
		return true
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return true
	case opErr != nil:
		return true
	case errors.As(err, &netErr):
		return netErr.Timeout()
	}
	return false
}
