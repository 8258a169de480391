package pluginsdk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wasmhost/pluginsdk"
	"wasmhost/pluginsdk/pluginsdktest"
)

type in struct {
	Text  string   `json:"text"`
	Times int      `json:"times,omitempty"`
	Tags  []string `json:"tags,omitempty"`
}

type out struct {
	Text string `json:"text"`
}

func repeat(_ pluginsdk.Call, i in) (out, error) {
	return out{strings.Repeat(i.Text, max(i.Times, 1))}, nil
}

// export makes an export of a handler.
func export[In, Out any](handle func(pluginsdk.Call, In) (Out, error)) func() int32 {
	return func() int32 { return pluginsdk.Run(handle) }
}

func TestRun(t *testing.T) {
	tests := []struct {
		name   string
		export func() int32
		input  any
		want   string
	}{
		{"JSON", export(repeat), in{Text: "ab", Times: 2}, `{"text":"abab"}`},
		{"JSON keeps its signs", export(repeat), `{"text":"<&>"}`, `{"text":"<&>"}`},
		{"no input is the zero input", export(repeat), nil, `{"text":""}`},
		{"null too", export(repeat), "null", `{"text":""}`},
		{"a string is raw", export(func(_ pluginsdk.Call, s string) (string, error) { return s + "!", nil }), `"x"`, `"x"!`},
		{"bytes are raw", export(func(_ pluginsdk.Call, b []byte) ([]byte, error) { return append(b, 0xff), nil }), "\x00", "\x00\xff"},
		{"raw JSON", export(func(_ pluginsdk.Call, b json.RawMessage) (json.RawMessage, error) { return b, nil }), ` {"a" : 1} `, ` {"a" : 1} `},
		{"a list", export(func(_ pluginsdk.Call, n []int) (int, error) { return len(n), nil }), "[1,2,3]", "3"},
		{"a text in an any stays a text", export(func(pluginsdk.Call, string) (any, error) { return "123", nil }), "", `"123"`},
		{"nothing", export(func(pluginsdk.Call, struct{}) (any, error) { return nil, nil }), "{}", "null"},
		{"a nil *Error is no error", export(func(pluginsdk.Call, string) (string, error) { var e *pluginsdk.Error; return "fine", e }), "", "fine"},
		{"bytes alone", func() int32 {
			return pluginsdk.RunRaw(func(_ pluginsdk.Call, b []byte) ([]byte, error) { return b, nil })
		}, "as is", "as is"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var host pluginsdktest.Host
			r := host.Run(tt.export, tt.input)
			if r.Code != 0 || r.Error != nil || string(r.Output) != tt.want {
				t.Errorf("code %d, output %q, error %v; want %q", r.Code, r.Output, r.Error, tt.want)
			}
		})
	}
}

func TestRunFails(t *testing.T) {
	cause := errors.New("reset by peer")
	fails := func(err error) func() int32 {
		return export(func(pluginsdk.Call, string) (string, error) { return "lost", err })
	}
	tests := []struct {
		name                 string
		export               func() int32
		input                string
		class, code, message string
		wait                 time.Duration
	}{
		{"transient", fails(pluginsdk.Transient("busy", "try later").After(1500 * time.Millisecond)), "", "transient", "busy", "try later", 1500 * time.Millisecond},
		{"a wait is rounded up", fails(pluginsdk.Transient("busy", "x").After(time.Microsecond)), "", "transient", "busy", "x", time.Millisecond},
		{"permanent", fails(pluginsdk.Permanent("nope", `"never" — nie`)), "", "permanent", "nope", `"never" — nie`, 0},
		{"system", fails(pluginsdk.System("disk", "full\x00\n")), "", "system", "disk", "full\x00\n", 0},
		{"wrapped", fails(fmt.Errorf("asking: %w", pluginsdk.Transient("busy", "no").Because(cause))), "", "transient", "busy", "asking: busy: no", 0},
		{"plain", fails(cause), "", "", "", "reset by peer", 0},
		{"not JSON", export(repeat), "{", "permanent", "bad_input", "the input is no JSON: unexpected end of JSON input, at byte 1", 0},
		{"more than JSON", export(repeat), "{} x", "permanent", "bad_input", "the input is no JSON: invalid character 'x' after top-level value, at byte 4", 0},
		{"wrong kind", export(repeat), "[]", "permanent", "bad_input", "the input is an array, not an object", 0},
		{"wrong field", export(repeat), `{"times":"2"}`, "permanent", "bad_input", `the input's "times" is a string, not an integer`, 0},
		{"wrong number", export(repeat), `{"times":1.5}`, "permanent", "bad_input", `the input's "times" is the number 1.5, not an integer`, 0},
		{"wrong item", export(repeat), `{"tags":[1]}`, "permanent", "bad_input", `the input's "tags" is a number, not a string`, 0},
		{"bad output", export(func(pluginsdk.Call, string) (any, error) { return func() {}, nil }), "", "permanent", "bad_output",
			"the output cannot be written as JSON: json: unsupported type: func()", 0},
		{"panic with a text", export(func(pluginsdk.Call, string) (string, error) { panic("oh") }), "", "system", "panic", "the plugin panicked: oh", 0},
		{"panic with an error", export(func(pluginsdk.Call, string) (string, error) { panic(cause) }), "", "system", "panic", "the plugin panicked: reset by peer", 0},
		{"panic of the runtime", export(func(_ pluginsdk.Call, s string) (string, error) { return s[5:], nil }), "", "system", "panic",
			"the plugin panicked: runtime error: slice bounds out of range [5:0]", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var host pluginsdktest.Host
			r := host.Run(tt.export, tt.input)
			if r.Code == 0 || r.Error == nil {
				t.Fatalf("no failure: %q", r.Output)
			}
			if len(r.Output) != 0 {
				t.Errorf("an output beside a failure: %q", r.Output)
			}
			e := r.Error
			if e.Class != tt.class || e.Code != tt.code || e.Message != tt.message || e.RetryAfter != tt.wait {
				t.Errorf("got  %q %q %q %v\nwant %q %q %q %v", e.Class, e.Code, e.Message, e.RetryAfter, tt.class, tt.code, tt.message, tt.wait)
			}
			if tt.code == "panic" && (len(host.Logs) != 1 || !strings.Contains(host.Logs[0].Message, "run_test.go")) {
				t.Errorf("the stack is not in the log: %v", host.Logs)
			}
		})
	}
}

func TestError(t *testing.T) {
	cause := errors.New("below")
	e := pluginsdk.Transient("busy", "no").Because(cause)
	if !errors.Is(e, cause) || e.Error() != "busy: no" || (&pluginsdk.Error{Message: "m"}).Error() != "m" {
		t.Errorf("%v does not behave as an error", e)
	}
}

// Whatever an error says arrives as it was said.
func TestErrorRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent := &pluginsdk.Error{
			Class: rapid.SampledFrom([]string{"", "transient", "permanent", "system"}).Draw(t, "class"),
			Code:  rapid.String().Draw(t, "code"), Message: rapid.String().Draw(t, "message"),
			RetryAfter: time.Duration(rapid.Int64Range(0, 1<<40).Draw(t, "ms")) * time.Millisecond,
		}
		var host pluginsdktest.Host
		got := host.Run(export(func(pluginsdk.Call, string) (string, error) { return "", sent }), "").Error
		if got == nil || *got != *sent {
			t.Fatalf("sent %#v, got %#v", sent, got)
		}
	})
}

func TestWarnings(t *testing.T) {
	var host pluginsdktest.Host
	two := export(func(c pluginsdk.Call, s string) (string, error) {
		c.Warn("part", "the second half is missing")
		if s == "two" {
			c.Warn("old", "the data is from yesterday")
		}
		if s == "fail" {
			return "", pluginsdk.Permanent("bad", "all is lost")
		}
		return "half", nil
	})
	for input, want := range map[string]int{"one": 1, "two": 2} {
		r := host.Run(two, input)
		if r.Code != 0 || string(r.Output) != "half" || len(r.Warnings) != want || r.Warnings[0].Class != "warning" || r.Warnings[0].Code != "part" {
			t.Errorf("%s: %+v", input, r)
		}
	}
	if r := host.Run(two, "fail"); r.Error == nil || r.Error.Code != "bad" || len(r.Warnings) != 0 {
		t.Errorf("a failure: %+v", r)
	}
}

func TestCall(t *testing.T) {
	end := time.Date(2026, 11, 23, 12, 0, 0, 250e6, time.UTC)
	host := pluginsdktest.Host{MinLevel: pluginsdk.LevelInfo, Config: map[string]string{
		"model": "m", "secret.key": "s", "host.run_id": "r1", "host.workflow": "w", "host.node": "a/b[3]",
		"host.attempt": "2", "host.idempotency_key": "k", "host.deadline_ms": strconv.FormatInt(end.UnixMilli(), 10),
	}}
	c := host.Call()
	if v, ok := c.Config("model"); v != "m" || !ok {
		t.Error("Config")
	}
	if v, ok := c.Config("none"); v != "" || ok {
		t.Error("Config of none")
	}
	if c.ConfigOr("none", "d") != "d" || c.ConfigOr("model", "d") != "m" {
		t.Error("ConfigOr")
	}
	if v, ok := c.Secret("key"); v != "s" || !ok {
		t.Error("Secret")
	}
	if c.RunID() != "r1" || c.Workflow() != "w" || c.Node() != "a/b[3]" || c.Attempt() != 2 || c.IdempotencyKey() != "k" {
		t.Error("what the call is for")
	}
	if at, ok := c.Deadline(); !ok || !at.Equal(end) {
		t.Errorf("Deadline = %v, %v, want %v", at, ok, end)
	}
	for _, text := range []string{"0", "-1", "soon", "1e12", "99999999999999999999"} {
		c := (&pluginsdktest.Host{Config: map[string]string{"host.deadline_ms": text}}).Call()
		if at, ok := c.Deadline(); ok {
			t.Errorf("deadline_ms %q is taken for %v", text, at)
		}
	}
	if c := new(pluginsdktest.Host).Call(); c.Attempt() != 0 || c.RunID() != "" {
		t.Error("a call outside a run is for nothing")
	} else if _, ok := c.Deadline(); ok {
		t.Error("a deadline from nowhere")
	}
	c.SetVar("n", []byte("1"))
	if v, ok := c.Var("n"); string(v) != "1" || !ok {
		t.Error("Var")
	}
	c.SetVar("n", nil)
	if _, ok := c.Var("n"); ok {
		t.Error("an empty value does not remove a variable")
	}
	c.Log(pluginsdk.LevelDebug, "dropped")
	c.Log(pluginsdk.LevelError, "kept")
	if len(host.Logs) != 1 || host.Logs[0] != (pluginsdktest.Line{Level: pluginsdk.LevelError, Message: "kept"}) {
		t.Errorf("logs: %v", host.Logs)
	}
	for level, want := range map[pluginsdk.Level]string{pluginsdk.LevelDebug: "debug", pluginsdk.LevelInfo: "info", pluginsdk.LevelWarn: "warn", pluginsdk.LevelError: "error"} {
		if level.String() != want {
			t.Errorf("level %d is %s", level, level)
		}
	}
}

func TestRead(t *testing.T) {
	if got, err := pluginsdk.Read[in]([]byte(` {"text":"x"} `)); err != nil || got.Text != "x" {
		t.Errorf("%v, %v", got, err)
	}
	for input, want := range map[string]string{
		`{"texd":"x"}`: `bad_input: the input has an unknown "texd"; known are text, times, tags`,
		`{} {}`:        `bad_input: the input goes on after its JSON value, at byte 2`,
		`{"times":{}}`: `bad_input: the input's "times" is an object, not an integer`,
		`{"a`:          `bad_input: the input: unexpected EOF`,
	} {
		if _, err := pluginsdk.Read[in]([]byte(input)); err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", input, err, want)
		}
	}
}

func TestNoHost(t *testing.T) {
	defer func() {
		if p := recover(); p == nil || !strings.Contains(p.(string), "pluginsdktest") {
			t.Errorf("panicked with %v", p)
		}
	}()
	pluginsdk.Run(repeat)
}

func TestHealth(t *testing.T) {
	var host pluginsdktest.Host
	health := func(details map[string]any, err error) func() int32 {
		return func() int32 {
			return pluginsdk.Health(func(pluginsdk.Call) (map[string]any, error) { return details, err })
		}
	}
	if got := string(host.Run(health(nil, nil), nil).Output); got != `{"healthy":true}` {
		t.Error(got)
	}
	if got := string(host.Run(health(map[string]any{"models": 3}, nil), nil).Output); got != `{"healthy":true,"models":3}` {
		t.Error(got)
	}
	if e := host.Run(health(nil, pluginsdk.Transient("down", "no answer")), nil).Error; e == nil || e.Code != "down" {
		t.Errorf("unhealthy: %v", e)
	}
}
