package main

import (
	"testing"

	"wasmhost/pluginsdk/pluginsdktest"
)

// A plugin is an ordinary program too, and so are its tests.
func TestCount(t *testing.T) {
	var host pluginsdktest.Host
	if got := string(host.Run(run, "one two\nthree").Output); got != `{"lines":2,"words":3,"bytes":13}` {
		t.Error(got)
	}
	if e := host.Run(run, "").Error; e == nil || e.Class != "permanent" || e.Code != "empty" {
		t.Errorf("empty input: %v", e)
	}
}
