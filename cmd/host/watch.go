package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"wasmhost/host"
	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// settle is how long nothing must change before the workflow runs again:
// editors and compilers write in several steps.
const settle = 200 * time.Millisecond

// errChanged cancels a run that a change has overtaken.
var errChanged = errors.New("the files changed")

// watch runs the workflow, and runs it again whenever its files change. A
// workflow file that changes cancels the run that is under way; a plugin is
// swapped in it. It ends by ctrl-C.
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
		a.buildMissing(s)
		ctx, cancel := context.WithCancelCause(a.ctx)
		r := &watchedRun{app: a, watched: s, cancel: cancel, workflow: s.digest(), modules: s.modules(), running: true,
			done: make(chan error, 1), plans: make(chan *workflow.Plan, 1), answered: map[string]bool{}}
		go func() {
			r.done <- a.runOnce(ctx, &watcherOf{loaded: func(w *host.Workflow) { r.plans <- w.Plan() }, saw: r.saw})
		}()
		exit := r.wait()
		cancel(nil)
		if exit != 0 {
			if s.built != nil {
				<-s.built // it hears the signal too, and ends
			}
			return quietly(exit)
		}
		a.say("")
	}
}

// buildMissing builds the modules that are not there: without them nothing runs.
// What else is wrong with the workflow is told when it is run.
func (a *app) buildMissing(s *watched) {
	if s.built != nil {
		return
	}
	p, _ := workflow.Load(a.ctx, s.file, workflow.Options{Unbuilt: true, AllowAnyHost: true})
	if p == nil {
		return
	}
	s.plan(p)
	for _, b := range s.builders {
		if _, err := os.Stat(b.module); err == nil || b.failed {
			continue
		}
		a.sayBuilding(b)
		a.sayBuilt(build{b, b.build(a.ctx)})
	}
}

func (a *app) sayBuilding(b *builder) {
	a.say("building plugin %s: %s", clean(b.plugin), clean(b.command))
}

func (a *app) sayBuilt(b build) {
	if b.err != nil && a.ctx.Err() == nil {
		a.say("the build of plugin %s failed: %v", clean(b.of.plugin), b.err)
	}
}

// watcherOf is who wants to know of a run that is watched.
type watcherOf struct {
	loaded func(*host.Workflow)
	saw    event.SinkFunc
}

// swapChanged swaps plugins whose files change while a run goes on, until the
// function that it returns is called. That a version was taken is an event of the
// run; that one was refused is said here.
func (a *app) swapChanged(ctx context.Context, h *host.Host, w *host.Workflow, show progress) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		err := h.WatchPlugins(ctx, w, func(r *host.SwapReport) {
			if r.Refused != nil {
				show.note(fmt.Sprintf("plugin %s: the new version is refused, the old one goes on: %s", clean(r.Plugin), describe(r.Refused)))
			}
		})
		if err != nil && ctx.Err() == nil {
			show.note(fmt.Sprintf("plugins are not swapped while the run goes on: %v", err))
		}
	}()
	return func() { cancel(); <-over }
}

// watchedRun is one run of a workflow whose files are watched.
type watchedRun struct {
	*app
	*watched
	cancel   context.CancelCauseFunc
	done     chan error
	plans    chan *workflow.Plan
	workflow [32]byte            // the files of the workflow as this run has them
	modules  map[string][32]byte // and its plugins, when last looked at
	running  bool
	again    bool                // something has changed that this run does not have
	swapped  map[string][32]byte // plugins that have changed while the run went on

	mu       sync.Mutex
	answered map[string]bool // the digests of the versions that were called
}

// saw notes which versions of plugins the run has called.
func (r *watchedRun) saw(e *event.Event) {
	if e.Digest != "" {
		r.mu.Lock()
		r.answered[e.Digest] = true
		r.mu.Unlock()
	}
}

// build is a build that has ended.
type build struct {
	of  *builder
	err error
}

// wait waits for the end of the run and for a change; 0 asks for another run.
func (r *watchedRun) wait() int {
	ctx := r.ctx
	var quiet <-chan time.Time
	for {
		if !r.running && r.again {
			return 0
		}
		select {
		case p := <-r.plans:
			r.plan(p)
			// What the plan names counts from now on.
			r.workflow, r.modules = r.digest(), r.watched.modules()
		case err := <-r.done:
			r.running = false
			if exit := interrupted(ctx); exit != 0 {
				r.report("run", err)
				return exit
			}
			if err != nil && !r.again {
				r.report("run", err)
			}
			if r.again = r.again || r.missed(); !r.again {
				r.say("watching %s; ctrl-C ends", counted(len(r.folders), "folder"))
			}
		case <-ctx.Done():
			if r.running {
				<-r.done // it hears it too, and ends
			}
			return max(interrupted(ctx), 1)
		case e, open := <-r.watcher.Events:
			if !open {
				return exitFailed
			}
			if e.Has(fsnotify.Create) {
				if info, err := os.Stat(e.Name); err == nil && info.IsDir() {
					r.folder(e.Name, true)
				}
			}
			quiet = time.After(settle)
		case err := <-r.watcher.Errors:
			r.say("watching: %v", err)
		case <-quiet:
			quiet = nil
			r.changed()
		case b := <-r.built:
			r.built = nil
			r.sayBuilt(b)
			r.changed()
		}
	}
}

// changed looks at what has changed on disk, when it has settled.
func (r *watchedRun) changed() {
	if now := r.digest(); now != r.workflow {
		r.workflow, r.again = now, true
		r.cancel(errChanged)
	}
	for file, sum := range r.watched.modules() {
		if r.modules[file] == sum {
			continue
		}
		r.modules[file] = sum
		if !r.running {
			r.again = true
			continue
		}
		if r.swapped == nil {
			r.swapped = map[string][32]byte{}
		}
		r.swapped[file] = sum
	}
	if r.built != nil {
		return // it is looked again when that has ended
	}
	for _, b := range r.builders {
		if !b.stale() {
			continue
		}
		r.sayBuilding(b)
		built := make(chan build, 1)
		r.built = built
		go func() { built <- build{b, b.build(r.ctx)} }()
		return
	}
}

// missed reports whether a plugin has changed while the run went on and its new
// version was never called: then there is something to see in another run.
func (r *watchedRun) missed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, sum := range r.swapped {
		if !r.answered["sha256:"+hex.EncodeToString(sum[:])] {
			return true
		}
	}
	return false
}
