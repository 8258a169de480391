package plugin

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/tetratelabs/wazero/sys"

	"wasmhost/host/event"
)

// The codes that this package gives errors. A guest's own code that is one of
// them is shown as plugin.CODE.
const (
	codeTimeout     = "timeout"
	codeCancelled   = "cancelled"
	codeTrap        = "trap"
	codeExit        = "exit"
	codeMemory      = "memory_limit"
	codeSteps       = "step_limit"
	codeOutput      = "output_limit"
	codeInput       = "input_limit"
	codeVars        = "vars_limit"
	codeLog         = "log_limit" // in the log itself: it ends no call
	codeFiles       = "file_limit"
	codeTables      = "table_limit"
	codeInstances   = "instance_limit"
	codeHTTPLimit   = "http_limit"
	codeHTTPFailed  = "http_failed"
	codeHTTPRequest = "http_request"
	codeMissing     = "missing_export"
	codeDenied      = "denied"
	codeBadModule   = "bad_module"
	codeUnsupported = "unsupported_module"
	codeDigest      = "digest_mismatch"
	codeNotFound    = "not_found"
	codeFetch       = "fetch_failed"
	codeBadSpec     = "bad_plugin"
	codeBadSecret   = "bad_secret"
	codeClosed      = "closed"
	codeHost        = "host_failure"
	codeUnavailable = "not_available"
)

// The codes of errors that a swap may have, and no call.
const (
	codeGrow      = "permissions_grow"
	codeUnhealthy = "unhealthy"
	codeDiffers   = "replay_differs"
	codeBusy      = "busy"
	codeNoVersion = "no_version"
)

// reserved are the codes that only the host may use: those above, and those of
// the rooms that stand around a call.
var reserved = func() map[string]bool {
	m := map[string]bool{}
	for _, code := range []string{
		codeTimeout, codeCancelled, codeTrap, codeExit, codeMemory, codeSteps, codeOutput, codeInput, codeVars, codeLog, codeFiles, codeTables, codeInstances,
		codeHTTPLimit, codeHTTPFailed, codeHTTPRequest, codeMissing, codeDenied, codeBadModule, codeUnsupported,
		codeDigest, codeNotFound, codeFetch, codeBadSpec, codeBadSecret, codeClosed, codeHost, codeUnavailable,
		"invalid_output", "invalid_input", "expression", "deadline", "breaker_open", "rate_limited", "panic",
		"outcome_unknown", codeUnhealthy,
	} {
		m[code] = true
	}
	return m
}()

// fault makes an error that the host found.
func fault(class, code, format string, a ...any) *event.Error {
	return &event.Error{Class: class, Code: code, Message: fmt.Sprintf(format, a...)}
}

// overContext says how ctx ended: a timeout or a cancellation.
func overContext(ctx context.Context, doing string) *event.Error {
	cause := context.Cause(ctx)
	if isTimeout(cause) || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &event.Error{Class: event.Transient, Code: codeTimeout, Message: "timed out while " + doing, Cause: cause}
	}
	return &event.Error{Class: event.Unknown, Code: codeCancelled, Message: "cancelled while " + doing, Cause: cause}
}

// isTimeout asks by behaviour, so that a cause of a package that this one does
// not know is understood too.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// explain turns what wazero returned for a call of function into the error
// that the caller sees. in may not have begun to run guest code.
func (in *instance) explain(ctx context.Context, function string, err error) *event.Error {
	var known *event.Error
	var exit *sys.ExitError
	var goFault runtime.Error
	switch {
	case errors.As(err, &known):
		e := *known
		return &e
	case errors.As(err, &exit):
		if ctx.Err() != nil && (exit.ExitCode() == sys.ExitCodeContextCanceled || exit.ExitCode() == sys.ExitCodeDeadlineExceeded) {
			e := overContext(ctx, "the plugin ran "+function)
			e.OutcomeUnknown = true
			return e
		}
		return in.exited(exit.ExitCode())
	case in.memory.refused && isTrap(err):
		return &event.Error{Class: event.System, Code: codeMemory, OutcomeUnknown: true, Cause: err,
			Message: fmt.Sprintf("the plugin ran out of memory: it asked for more than %s (limits.memory) and gave up: %s", size(in.memory.limit), trapText(err))}
	case isTrap(err):
		message := "the plugin trapped: " + trapText(err)
		if last := in.stdio.lastError(); last != "" {
			message += ": " + last
		}
		return &event.Error{Class: event.System, Code: codeTrap, Message: message, OutcomeUnknown: true, Cause: err}
	case errors.As(err, &goFault):
		return &event.Error{Class: event.System, Code: codeHost, OutcomeUnknown: true, Cause: err,
			Message: "the host itself failed while it served the plugin: " + goFault.Error()}
	}
	return &event.Error{Class: event.System, Code: codeTrap, Message: "the plugin failed: " + firstLine(err.Error()), OutcomeUnknown: true, Cause: err}
}

// blame names the limit that a failure most likely came from: a guest that was
// told that it may open no more files, and failed without a code of its own.
func (in *instance) blame(e *event.Error) {
	if !in.wasi.full || !(e.Code == "" || e.Code == codeTrap || e.Code == codeExit && !e.Declared) {
		return
	}
	e.Code = codeFiles
	e.Message += fmt.Sprintf(" (it was refused one more file than the %d that limits.files allows at once)", in.plugin.limits.Files)
}

// exited is the error of a guest that called proc_exit with a code that is not
// 0.
func (in *instance) exited(code uint32) *event.Error {
	e := &event.Error{Code: codeExit, Message: fmt.Sprintf("exit code %d", int32(code))}
	if last := in.stdio.lastError(); last != "" {
		e.Message += ": " + last
	}
	// The numbers are those of sysexits.h, which scripts and mail systems use.
	switch code {
	case 75:
		e.Class, e.Declared = event.Transient, true
	case 64, 65, 77, 78:
		e.Class, e.Declared = event.Permanent, true
	default:
		e.Class = event.Unknown
	}
	return e
}

const trapPrefix = "wasm error: "

// stackOverflow is the one trap that wazero reports without the prefix.
const stackOverflow = "stack overflow"

func isTrap(err error) bool {
	return strings.Contains(err.Error(), trapPrefix) || err.Error() == stackOverflow
}

// trapText is the trap and the function it happened in, from wazero's message
// of many lines.
func trapText(err error) string {
	_, text, ok := strings.Cut(err.Error(), trapPrefix)
	if !ok {
		return err.Error()
	}
	what, rest, _ := strings.Cut(text, "\n")
	lines := strings.Split(rest, "\n")
	if len(lines) > 1 {
		if frame := strings.TrimSpace(lines[1]); frame != "" {
			name, _, _ := strings.Cut(frame, "(")
			return what + " in " + strings.TrimPrefix(name, ".")
		}
	}
	return what
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// size writes a number of bytes as people do.
func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
