package main

import (
	"strings"
	"testing"

	"wasmhost/bench/gotest"
)

func TestWholeNodesStandBesideGoSDK(t *testing.T) {
	r := &gotest.Results{By: map[string]gotest.Series{
		"timeout":               {"ns/node": {10_000, 12_000, 11_000}},
		"timeout-retry-breaker": {"ns/node": {20_000, 24_000, 22_000}},
		"go-sdk":                {"ns/node": {100_000, 120_000, 110_000}},
	}}
	var out strings.Builder
	nodes(&out, r)
	lines := strings.Split(out.String(), "\n")
	for i, want := range map[int]string{1: "11.0 (10.0 – 12.0) 10.0 x as fast; target 15 µs: met", 2: "5.0 x as fast; target 15 µs: MISSED", 3: "110.0"} {
		if got := strings.Join(strings.Fields(lines[i]), " "); !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

func TestGraphsCompareTheLargestWithAHundred(t *testing.T) {
	r := &gotest.Results{Names: []string{"chain/100", "chain/1000", "chain/100000"}, By: map[string]gotest.Series{
		"chain/100":    {"ns/node": {4000}, "B/op": {200_000}},
		"chain/1000":   {"ns/node": {6000}},
		"chain/100000": {"ns/node": {5000}},
	}}
	var out strings.Builder
	graphs(&out, r)
	for _, want := range []string{"1.25 x the cost at 100", "2000", "target: 5000 ns a node of a chain of 1,000: MISSED"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
}
