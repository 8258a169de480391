package host

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
)

// The plugins of a root workflow have addresses: NAME for those that the root
// names, SUB.NAME for one that only a sub-workflow or fallback level names, or
// names otherwise. WORKFLOW.ADDRESS is the name that people use.

// address is the place of a plugin of plan, which is below root, among the
// entries of the root. When the spec is that of an entry already, it is the same
// plugin.
func (r *registry) address(root, plan *workflow.Plan, name string, spec *plugin.Spec) (string, *entry) {
	same := func(address string) *entry {
		for _, e := range r.entries[pluginAddress{root.Name, address}] {
			if reflect.DeepEqual(e.spec, *spec) {
				return e
			}
		}
		return nil
	}
	if plan == root {
		return name, same(name)
	}
	if _, ok := root.Plugins[name]; ok {
		if e := r.uses[pluginKey{root, name}]; e != nil && reflect.DeepEqual(e.spec, *spec) {
			return name, e
		}
	}
	// Two sub-workflows may have one name and mean different plugins.
	for n := 1; ; n++ {
		address := plan.Name + "." + name
		if n > 1 {
			address = fmt.Sprintf("%s-%d.%s", plan.Name, n, name)
		}
		if e := same(address); e != nil {
			return address, e
		}
		taken := false
		for _, e := range r.entries[pluginAddress{root.Name, address}] {
			taken = taken || e.plan != plan && r.usedBy(e, root)
		}
		if !taken {
			return address, nil
		}
	}
}

// usedBy reports whether a root that is being prepared uses an entry already.
func (r *registry) usedBy(e *entry, root *workflow.Plan) bool {
	return e.roots[root] > 0
}

// find is the plugin that a person means by a name: the newest of that address.
// only, if not nil, says which root workflows count.
func (r *registry) find(name string, only func(root string) bool) (*entry, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var found []*entry
	var names []string
	for at, list := range r.entries {
		if only != nil && !only(at.root) {
			continue
		}
		full := at.String()
		if full == name {
			return list[len(list)-1], nil
		}
		names = append(names, full)
		if strings.HasSuffix(full, "."+name) {
			found = append(found, list[len(list)-1])
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, refusal("not_found", fmt.Sprintf("there is no plugin %q%s", name, nearNames(name, names)))
	}
	var all []string
	for _, e := range found {
		all = append(all, e.at.String())
	}
	slices.Sort(all)
	return nil, refusal("ambiguous", fmt.Sprintf("several workflows have a plugin %q: say which, %s", name, strings.Join(all, " or ")))
}

// nearNames says which names there are, for a message about one that there is
// not.
func nearNames(name string, names []string) string {
	if len(names) == 0 {
		return "; no workflow with plugins is loaded"
	}
	slices.Sort(names)
	last := name[strings.LastIndexByte(name, '.')+1:]
	near := slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		short := n[strings.LastIndexByte(n, '.')+1:]
		return !strings.Contains(n, name) && !strings.HasPrefix(short, last[:min(2, len(last))])
	})
	if len(near) > 0 {
		names = near
	}
	if len(names) > 10 {
		names = append(names[:10:10], "…")
	}
	return "; there are " + strings.Join(names, ", ")
}

// newest are the plugins of the root workflows that count, the newest of each
// address.
func (r *registry) newest(only func(root string) bool) []*entry {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []*entry
	for at, list := range r.entries {
		if only == nil || only(at.root) {
			all = append(all, list[len(list)-1])
		}
	}
	return all
}
