package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
)

// settle is how long a file must be left alone before it is read: who writes it
// may need several writes.
const settle = 200 * time.Millisecond

// WatchPlugins swaps the local plugins of a workflow when their files change,
// until ctx ends. A new version goes through the gates of Swap; one that does not
// pass is refused, and the old one goes on. tell, if not nil, is told of each.
func (h *Host) WatchPlugins(ctx context.Context, w *Workflow, tell func(*SwapReport)) error {
	if err := h.plugins.prepare(w.plan); err != nil {
		return err
	}
	only := func(e *entry) bool { return h.plugins.usedByRoot(e, w) }
	files := pluginFiles(h.plugins.all(nil), only)
	return plugin.Watch(ctx, files, nil, settle,
		func(files []string) { h.pluginFilesWatched(ctx, files, only, tell) },
		func(file string) { h.pluginFileChanged(ctx, file, only, tell) })
}

// usedByRoot reports whether a workflow names a plugin.
func (r *registry) usedByRoot(e *entry, w *Workflow) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return e.roots[w.plan] > 0
}

// pluginFiles are the files behind plugins.
func pluginFiles(entries []*entry, only func(*entry) bool) []string {
	var files []string
	for _, e := range entries {
		if file := sourceFile(&e.spec); file != "" && only(e) && !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return files
}

// pluginFileChanged swaps every plugin that is read from a file.
func (h *Host) pluginFileChanged(ctx context.Context, file string, only func(*entry) bool, tell func(*SwapReport)) {
	for _, e := range h.plugins.all(nil) {
		if sourceFile(&e.spec) != file || !only(e) {
			continue
		}
		if !e.wasRead(ctx) {
			continue // it is read when it is needed
		}
		report, err := h.swapFromFile(ctx, e)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errUnused) {
			continue
		}
		if err != nil {
			report = &SwapReport{Plugin: e.at.String(), Mode: event.SwapNow, Refused: eventError(err)}
		}
		h.fileSwapped(ctx, e, file, report)
		if tell != nil && !report.Unchanged {
			tell(report)
		}
	}
}

// wasRead reports whether the plugin was loaded, or could not be. It waits while it
// is being loaded: that may have read the file as it was before.
func (e *entry) wasRead(ctx context.Context) bool {
	if e.live.Load() != nil {
		return true
	}
	select {
	case e.turn <- struct{}{}:
		<-e.turn
	case <-ctx.Done():
		return false
	}
	return e.live.Load() != nil || e.failed.Load() != nil
}

// pluginFilesWatched looks after the plugins whose files are watched from now on:
// those that were loaded from something else than the files hold, for they changed
// before.
func (h *Host) pluginFilesWatched(ctx context.Context, files []string, only func(*entry) bool, tell func(*SwapReport)) {
	for _, file := range files {
		h.pluginFileChanged(ctx, file, func(e *entry) bool { return only(e) && e.wasRead(ctx) && h.holdsOther(ctx, e) }, tell)
	}
}

// holdsOther reports whether the file of a plugin holds something else than the
// plugin was loaded from. One that could not be loaded is loaded now, if it can be.
func (h *Host) holdsOther(ctx context.Context, e *entry) bool {
	if e.live.Load() == nil {
		_, _ = h.plugins.load(ctx, e)
		return false
	}
	source := e.source.Load()
	now, err := h.runtime.SourceDigest(ctx, e.spec)
	return err != nil || source == nil || now != *source
}

// swapFromFile waits for its turn among those who change the plugin's version.
func (h *Host) swapFromFile(ctx context.Context, e *entry) (*SwapReport, error) {
	select {
	case e.swap <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer e.release()
	return h.swapTo(ctx, e, SwapRequest{Plugin: e.at.String(), Mode: event.SwapNow, By: "file watch"}, true)
}

// fileSwapped says what became of a plugin whose file has changed.
func (h *Host) fileSwapped(ctx context.Context, e *entry, file string, report *SwapReport) {
	e.failed.Store(report.Refused)
	if report.Unchanged {
		return
	}
	a := event.Audit{By: "file watch", Action: "plugin.swap", Target: e.at.String(), OK: report.Refused == nil}
	if report.Refused != nil {
		a.Detail = fmt.Sprintf("%s: %s", file, report.Refused.Message)
		what := "has changed and is refused"
		if report.Refused.Code == "not_found" {
			what = "is gone"
		}
		h.log.Error("the plugin's file "+what+"; the version before goes on", "plugin", e.at.String(), "file", file, "error", report.Refused.Message)
	} else {
		a.Detail = fmt.Sprintf("%s: %s, before %s", file, report.To, report.From)
		h.log.Info("the plugin's file has changed: later calls take the new version", "plugin", e.at.String(), "file", file, "from", report.From, "to", report.To)
	}
	h.Audit(ctx, a)
}

// watchFiles watches the files of the served workflows and of their plugins, until
// ctx ends.
func (s *served) watchFiles(ctx context.Context) {
	changed := s.flows.next()
	watched := s.filesServed()
	next := make(chan []string)
	var watch sync.WaitGroup
	watch.Go(func() {
		err := plugin.Watch(ctx, watched, next, settle,
			func(files []string) { s.filesWatched(ctx, files) },
			func(file string) { s.fileChanged(ctx, file) })
		if err != nil {
			s.log.Error("files are not watched: what changes is found at the next start", "error", err)
		}
	})
	defer watch.Wait()
	for {
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		changed = s.flows.next()
		files := s.filesServed()
		if slices.Equal(files, watched) {
			continue
		}
		select {
		case next <- files:
			watched = files
		case <-ctx.Done():
			return
		}
	}
}

// filesServed are the files of the served workflows and of their plugins, sorted.
func (s *served) filesServed() []string {
	files := pluginFiles(s.plugins.all(nil), s.servesPlugin)
	for _, f := range s.flows.loaded() {
		files = append(files, f.files...)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// servesPlugin tells the plugins of the workflows that are served now.
func (s *served) servesPlugin(e *entry) bool { return s.flows.get(e.at.root) != nil }

func (s *served) fileChanged(ctx context.Context, file string) {
	for _, f := range s.flows.loaded() {
		if slices.Contains(f.files, file) {
			s.reloadFlow(ctx, f.name)
		}
	}
	s.pluginFileChanged(ctx, file, s.servesPlugin, nil)
}

// filesWatched looks after what was made of files before they were watched.
func (s *served) filesWatched(ctx context.Context, files []string) {
	for _, f := range s.flows.loaded() {
		if !slices.ContainsFunc(files, func(file string) bool { return slices.Contains(f.files, file) }) {
			continue
		}
		// Modules have digests of their own: nothing is looked into.
		now, _ := workflow.Load(ctx, f.file, workflow.Options{AllowAnyHost: s.config.AllowAnyHost})
		if now == nil || now.Digest != f.w.plan.Digest {
			s.reloadFlow(ctx, f.name)
		}
	}
	s.pluginFilesWatched(ctx, files, s.servesPlugin, nil)
}
