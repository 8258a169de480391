package plugin

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"wasmhost/host/event"
)

const guests = "../../../testdata/guests"

func guest(name string) Spec { return Spec{Name: "guest", Source: name + ".wasm", Dir: guests} }

// fails calls a function that must fail, and returns the error.
func fails(t *testing.T, p *Plugin, c Call) *event.Error {
	t.Helper()
	a, err := p.Call(t.Context(), c)
	if err == nil {
		t.Fatalf("%s: no error, but %q", c.Function, a.Output)
	}
	var e *event.Error
	if !errors.As(err, &e) {
		t.Fatalf("%s: %T is no *event.Error: %v", c.Function, err, err)
	}
	if a.Digest != p.Digest() || a.Output != nil || e.Plugin != p.Name() {
		t.Fatalf("%s: answer %+v with error %+v", c.Function, a, e)
	}
	return e
}

func succeeds(t *testing.T, p *Plugin, function, input, want string) Answer {
	t.Helper()
	a, err := p.Call(t.Context(), Call{Function: function, Input: []byte(input)})
	if err != nil || string(a.Output) != want {
		t.Fatalf("%s(%.100q): %.100q, %v; want %.100q", function, input, a.Output, err, want)
	}
	return a
}

func TestExtismCalls(t *testing.T) {
	p := load(t, Spec{Source: "probe.wasm", Dir: guests, Config: map[string]string{"greeting": "good morning", "empty": ""}})
	long := strings.Repeat("0123456789abcdef", 1<<16) + "tail"
	for _, c := range []struct{ function, in, out string }{
		{"echo", "hello", "hello"},
		{"echo", "", ""},
		{"echo", long, long},
		{"same", "hello", "hello"},
		{"nothing", "hello", ""},
		{"config", "greeting", "good morning"},
		{"config", "empty", ""},
		{"config", "missing", ""},
		{"config", "secret.missing", ""},
		{"config", "", ""},
		{"var", "x", ""},
		{"count", "", "1"},
		{"latin1", "", "caf\xe9"}, // not UTF-8: who reads it decides
		{"exit_0", "", "before the end"},
		{"grow_and_go_on", "", "fine"},
		{"alloc_free", "", ""},
		{"double_free", "", "second"},
		{"stale", "", ""},
		{"nap", "", ""},
		{"environ_count", "", ""},
		{"health", "", `{"healthy":true}`},
	} {
		a := succeeds(t, p, c.function, c.in, c.out)
		if a.Digest != p.Digest() || a.Duration <= 0 || a.MemoryBytes == 0 || a.Warnings != nil {
			t.Errorf("%s: %+v", c.function, a)
		}
	}
}

func TestMetadata(t *testing.T) {
	p := load(t, guest("probe"))
	m := Meta{RunID: "run-1", Workflow: "w", Node: "a/b[3]", Attempt: 2, IdempotencyKey: "key", Deadline: time.UnixMilli(1700000000123)}
	for key, want := range map[string]string{
		"host.run_id": "run-1", "host.workflow": "w", "host.node": "a/b[3]", "host.attempt": "2",
		"host.idempotency_key": "key", "host.deadline_ms": "1700000000123", "host.else": "",
	} {
		a, err := p.Call(t.Context(), Call{Function: "config", Input: []byte(key), Meta: m})
		if err != nil || string(a.Output) != want {
			t.Errorf("%s: %q, %v", key, a.Output, err)
		}
		succeeds(t, p, "config", key, "")
	}
}

// TestFailures shows the error of everything an Extism guest can do wrong.
func TestFailures(t *testing.T) {
	small := Limits{Memory: 32 << 20, Input: 1 << 20}
	p := load(t, Spec{Source: "probe.wasm", Dir: guests, Limits: small})
	for _, c := range []struct {
		function, in      string
		class, code, text string
		declared, unknown bool
	}{
		{"fail", "no luck", "", "", `^no luck$`, false, false},
		{"fail", `{"message":"slow down","class":"transient","code":"busy","retry_after_ms":1500}`, event.Transient, "busy", `^slow down$`, true, false},
		{"fail", `{"message":"nobody asked","code":"timeout"}`, "", "plugin.timeout", `^nobody asked$`, false, false},
		{"fail", `{"message":"gone","code":404}`, "", "404", `^gone$`, false, false},
		{"fail", `{"message":"odd","class":"weird"}`, "", "", `^odd$`, false, false},
		{"fail", `{"error":{"message":"not ours"}}`, "", "", `^\{"error"`, false, false},
		{"fail", `{"message":"only a warning","class":"warning"}`, "", "", `^only a warning$`, false, false},
		{"fail", "a\x1b[31mred\x00\xff", "", "", "^a\\[31mred\uFFFD$", false, false},
		{"warn", "text makes it a failure", "", "", `^text makes it a failure$`, false, false},
		{"only_a_number", "", "", "", `^the plugin returned 3 and no error text$`, false, false},
		{"trap", "", event.System, codeTrap, `^the plugin trapped: unreachable in `, false, true},
		{"recurse", "", event.System, codeTrap, `^the plugin trapped: stack overflow`, false, true},
		{"exit", "\x4b", event.Transient, codeExit, `^exit code 75$`, true, false},
		{"exit", "\x41", event.Permanent, codeExit, `^exit code 65$`, true, false},
		{"exit", "\x01", event.Unknown, codeExit, `^exit code 1$`, false, false},
		{"exit_as_timeout", "", event.Unknown, codeExit, `^exit code -268435457$`, false, false},
		{"grow", "", event.System, codeMemory, `ran out of memory: it asked for more than 32 MiB \(limits.memory\) and gave up: unreachable in `, false, true},
		{"alloc_flood", "", event.System, codeMemory, `a block of 65536 bytes does not fit into 32 MiB \(limits.memory\)`, false, true},
		{"big_output", "", event.System, codeOutput, `the output has 9437184 bytes, and limits.output allows 8 MiB`, false, true},
		{"bad_output", "", event.System, codeTrap, `output_set: 1048576 bytes at offset \d+ lie outside of the plugin's blocks`, false, true},
		{"bad_output_wraps", "", event.System, codeTrap, `output_set: 64 bytes at offset 18446744073709551611 lie outside`, false, true},
		{"bad_error", "", event.System, codeTrap, `error_set: offset 123456789 is not the start of a block`, false, true},
		{"bad_load", "", event.System, codeTrap, `load_u64: 8 bytes at offset 1099511627776 lie outside`, false, true},
		{"bad_store", "", event.System, codeTrap, `store_u8: 1 bytes at offset 0 lie outside`, false, true},
		{"bad_input_load", "abc", event.System, codeTrap, `input_load_u64: 8 bytes at 3 lie outside of the input of 3 bytes`, false, true},
		{"bad_handle", "", event.System, codeTrap, `config_get: offset \d+ is not the start of a block`, false, true},
		{"bad_log", "", event.System, codeTrap, `log_info: offset 99 is not the start of a block`, false, true},
		{"bad_var", "", event.System, codeTrap, `var_set: offset 77 is not the start of a block`, false, true},
		{"bad_request", "", event.Permanent, codeHTTPRequest, `the plugin's http request is not valid JSON`, false, false},
		{"echo", strings.Repeat("x", 1<<20+1), event.Permanent, codeInput, `the input has 1048577 bytes, and limits.input allows 1 MiB`, false, false},
		{"var", strings.Repeat("v", 1<<20), event.System, codeVars, `var "v" would make 1048577 bytes of vars, and limits.vars allows 1 MiB`, false, true},
		{"healht", "", event.Permanent, codeMissing, `the module has no export "healht"; did you mean "health"\?; it has `, false, false},
		{"takes_a_number", "", event.Permanent, codeMissing, `the export "takes_a_number" has the type \(i32\) -> \(i32\); a plugin's function takes nothing and returns nothing or an i32`, false, false},
		{"memory", "", event.Permanent, codeMissing, `no export "memory"`, false, false},
	} {
		e := fails(t, p, Call{Function: c.function, Input: []byte(c.in)})
		if e.Class != c.class || e.Code != c.code || e.Declared != c.declared || e.OutcomeUnknown != c.unknown {
			t.Errorf("%s: class %q code %q declared %v unknown %v: %s", c.function, e.Class, e.Code, e.Declared, e.OutcomeUnknown, e.Message)
		}
		if !regexp.MustCompile(c.text).MatchString(e.Message) {
			t.Errorf("%s: message %q does not match %q", c.function, e.Message, c.text)
		}
	}
	succeeds(t, p, "echo", "still fine", "still fine")
}

func TestInputThatDoesNotFit(t *testing.T) {
	p := load(t, Spec{Source: "probe.wasm", Dir: guests, Limits: Limits{Memory: 1 << 20}})
	e := fails(t, p, Call{Function: "echo", Input: make([]byte, 2<<20)})
	if e.Code != codeInput || !strings.Contains(e.Message, "the input of 2097152 bytes does not fit into the plugin's memory of 1 MiB") {
		t.Error(e)
	}
}

func TestMemoryToStartWith(t *testing.T) {
	p := load(t, guest("big_memory"))
	if e := fails(t, p, Call{}); e.Code != codeMemory || e.Message != "the module needs 125 MiB of memory to start, and limits.memory allows 64 MiB" {
		t.Error(e)
	}
	s := guest("big_memory")
	s.Limits.Memory = 126 << 20
	if a := succeeds(t, load(t, s), "run", "", ""); a.MemoryBytes != 125<<20+kernelPage {
		t.Error(a)
	}
}

// TestTablesAreCapped: they are no part of the memory that is counted.
func TestTablesAreCapped(t *testing.T) {
	succeeds(t, load(t, guest("table")), "grow", "", "")
}

func TestSleepTakesItsTime(t *testing.T) {
	if a := succeeds(t, load(t, guest("probe")), "nap", "", ""); a.Duration < 20*time.Millisecond {
		t.Errorf("20 ms were over after %v", a.Duration)
	}
}

func TestWarnings(t *testing.T) {
	p := load(t, guest("probe"))
	a := succeeds(t, p, "warn", `{"class":"warning","message":"page 3 is missing","code":"part"}`, "partial")
	if len(a.Warnings) != 1 || a.Warnings[0].Message != "page 3 is missing" || a.Warnings[0].Code != "part" || a.Warnings[0].Plugin != "guest" {
		t.Errorf("%+v", a.Warnings)
	}
	a = succeeds(t, p, "warn", `[{"class":"warning","message":"one"},{"class":"warning","message":"two"}]`, "partial")
	if len(a.Warnings) != 2 || a.Warnings[1].Message != "two" {
		t.Errorf("%+v", a.Warnings)
	}
	if e := fails(t, p, Call{Function: "warn", Input: []byte(`[{"class":"warning","message":"one"},{"message":"two"}]`)}); !strings.HasPrefix(e.Message, "[{") {
		t.Error(e)
	}
}

type lines []string

func (l *lines) log(level, message string) { *l = append(*l, level+" "+message) }

func TestLogs(t *testing.T) {
	p := load(t, guest("probe"))
	var got lines
	if _, err := p.Call(t.Context(), Call{Function: "log", Input: []byte("two\nlines\x07 \x1b]0;title\u202e"), Log: got.log}); err != nil {
		t.Fatal(err)
	}
	if want := "debug d,info two,info lines ]0;title,warn w,error e"; strings.Join(got, ",") != want {
		t.Errorf("%q", got)
	}
	got = nil
	if _, err := p.Call(t.Context(), Call{Function: "print", Log: got.log}); err != nil {
		t.Fatal(err)
	}
	if want := "info one,info two,info three[31m"; strings.Join(got, ",") != want {
		t.Errorf("%q", got)
	}
	if _, err := p.Call(t.Context(), Call{Function: "log"}); err != nil { // an empty line, and nobody who wants it
		t.Fatal(err)
	}
}

func TestLogFloodIsCapped(t *testing.T) {
	p := load(t, Spec{Source: "probe.wasm", Dir: guests, Limits: Limits{Log: 1000}})
	var got lines
	if _, err := p.Call(t.Context(), Call{Function: "log_flood", Log: got.log}); err != nil {
		t.Fatal(err)
	}
	if n := len(got); n != 25 || !strings.Contains(got[n-1], "limits.log") {
		t.Errorf("%d lines, the last is %q", n, got[n-1])
	}
}

func TestState(t *testing.T) {
	for reset, want := range map[string]string{"": "1 1 1", ResetCall: "1 1 1", ResetInstance: "1 1 1", ResetNever: "1 2 3"} {
		p := load(t, Spec{Source: "probe.wasm", Dir: guests, Reset: reset})
		var got []string
		for range 3 {
			a, err := p.Call(t.Context(), Call{Function: "count"})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(a.Output))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("reset %q: %s", reset, s)
		}
	}
}

// TestWarmStateEnds shows after what an instance is not used again.
func TestWarmStateEnds(t *testing.T) {
	for _, c := range []struct {
		function, in string
		kept         bool
	}{
		{"echo", "x", true}, {"fail", "an error is no reason", true}, {"var", "v", true},
		{"trap", "", false}, {"exit", "\x00", false}, {"exit_0", "", false}, {"bad_load", "", false},
		{"grow_and_go_on", "", false}, {"spin", "", false},
	} {
		p := load(t, Spec{Source: "probe.wasm", Dir: guests, Reset: ResetNever, Limits: Limits{Memory: 8 << 20}})
		succeeds(t, p, "count", "", "1")
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		p.Call(ctx, Call{Function: c.function, Input: []byte(c.in)})
		cancel()
		a, err := p.Call(t.Context(), Call{Function: "count"})
		if err != nil || (string(a.Output) == "2") != c.kept {
			t.Errorf("after %s: %q, %v", c.function, a.Output, err)
		}
	}
	p := load(t, Spec{Source: "probe.wasm", Dir: guests, Reset: ResetNever})
	succeeds(t, p, "var", "first", "")
	succeeds(t, p, "var", "second", "first")
}

func TestRealClockAndRandomness(t *testing.T) {
	p := load(t, guest("probe"))
	var seen [][]byte
	for range 3 {
		a, err := p.Call(t.Context(), Call{Function: "random"})
		if err != nil {
			t.Fatal(err)
		}
		for _, old := range seen {
			if bytes.Equal(old, a.Output) {
				t.Error("the same random bytes twice")
			}
		}
		seen = append(seen, a.Output)
	}
	a, err := p.Call(t.Context(), Call{Function: "clock"})
	if err != nil {
		t.Fatal(err)
	}
	var ns int64
	for i := 7; i >= 0; i-- {
		ns = ns<<8 | int64(a.Output[i])
	}
	if d := time.Since(time.Unix(0, ns)); d < 0 || d > time.Minute {
		t.Errorf("the guest's clock is %v off", d)
	}
}

func TestStepsAreTheSameEveryTime(t *testing.T) {
	p := load(t, guest("probe"))
	first := succeeds(t, p, "echo", "some input", "some input").Steps
	again := succeeds(t, p, "echo", "some input", "some input").Steps
	more := succeeds(t, p, "echo", "some longer input", "some longer input").Steps
	if first == 0 || first != again || more <= first {
		t.Error(first, again, more)
	}
}

func TestStepLimit(t *testing.T) {
	p := load(t, Spec{Source: "probe.wasm", Dir: guests, Limits: Limits{Steps: 1_000_000}})
	succeeds(t, p, "echo", "short", "short")
	for _, f := range []string{"spin", "tree", "fill"} {
		a, err := p.Call(t.Context(), Call{Function: f})
		var e *event.Error
		if !errors.As(err, &e) || e.Code != codeSteps || e.Class != event.System || e.Message != "the plugin used more than 1000000 steps (limits.steps)" {
			t.Errorf("%s: %v", f, err)
		}
		if a.Steps < 1_000_000 || a.Steps > 1_200_000 {
			t.Errorf("%s used %d steps", f, a.Steps)
		}
	}
}
