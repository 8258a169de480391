package plugin

import (
	"slices"
	"strings"
)

// reach is what a module's imports can make use of, whatever is granted.
type reach struct{ http, files, env, config bool }

func (img *image) reach() reach {
	var r reach
	for i := range img.modules {
		for _, imp := range img.modules[i].info.Imports {
			if img.named(imp.Module) != nil {
				continue
			}
			switch {
			case imp.Module == envModule && imp.Name == "http_request":
				r.http = true
			case imp.Module == envModule && imp.Name == "config_get":
				r.config = true
			case imp.Module == wasiModule && imp.Name == "environ_get":
				r.env = true
			case imp.Module == wasiModule && (strings.HasPrefix(imp.Name, "path_") || imp.Name == "fd_readdir"):
				r.files = true
			}
		}
	}
	return r
}

// permission is one thing that a plugin may do.
type permission struct {
	kind   string // http, fs, env or secret
	name   string // of a variable or secret; where a folder is shown
	origin origin
	hosts  string // what a manifest lets through of the origin; "": all
	path   string // the folder
	write  bool
}

// Permissions are what the plugin may really do, in words: what the workflow
// grants and the plugin's own description asks for, as far as its imports can
// make use of it. Such as "http https://api.example.com", "fs /data (rw)",
// "env LANG", "secret llm_key".
func (p *Plugin) Permissions() []string {
	words := []string{}
	for _, have := range p.permissions() {
		words = append(words, have.String())
	}
	return words
}

func (p *Plugin) permissions() []permission {
	var all []permission
	if p.reach.http {
		for _, o := range p.network.origins() {
			all = append(all, o.within(p.network.hosts)...)
		}
	}
	asks := len(all) > 0
	if p.reach.files {
		for _, m := range p.spec.Allow.FS {
			all = append(all, permission{kind: "fs", name: m.At, path: p.spec.inDir(m.Path), write: m.Write})
		}
	}
	if p.reach.env {
		for _, e := range p.env {
			all = append(all, permission{kind: "env", name: e[0]})
		}
	}
	for _, s := range p.spec.Secrets {
		if s.Header == "" && p.reach.config || s.Header != "" && asks {
			all = append(all, permission{kind: "secret", name: s.Name})
		}
	}
	return slices.Compact(all)
}

// within is the origin as far as a manifest's allowed_hosts let it through.
func (o origin) within(hosts []string) []permission {
	all := []permission{{kind: "http", origin: o}}
	switch {
	case hosts == nil || slices.Contains(hosts, "*"):
		return all
	case !o.any && !o.below:
		if matchesHost(hosts, o.host) {
			return all
		}
		return nil
	}
	all = nil
	for _, h := range hosts {
		h = strings.ToLower(h)
		if strings.ContainsAny(h, `*?[\`) || o.names(h) {
			all = append(all, permission{kind: "http", origin: o, hosts: h})
		}
	}
	return all
}

func (a permission) String() string {
	switch {
	case a.kind == "http" && a.hosts != "":
		return "http " + a.origin.String() + " (only " + printable(a.hosts) + ")"
	case a.kind == "http":
		return "http " + a.origin.String()
	case a.write:
		return a.kind + " " + a.name + " (rw)"
	}
	return a.kind + " " + a.name
}

// covers reports whether b is allowed by a already.
func (a permission) covers(b permission) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case "http":
		both, ok := a.origin.intersect(b.origin)
		if !ok || both != b.origin {
			return false
		}
		literal := !strings.ContainsAny(b.hosts, `*?[\`)
		exact := b.hosts
		if exact == "" && !b.origin.any && !b.origin.below {
			exact = b.origin.host
		}
		return a.hosts == "" || a.hosts == b.hosts || literal && exact != "" && matchesHost([]string{a.hosts}, exact)
	case "fs":
		return a.path == b.path && a.name == b.name && (a.write || !b.write)
	}
	return a.name == b.name
}

// grown are the permissions of next that old does not have.
func grown(old, next []permission) []string {
	var more []string
	for _, n := range next {
		if !slices.ContainsFunc(old, func(o permission) bool { return o.covers(n) }) {
			more = append(more, n.String())
		}
	}
	return more
}
