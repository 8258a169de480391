package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"wasmhost/host"
	"wasmhost/host/workflow"
)

// settle is how long nothing must change before the workflow runs again:
// editors and compilers write in several steps.
const settle = 200 * time.Millisecond

// maxWatched bounds the folders that are watched.
const maxWatched = 256

// errChanged cancels a run that a change has overtaken.
var errChanged = errors.New("the files changed")

// watch runs the workflow, and runs it again whenever its files change: the
// file itself, those that it names, its plugins. A run that is under way is
// cancelled. It ends by ctrl-C.
func (a *app) watch() error {
	file, err := workflowFile(a.c.Args().First())
	if err != nil {
		return err
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("files cannot be watched: %w", err)
	}
	defer watcher.Close()
	s := &watched{watcher: watcher, folders: map[string]bool{}, file: file}
	s.folder(filepath.Dir(file), true)
	for {
		seen := s.digest()
		ctx, cancel := context.WithCancelCause(a.ctx)
		done := make(chan error, 1)
		plans := make(chan *workflow.Plan, 1)
		go func() {
			done <- a.runOnce(ctx, func(w *host.Workflow) { plans <- w.Plan() })
		}()
		exit := a.watchRun(s, seen, done, plans, cancel)
		cancel(nil)
		if exit != 0 {
			return quietly(exit)
		}
		a.say("")
	}
}

// watchRun waits for the end of a run and for a change; 0 asks for another run.
func (a *app) watchRun(s *watched, seen [32]byte, done chan error, plans chan *workflow.Plan, cancel context.CancelCauseFunc) int {
	var quiet <-chan time.Time
	running, changed := true, false
	for {
		if !running && changed {
			return 0
		}
		select {
		case p := <-plans:
			s.plan(p)
			// What the plan names counts from now on.
			seen = s.digest()
		case err := <-done:
			running = false
			if exit := interrupted(a.ctx); exit != 0 {
				a.report("run", err)
				return exit
			}
			if err != nil && !changed {
				a.report("run", err)
			}
			if !changed {
				a.say("watching %s; ctrl-C ends", counted(len(s.folders), "folder"))
			}
		case <-a.ctx.Done():
			if !running {
				return max(interrupted(a.ctx), 1)
			}
			// The run hears it too, and ends; wait for it.
			<-done
			return max(interrupted(a.ctx), 1)
		case e, open := <-s.watcher.Events:
			if !open {
				return exitFailed
			}
			if e.Has(fsnotify.Create) {
				if info, err := os.Stat(e.Name); err == nil && info.IsDir() {
					s.folder(e.Name, true)
				}
			}
			quiet = time.After(settle)
		case err := <-s.watcher.Errors:
			a.say("watching: %v", err)
		case <-quiet:
			quiet = nil
			if now := s.digest(); now != seen {
				seen, changed = now, true
				cancel(errChanged)
			}
		}
	}
}

// watched is what a workflow consists of on disk.
type watched struct {
	watcher *fsnotify.Watcher
	folders map[string]bool
	file    string   // the workflow
	files   []string // what it names, as far as it could be read
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
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && e.Name() != "node_modules" && e.Name() != "target" {
			s.folder(filepath.Join(dir, e.Name()), true)
		}
	}
}

// plan watches what a plan names outside of its own folder too.
func (s *watched) plan(p *workflow.Plan) {
	s.files = nil
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
			s.files = append(s.files, path)
			s.folder(filepath.Dir(path), false)
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

// maxHashed is the largest file whose contents are compared; of a larger one,
// size and time count.
const maxHashed = 32 << 20

// digest is over the contents of everything that the workflow may consist of,
// so that a save without a change runs nothing.
func (s *watched) digest() [32]byte {
	sum := sha256.New()
	add := func(path string) {
		info, err := os.Stat(path)
		if err != nil || info.Size() > maxHashed {
			if err == nil {
				fmt.Fprintf(sum, "%q %d %v\n", path, info.Size(), info.ModTime())
			}
			return
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(sum, "%q %d %v\n", path, len(text), err == nil)
		sum.Write(text)
	}
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
