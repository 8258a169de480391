package plugin

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wasmhost/host/event"
)

func abs(t *testing.T, path string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return full
}

// manifestOf links guests under their own names, the last one as main.
func manifestOf(t *testing.T, names ...string) Spec {
	t.Helper()
	var wasm []map[string]string
	for i, name := range names {
		m := map[string]string{"path": abs(t, guests+"/"+name+".wasm"), "name": name}
		if i == len(names)-1 {
			delete(m, "name")
		}
		wasm = append(wasm, m)
	}
	text, err := json.Marshal(map[string]any{"wasm": wasm})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir+"/manifest.json", string(text))
	return Spec{Name: "guest", Source: "manifest.json", Dir: dir}
}

// refusedAs is the error of a Load that must fail.
func refusedAs(t *testing.T, s Spec, code string, texts ...string) *event.Error {
	t.Helper()
	return refusedBy(t, newTestRuntime(t, Config{}), s, code, texts...)
}

func refusedBy(t *testing.T, r *Runtime, s Spec, code string, texts ...string) *event.Error {
	t.Helper()
	if s.Name == "" {
		s.Name = "guest"
	}
	_, err := r.Load(t.Context(), s)
	var e *event.Error
	if !errors.As(err, &e) {
		t.Fatalf("%s: %v", s.Source, err)
	}
	if e.Code != code || e.Plugin != s.Name {
		t.Errorf("%s: code %q, want %q: %s", s.Source, e.Code, code, e.Message)
	}
	for _, text := range texts {
		if !strings.Contains(e.Message, text) {
			t.Errorf("%s: %q does not say %q", s.Source, e.Message, text)
		}
	}
	return e
}

func TestLinkedModules(t *testing.T) {
	p := load(t, manifestOf(t, "lib", "linked"))
	for range 2 {
		succeeds(t, p, "run", "hello", "*****")
	}
	// The order in the file does not matter, as long as main is named.
	dir := t.TempDir()
	write(t, dir+"/m.json", `{"wasm":[{"name":"main","path":"`+abs(t, guests+"/linked.wasm")+`"},{"name":"lib","path":"`+abs(t, guests+"/lib.wasm")+`"}]}`)
	succeeds(t, load(t, Spec{Source: "m.json", Dir: dir}), "run", "hello", "*****")
}

func TestManifestData(t *testing.T) {
	wasm, err := os.ReadFile(guests + "/probe.wasm")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(map[string]any{
		"wasm":          []any{map[string]any{"data": base64.StdEncoding.EncodeToString(wasm), "hash": strings.TrimPrefix(digestOf(wasm), "sha256:")}},
		"config":        map[string]string{"a": "manifest", "b": "manifest"},
		"allowed_hosts": []string{"*"},
		"allowed_paths": map[string]string{"/": "/"},
		"memory":        map[string]any{"max_pages": 100, "max_var_bytes": 3},
	})
	builtin := func(name string) ([]byte, bool) { return text, name == "m" }
	p := loadWith(t, Config{Builtin: builtin}, Spec{Source: "builtin:m", Config: map[string]string{"b": "workflow"}})
	succeeds(t, p, "config", "a", "manifest")
	succeeds(t, p, "config", "b", "workflow")
	// It opens nothing that the workflow does not open, and narrows limits.
	if e := fails(t, p, Call{Function: "http", Input: []byte(`{"url":"https://example.com"}`)}); e.Code != codeDenied {
		t.Error(e)
	}
	if len(p.mounts) != 0 || p.limits.Memory != 100<<16 || p.limits.Vars != 3 || p.limits.HTTPBytes != 16<<20 {
		t.Errorf("%v %+v", p.mounts, p.limits)
	}
}

func TestBadManifests(t *testing.T) {
	lib, linked := abs(t, guests+"/lib.wasm"), abs(t, guests+"/linked.wasm")
	for _, c := range []struct{ text, code, says string }{
		{`{"wasm":`, codeBadModule, "it is not an Extism manifest"},
		{`{}`, codeBadModule, `it names no module under "wasm"`},
		{`{"wasm":[{"name":"x"}]}`, codeBadModule, "invalid Wasm entry"},
		{`{"wasm":[{"path":"nowhere.wasm"}]}`, codeNotFound, "wasm[0]: there is no file"},
		{`{"wasm":[{"path":"` + lib + `","hash":"00"}]}`, codeDigest, "but the manifest wants sha256:00"},
		{`{"wasm":[{"path":"` + lib + `","name":"lib"},{"path":"` + lib + `","name":"lib"},{"path":"` + linked + `"}]}`, codeBadModule, `two modules are called "lib"`},
		{`{"wasm":[{"path":"` + lib + `","name":"extism:host/env"},{"path":"` + linked + `"}]}`, codeBadModule, "belongs to the host"},
		{`{"wasm":[{"path":"` + linked + `"}]}`, codeUnsupported, `imports "stars" of "lib", which is not there`},
		{`{"wasm":[{"path":"` + abs(t, guests+"/reactor.wasm") + `","name":"lib"},{"path":"` + linked + `"}]}`, codeUnsupported, `imports "stars" of module "lib", which does not export it`},
		{`{"wasm":[{"url":"http://example.com/x.wasm"}]}`, codeUnavailable, "by https only"},
		{`{"wasm":[{"url":"https://example.com/x.wasm"}]}`, codeDigest, "needs a hash"},
		{`{"wasm":[{"url":"https://example.com/x.wasm","hash":"00","method":"POST"}]}`, codeBadModule, "only GET"},
	} {
		dir := t.TempDir()
		write(t, dir+"/m.json", c.text)
		refusedAs(t, Spec{Source: "m.json", Dir: dir}, c.code, c.says)
	}
	// A pinned manifest must pin its files, and one from elsewhere has no files.
	text := `{"wasm":[{"path":"` + lib + `"}]}`
	dir := t.TempDir()
	write(t, dir+"/m.json", text)
	refusedAs(t, Spec{Source: "m.json", Dir: dir, SHA256: digestOf([]byte(text))}, codeDigest, "needs a hash, because the plugin's sha256 pins the manifest")
	r := newTestRuntime(t, Config{Builtin: func(string) ([]byte, bool) { return []byte(text), true }})
	refusedBy(t, r, Spec{Source: "builtin:m"}, codeBadModule, "cannot name the path")
}

// TestSmallManifestMemory: few pages are few pages, and no reason to fail.
func TestSmallManifestMemory(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/m.json", `{"wasm":[{"path":"`+abs(t, guests+"/probe.wasm")+`"}],"memory":{"max_pages":4}}`)
	p := load(t, Spec{Source: "m.json", Dir: dir})
	succeeds(t, p, "echo", "x", "x")
	if e := fails(t, p, Call{Function: "grow"}); e.Code != codeMemory || !strings.Contains(e.Message, "more than 256 KiB") {
		t.Error(e)
	}
}

// TestManifestHosts: they narrow, and a bad pattern matches nothing.
func TestManifestHosts(t *testing.T) {
	for hosts, ok := range map[string]bool{`["127.0.*"]`: true, `["*"]`: true, `["127.0.0.1"]`: true, `["[", "example.com"]`: false, `[]`: false} {
		dir := t.TempDir()
		write(t, dir+"/m.json", `{"wasm":[{"path":"`+abs(t, guests+"/probe.wasm")+`"}],"allowed_hosts":`+hosts+`}`)
		p := load(t, Spec{Source: "m.json", Dir: dir, Allow: Allow{HTTP: []string{"http://127.0.0.1:1"}}})
		want := codeHTTPFailed
		if !ok {
			want = codeDenied
		}
		if e := fails(t, p, Call{Function: "http", Input: []byte(`{"url":"http://127.0.0.1:1"}`)}); e.Code != want {
			t.Errorf("%s: %v", hosts, e)
		}
	}
}

// TestManifestDigest: the version of a manifest changes with its modules.
func TestManifestDigest(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/m.json", `{"wasm":[{"path":"x.wasm"}]}`)
	seen := map[string]bool{}
	for _, name := range []string{"probe", "lib"} {
		wasm, err := os.ReadFile(guests + "/" + name + ".wasm")
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir+"/x.wasm", string(wasm))
		seen[load(t, Spec{Source: "m.json", Dir: dir}).Digest()] = true
	}
	if len(seen) != 2 {
		t.Error(seen)
	}
}
