package pluginsdk

import (
	"errors"
	"strconv"
	"time"
)

// The classes of an error. They tell the host's policies what to do with it.
const (
	// ClassTransient may go away by itself: the host may try again.
	ClassTransient = "transient"
	// ClassPermanent will be the same next time: trying again is useless.
	ClassPermanent = "permanent"
	// ClassSystem is a failure of the machinery: memory, disk, a bug.
	ClassSystem = "system"
	// ClassWarning is no failure: something to tell beside an output.
	ClassWarning = "warning"
)

// Error is a failure that says what kind it is. Handlers return it like any
// error, wrapped or not. An error that is no *Error reaches the host as a
// message alone, and the host's own rules find its class.
type Error struct {
	// Class is one of the constants above; empty leaves the choice to the host.
	Class string
	// Code names the failure for rules and programs: short, lower case, stable,
	// as in "rate_limited". Codes that the host uses itself (timeout, trap,
	// denied, …) are shown as plugin.CODE.
	Code string
	// Message tells a person what failed, where, and what to do.
	Message string
	// RetryAfter asks the host to wait at least this long; 0: its own choice.
	RetryAfter time.Duration
	// Cause is the error below, for errors.Is and errors.As; it is not sent.
	Cause error
}

// Transient is a failure that may go away by itself.
func Transient(code, message string) *Error {
	return &Error{Class: ClassTransient, Code: code, Message: message}
}

// Permanent is a failure that will be the same next time.
func Permanent(code, message string) *Error {
	return &Error{Class: ClassPermanent, Code: code, Message: message}
}

// System is a failure of the machinery below the plugin.
func System(code, message string) *Error {
	return &Error{Class: ClassSystem, Code: code, Message: message}
}

// After sets how long the failing part asked to be left alone, and returns e.
func (e *Error) After(wait time.Duration) *Error {
	e.RetryAfter = wait
	return e
}

// Because sets the cause, and returns e.
func (e *Error) Because(cause error) *Error {
	e.Cause = cause
	return e
}

// Error returns the message, with the code before it.
func (e *Error) Error() string {
	if e.Code == "" {
		return e.Message
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// asError gives any error the shape that is sent. Of a wrapped *Error it keeps
// class, code and wait, and the message of the whole chain.
func asError(err error) *Error {
	var e *Error
	if !errors.As(err, &e) || e == nil {
		return &Error{Message: err.Error()}
	}
	if err == error(e) {
		return e
	}
	outer := *e
	outer.Message = err.Error()
	return &outer
}

// appendJSON writes the JSON that hosts read. It is written by hand so that a
// plugin without JSON does not carry encoding/json for its errors.
func (e *Error) appendJSON(b []byte) []byte {
	b = append(b, '{')
	if e.Class != "" {
		b = append(appendQuoted(append(b, `"class":`...), e.Class), ',')
	}
	if e.Code != "" {
		b = append(appendQuoted(append(b, `"code":`...), e.Code), ',')
	}
	b = appendQuoted(append(b, `"message":`...), e.Message)
	if e.RetryAfter > 0 {
		// Rounded up: a wait of less than was asked for is none.
		ms := (e.RetryAfter + time.Millisecond - 1) / time.Millisecond
		b = strconv.AppendInt(append(b, `,"retry_after_ms":`...), int64(ms), 10)
	}
	return append(b, '}')
}

// errorText is what error_set gets: the error's object.
func errorText(e *Error) []byte { return e.appendJSON(nil) }

// warningText is what error_set gets beside an output: one object, or a list of
// them when there are several.
func warningText(warnings []*Error) []byte {
	if len(warnings) == 1 {
		return errorText(warnings[0])
	}
	b := []byte{'['}
	for i, w := range warnings {
		if i > 0 {
			b = append(b, ',')
		}
		b = w.appendJSON(b)
	}
	return append(b, ']')
}
