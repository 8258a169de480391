package plugin

import (
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"wasmhost/host/event"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(guests, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSources(t *testing.T) {
	probe := read(t, "probe.wasm")
	digest := digestOf(probe)
	for _, s := range []Spec{
		{Source: "probe.wasm", Dir: guests},
		{Source: abs(t, guests+"/probe.wasm"), Dir: "/nowhere"},
		{Source: "guests/probe.wasm", Dir: guests + "/.."},
		{Source: "probe.wasm", Dir: guests, SHA256: digest},
		{Source: "probe.wasm", Dir: guests, SHA256: strings.ToUpper(strings.TrimPrefix(digest, "sha256:"))},
		{Source: "builtin:probe"},
	} {
		p := loadWith(t, Config{Builtin: func(name string) ([]byte, bool) { return probe, name == "probe" }}, s)
		succeeds(t, p, "echo", "x", "x")
		if p.Digest() != digest {
			t.Error(p.Digest())
		}
	}
}

// TestBadSources shows the message of every source that is not taken.
func TestBadSources(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/page.html", "<!DOCTYPE html><title>Not found</title>")
	write(t, dir+"/empty.wasm", "")
	write(t, dir+"/cut.wasm", string(read(t, "probe.wasm")[:2000]))
	write(t, dir+"/component.wasm", "\x00asm\x0d\x00\x01\x00")
	write(t, dir+"/gc.wasm", "\x00asm\x01\x00\x00\x00\x01\x04\x01\x5f\x00\x00")
	// Fifteen bytes that announce four billion functions: wazero alone would end
	// the process.
	write(t, dir+"/bomb.wasm", "\x00asm\x01\x00\x00\x00\x03\x05\xff\xff\xff\xff\x0f")
	write(t, dir+"/type.wasm", "\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x07\x07\x01\x03run\x00\x00\x0a\x05\x01\x03\x00\x6a\x0b")
	for _, c := range []struct {
		source, code string
		says         []string
	}{
		{"", codeBadSpec, []string{"the plugin has no source"}},
		{"nowhere.wasm", codeNotFound, []string{"there is no file " + dir + "/nowhere.wasm"}},
		{".", codeNotFound, []string{"is not a file"}},
		{"builtin:nothing", codeNotFound, []string{`there is no builtin plugin "nothing"`}},
		{"page.html", codeBadModule, []string{"the module is refused", "not WebAssembly: the first bytes must be"}},
		{"empty.wasm", codeBadModule, []string{"the module is refused"}},
		{"cut.wasm", codeBadModule, []string{"the module is refused", "at offset"}},
		{"bomb.wasm", codeBadModule, []string{"the module is refused"}},
		{"type.wasm", codeBadModule, []string{"the module cannot be compiled: invalid function[0]"}},
		{"component.wasm", codeUnsupported, []string{"component", "build a core module instead", "wasip1"}},
		{"gc.wasm", codeUnsupported, []string{"needs gc, which is not supported", "build with"}},
		{abs(t, guests+"/memory64.wasm"), codeUnsupported, []string{"needs memory64, which is not supported", "build for wasm32"}},
		{abs(t, guests+"/threads.wasm"), codeUnsupported, []string{"needs threads, which is not supported", "build without shared memory"}},
		{abs(t, guests+"/user_import.wasm"), codeUnsupported, []string{`imports "charge_card" of "extism:host/user"`, "host functions of an embedding program are not offered to plugins"}},
		{"oci://ghcr.io/acme/plugin:1", codeUnavailable, []string{"oci sources are not available in this version"}},
		{"http://example.com/x.wasm", codeUnavailable, []string{"modules are fetched by https only"}},
		{"https://example.com/x.wasm", codeDigest, []string{"needs a sha256: what lies behind a URL can change"}},
		{"ftp://example.com/x.wasm", codeUnavailable, []string{"a source is a path, builtin:NAME or https://…"}},
	} {
		e := refusedAs(t, Spec{Source: c.source, Dir: dir}, c.code, c.says...)
		if e.Class != event.Permanent || strings.Contains(e.Message, "goroutine") || strings.Contains(e.Message, "\n") {
			t.Errorf("%s: %+v", c.source, e)
		}
	}
	refusedAs(t, Spec{Source: "probe.wasm", Dir: guests, SHA256: strings.Repeat("0", 64)}, codeDigest,
		"probe.wasm has the digest sha256:", "but sha256:0000000000", "if the new content is what you mean")
	refusedAs(t, Spec{Source: "probe.wasm", Dir: guests, ABI: ABIWASI}, codeBadModule, "abi is wasi, but the module imports extism:host/env")
	r := newTestRuntime(t, Config{MaxModuleBytes: 100})
	refusedBy(t, r, Spec{Source: "probe.wasm", Dir: guests}, codeBadModule, "modules up to 100 bytes are read")
}

func TestUnknownImports(t *testing.T) {
	for module, says := range map[string]string{
		"env": "Emscripten's JavaScript glue", "wbg": "wasm-bindgen", "gojs": "GOOS=wasip1", "wasi_unstable": "WASI of 2019",
		"wasi:io/poll@0.2.0": "preview 2", "other": "only extism:host/env (the Extism ABI) and wasi_snapshot_preview1 are answered here",
	} {
		refusedAs(t, Spec{Source: importing(t, module, "f"), Dir: "/"}, codeUnsupported, says)
	}
	refusedAs(t, Spec{Source: importing(t, envModule, "aloc"), Dir: "/"}, codeUnsupported, `imports "aloc" of extism:host/env, which has no such function; did you mean "alloc"?`)
	refusedAs(t, Spec{Source: importing(t, envModule, "alloc"), Dir: "/"}, codeUnsupported, `imports "alloc" of extism:host/env as () -> (), but it is (i64) -> (i64)`)
	refusedAs(t, Spec{Source: importing(t, wasiModule, "fd_reed"), Dir: "/"}, codeUnsupported, `imports "fd_reed" of wasi_snapshot_preview1, which has no such function; did you mean "fd_read"?`)
	refusedAs(t, Spec{Source: importing(t, wasiModule, "fd_read"), Dir: "/"}, codeUnsupported, `imports "fd_read" of wasi_snapshot_preview1 as () -> (), but it is (i32, i32, i32, i32) -> (i32)`)
}

// importing writes a module that imports one function of the type () -> ().
func importing(t *testing.T, module, name string) string {
	t.Helper()
	text := func(s string) string { return string(rune(len(s))) + s }
	body := "\x01" + text(module) + text(name) + "\x00\x00"
	path := t.TempDir() + "/m.wasm"
	write(t, path, "\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x02"+text(body))
	return path
}

func TestFetch(t *testing.T) {
	probe := read(t, "probe.wasm")
	digest := digestOf(probe)
	var asked atomic.Int32
	var server *httptest.Server
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch r.URL.Path {
		case "/probe.wasm":
			w.Write(probe)
		case "/moved":
			http.Redirect(w, r, server.URL+"/probe.wasm", http.StatusFound)
		case "/plain":
			http.Redirect(w, r, "http://example.com/probe.wasm", http.StatusFound)
		case "/private":
			http.Redirect(w, r, "https://10.0.0.1/probe.wasm", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/secret":
			w.WriteHeader(http.StatusForbidden)
		case "/endless":
			for {
				if _, err := w.Write(probe); err != nil {
					return
				}
			}
		default:
			http.NotFound(w, r)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // a handshake is refused below
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	cfg := Config{CacheDir: t.TempDir(), RootCAs: roots, MaxModuleBytes: 1 << 20}

	p := loadWith(t, cfg, Spec{Source: server.URL + "/moved", SHA256: digest})
	succeeds(t, p, "echo", "x", "x")
	if asked.Load() != 2 {
		t.Error(asked.Load())
	}
	// Kept under its digest: nobody is asked again, not even another runtime.
	loadWith(t, cfg, Spec{Source: server.URL + "/moved", SHA256: digest})
	if asked.Load() != 2 {
		t.Error("fetched again")
	}
	// What is kept is checked: a damaged file is fetched anew.
	kept := filepath.Join(cfg.CacheDir, "modules", strings.TrimPrefix(digest, "sha256:"))
	write(t, kept, "damaged")
	loadWith(t, cfg, Spec{Source: server.URL + "/probe.wasm", SHA256: digest})
	if asked.Load() != 3 || digestOf(readAll(t, kept)) != digest {
		t.Error(asked.Load())
	}

	r := newTestRuntime(t, cfg)
	wrong := strings.Repeat("0", 64)
	for path, c := range map[string]struct{ class, code, says string }{
		"/probe.wasm": {event.Permanent, codeDigest, "has the digest " + digest + ", but sha256:0000"},
		"/plain":      {event.Transient, codeFetch, "it redirects to http://example.com/probe.wasm, which is not https"},
		"/private":    {event.Permanent, codeFetch, "10.0.0.1 is at 10.0.0.1, a private address"},
		"/loop":       {event.Transient, codeFetch, "it redirects more than 5 times"},
		"/busy":       {event.Transient, codeFetch, "503 Service Unavailable"},
		"/secret":     {event.Permanent, codeFetch, "403 Forbidden"},
		"/gone":       {event.Permanent, codeNotFound, "404 Not Found"},
		"/endless":    {event.Permanent, codeFetch, "has more than the 1 MiB that are read of a module"},
	} {
		if e := refusedBy(t, r, Spec{Source: server.URL + path, SHA256: wrong}, c.code, c.says); e.Class != c.class {
			t.Errorf("%s: class %s", path, e.Class)
		}
	}
	// A server that nobody vouches for.
	refusedBy(t, newTestRuntime(t, Config{CacheDir: t.TempDir()}), Spec{Source: server.URL + "/probe.wasm", SHA256: wrong}, codeFetch, "certificate")
	// A URL in a manifest.
	text := `{"wasm":[{"url":"` + server.URL + `/probe.wasm","hash":"` + strings.TrimPrefix(digest, "sha256:") + `"}]}`
	cfg.Builtin = func(string) ([]byte, bool) { return []byte(text), true }
	succeeds(t, loadWith(t, cfg, Spec{Source: "builtin:m"}), "echo", "x", "x")
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
