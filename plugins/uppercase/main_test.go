package main

import (
	"strings"
	"testing"

	"wasmhost/pluginsdk/pluginsdktest"
)

func TestUpper(t *testing.T) {
	for input, want := range map[string]string{
		"":                             "",
		"hello, wörld":                 "HELLO, WÖRLD",
		"  spaces stay\n":              "  SPACES STAY\n",
		`["a list is text"]`:           `["A LIST IS TEXT"]`,
		"{not json}":                   "{NOT JSON}",
		`{"text":"a","n":1.10,"b":[]}`: `{"b":[],"n":1.10,"text":"A"}`,
		` {"text":"<a>"}`:              `{"text":"<A>"}`,
	} {
		var host pluginsdktest.Host
		if r := host.Run(run, input); r.Error != nil || string(r.Output) != want {
			t.Errorf("%q: got %q, %v, want %q", input, r.Output, r.Error, want)
		}
	}
}

func TestUpperRefuses(t *testing.T) {
	const want = "bad_input: the input is an object without a `text` that is a string: give text, or {text = \"…\"}, with `with`"
	for _, input := range []string{"{}", `{"text":7}`, `{"text":null}`, `{"Text":"x"}`} {
		var host pluginsdktest.Host
		if e := host.Run(run, input).Error; e == nil || e.Class != "permanent" || e.Error() != want {
			t.Errorf("%s: %v", input, e)
		}
	}
}

// A workflow without an input hands over null.
func TestUpperRefusesNull(t *testing.T) {
	for _, input := range []string{"null", " null\n"} {
		var host pluginsdktest.Host
		r := host.Run(run, input)
		if e := r.Error; e == nil || e.Class != "permanent" || e.Code != "bad_input" || !strings.Contains(e.Message, "the input is null") || !strings.Contains(e.Message, "`with`") {
			t.Errorf("%q: %v, output %q", input, e, r.Output)
		}
	}
}

func TestHealth(t *testing.T) {
	var host pluginsdktest.Host
	if got := string(host.Run(health, nil).Output); got != `{"healthy":true}` {
		t.Error(got)
	}
}

// The export says what the build puts into the module's section.
func TestDescribe(t *testing.T) {
	var host pluginsdktest.Host
	want, err := description.JSON()
	if got := host.Run(describe, nil); err != nil || got.Error != nil || string(got.Output) != string(want) {
		t.Errorf("got %s, %v, want %s, %v", got.Output, got.Error, want, err)
	}
}
