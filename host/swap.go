package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
)

// What a plugin of a workflow is, and another version of it.
type (
	PluginInfo  = event.PluginInfo
	SwapRequest = event.SwapRequest
	SwapReport  = event.SwapReport
)

// Plugins are the plugins of the workflows that are loaded and have been started
// or are served, by name.
func (h *Host) Plugins(ctx context.Context) ([]PluginInfo, error) {
	entries := h.plugins.newest(h.servedRoots())
	infos := make([]PluginInfo, 0, len(entries))
	for _, e := range entries {
		infos = append(infos, h.infoOf(ctx, e))
	}
	slices.SortFunc(infos, func(a, b PluginInfo) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

// PluginInfo is one of them. Codes: not_found, ambiguous.
func (h *Host) PluginInfo(ctx context.Context, name string) (*PluginInfo, error) {
	e, err := h.plugins.find(name, h.servedRoots())
	if err != nil {
		return nil, err
	}
	info := h.infoOf(ctx, e)
	return &info, nil
}

// Swap brings another version of a plugin in. Calls in flight end on the version
// that they began with, later attempts take the new one, in every run. It
// returns when the new version is current, on trial, or refused by the report;
// the error is for what has nothing to do with the module. Codes: not_found,
// ambiguous, pinned, busy.
func (h *Host) Swap(ctx context.Context, r SwapRequest) (*SwapReport, error) {
	e, err := h.plugins.find(r.Plugin, h.servedRoots())
	if err != nil {
		return nil, err
	}
	switch r.Mode {
	case "":
		r.Mode = event.SwapNow
	case event.SwapNow, event.SwapCanary, event.SwapShadow:
	default:
		return nil, refusal("bad_request", fmt.Sprintf("mode %q: it is now, canary or shadow", r.Mode))
	}
	if e.spec.SHA256 != "" && !r.Unpin {
		return nil, refusal("pinned", fmt.Sprintf("%s pins plugin %s with sha256; change it there, or swap with unpin", e.plan.File, e.at))
	}
	if err := e.hold(); err != nil {
		return nil, err
	}
	defer e.release()
	return h.swapTo(ctx, e, r)
}

// hold keeps others from changing the plugin's version until release.
func (e *entry) hold() error {
	select {
	case e.swap <- struct{}{}:
		return nil
	default:
		return refusal("busy", fmt.Sprintf("another swap of plugin %s is under way", e.at))
	}
}

func (e *entry) release() { <-e.swap }

// swapTo puts a new version through the gates and brings it in. The caller holds
// the entry.
func (h *Host) swapTo(ctx context.Context, e *entry, r SwapRequest) (report *SwapReport, err error) {
	defer func() {
		if report != nil {
			h.observer.Load().swap(e, report)
		}
	}()
	versions, err := h.plugins.load(ctx, e)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	spec := e.spec
	if r.Unpin {
		spec.SHA256 = ""
	}
	gate := plugin.Gate{Module: r.Module, AcceptPermissions: r.AcceptPermissions, Health: h.plugins.healthOf(e), Same: r.Same}
	from := plugin.FromSource
	if r.Module != nil {
		from = plugin.FromUpload
	}
	if err != nil {
		// What there is cannot be loaded, so there is nothing to go on with: the
		// first version that can takes its place.
		return h.firstVersion(ctx, e, spec, gate, from, r)
	}
	if r.Replay {
		gate.Replay = versions.Recordings()
	}
	var next *plugin.Plugin
	next, report = h.runtime.Candidate(ctx, spec, versions.Current(), gate)
	report.Plugin, report.Mode = e.at.String(), r.Mode
	if from == plugin.FromSource && report.Refused == nil {
		e.source.Store(&report.To)
	}
	switch {
	case next == nil:
		if report.Unchanged {
			h.keepSwap(ctx, e, r.By)
		}
		return report, nil
	case r.Mode == event.SwapNow:
		versions.Swap(next, from)
	default:
		err := versions.Try(next, from, plugin.Trial{Mode: r.Mode, Good: r.Good, OnEnd: func(end plugin.TrialEnd) { h.trialEnded(e, end) }})
		if err != nil {
			return nil, err
		}
		return report, nil
	}
	h.keepSwap(ctx, e, r.By)
	return report, nil
}

// firstVersion is a swap of a plugin of which no version could be loaded.
func (h *Host) firstVersion(ctx context.Context, e *entry, spec plugin.Spec, gate plugin.Gate, from string, r SwapRequest) (*SwapReport, error) {
	next, report := h.runtime.Candidate(ctx, spec, nil, gate)
	report.Plugin, report.Mode = e.at.String(), event.SwapNow
	if next == nil {
		return report, nil
	}
	if from == plugin.FromSource {
		e.source.Store(&report.To)
	}
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		_ = next.Close(context.WithoutCancel(ctx))
		return nil, context.Cause(ctx)
	}
	if v := e.live.Load(); v != nil { // it could be loaded after all
		v.Swap(next, from)
	} else {
		e.failed.Store(nil)
		e.live.Store(h.versions(e, next, from))
	}
	<-e.turn
	h.keepSwap(ctx, e, r.By)
	return report, nil
}

// Rollback goes back to the version of a plugin before the present one, or ends
// its canary or shadow. Codes: not_found, ambiguous, busy, no_version.
func (h *Host) Rollback(ctx context.Context, name, by string) (*PluginInfo, error) {
	return h.shift(ctx, name, by, func(e *entry, v *plugin.Versions) error {
		report, err := v.Rollback(ctx)
		if err != nil {
			return err
		}
		if report != nil && report.Refused != nil {
			return report.Refused
		}
		h.observer.Load().rolledBack(e)
		return nil
	})
}

// Promote makes a plugin's canary or shadow the current version. Codes:
// not_found, ambiguous, busy, no_version.
func (h *Host) Promote(ctx context.Context, name, by string) (*PluginInfo, error) {
	return h.shift(ctx, name, by, func(_ *entry, v *plugin.Versions) error { return v.Promote() })
}

// shift moves among the versions that a plugin has.
func (h *Host) shift(ctx context.Context, name, by string, move func(*entry, *plugin.Versions) error) (*PluginInfo, error) {
	e, err := h.plugins.find(name, h.servedRoots())
	if err != nil {
		return nil, err
	}
	if err := e.hold(); err != nil {
		return nil, err
	}
	defer e.release()
	v := e.live.Load()
	if v == nil {
		return nil, refusal("no_version", fmt.Sprintf("plugin %s has not been loaded: there is no other version", e.at))
	}
	if err := move(e, v); err != nil {
		return nil, err
	}
	h.keepSwap(ctx, e, by)
	info := e.info()
	return &info, nil
}

// info is the plugin as people see it.
func (e *entry) info() PluginInfo {
	i := PluginInfo{Name: e.at.String(), Workflow: e.at.root, Source: e.spec.Source, File: sourceFile(&e.spec), Pinned: e.spec.SHA256 != "",
		Permissions: []string{}, Versions: []event.PluginVersion{}, Error: e.failed.Load()}
	v := e.live.Load()
	if v == nil {
		return i
	}
	current := v.Current()
	i.Digest, i.Recorded = current.Digest(), len(v.Recordings())
	i.Permissions = append(i.Permissions, current.Permissions()...)
	i.Versions = append(i.Versions, v.List()...)
	return i
}

// sourceFile is the file behind a source, "" when there is none.
func sourceFile(s *plugin.Spec) string {
	if strings.HasPrefix(s.Source, "builtin:") || strings.Contains(s.Source, "://") {
		return ""
	}
	if filepath.IsAbs(s.Source) {
		return filepath.Clean(s.Source)
	}
	file, err := filepath.Abs(filepath.Join(s.Dir, s.Source))
	if err != nil {
		return ""
	}
	return file
}

// healthOf are the functions that checks of workflows ask of a plugin.
func (r *registry) healthOf(e *entry) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []string
	for key, used := range r.uses {
		if used != e {
			continue
		}
		for i := range key.plan.Health {
			if c := &key.plan.Health[i]; c.Plugin == key.name && !slices.Contains(all, c.Function) {
				all = append(all, c.Function)
			}
		}
	}
	slices.Sort(all)
	return all
}

// pluginChanged is told by a plugin's versions of every change.
func (h *Host) pluginChanged(e *entry, c plugin.VersionChange) {
	if e.quiet.Load() {
		return
	}
	switch c.What {
	case plugin.ChangeSwap, plugin.ChangePromote:
		h.tellRoot(e.at.root, func() *event.Event {
			return &event.Event{Type: event.PluginSwapped, Workflow: e.at.root, Plugin: e.spec.Name, From: c.From, To: c.To, Reason: c.Reason}
		})
	}
}

// trialEnded is told when a canary or shadow is over, whoever ended it.
func (h *Host) trialEnded(e *entry, end plugin.TrialEnd) {
	h.observer.Load().trialEnded(e, end)
	h.Audit(context.Background(), event.Audit{By: string(end.Mode), Action: "plugin.trial", Target: e.at.String(), OK: end.Promoted || end.Mode == event.SwapShadow,
		Detail: fmt.Sprintf("%s: %s", end.Digest, end.Reason)})
	if end.Promoted {
		// The goroutine of a call waits for us.
		h.later(func(ctx context.Context) { h.keepSwap(ctx, e, string(end.Mode)) })
	}
}

// tellRoot tells every live run of a root workflow, or the Host's Sink alone
// where there is none.
func (h *Host) tellRoot(root string, make func() *event.Event) {
	live := h.liveOf(root)
	for _, r := range live {
		r.emit(make())
	}
	if len(live) == 0 {
		e := make()
		e.V, e.Time = event.Version, h.clock.Now()
		h.toSinks(e)
	}
}

// liveOf are the runs of a root workflow that have an engine.
func (h *Host) liveOf(root string) []*Run {
	h.mu.Lock()
	defer h.mu.Unlock()
	var live []*Run
	for _, r := range h.runs {
		if r.live && r.workflow.plan.Name == root {
			live = append(live, r)
		}
	}
	return live
}

// later does something that is not to be waited for; Close waits for it.
func (h *Host) later(do func(context.Context)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.ending.Go(func() { do(context.Background()) })
	}
}

// eventError is any error as an *event.Error.
func eventError(err error) *event.Error {
	var e *event.Error
	if errors.As(err, &e) {
		return e
	}
	return &event.Error{Class: event.System, Code: "host_failure", Message: err.Error(), Cause: err}
}
