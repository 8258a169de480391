package plugin

import (
	"cmp"
	"slices"
)

// Stats are figures of a Runtime at one moment.
type Stats struct {
	// Compiled is how many modules are held compiled, and CompiledBytes their size
	// as Wasm.
	Compiled      int
	CompiledBytes int64
	Plugins       []PluginStats // by name; one for every version that is open
}

// PluginStats are figures of one version of a plugin.
type PluginStats struct {
	Name, Digest string
	// Ready instances wait for a call, Working calls have one, Waiting calls want
	// one; there are Limit at most.
	Ready, Working, Waiting, Limit int
}

// Stats counts what is there now.
func (r *Runtime) Stats() Stats {
	var s Stats
	r.mu.Lock()
	open := make([]*Plugin, 0, len(r.plugins))
	for p := range r.plugins {
		open = append(open, p)
	}
	for _, p := range r.programs {
		s.Compiled += int(p.modules.Load())
		s.CompiledBytes += p.bytes.Load()
	}
	r.mu.Unlock()
	for _, p := range open {
		if p.spec.withheld != nil {
			continue
		}
		one := PluginStats{Name: p.Name(), Digest: p.Digest(), Limit: p.limits.Instances}
		one.Working, one.Waiting, one.Ready = p.pool.load()
		s.Plugins = append(s.Plugins, one)
	}
	slices.SortFunc(s.Plugins, func(a, b PluginStats) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Digest, b.Digest))
	})
	return s
}
