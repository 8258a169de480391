package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fsnotify/fsnotify"

	"wasmhost/host/workflow"
)

// maxWatched bounds the folders that are watched.
const maxWatched = 256

// watched is what a workflow consists of on disk.
type watched struct {
	watcher *fsnotify.Watcher
	folders map[string]bool
	file    string   // the workflow
	files   []string // the workflows that it names, as far as they could be read
	plugins []string // the files of its plugins
	planned bool     // it could be read, so these are known

	builders []*builder
	built    chan build // of the one that is at work; nil: nothing is being built
}

// folder watches a folder, and those below it that may hold schemas and
// workflows. Single files are not watched: saving replaces them.
func (s *watched) folder(dir string, below bool) {
	if s.folders[dir] || len(s.folders) >= maxWatched {
		return
	}
	if err := s.watcher.Add(dir); err != nil {
		return // it is gone, or there are too many: the others are watched
	}
	s.folders[dir] = true
	if !below {
		return
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() && !unwatched(e.Name()) {
			s.folder(filepath.Join(dir, e.Name()), true)
		}
	}
}

// plan watches what a plan names outside of its own folder too.
func (s *watched) plan(p *workflow.Plan) {
	s.files, s.plugins, s.planned = nil, nil, true
	before := s.builders
	s.builders = nil
	seen := map[*workflow.Plan]bool{}
	var walk func(*workflow.Plan)
	walk = func(p *workflow.Plan) {
		if p == nil || seen[p] {
			return
		}
		seen[p] = true
		s.folder(p.Dir, true)
		s.files = append(s.files, p.File)
		for _, pl := range p.Plugins {
			if strings.Contains(pl.Source, "://") || strings.HasPrefix(pl.Source, "builtin:") {
				continue
			}
			path := pl.Source
			if !filepath.IsAbs(path) {
				path = filepath.Join(p.Dir, path)
			}
			s.plugins = append(s.plugins, path)
			s.folder(filepath.Dir(path), pl.Build != "")
			s.builds(pl, path, before)
		}
		for i := range p.Nodes {
			walk(p.Nodes[i].Sub)
		}
		for i := range p.Levels {
			walk(p.Levels[i].Plan)
		}
	}
	walk(p)
}

// builds adds what builds a plugin: the builder that there was, for it knows
// what it has built.
func (s *watched) builds(p *workflow.Plugin, module string, before []*builder) {
	is := func(b *builder) bool { return b.command == p.Build && b.module == module }
	if p.Build == "" || slices.ContainsFunc(s.builders, is) {
		return
	}
	if i := slices.IndexFunc(before, is); i >= 0 {
		s.builders = append(s.builders, before[i])
		return
	}
	s.builders = append(s.builders, newBuilder(p.Name, p.Build, module))
}

// modules are digests of the files of plugins. While nobody knows which these
// are, all modules beside the workflow count.
func (s *watched) modules() map[string][32]byte {
	files := s.plugins
	if !s.planned {
		files, _ = filepath.Glob(filepath.Join(filepath.Dir(s.file), "*.wasm"))
	}
	sums := make(map[string][32]byte, len(files))
	for _, f := range files {
		sums[f] = sumOf(f)
	}
	return sums
}

// maxHashed is the largest file whose contents are compared.
const maxHashed = 32 << 20

// digest is over the contents of everything that the workflow may consist of,
// without its plugins, so that a save without a change runs nothing.
func (s *watched) digest() [32]byte {
	sum := sha256.New()
	add := func(path string) { fmt.Fprintf(sum, "%q %x\n", path, sumOf(path)) }
	for _, path := range append([]string{s.file}, s.files...) {
		add(path)
	}
	// Schemas, and workflows that a broken file did not get to name.
	root := filepath.Dir(s.file)
	_ = fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // gone while we looked
		case d.IsDir():
			if path != "." && !s.folders[filepath.Join(root, path)] {
				return fs.SkipDir
			}
		case filepath.Ext(path) == ".toml" || filepath.Ext(path) == ".json":
			add(filepath.Join(root, path))
		}
		return nil
	})
	return [32]byte(sum.Sum(nil))
}
