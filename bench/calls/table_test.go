package main

import (
	"strings"
	"testing"

	"wasmhost/bench/gotest"
)

func TestCallsSayWhetherTheTargetIsMet(t *testing.T) {
	r := &gotest.Results{By: map[string]gotest.Series{}}
	add := func(name string, ns float64, bytes float64) {
		r.Names = append(r.Names, name)
		r.By[name] = gotest.Series{"ns/op": {ns}, "B/op": {bytes}, "allocs/op": {1}}
	}
	add("nothing/small/never", 100, 600)
	add("nothing/small/go-sdk", 6000, 80_000)
	add("echo-1K/go/call", 1000, 0)
	add("echo-1K/go/go-sdk", 1100, 0)
	var out strings.Builder
	calls(&out, r)
	lines := strings.Split(out.String(), "\n")
	for i, want := range map[int]string{1: "target 50x: met  target 512 B, 4 allocs: MISSED", 3: "target 1.2x: MISSED"} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("no %q in %q", want, lines[i])
		}
	}
	if strings.Contains(lines[2], "target") {
		t.Errorf("go-sdk has a target: %q", lines[2])
	}
}

func TestEveryTargetIsOfACall(t *testing.T) {
	for name := range faster {
		if p := strings.Split(name, "/"); len(p) != 3 || who(p[2]) == p[2] {
			t.Errorf("%s", name)
		}
	}
}
