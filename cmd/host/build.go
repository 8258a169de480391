package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// builder runs the build command of a plugin when files in the folder of its
// module change. Only `host run --watch` has builders: the command is code of
// whoever wrote the workflow file, and has all the rights of the user.
type builder struct {
	plugin, command string
	dir, module     string // the folder of the module, and the module

	seen     map[string][32]byte // the files as the last build left them
	written  map[string]bool     // those that changed while the last build was running
	products map[string]bool     // those that two builds in a row have changed
	failed   bool                // the last build has failed: it waits for a change
}

func newBuilder(plugin, command, module string) *builder {
	b := &builder{plugin: plugin, command: command, dir: filepath.Dir(module), module: module, products: map[string]bool{}}
	b.seen = b.sources()
	return b
}

// stale reports whether there is anything that the last build has not seen.
func (b *builder) stale() bool { return !maps.Equal(b.sources(), b.seen) }

// sources are the files that the plugin may be made of: those in the folder of
// the module and below, without modules, workflow files and what builds write.
func (b *builder) sources() map[string][32]byte {
	found := map[string][32]byte{}
	_ = filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // gone while we looked
		case d.IsDir():
			if path != b.dir && unwatched(d.Name()) {
				return fs.SkipDir
			}
		case !d.Type().IsRegular() || strings.HasPrefix(d.Name(), ".") || strings.HasSuffix(d.Name(), "~") || b.products[path]:
		case path == b.module || filepath.Ext(path) == ".wasm" || filepath.Ext(path) == ".toml" && filepath.Dir(path) == b.dir && !manifest(d.Name()):
		case len(found) < maxSources:
			found[path] = sumOf(path)
		}
		return nil
	})
	return found
}

// maxSources bounds the files that are compared for one plugin.
const maxSources = 10_000

// manifest reports whether a TOML file is one of a language's tools, and no
// workflow: both may lie in one folder.
func manifest(name string) bool { return name == "Cargo.toml" || name == "pyproject.toml" }

// unwatched folders hold no sources: hidden ones, and where tools keep theirs.
func unwatched(name string) bool {
	return strings.HasPrefix(name, ".") || name == "node_modules" || name == "target"
}

// sumOf is a digest of a file's contents; of a large file, size and time count.
func sumOf(path string) [32]byte {
	info, err := os.Stat(path)
	if err != nil {
		return [32]byte{}
	}
	if info.Size() > maxHashed {
		return sha256.Sum256(fmt.Appendf(nil, "%d %v", info.Size(), info.ModTime()))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return [32]byte{}
	}
	return sha256.Sum256(text)
}

// build runs the command. Files that change meanwhile are built once more, unless
// the build before has changed them too: then it is the builds that write them.
func (b *builder) build(ctx context.Context) (err error) {
	defer func() { b.failed = err != nil }()
	before := b.sources()
	shell, flag := "sh", "-c"
	if runtime.GOOS == "windows" {
		shell, flag = "cmd", "/c"
	}
	cmd := exec.CommandContext(ctx, shell, flag, b.command)
	said := &tail{most: 64 << 10}
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, said, said
	cmd.WaitDelay = 2 * time.Second // for what the command has left running
	err = cmd.Run()
	written := map[string]bool{}
	for path, sum := range b.sources() {
		if before[path] == sum {
			continue
		}
		if b.written[path] {
			b.products[path] = true
			delete(before, path)
			continue
		}
		written[path] = true
	}
	b.seen, b.written = before, written
	if err == nil {
		if _, err := os.Stat(b.module); err != nil {
			return errors.New("it has ended well, and made no " + clean(b.module))
		}
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w\n%s", err, strings.TrimRight(said.String(), "\n"))
}

// tail keeps the last of what is written to it.
type tail struct {
	most int
	kept bytes.Buffer
	cut  bool
}

func (t *tail) Write(p []byte) (int, error) {
	t.kept.Write(p)
	if over := t.kept.Len() - t.most; over > 0 {
		t.kept.Next(over)
		t.cut = true
	}
	return len(p), nil
}

func (t *tail) String() string {
	text := t.kept.String()
	if t.cut {
		_, text, _ = strings.Cut(text, "\n")
		text = "…\n" + text
	}
	return cleanLines(text)
}
