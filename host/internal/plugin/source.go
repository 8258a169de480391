package plugin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/module"
)

// image is what a source holds: one module, or the several of a manifest, with
// what the manifest says about them.
type image struct {
	// digest is over the source's bytes; for a manifest, over it and all modules
	// that it names.
	digest  string
	size    int64
	source  []byte        // the source's bytes
	modules []imageModule // main last, once they are linked
	abi     string

	manifest bool
	config   map[string]string
	hosts    []string // allowed_hosts; nil: it does not say
	timeout  time.Duration
	maxMem   int64 // 0: it does not say
	maxHTTP  int64 // -1: it does not say
	maxVars  int64 // -1: it does not say
}

type imageModule struct {
	name string
	wasm []byte
	sum  *[sha256.Size]byte // of wasm; nil: not made yet
	info *module.Info
	// prepared is what is compiled: metered and capped.
	prepared []byte
	main     bool
	// from is where it was read, for messages; "" for the source itself.
	from string
	// link is the path or URL by which the manifest names it, "" when it holds it.
	link string
}

func (m *imageModule) what() string {
	if m.from == "" {
		return "the module"
	}
	return fmt.Sprintf("module %q (%s) of the manifest", m.name, m.from)
}

// tighten applies what a manifest asks for; it never widens a limit.
func (img *image) tighten(l Limits) Limits {
	if img.maxMem > 0 {
		l.Memory = min(l.Memory, img.maxMem)
	}
	if img.manifest && img.maxHTTP >= 0 {
		l.HTTPBytes = min(l.HTTPBytes, img.maxHTTP)
	}
	if img.manifest && img.maxVars >= 0 {
		l.Vars = min(l.Vars, img.maxVars)
	}
	return l
}

func digestOf(data []byte) string { return digestName(sha256.Sum256(data)) }

func digestName(sum [sha256.Size]byte) string { return "sha256:" + hex.EncodeToString(sum[:]) }

// hash is the module's, made once: for a large one it takes milliseconds.
func (m *imageModule) hash() [sha256.Size]byte {
	if m.sum == nil {
		sum := sha256.Sum256(m.wasm)
		m.sum = &sum
	}
	return *m.sum
}

// linked are the modules that a manifest names without holding them, by path or
// URL.
func (img *image) linked() map[string][]byte {
	var all map[string][]byte
	for i := range img.modules {
		if m := &img.modules[i]; m.link != "" {
			if all == nil {
				all = map[string][]byte{}
			}
			all[m.link] = m.wasm
		}
	}
	return all
}

// kept is the image as it was read, without what checking and preparing it
// made: enough to load it again when its source has changed.
func (img *image) kept() *image {
	k := *img
	k.abi, k.modules = "", slices.Clone(img.modules)
	for i := range k.modules {
		k.modules[i].info, k.modules[i].prepared = nil, nil
	}
	return &k
}

// read gets the bytes behind s.Source, checks them and takes a manifest apart.
func (r *Runtime) read(ctx context.Context, s Spec) (*image, *event.Error) {
	if s.kept != nil {
		img := s.kept.kept()
		return img, r.finish(img, s.ABI)
	}
	data, base, err := r.readSource(ctx, s)
	if err != nil {
		return nil, err
	}
	return r.check(ctx, s, data, base)
}

// check makes an image of a source's bytes.
func (r *Runtime) check(ctx context.Context, s Spec, data []byte, base string) (*image, *event.Error) {
	sum := sha256.Sum256(data)
	own := digestName(sum)
	if want := wantedDigest(s.SHA256); want != "" && want != own {
		return nil, fault(event.Permanent, codeDigest, "%s has the digest %s, but %s is wanted; if the new content is what you mean, put its digest into sha256", s.Source, own, want)
	}
	if isManifest(data) {
		img, err := r.readManifest(ctx, data, own, base, s)
		if err != nil {
			return nil, err
		}
		img.source = data
		return img, r.finish(img, s.ABI)
	}
	img := &image{digest: own, size: int64(len(data)), source: data, modules: []imageModule{{name: "main", wasm: data, sum: &sum, main: true}}}
	return img, r.finish(img, s.ABI)
}

// moduleLimits are package module's own, but for the nesting of blocks: GHC
// writes more than the default.
var moduleLimits = module.Limits{Nesting: 2000}

// tableElements is how many elements the tables of a module may have together:
// eight megabytes, outside of the memory that is counted.
const tableElements = 1 << 20

// finish checks every module before anything below sees it, prepares it, and
// links them all.
func (r *Runtime) finish(img *image, abi string) *event.Error {
	cache, err := r.prepared()
	if err != nil {
		return badCache(r.cfg.CacheDir, err)
	}
	for i := range img.modules {
		m := &img.modules[i]
		prepared, err := cache.Prepare(m.hash(), m.wasm, module.Options{Limits: moduleLimits, TableElements: tableElements})
		if err != nil {
			return refused(m, err)
		}
		m.info, m.prepared = prepared.Info, prepared.Bytes
	}
	return img.link(abi)
}

// refused is the error of a module that package module does not take.
func refused(m *imageModule, err error) *event.Error {
	code := codeBadModule
	var why *module.Error
	if errors.As(err, &why) {
		switch {
		case why.Kind == module.Unsupported:
			code = codeUnsupported
		case why.Limit == "TableElements" || why.Limit == "TableMin":
			code = codeTables
		}
	}
	e := fault(event.Permanent, code, "%s is refused: %v", m.what(), err)
	e.Cause = err
	return e
}

func isManifest(data []byte) bool {
	head := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(head) > 0 && head[0] == '{'
}

// SourceDigest is the digest of what a plugin of s would be loaded from now.
// Nothing of it is checked.
func (r *Runtime) SourceDigest(ctx context.Context, s Spec) (string, error) {
	data, base, failed := r.readSource(ctx, s)
	if failed != nil {
		return "", failed
	}
	if !isManifest(data) {
		return digestOf(data), nil
	}
	img, failed := r.readManifest(ctx, data, digestOf(data), base, s)
	if failed != nil {
		return "", failed
	}
	return img.digest, nil
}

// readSource returns the bytes and what paths in them are relative to: a
// folder, or "" where paths have no meaning.
func (r *Runtime) readSource(ctx context.Context, s Spec) (data []byte, base string, err *event.Error) {
	scheme, rest, hasScheme := strings.Cut(s.Source, "://")
	switch {
	case s.Module != nil:
		if int64(len(s.Module)) > r.cfg.MaxModuleBytes {
			return nil, "", r.tooLarge("the module", int64(len(s.Module)))
		}
		return s.Module, "", nil
	case s.Source == "":
		return nil, "", fault(event.Permanent, codeBadSpec, "the plugin has no source")
	case strings.HasPrefix(s.Source, "builtin:"):
		name := strings.TrimPrefix(s.Source, "builtin:")
		if r.cfg.Builtin != nil {
			if data, ok := r.cfg.Builtin(name); ok {
				return data, "", nil
			}
		}
		return nil, "", fault(event.Permanent, codeNotFound, "there is no builtin plugin %q", name)
	case hasScheme && scheme == "https":
		if s.SHA256 == "" {
			return nil, "", fault(event.Permanent, codeDigest, "%s needs a sha256: what lies behind a URL can change", s.Source)
		}
		data, err := r.fetch(ctx, s.Source, nil, wantedDigest(s.SHA256))
		return data, "", err
	case hasScheme && scheme == "http":
		return nil, "", fault(event.Permanent, codeUnavailable, "%s: modules are fetched by https only", s.Source)
	case hasScheme && scheme == "oci":
		return nil, "", fault(event.Permanent, codeUnavailable, "%s: oci sources are not available in this version; pull %s into a file, or use https with a sha256", s.Source, rest)
	case hasScheme:
		return nil, "", fault(event.Permanent, codeUnavailable, "%s: a source is a path, builtin:NAME or https://…", s.Source)
	}
	path := s.inDir(s.Source)
	data, err = r.readFile(path)
	return data, filepath.Dir(path), err
}

// readFile reads a regular file up to the size limit.
func (r *Runtime) readFile(path string) ([]byte, *event.Error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault(event.Permanent, codeNotFound, "there is no file %s", path)
	case err != nil:
		return nil, fault(event.System, codeNotFound, "%s cannot be read: %v", path, err)
	case !info.Mode().IsRegular():
		return nil, fault(event.Permanent, codeNotFound, "%s is not a file", path)
	case info.Size() > r.cfg.MaxModuleBytes:
		return nil, r.tooLarge(path, info.Size())
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fault(event.System, codeNotFound, "%s cannot be read: %v", path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, r.cfg.MaxModuleBytes+1))
	if err != nil {
		return nil, fault(event.System, codeNotFound, "%s cannot be read: %v", path, err)
	}
	if int64(len(data)) > r.cfg.MaxModuleBytes {
		return nil, r.tooLarge(path, int64(len(data)))
	}
	return data, nil
}

func (r *Runtime) tooLarge(what string, n int64) *event.Error {
	return fault(event.Permanent, codeBadModule, "%s has %d bytes; modules up to %s are read", what, n, size(r.cfg.MaxModuleBytes))
}
