package plugin

import (
	"strings"
	"testing"

	"wasmhost/host/event"
)

func command(t *testing.T, change func(*Spec), args ...string) *Plugin {
	t.Helper()
	s := guest("command")
	s.Args = args
	if change != nil {
		change(&s)
	}
	return load(t, s)
}

func TestCommand(t *testing.T) {
	long := strings.Repeat("0123456789", 100_000)
	for _, function := range []string{"", "run", "_start"} {
		succeeds(t, command(t, nil, "cat"), function, "some text", "some text")
	}
	p := command(t, nil, "cat")
	succeeds(t, p, "", long, long)
	succeeds(t, p, "", "", "")
	succeeds(t, command(t, nil), "", "no argument", "no argument")
	succeeds(t, command(t, nil, "args", "-c", ".items[]"), "", "", "guest\nargs\n-c\n.items[]\n")
	if e := fails(t, p, Call{Function: "health"}); e.Code != codeMissing || !strings.Contains(e.Message, "it has _start") {
		t.Error(e)
	}
}

func TestCommandEnvironment(t *testing.T) {
	t.Setenv("SEEN", "value")
	t.Setenv("HIDDEN", "value")
	allow := func(s *Spec) { s.Allow.Env = []string{"SEEN", "NOT_SET"} }
	succeeds(t, command(t, allow, "env", "SEEN"), "", "", "value")
	succeeds(t, command(t, allow, "env", "HIDDEN"), "", "", "(none)")
	succeeds(t, command(t, allow, "env", "NOT_SET"), "", "", "(none)")
	succeeds(t, command(t, allow, "env", "PATH"), "", "", "(none)")
}

func TestExitCodes(t *testing.T) {
	for code, want := range map[string]struct {
		class    string
		declared bool
	}{
		"75": {event.Transient, true}, "64": {event.Permanent, true}, "65": {event.Permanent, true}, "77": {event.Permanent, true}, "78": {event.Permanent, true},
		"1": {event.Unknown, false}, "2": {event.Unknown, false}, "255": {event.Unknown, false},
	} {
		p := command(t, nil, "exit", code)
		var got lines
		e := fails(t, p, Call{Log: got.log})
		if e.Code != codeExit || e.Class != want.class || e.Declared != want.declared || e.OutcomeUnknown || e.Message != "exit code "+code+": it is broken" {
			t.Errorf("%s: %+v", code, e)
		}
		if strings.Join(got, ",") != "info working,info it is broken" {
			t.Errorf("%q", got)
		}
	}
	succeeds(t, command(t, nil, "exit", "0"), "", "", "")
}

func TestCommandFailures(t *testing.T) {
	if e := fails(t, command(t, nil, "endless"), Call{}); e.Code != codeOutput || e.Class != event.System || e.Message != "the output is longer than limits.output allows: 8 MiB" {
		t.Error(e)
	}
	if e := fails(t, command(t, nil, "abort"), Call{}); e.Code != codeTrap || !strings.HasPrefix(e.Message, "the plugin trapped: unreachable in ") || !strings.HasSuffix(e.Message, ": no hope") {
		t.Error(e)
	}
}

func TestReactor(t *testing.T) {
	p := load(t, guest("reactor"))
	if p.exports.abi != ABIWASI {
		t.Error(p.exports.abi)
	}
	for range 2 {
		succeeds(t, p, "upper", "shout", "SHOUT")
	}
	if e := fails(t, p, Call{Function: "seven"}); e.Code != codeExit || e.Class != event.Transient || e.Message != "exit code 75: seven it is" {
		t.Errorf("%+v", e)
	}
	if e := fails(t, p, Call{}); e.Code != codeMissing || !strings.Contains(e.Message, "it has seven, upper") {
		t.Error(e)
	}
}
