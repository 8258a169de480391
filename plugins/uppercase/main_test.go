package main

import (
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

func TestHealth(t *testing.T) {
	var host pluginsdktest.Host
	if got := string(host.Run(health, nil).Output); got != `{"healthy":true}` {
		t.Error(got)
	}
}
