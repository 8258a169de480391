package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	extism "github.com/extism/go-sdk"

	"wasmhost/host/event"
)

// maxLinked is how many modules a manifest may name.
const maxLinked = 64

// readManifest reads an Extism manifest and all modules that it names. Its
// paths are relative to base; with base "" it came from elsewhere than a file
// and may name none but those in s.Linked. What it allows itself never widens what the workflow
// allows.
func (r *Runtime) readManifest(ctx context.Context, data []byte, digest, base string, s Spec) (*image, *event.Error) {
	bad := func(format string, a ...any) *event.Error {
		return fault(event.Permanent, codeBadModule, "manifest %s: %s", s.Source, fmt.Sprintf(format, a...))
	}
	var m extism.Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, bad("it is not an Extism manifest: %v", err)
	}
	switch n := len(m.Wasm); {
	case n == 0:
		return nil, bad("it names no module under \"wasm\"")
	case n > maxLinked:
		return nil, bad("it names %d modules, and %d are the most", n, maxLinked)
	}
	img := &image{
		manifest: true,
		config:   m.Config,
		hosts:    m.AllowedHosts,
		timeout:  time.Duration(min(m.Timeout, 1<<32)) * time.Millisecond,
		maxMem:   int64(m.Memory.MaxPages) << 16,
		maxHTTP:  m.Memory.MaxHttpResponseBytes,
		maxVars:  m.Memory.MaxVarBytes,
	}
	total := sha256.New()
	total.Write([]byte(digest))
	seen := map[string]bool{}
	for i, w := range m.Wasm {
		one, err := r.readManifestModule(ctx, w, i, base, s)
		if err != nil {
			err.Message = fmt.Sprintf("manifest %s: %s", s.Source, err.Message)
			return nil, err
		}
		// The module called main is the plugin; else the first without a name, else
		// the last one.
		if (one.name == "" || i == len(m.Wasm)-1) && !seen["main"] {
			one.name = "main"
		}
		one.main = one.name == "main"
		switch {
		case one.name == "":
			return nil, bad("wasm[%d] has no name; only the main module may go without", i)
		case one.name == envModule || one.name == "wasi_snapshot_preview1":
			return nil, bad("wasm[%d] is called %q, which belongs to the host", i, one.name)
		case seen[one.name]:
			return nil, bad("two modules are called %q", one.name)
		}
		seen[one.name] = true
		img.size += int64(len(one.wasm))
		if img.size > r.cfg.MaxModuleBytes {
			return nil, r.tooLarge("manifest "+s.Source+" with its modules", img.size)
		}
		total.Write([]byte(digestName(one.hash())))
		img.modules = append(img.modules, *one)
	}
	img.digest = "sha256:" + hex.EncodeToString(total.Sum(nil))
	return img, nil
}

func (r *Runtime) readManifestModule(ctx context.Context, w extism.Wasm, i int, base string, s Spec) (*imageModule, *event.Error) {
	bad := func(code, format string, a ...any) *event.Error {
		return fault(event.Permanent, code, "wasm[%d]: %s", i, fmt.Sprintf(format, a...))
	}
	m := &imageModule{}
	var hash string
	var err *event.Error
	switch w := w.(type) {
	case extism.WasmData:
		m.name, m.wasm, m.from, hash = w.Name, w.Data, "data", w.Hash
	case extism.WasmFile:
		kept, ok := s.Linked[w.Path]
		if base == "" && !ok {
			return nil, bad(codeBadModule, "a manifest that is not a local file cannot name the path %q, for there is no folder that it would be in; give the module as data, or by an https url with its hash", w.Path)
		}
		m.name, m.from, m.link, hash = w.Name, w.Path, w.Path, w.Hash
		if s.SHA256 != "" && hash == "" {
			return nil, bad(codeDigest, "%s needs a hash, because the plugin's sha256 pins the manifest and would not pin this file", w.Path)
		}
		if m.wasm = kept; !ok {
			m.wasm, err = r.readFile(linkedFile(w, base))
		}
	case extism.WasmUrl:
		m.name, m.from, m.link, hash = w.Name, w.Url, w.Url, w.Hash
		u, parseErr := url.Parse(w.Url)
		switch {
		case parseErr != nil || u.Scheme != "https":
			return nil, bad(codeUnavailable, "%s: modules are fetched by https only", w.Url)
		case hash == "":
			return nil, bad(codeDigest, "%s needs a hash: what lies behind a URL can change", w.Url)
		case w.Method != "" && !strings.EqualFold(w.Method, "GET"):
			return nil, bad(codeBadModule, "%s: only GET is used to fetch modules, not %s", w.Url, w.Method)
		}
		var ok bool
		if m.wasm, ok = s.Linked[w.Url]; !ok {
			m.wasm, err = r.fetch(ctx, w.Url, w.Headers, wantedDigest(hash))
		}
	default:
		return nil, bad(codeBadModule, "it has neither data nor path nor url")
	}
	if err != nil {
		err.Message = fmt.Sprintf("wasm[%d]: %s", i, err.Message)
		return nil, err
	}
	if got := digestName(m.hash()); hash != "" && wantedDigest(hash) != got {
		return nil, bad(codeDigest, "%s has the digest %s, but the manifest wants %s", m.from, got, wantedDigest(hash))
	}
	return m, nil
}

func linkedFile(w extism.WasmFile, base string) string {
	if filepath.IsAbs(w.Path) {
		return w.Path
	}
	return filepath.Join(base, w.Path)
}

// linkedFiles are the files that a manifest in the folder base names; none when
// it is no manifest.
func linkedFiles(data []byte, base string) (files []string) {
	var m extism.Manifest
	if json.Unmarshal(data, &m) != nil || len(m.Wasm) > maxLinked {
		return nil
	}
	for _, w := range m.Wasm {
		if file, ok := w.(extism.WasmFile); ok {
			files = append(files, linkedFile(file, base))
		}
	}
	return files
}
