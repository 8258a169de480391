package host

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
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

// info is the plugin as people see it.
func (e *entry) info() PluginInfo {
	i := PluginInfo{Name: e.at.String(), Workflow: e.at.root, Source: e.spec.Source, File: sourceFile(&e.spec), Pinned: e.spec.SHA256 != "",
		Permissions: []string{}, Versions: []event.PluginVersion{}, Error: e.failed.Load()}
	v := e.live.Load()
	if v == nil {
		return i
	}
	current := v.Current()
	i.LastTrial = e.trial.Load()
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

// functionsOf are all functions that workflows call of a plugin: in nodes,
// fallbacks and health checks.
func (r *registry) functionsOf(e *entry) []string {
	all := r.healthOf(e)
	r.mu.RLock()
	defer r.mu.RUnlock()
	called := map[string]bool{}
	for _, f := range all {
		called[f] = true
	}
	for key, used := range r.uses {
		if used != e {
			continue
		}
		add := func(a *workflow.Answerer) {
			if a.Plugin == key.name && !called[a.Function] {
				called[a.Function] = true
				all = append(all, a.Function)
			}
		}
		for i := range key.plan.Nodes {
			n := &key.plan.Nodes[i]
			if n.Kind != workflow.PluginNode {
				continue
			}
			add(&n.Primary)
			for j := range n.Fallbacks {
				add(&n.Fallbacks[j])
			}
		}
	}
	slices.Sort(all)
	return all
}
