package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"wasmhost/host/event"
)

// The exit codes. Scripts rely on them: none changes its meaning, and those that
// this version does not use stay free.
const (
	exitOK           = 0
	exitFailed       = 1
	exitUsage        = 2
	exitInvalid      = 3
	exitUnauthorised = 4
	exitNotFound     = 5
	exitRefused      = 6
	exitDeadline     = 7
	exitModule       = 8
	exitJournal      = 9
	exitDegraded     = 10
	exitWaiting      = 11
	exitCancelled    = 12
	exitInterrupted  = 130
	exitTerminated   = 143
)

// failure is an error with an exit code and, where there is one, advice.
type failure struct {
	exit    int
	message string // "": everything has been said already
	hint    string
	cause   error
}

func (f *failure) Error() string { return f.message }

func (f *failure) Unwrap() error { return f.cause }

// usage is a mistake in the command line.
func usage(format string, a ...any) *failure {
	return &failure{exit: exitUsage, message: fmt.Sprintf(format, a...)}
}

// quietly ends with an exit code and says nothing more.
func quietly(exit int) error {
	if exit == exitOK {
		return nil
	}
	return &failure{exit: exit}
}

func (f *failure) with(hint string) *failure {
	f.hint = hint
	return f
}

// exitOf is the exit code of an error that kept a run or a call from starting,
// or that a call ended with.
func exitOf(e *event.Error) int {
	switch e.Code {
	case "bad_run_id", "run_conflict", "missing_secret", "bad_setting", "unsupported", "not_available", "bad_plugin", "bad_secret", "bad_request", "bad_id", "bad_host", "bad_answer", "address_in_use":
		return exitUsage
	case "run_alive", "run_ended", "run_interrupted", "run_succeeded", "not_waiting", "workflow_changed", "unknown_node", "ambiguous", "pinned", "busy", "no_version", "token_exists", "no_tokens":
		return exitUsage // the run is not as the command needs it: nothing was done
	case "journal", "no_journal", "served", "bad_tokens":
		return exitJournal
	case "invalid_input":
		return exitUsage
	case "missing_export", "invalid_workflow":
		return exitInvalid
	case "not_found", "unreachable":
		return exitNotFound
	case "unauthorized", "forbidden", "too_many_failures":
		return exitUnauthorised
	case "bad_module", "unsupported_module", "digest_mismatch", "permissions_grow", "replay_differs", "swap_refused":
		return exitModule
	}
	return exitFailed
}

// refused makes a failure of an error of package host.
func refused(err error) error {
	var e *event.Error
	if errors.As(err, &e) {
		f := &failure{exit: exitOf(e), message: describe(e), hint: nextStep(e.Code), cause: err}
		if f.hint != "" {
			said := *e
			said.Message = advice.ReplaceAllString(e.Message, "")
			f.message = describe(&said)
		}
		return f
	}
	return err
}

// advice is the end of a message that says what to do, for programs: on the
// command line the hint says it, with the state folder that was given.
var advice = regexp.MustCompile(`; (choose |say |stop it, |[^;]*host runs )[^;]*$`)

// describe is an error for people: where, what, and how it counts.
func describe(e *event.Error) string {
	var b strings.Builder
	if e.Node != "" {
		fmt.Fprintf(&b, "node %q", clean(e.Node))
		if e.Plugin != "" {
			fmt.Fprintf(&b, " (plugin %s", clean(e.Plugin))
			if e.Attempt > 1 {
				fmt.Fprintf(&b, ", attempt %d", e.Attempt)
			}
			b.WriteString(")")
		}
		b.WriteString(": ")
	}
	b.WriteString(clean(e.Message))
	b.WriteString(verdict(e))
	return b.String()
}

// verdict is how an error counts: " [transient, code timeout]".
func verdict(e *event.Error) string {
	switch {
	case e.Code != "" && e.Class != "":
		return fmt.Sprintf(" [%s, code %s]", e.Class, clean(e.Code))
	case e.Code != "":
		return fmt.Sprintf(" [code %s]", clean(e.Code))
	case e.Class != "":
		return fmt.Sprintf(" [%s]", e.Class)
	}
	return ""
}

// interrupted is the exit code of a context that a signal ended, else 0.
func interrupted(ctx context.Context) int {
	var why *interruption
	if errors.As(context.Cause(ctx), &why) {
		return why.exit
	}
	return 0
}
