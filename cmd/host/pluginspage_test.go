package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wasmhost/host/event"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func readerInfo() event.PluginInfo {
	return event.PluginInfo{Name: "demo.reader", Workflow: "demo", Source: "reader.wasm", File: "/srv/reader.wasm", Digest: digestA, Pinned: true, Recorded: 20,
		Permissions: []string{"http https://api.example.com", "fs /data (rw)"},
		Versions: []event.PluginVersion{
			{Digest: digestB, State: event.VersionShadow, From: "upload", Since: eight.Add(time.Minute), Calls: 5, Differ: 2, P50MS: 1, P99MS: 2},
			{Digest: digestA, State: event.VersionCurrent, From: "source", Since: eight, InFlight: 3, Calls: 120, Failures: 1, P50MS: 1.5, P99MS: 30},
		}}
}

func TestTableOfPlugins(t *testing.T) {
	never := event.PluginInfo{Name: "demo.writer", Error: &event.Error{Class: event.Permanent, Code: "bad_module", Message: "no\x1b[2Jmodule"}}
	var out strings.Builder
	if err := writePlugins(&out, []event.PluginInfo{readerInfo(), never}); err != nil {
		t.Fatal(err)
	}
	want := `PLUGIN       VERSION              SINCE                CALLS  FAILED  P99
demo.reader  sha256:aaaaaaaaaaaa  2026-01-31 08:00:00  120    1       30ms  shadow sha256:bbbbbbbbbbbb, pinned
demo.writer  -                    -                    -      -       -     no [2Jmodule [permanent, code bad_module]
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
}

func TestPageOfAPlugin(t *testing.T) {
	p := readerInfo()
	var out strings.Builder
	if err := writePlugin(&out, &p); err != nil {
		t.Fatal(err)
	}
	want := `plugin    demo.reader
workflow  demo
source    reader.wasm (/srv/reader.wasm)
version   ` + digestA + ` (pinned by the workflow file)
recorded  20 calls

may
  http https://api.example.com
  fs /data (rw)

VERSION              STATE    FROM    SINCE                IN FLIGHT  CALLS  FAILED  P50  P99
sha256:bbbbbbbbbbbb  shadow   upload  2026-01-31 08:01:00  0          5      0       1ms  2ms   2 differ
sha256:aaaaaaaaaaaa  current  source  2026-01-31 08:00:00  3          120    1       2ms  30ms
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
}

func TestPageOfASwap(t *testing.T) {
	r := &event.SwapReport{Plugin: "demo.reader", From: digestA, To: digestB, Mode: event.SwapNow,
		Steps:  []event.SwapStep{{Name: "fetch", OK: true, Text: "12 KiB"}, {Name: "compile", OK: true}, {Name: "replay", Text: "1 of 2 identical, 1 differs"}},
		Replay: &event.ReplayReport{Calls: 2, Identical: 1, Differ: []event.Difference{{Run: "r1", Node: "read", Input: `"a"`, Old: `"A"`, New: `"B\x1b"`}}}}
	var out strings.Builder
	if err := writeSwap(&out, r); err != nil {
		t.Fatal(err)
	}
	want := `fetch    ok      12 KiB
compile  ok
replay   failed  1 of 2 identical, 1 differs
  read of run r1, given "a"
    - "A"
    + "B\x1b"
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
	for _, tt := range []struct {
		change func(*event.SwapReport)
		want   string
	}{
		{func(*event.SwapReport) {}, "plugin demo.reader is sha256:bbbbbbbbbbbb now, was sha256:aaaaaaaaaaaa"},
		{func(r *event.SwapReport) { r.Mode = event.SwapCanary }, "plugin demo.reader: sha256:bbbbbbbbbbbb is a canary beside sha256:aaaaaaaaaaaa, and gets every tenth call of idempotent nodes"},
		{func(r *event.SwapReport) { r.Mode = event.SwapShadow }, "plugin demo.reader: sha256:bbbbbbbbbbbb runs beside sha256:aaaaaaaaaaaa as a shadow, and never answers"},
		{func(r *event.SwapReport) { r.Unchanged = true }, "plugin demo.reader is sha256:bbbbbbbbbbbb already: nothing has changed"},
	} {
		changed := *r
		tt.change(&changed)
		if got := swapped(&changed); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}
