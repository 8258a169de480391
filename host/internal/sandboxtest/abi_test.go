package sandboxtest

import (
	"strings"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
)

// TestGuestsThatMisuseTheHost: the functions of the Extism environment and of
// WASI, called with what they were not made for.
func TestGuestsThatMisuseTheHost(t *testing.T) {
	exit := func(code string) answer {
		a := answer{code: "exit", class: event.Unknown, text: `^exit code ` + code + `$`}
		switch code {
		case "75":
			a.class = event.Transient
		case "65":
			a.class = event.Permanent
		}
		return a
	}
	// What ended itself before its function has run did not succeed, whatever it
	// says.
	before := func(code string) answer {
		a := exit(code)
		a.text = `exit code ` + code
		return a
	}
	fine := answer{output: "before the end"}
	attacks := []attack{
		{name: "alloc flood", guest: "host/alloc-flood.c", want: exhausted},
		{name: "alloc of everything", guest: "host/alloc-flood.c", function: "huge", want: exhausted},
		{name: "alloc beyond everything", guest: "host/alloc-flood.c", function: "beyond", want: exhausted},
		{name: "alloc churn", guest: "host/alloc-churn.c", deadline: hang, want: stopped},
		{name: "reset churn", guest: "host/alloc-churn.c", function: "reset", deadline: hang, want: stopped},

		{name: "output too long", guest: "host/output-range.c", function: "output_long", want: trapped.with(`output_set: 1048576 bytes at offset \d+ lie outside`)},
		{name: "output too low", guest: "host/output-range.c", function: "output_low", want: trapped.with(`output_set: 8 bytes at offset 8 lie outside`)},
		{name: "output wraps", guest: "host/output-range.c", function: "output_wraps", want: trapped.with(`output_set: 64 bytes at offset 18446744073709551611 lie outside`)},
		{name: "output length wraps", guest: "host/output-range.c", function: "output_wraps_length", want: trapped.with(`output_set: \d+ bytes at offset \d+ lie outside`)},
		{name: "output of 900 MB that are not there", guest: "host/output-range.c", function: "output_huge", want: trapped.with(`output_set: 943718400 bytes at offset \d+ lie outside`)},
		{name: "input wraps", guest: "host/output-range.c", function: "input_wraps", want: trapped.with(`input_set: 64 bytes at offset \d+ lie outside`)},
		{name: "error nowhere", guest: "host/output-range.c", function: "error_nowhere", want: trapped.with(`error_set: offset 123456789 is not the start of a block`)},
		{name: "error inside a block", guest: "host/output-range.c", function: "error_inside", want: trapped.with(`error_set: offset \d+ is not the start of a block`)},
		{name: "error at the end of everything", guest: "host/output-range.c", function: "error_high", want: trapped.with(`error_set: offset 18446744073709551615 is not the start of a block`)},
		{name: "error with a forged length", guest: "host/output-range.c", function: "error_forged", want: answer{text: `.`}},

		{name: "output of 900 MB", guest: "host/output-900mb.c", want: exhausted},
		{name: "output of 900 MB, with memory for it", guest: "host/output-900mb.c", alone: true,
			change: func(s *plugin.Spec) { s.Limits.Memory = 1 << 30 },
			want:   answer{code: "output_limit", class: event.System, unknown: true, text: `the output has 943718400 bytes, and limits.output allows 8 MiB`}},
		{name: "stdout flood", guest: "host/stdout-flood.c", want: answer{code: "output_limit", class: event.System, unknown: true, text: `limits.output allows: 8 MiB`}},

		{name: "log flood", guest: "host/log-flood.c", log: cutLog},
		{name: "log flood by printing", guest: "host/log-flood.c", function: "printed", log: cutLog},
		{name: "log of large blocks", guest: "host/log-flood.c", function: "blocks", deadline: hang, want: stopped},
		{name: "log of short lines", guest: "host/log-flood.c", function: "lines", deadline: hang, want: stopped},

		{name: "list of errors", guest: "host/error-bomb.c", want: answer{text: `^\[\{\} `}},
		{name: "list of warnings", guest: "host/error-bomb.c", function: "warnings", want: answer{text: `^\[\{"class"`}},
		{name: "nested error", guest: "host/error-bomb.c", function: "nested", want: answer{text: `^\[\[\[`}},
		{name: "error with a long code", guest: "host/error-bomb.c", function: "object", want: answer{text: `^\{"message"`}},

		{name: "poll for 300 years", guest: "host/poll.c", deadline: hang, want: stopped},
		{name: "poll for 292 years", guest: "host/poll.c", function: "longest", deadline: hang, want: stopped},
		{name: "poll of a million naps", guest: "host/poll.c", function: "naps", deadline: hang, want: trapped.with(`poll_oneoff: \d+ subscriptions`)},
		{name: "poll that wraps", guest: "host/poll.c", function: "wraps", want: trapped.with(`poll_oneoff: 89478486 subscriptions`)},
		{name: "random bytes", guest: "host/random.c", deadline: hang, want: stopped},
		{name: "vectors", guest: "host/vectors.c", deadline: hang, want: stopped},

		{name: "exit in the start section", guest: "host/exit-start.wat", want: before("3")},
		{name: "exit 0 in the start section", guest: "host/exit-start-0.wat", want: before("0")},
		{name: "exit in the initialiser", guest: "host/exit-initialize.c", want: before("3")},
		{name: "exit 0 in the initialiser", guest: "host/exit-initialize-0.c", want: before("0")},
		{name: "exit 0 in the constructors", guest: "host/exit-constructors.wat", want: before("0")},
		{name: "exit in what Haskell begins with", guest: "host/exit-haskell.wat", want: before("75")},
		{name: "exit in the description", guest: "host/exit-describe.wat"},
		{name: "exit 0 in a call", guest: "host/exit-call.c", input: "\x00", want: fine},
		{name: "exit 1 in a call", guest: "host/exit-call.c", input: "\x01", want: exit("1")},
		{name: "exit 75 in a call", guest: "host/exit-call.c", input: "\x4b", want: exit("75")},
		{name: "exit 65 in a call", guest: "host/exit-call.c", input: "\x41", want: exit("65")},
		{name: "exit as if the time were over", guest: "host/exit-call.c", function: "as_timeout", want: exit("-268435457")},
		{name: "exit as if it were cancelled", guest: "host/exit-call.c", function: "as_cancel", want: exit("-1")},
		{name: "exit 0 of a program", guest: "host/exit-command.c", input: "\x00", want: fine},
		{name: "exit 1 of a program", guest: "host/exit-command.c", input: "\x01", want: exit("1")},
		{name: "exit 75 of a program", guest: "host/exit-command.c", input: "\x4b", want: exit("75")},
	}
	attacked(t, attacks)
}

// cutLog: what reaches the log is no longer than it may be, says that it was
// cut, and holds nothing that a terminal would act on.
func cutLog(t *testing.T, lines []string) {
	t.Helper()
	n := 0
	for _, line := range lines {
		n += len(line)
		if i := strings.IndexFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 || r == '\u202e' }); i >= 0 {
			t.Fatalf("the log has %q", line)
		}
	}
	if n > 300<<10 || len(lines) < 2 || !strings.Contains(lines[len(lines)-1], "limits.log") {
		t.Fatalf("%d lines of %d bytes, the last %q", len(lines), n, lines[max(len(lines)-1, 0):])
	}
}

// TestDescribeThatNeverEnds: the one function that Load runs, for two seconds.
func TestDescribeThatNeverEnds(t *testing.T) {
	watched(t, func() time.Duration {
		a := attack{name: "describe", guest: "host/describe-loop.wat"}
		return max(0, timed(func() { a.run(t) })-3*time.Second)
	})
}

// TestNoMemoryToWorkOn: what WASI writes to is there, or the module is refused.
func TestNoMemoryToWorkOn(t *testing.T) {
	bomb(t, build(t, "host/no-memory.wat"), "bad_module")
}

func timed(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}
