package event

import (
	"fmt"
	"time"
)

// The classes of an error, as policies know them.
const (
	Transient = "transient"
	Permanent = "permanent"
	System    = "system"
	Unknown   = "unknown"
	// Warning is not a failure: the class of a warning beside an output.
	Warning = "warning"
)

// Error is a failure as results, events and the journal carry it.
type Error struct {
	Node    string `json:"node,omitempty"`
	Plugin  string `json:"plugin,omitempty"`
	Class   string `json:"class"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
	// RetryAfterMS is how long the failing part asked to be left alone.
	RetryAfterMS int64 `json:"retry_after_ms,omitempty"`
	// Attempt is the attempt that failed, from 1; 0 where none was made.
	Attempt int `json:"attempt,omitempty"`

	// Declared is true when the plugin itself named the class.
	Declared bool `json:"-"`
	// OutcomeUnknown is true when the work may or may not have been done: timed
	// out, cancelled, trapped, connection lost after sending.
	OutcomeUnknown bool `json:"outcome_unknown,omitempty"`
	// Cause is what lies below: never in the JSON, there for errors.Is.
	Cause error `json:"-"`
}

// Error returns the message, with the code before it.
func (e *Error) Error() string {
	if e.Code == "" {
		return e.Message
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// RetryAfter is RetryAfterMS as a duration.
func (e *Error) RetryAfter() time.Duration { return time.Duration(e.RetryAfterMS) * time.Millisecond }
