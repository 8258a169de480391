package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wasmhost/host/internal/journal"
	"wasmhost/host/internal/plugin"
)

// What outlives a process that serves: the versions that people chose in place of
// what the file holds, and the calls that are kept for replay. A chosen version
// stays until the file's own digest changes. Its bytes lie in STATE/modules.

// keepsVersions reports whether this process is the one that keeps them.
func (h *Host) keepsVersions() bool { return h.journal != nil && h.config.Role == "serve" }

// loadVersions loads a plugin, in the version that an earlier process had when
// somebody chose it.
func (h *Host) loadVersions(ctx context.Context, e *entry) (*plugin.Versions, error) {
	first, err := h.runtime.Load(ctx, e.spec)
	if err != nil {
		return nil, err
	}
	source := first.Digest()
	e.source.Store(&source)
	v := h.versions(e, first, plugin.FromSource)
	if !h.keepsVersions() {
		return v, nil
	}
	e.quiet.Store(true)
	h.recallVersion(ctx, e, v)
	e.quiet.Store(false)
	current := v.Current().Digest()
	e.kept.Store(&current)
	if e.spec.Record > 0 {
		h.recallRecordings(ctx, e, v)
	}
	return v, nil
}

// versions makes a plugin whose changes are told.
func (h *Host) versions(e *entry, first *plugin.Plugin, from string) *plugin.Versions {
	return h.runtime.NewVersions(first, plugin.VersionOptions{From: from, OnChange: func(c plugin.VersionChange) { h.pluginChanged(e, c) }})
}

// keptSwap is the choice that the journal has for a plugin, nil when there is
// none.
func (h *Host) keptSwap(ctx context.Context, at pluginAddress) (*journal.Swap, error) {
	all, err := h.journal.Swaps(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Root == at.root && all[i].Plugin == at.address {
			return &all[i], nil
		}
	}
	return nil, nil
}

// recallVersion brings a chosen version back. One that cannot be had is given up,
// and said: the file's own goes on.
func (h *Host) recallVersion(ctx context.Context, e *entry, v *plugin.Versions) {
	kept, err := h.keptSwap(ctx, e.at)
	switch {
	case err != nil:
		h.log.Error("which version of the plugin was chosen cannot be read; the file's own is used", "plugin", e.at.String(), "error", err)
		return
	case kept == nil:
		return
	case kept.Source != *e.source.Load():
		h.log.Info("the plugin's file has changed since a version was chosen: the file's own is used", "plugin", e.at.String(), "chosen", kept.Digest)
		h.forgetSwap(ctx, e)
		return
	}
	// First the one before, so that a rollback still goes back to it.
	if p := kept.Previous; p != "" && p != v.Current().Digest() {
		if before, err := h.loadKept(ctx, e, p); err == nil {
			v.Swap(before, plugin.FromUpload)
		}
	}
	if kept.Digest == v.Current().Digest() {
		return
	}
	chosen, err := h.loadKept(ctx, e, kept.Digest)
	if err != nil {
		h.log.Error("the version of the plugin that was chosen cannot be loaded; the file's own is used", "plugin", e.at.String(), "chosen", kept.Digest, "error", err)
		h.forgetSwap(ctx, e)
		return
	}
	v.Swap(chosen, kept.From)
}

// loadKept loads a version from STATE/modules.
func (h *Host) loadKept(ctx context.Context, e *entry, digest string) (*plugin.Plugin, error) {
	module, err := os.ReadFile(h.moduleFile(digest))
	if err != nil {
		return nil, err
	}
	spec := e.spec
	spec.Module, spec.SHA256 = module, ""
	switch text, err := os.ReadFile(linkedFile(h.moduleFile(digest))); {
	case err == nil:
		if err := json.Unmarshal(text, &spec.Linked); err != nil {
			return nil, fmt.Errorf("%s cannot be read: %w", linkedFile(h.moduleFile(digest)), err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	p, err := h.runtime.Load(ctx, spec)
	if err != nil {
		return nil, err
	}
	if p.Digest() != digest {
		return nil, errors.Join(fmt.Errorf("%s holds %s", h.moduleFile(digest), p.Digest()), p.Close(ctx))
	}
	return p, nil
}

func (h *Host) forgetSwap(ctx context.Context, e *entry) {
	if err := h.journal.DeleteSwap(ctx, e.at.root, e.at.address); err != nil {
		h.log.Error("the choice of a version cannot be forgotten", "plugin", e.at.String(), "error", err)
	}
}

// keepSwap records which version of a plugin is current, for the process after
// this one. That it cannot be recorded does not undo a swap that took place.
func (h *Host) keepSwap(ctx context.Context, e *entry, by string) {
	v := e.live.Load()
	if v == nil || !h.keepsVersions() {
		return
	}
	ctx = context.WithoutCancel(ctx)
	h.keeping.Lock()
	defer h.keeping.Unlock()
	digest := v.Current().Digest()
	if err := h.keepVersion(ctx, e, v, by); err != nil {
		h.log.Error("the version of the plugin cannot be recorded: the next start takes the file's own", "plugin", e.at.String(), "error", err)
	}
	e.kept.Store(&digest)
	if err := h.pruneModules(ctx); err != nil {
		h.log.Warn("modules that nobody needs cannot be removed", "folder", h.moduleFile(""), "error", err)
	}
}

// infoOf is a plugin as it is and would be after a crash: a version that became
// current by itself is recorded before anybody is told that it is.
func (h *Host) infoOf(ctx context.Context, e *entry) PluginInfo {
	for range 3 { // it may change meanwhile
		i, kept := e.info(), e.kept.Load()
		if i.Digest == "" || !h.keepsVersions() || kept != nil && *kept == i.Digest {
			return i
		}
		h.keepSwap(ctx, e, "")
	}
	return e.info()
}

func (h *Host) keepVersion(ctx context.Context, e *entry, v *plugin.Versions, by string) error {
	current, source := v.Current(), ""
	if s := e.source.Load(); s != nil {
		source = *s
	}
	if current.Digest() == source {
		return h.journal.DeleteSwap(ctx, e.at.root, e.at.address)
	}
	kept, err := h.keptSwap(ctx, e.at)
	if err != nil {
		return err
	}
	s := journal.Swap{Root: e.at.root, Plugin: e.at.address, Digest: current.Digest(), From: plugin.FromUpload, Source: source, By: by, At: h.clock.Now()}
	if kept != nil && kept.Digest == s.Digest && kept.Source == s.Source && (by == "" || kept.By == by) {
		return nil
	}
	if err := h.keepModule(s.Digest, current.Module(), current.Linked()); err != nil {
		return err
	}
	if before, digest, ok := v.Previous(); ok {
		if digest != source {
			if err := h.keepModule(digest, before.Module, before.Linked); err != nil {
				return err
			}
		}
		s.Previous = digest
	}
	return h.journal.SaveSwap(ctx, s)
}

func (h *Host) moduleFile(digest string) string {
	dir := filepath.Join(h.config.State, "modules")
	if digest == "" {
		return dir
	}
	return filepath.Join(dir, strings.TrimPrefix(digest, "sha256:")+".wasm")
}

// linkedFile is where the modules lie that a manifest names: its own files may hold
// others by then.
func linkedFile(moduleFile string) string {
	return strings.TrimSuffix(moduleFile, ".wasm") + ".linked.json"
}

// keepModule puts a module's bytes, and the modules that it names if it is a
// manifest, into STATE/modules. What the journal says of it afterwards holds after
// a power cut too.
func (h *Host) keepModule(digest string, module []byte, linked map[string][]byte) error {
	file := h.moduleFile(digest)
	if len(linked) > 0 {
		text, err := json.Marshal(linked)
		if err != nil {
			return err
		}
		if err := h.keepFile(linkedFile(file), text); err != nil {
			return err
		}
	}
	return h.keepFile(file, module)
}

// keepFile puts a file into STATE/modules, as a whole or not at all.
func (h *Host) keepFile(file string, module []byte) error {
	if there, err := os.ReadFile(file); err == nil && bytes.Equal(there, module) {
		return syncDir(filepath.Dir(file)) // who wrote it may have ended before
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	if err := syncDir(h.config.State); err != nil {
		return err
	}
	return writeWhole(file, module)
}

// writeWhole writes a file that its owner alone may read, as a whole or not at
// all, so that it survives a power cut.
func writeWhole(file string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return syncDir(filepath.Dir(file))
}

// syncDir makes new names in a folder survive a power cut, where the system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync() // not on Windows
	return d.Close()
}

// pruneModules removes the modules that no choice names.
func (h *Host) pruneModules(ctx context.Context) error {
	files, err := os.ReadDir(h.moduleFile(""))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	all, err := h.journal.Swaps(ctx)
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, s := range all {
		for _, digest := range []string{s.Digest, s.Previous} {
			if digest != "" {
				file := filepath.Base(h.moduleFile(digest))
				needed[file], needed[linkedFile(file)] = true, true
			}
		}
	}
	for _, f := range files {
		if !needed[f.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(h.moduleFile(""), f.Name())))
		}
	}
	return err
}

// saveRecordings keeps the calls of a plugin for the process after this one.
func (h *Host) saveRecordings(ctx context.Context, e *entry) {
	v := e.live.Load()
	if v == nil || e.spec.Record <= 0 || !h.keepsVersions() {
		return
	}
	h.keeping.Lock()
	defer h.keeping.Unlock()
	calls := v.Recordings()
	if n := len(calls); n == 0 || calls[n-1].At.Equal(e.recorded) {
		return
	}
	data, err := json.Marshal(calls)
	if err == nil {
		err = h.journal.SaveRecordings(context.WithoutCancel(ctx), e.at.root, e.at.address, data)
	}
	if err != nil {
		h.log.Warn("recorded calls cannot be kept", "plugin", e.at.String(), "error", err)
		return
	}
	e.recorded = calls[len(calls)-1].At
}

// saveAllRecordings does so for every plugin.
func (h *Host) saveAllRecordings(ctx context.Context) {
	for _, e := range h.plugins.all(nil) {
		h.saveRecordings(ctx, e)
	}
}

func (h *Host) recallRecordings(ctx context.Context, e *entry, v *plugin.Versions) {
	data, err := h.journal.Recordings(ctx, e.at.root, e.at.address)
	if err != nil || len(data) == 0 {
		return
	}
	var calls []plugin.Recording
	if json.Unmarshal(data, &calls) != nil {
		return // of a version that writes otherwise
	}
	v.Restore(calls)
}

// recordingsEvery is how often recorded calls are written down.
const recordingsEvery = time.Minute
