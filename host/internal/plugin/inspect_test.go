package plugin

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wasmhost/host/event"
)

func inspect(t *testing.T, s Spec) *Info {
	t.Helper()
	info, err := newTestRuntime(t, Config{}).Inspect(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestInspect(t *testing.T) {
	s := guest("described")
	s.Allow = Allow{HTTP: []string{"https://api.example.com", "https://other.example.org"}, FS: []Mount{{Path: "docs", At: "/data"}, {Path: "out", At: "/out", Write: true}}, Env: []string{"LANG"}}
	s.Secrets = []Secret{{Name: "a", Value: "12345678"}, {Name: "b", Value: "12345678", Header: "Authorization"}}
	s.Limits = Limits{Memory: 1 << 20}
	info := inspect(t, s)
	if info.Name != "guest" || info.Source != "described.wasm" || info.ABI != ABIExtism || info.Manifest || info.Digest != digestOf(read(t, "described.wasm")) || info.Size != int64(len(read(t, "described.wasm"))) {
		t.Errorf("%+v", info)
	}
	if !slices.Equal(info.Functions, []string{"describe", "run"}) || info.Exports["run"] != "() -> (i32)" {
		t.Error(info.Functions, info.Exports)
	}
	if !slices.Contains(info.Imports, Import{envModule, "http_request"}) || info.MemoryMin != 2<<16 || info.Limits.Memory != 1<<20 || info.Limits.Instances != 16 {
		t.Errorf("%+v", info)
	}
	d := info.Description
	if d == nil || d.Name != "described" || d.Version != "1.2.3" || d.Functions["run"].Description == "" || string(d.Functions["run"].Input) != `{"type":"object"}` {
		t.Fatalf("%+v", d)
	}
	if !slices.Equal(info.Granted.HTTP, []string{"https://api.example.com"}) || !slices.Equal(info.Asked.HTTP, d.Allow.HTTP) {
		t.Errorf("%+v", info.Granted)
	}
	if got := strings.Join(info.Granted.FS, ", "); got != "docs at /data: read, out at /out: read and write" {
		t.Error(got)
	}
	if got := strings.Join(info.Granted.Secrets, ", "); got != "a as config secret.a, b in the header Authorization" {
		t.Error(got)
	}
}

// TestOwnListNarrows: what the plugin does not ask for, it does not get.
func TestOwnListNarrows(t *testing.T) {
	s := guest("described")
	s.Allow.HTTP = []string{"http://127.0.0.1:2"}
	e := fails(t, load(t, s), Call{Input: []byte(`{"url":"http://127.0.0.1:2"}`)})
	if e.Code != codeDenied || !strings.Contains(e.Message, "http://127.0.0.1:2 is allowed, but the plugin's own description asks for http://127.0.0.1:1, https://*.example.com only") {
		t.Error(e)
	}
	s.Allow.HTTP = []string{"http://127.0.0.1:1"}
	if e := fails(t, load(t, s), Call{Input: []byte(`{"url":"http://127.0.0.1:1"}`)}); e.Code != codeHTTPFailed {
		t.Error(e)
	}
}

// TestDescribeSection: the section is read, and nothing runs.
func TestDescribeSection(t *testing.T) {
	text := `{"name":"by section","allow":{"http":[]}}`
	wasm := string(read(t, "described.wasm")) + "\x00" + string(rune(len(text)+9)) + "\x08describe" + text
	dir := t.TempDir()
	write(t, dir+"/m.wasm", wasm)
	info := inspect(t, Spec{Source: "m.wasm", Dir: dir, Allow: Allow{HTTP: []string{"https://a.example.com"}}})
	if info.Description == nil || info.Description.Name != "by section" || len(info.Granted.HTTP) != 0 {
		t.Errorf("%+v", info)
	}
	e := fails(t, load(t, Spec{Source: "m.wasm", Dir: dir, Allow: Allow{HTTP: []string{"https://a.example.com"}}}), Call{Input: []byte(`{"url":"https://a.example.com"}`)})
	if e.Code != codeDenied || !strings.Contains(e.Message, "asks for nobody only") {
		t.Error(e)
	}
}

func TestInspectOthers(t *testing.T) {
	info := inspect(t, guest("command"))
	if info.ABI != ABIWASI || !slices.Equal(info.Functions, []string{"_start"}) || info.Description != nil || info.Asked != nil {
		t.Errorf("%+v", info)
	}
	info = inspect(t, Spec{Source: "read_write.wasm", Dir: corpus()})
	if len(info.Languages) != 1 || info.Languages[0].Name != "Rust" || len(info.Tools) == 0 {
		t.Errorf("%+v %+v", info.Languages, info.Tools)
	}
	info = inspect(t, Spec{Source: "fs_std.wasm", Dir: corpus()})
	if len(info.Warnings) != 1 || !strings.Contains(info.Warnings[0], `set reset = "instance"`) || info.Languages[0].Name != "Go" {
		t.Errorf("%q %v", info.Warnings, info.Languages)
	}
	info = inspect(t, Spec{Source: "count_vowels.wasm", Dir: corpus(), Limits: Limits{Memory: 1 << 16}})
	if len(info.Warnings) != 1 || !strings.Contains(info.Warnings[0], "no call can succeed") {
		t.Errorf("%q", info.Warnings)
	}
	s := manifestOf(t, "lib", "linked")
	info = inspect(t, s)
	if !info.Manifest || len(info.Modules) != 2 || info.Modules[0].Name != "lib" || info.Modules[1].Name != "main" || !slices.Equal(info.Functions, []string{"run", "spin"}) {
		t.Errorf("%+v", info)
	}
	if slices.ContainsFunc(info.Imports, func(i Import) bool { return i.Module == "lib" }) {
		t.Error(info.Imports)
	}
	if _, err := json.Marshal(info); err != nil {
		t.Error(err)
	}
}

// TestInspectRefuses: the errors are those of Load.
func TestInspectRefuses(t *testing.T) {
	r := newTestRuntime(t, Config{})
	for name, code := range map[string]string{"memory64": codeUnsupported, "user_import": codeUnsupported, "nowhere": codeNotFound} {
		_, err := r.Inspect(t.Context(), guest(name))
		var e *event.Error
		if !errors.As(err, &e) || e.Code != code || e.Plugin != "guest" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBadDescriptionIsAWarning: a describe that fails keeps nothing from
// running.
func TestBadDescriptionIsAWarning(t *testing.T) {
	text := "not JSON"
	wasm := string(read(t, "probe.wasm")) + "\x00" + string(rune(len(text)+9)) + "\x08describe" + text
	dir := t.TempDir()
	write(t, dir+"/m.wasm", wasm)
	s := Spec{Source: filepath.Join(dir, "m.wasm"), Allow: Allow{HTTP: []string{"http://127.0.0.1:1"}}}
	info := inspect(t, s)
	if len(info.Warnings) != 1 || !strings.Contains(info.Warnings[0], "is not the JSON it should be") || len(info.Granted.HTTP) != 1 {
		t.Errorf("%+v", info)
	}
	succeeds(t, load(t, s), "echo", "x", "x")
}
