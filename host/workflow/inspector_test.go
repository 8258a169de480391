package workflow_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// exportReader is an Inspector that knows the import and export sections of a
// module, enough to read what real modules offer. builtins are the exports of
// builtin plugins.
type exportReader struct {
	builtins map[string]*workflow.Module
}

func (r exportReader) Inspect(_ context.Context, p *workflow.Plugin, dir string) (*workflow.Module, error) {
	refuse := func(code, message string) (*workflow.Module, error) {
		return nil, &event.Error{Class: event.Permanent, Code: code, Message: message}
	}
	if name, ok := strings.CutPrefix(p.Source, "builtin:"); ok {
		if m, ok := r.builtins[name]; ok {
			return m, nil
		}
		return refuse("not_found", "there is no builtin "+name)
	}
	if strings.HasPrefix(p.Source, "https:") {
		if strings.HasSuffix(p.Source, "404.wasm") {
			return refuse("not_found", "the server has no such file (404)")
		}
		return refuse("fetch_failed", "this test has no network")
	}
	code, err := os.ReadFile(filepath.Join(dir, p.Source))
	if errors.Is(err, fs.ErrNotExist) {
		return refuse("not_found", "no such file")
	} else if err != nil {
		return refuse("bad_module", err.Error())
	}
	sum := sha256.Sum256(code)
	digest := hex.EncodeToString(sum[:])
	if p.SHA256 != "" && p.SHA256 != digest {
		return refuse("digest_mismatch", "the module's digest is sha256:"+digest[:12]+"…, the workflow wants sha256:"+p.SHA256[:12]+"…")
	}
	if !bytes.HasPrefix(code, []byte("\x00asm")) {
		return refuse("bad_module", "it does not begin like a WebAssembly module")
	}
	if !bytes.HasPrefix(code[4:], []byte{1, 0, 0, 0}) {
		return refuse("unsupported_module", "it is a WebAssembly component; build a core module (wasm32-wasip1) instead")
	}
	m := &workflow.Module{ABI: "extism", Digest: "sha256:" + digest, NoHTTP: true}
	for at := 8; at < len(code); {
		id := code[at]
		size, n := binary.Uvarint(code[at+1:])
		body := code[at+1+n : at+1+n+int(size)]
		at += 1 + n + int(size)
		switch id {
		case 2:
			m.NoHTTP = !bytes.Contains(body, []byte("http_request"))
			if bytes.Contains(body, []byte("wasi_snapshot_preview1")) && !bytes.Contains(body, []byte("extism")) {
				m.ABI = "wasi"
			}
		case 7:
			count, n := binary.Uvarint(body)
			body = body[n:]
			for range count {
				length, n := binary.Uvarint(body)
				name := string(body[n : n+int(length)])
				body = body[n+int(length):]
				kind := body[0]
				_, n = binary.Uvarint(body[1:])
				body = body[1+n:]
				switch {
				case kind != 0:
				case name == "_start":
					m.Command = true
				default:
					m.Exports = append(m.Exports, name)
				}
			}
		}
	}
	return m, nil
}

// builtins are the builtin plugins as the tests know them.
var builtins = exportReader{map[string]*workflow.Module{
	"agent":     {ABI: "extism", Exports: []string{"run", "health"}},
	"uppercase": {ABI: "extism", Exports: []string{"run"}, NoHTTP: true},
	"typed": {ABI: "extism", Exports: []string{"run"}, NoHTTP: true, Functions: map[string]workflow.FunctionInfo{"run": {
		Input:  []byte(`{"type":"object","required":["text"],"properties":{"text":{"type":"string"}}}`),
		Output: []byte(`{"type":"object","additionalProperties":false,"properties":{"summary":{"type":"string"},"words":{"type":"integer"}}}`),
	}}},
	"asking": {ABI: "extism", Exports: []string{"run"}, AsksHTTP: []string{"https://*.example.com"}},
}}
