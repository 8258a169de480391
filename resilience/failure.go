package resilience

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Class says what kind of failure it is, and so what may be done about it.
type Class string

// The classes.
const (
	Transient Class = "transient" // may go away by itself: trying again makes sense
	Permanent Class = "permanent" // the same call will fail again
	System    Class = "system"    // the machine or the sandbox ran out of something
	Unknown   Class = "unknown"   // nothing says which of the others it is
)

// ParseClass reads the name of a class.
func ParseClass(s string) (Class, error) {
	switch c := Class(s); c {
	case Transient, Permanent, System, Unknown:
		return c, nil
	}
	return "", fmt.Errorf("unknown class %q: it is one of transient, permanent, system and unknown", s)
}

// The codes of failures that this package makes itself.
const (
	CodeTimeout        = "timeout"
	CodeDeadline       = "deadline"
	CodeCancelled      = "cancelled"
	CodeBreakerOpen    = "breaker_open"
	CodeRateLimited    = "rate_limited"
	CodePanic          = "panic"
	CodeOutcomeUnknown = "outcome_unknown"
	CodeHedgeLost      = "hedge_lost"
)

// Sentinels for errors.Is. A [Failure] matches by its code, so one that was
// stored and read again still does.
var (
	ErrTimeout        = errors.New("attempt timed out")
	ErrDeadline       = errors.New("deadline passed")
	ErrCancelled      = errors.New("cancelled")
	ErrBreakerOpen    = errors.New("breaker is open")
	ErrRateLimited    = errors.New("rate limited")
	ErrPanic          = errors.New("panic")
	ErrOutcomeUnknown = errors.New("outcome unknown")
	ErrHedgeLost      = errors.New("another call answered first")
	// ErrBulkheadFull is the cause of a deadline that passed in the queue for a
	// slot.
	ErrBulkheadFull = errors.New("no slot was free")
)

// Failure is an error as policies see it. A Failure that was handed out is
// shared and must not be changed.
type Failure struct {
	Class   Class  `json:"class"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
	// RetryAfter is how long the failing part asks to be left alone; 0: it did
	// not say. Of an open breaker: the time until it lets a probe through.
	RetryAfter time.Duration `json:"retry_after_ns,omitempty"`
	// OutcomeUnknown is true when the work may have been done nevertheless.
	OutcomeUnknown bool `json:"outcome_unknown,omitempty"`
	// Cause is what lies below; it is not stored.
	Cause error `json:"-"`
}

// Error returns the message, with the code before it.
func (f *Failure) Error() string {
	if f.Code == "" {
		return f.Message
	}
	return f.Code + ": " + f.Message
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// Is matches the sentinels of this package by code, and the two errors of
// package context that mean the same.
func (f *Failure) Is(target error) bool {
	switch f.Code {
	case CodeTimeout:
		return target == ErrTimeout || target == context.DeadlineExceeded
	case CodeDeadline:
		return target == ErrDeadline || target == context.DeadlineExceeded
	case CodeCancelled:
		return target == ErrCancelled
	case CodeBreakerOpen:
		return target == ErrBreakerOpen
	case CodeRateLimited:
		return target == ErrRateLimited
	case CodePanic:
		return target == ErrPanic
	case CodeOutcomeUnknown:
		return target == ErrOutcomeUnknown
	case CodeHedgeLost:
		return target == ErrHedgeLost
	}
	return false
}

// cancelled is the failure of a caller who changed his mind.
func cancelled(ctx context.Context, inFlight bool) *Failure {
	cause := context.Cause(ctx)
	return &Failure{
		Class: Unknown, Code: CodeCancelled, Message: fmt.Sprintf("cancelled by the caller: %v", cause),
		OutcomeUnknown: inFlight, Cause: cause,
	}
}

// panicError is a recovered panic with the stack on which it happened.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

// Unwrap gives the value of the panic when it was an error.
func (p *panicError) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

func panicked(value any, stack []byte) *Failure {
	return &Failure{
		Class: System, Code: CodePanic, Message: fmt.Sprintf("the call panicked: %v", value),
		OutcomeUnknown: true, Cause: &panicError{value, stack},
	}
}
