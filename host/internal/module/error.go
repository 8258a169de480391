package module

import (
	"fmt"
	"strings"
)

// Kind says why a module was refused.
type Kind string

const (
	// Malformed: the bytes are not a module, or break a rule of the format.
	Malformed Kind = "malformed"
	// TooLarge: a limit of Limits was passed.
	TooLarge Kind = "limit"
	// Unsupported: the module is fine but needs a feature that is not run here.
	Unsupported Kind = "unsupported"
)

// Error is a refusal: what was found, where, and what to do about it.
type Error struct {
	Kind Kind
	// Offset is the position in the module's bytes, from 0, of the thing refused.
	Offset int
	// What names the place: "import section", "function 12", "name section".
	What string
	// Message says what is wrong, without the place.
	Message string
	// Limit is the name of the field of Limits or Options that was passed, Max
	// its value, Found what the module has. Set for TooLarge only.
	Limit      string
	Max, Found uint64
	// Feature is the name of the feature that is missing here ("threads"), Hint
	// what to build instead. Set for Unsupported only.
	Feature, Hint string
}

// Error says it in one line: place, offset, reason, and what to do next.
func (e *Error) Error() string {
	var b strings.Builder
	if e.What != "" {
		fmt.Fprintf(&b, "%s at offset %d (0x%x): ", e.What, e.Offset, e.Offset)
	} else {
		fmt.Fprintf(&b, "offset %d (0x%x): ", e.Offset, e.Offset)
	}
	switch e.Kind {
	case TooLarge:
		fmt.Fprintf(&b, "%s: found %d, limit %s is %d", e.Message, e.Found, e.Limit, e.Max)
	case Unsupported:
		fmt.Fprintf(&b, "needs %s, which is not supported", e.Feature)
		if e.Message != "" {
			fmt.Fprintf(&b, " (%s)", e.Message)
		}
		if e.Hint != "" {
			fmt.Fprintf(&b, "; %s", e.Hint)
		}
	default:
		b.WriteString(e.Message)
	}
	return b.String()
}

// feature names: what Error.Feature can be, with what to build instead.
var hints = map[string]string{
	"component-model":           "build a core module instead: a target like wasm32-wasip1 or wasip1, not wasip2 and without `wasm-tools component new`",
	"gc":                        "build with a toolchain that brings its own memory management (Go, Rust, C, AssemblyScript, TinyGo), or turn WasmGC off",
	"threads":                   "build without shared memory and atomics (no -pthread, no +atomics)",
	"memory64":                  "build for wasm32",
	"multi-memory":              "build with one memory",
	"relaxed-simd":              "build without +relaxed-simd; fixed-width SIMD is supported",
	"legacy-exceptions":         "build without exceptions (-fno-exceptions, panic=abort)",
	"exceptions":                "build without exceptions (-fno-exceptions, panic=abort, no setjmp/longjmp)",
	"typed-function-references": "build without +typed-function-references; funcref and call_indirect are supported",
	"custom-page-sizes":         "build with the usual 64 KiB pages",
	"wide-arithmetic":           "build without +wide-arithmetic",
	"object-file":               "link it first (wasm-ld): this is a relocatable object, not a module",
}

func unsupported(off int, what, feature, message string) *Error {
	return &Error{Kind: Unsupported, Offset: off, What: what, Feature: feature, Message: message, Hint: hints[feature]}
}

func malformed(off int, what, format string, args ...any) *Error {
	return &Error{Kind: Malformed, Offset: off, What: what, Message: fmt.Sprintf(format, args...)}
}

func tooLarge(off int, what, message, limit string, max, found uint64) *Error {
	return &Error{Kind: TooLarge, Offset: off, What: what, Message: message, Limit: limit, Max: max, Found: found}
}
