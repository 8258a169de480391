package workflow

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// duration reads a duration that check has accepted; 0 when there is none.
func (t *item) duration(key string) time.Duration {
	s, ok := t.str(key)
	if !ok {
		return 0
	}
	d, p := parseDuration(s)
	if p != nil || d < 0 {
		return 0
	}
	return d
}

func (t *item) size(key string) int64 {
	s, ok := t.str(key)
	if !ok {
		return 0
	}
	n, p := parseSize(s)
	if p != nil {
		return 0
	}
	return n
}

// applyLimits sets those limits that a table gives.
func (l *Limits) applyLimits(t *item) {
	for key, to := range map[string]*int64{
		"memory": &l.Memory, "input": &l.Input, "output": &l.Output, "log": &l.Log, "vars": &l.Vars, "http_bytes": &l.HTTPBytes,
	} {
		if n := t.size(key); n > 0 {
			*to = n
		}
	}
	for key, to := range map[string]*int{"http_requests": &l.HTTPRequests, "files": &l.Files, "instances": &l.Instances} {
		if n, ok := t.integer(key); ok && n > 0 {
			*to = int(n)
		}
	}
	if n, ok := t.integer("steps"); ok && n > 0 {
		l.Steps = n
	}
}

func (b *builder) plugins(t *item) {
	b.plan.Plugins = map[string]*Plugin{}
	var defaults Limits
	if limits := b.root.table("defaults").table("limits"); limits != nil {
		defaults.applyLimits(limits)
	}
	for _, e := range t.all() {
		if e.item.kind != tableKind {
			continue
		}
		b.plan.Plugins[e.key] = b.plugin(e, defaults)
	}
}

func (b *builder) plugin(e *entry, limits Limits) *Plugin {
	t := e.item
	p := &Plugin{Name: e.key, Reset: "call", Limits: limits, Config: map[string]Setting{}}
	p.Source, _ = t.str("source")
	p.ABI, _ = t.str("abi")
	if s, ok := t.str("reset"); ok {
		p.Reset = s
	}
	if s, ok := t.str("sha256"); ok && checkSHA256(s) == nil {
		p.SHA256 = strings.ToLower(strings.TrimPrefix(s, "sha256:"))
	}
	p.PublicKey, _ = t.str("public_key")
	p.Build, _ = t.str("build")
	if n, ok := t.integer("record"); ok {
		p.Record = int(n)
	}
	for _, s := range t.strings("args") {
		p.Args = append(p.Args, s)
	}
	if own := t.table("limits"); own != nil {
		p.Limits.applyLimits(own)
	}
	for _, c := range t.table("config").all() {
		if reserved, ok := reservedConfig(c.key); ok {
			b.sayAt(c.at, c.end, "bad_name", "choose another name", "config keys that begin with %q are the host's own", reserved)
		}
		p.Config[c.key] = b.setting(c.item)
	}
	b.allow(p, t.table("allow"))
	b.source(e, p)
	return p
}

// reservedConfig are the prefixes under which plugins find what the host tells
// them.
func reservedConfig(key string) (string, bool) {
	for _, prefix := range []string{"host.", "secret."} {
		if strings.HasPrefix(key, prefix) {
			return prefix, true
		}
	}
	return "", false
}

// setting reads a string or { env, default }.
func (b *builder) setting(v *item) Setting {
	if v.kind == stringKind {
		return Setting{Value: v.text}
	}
	var s Setting
	s.Env, _ = v.str("env")
	s.Default, s.HasDefault = v.str("default")
	return s
}

// valueOf is what a setting comes to in this environment, "" when that is not
// known. As at run time, an empty variable counts as not set.
func (b *builder) valueOf(s Setting) string {
	if s.Env == "" {
		return s.Value
	}
	if b.l.o.Getenv != nil {
		if v, ok := b.l.o.Getenv(s.Env); ok && v != "" {
			return v
		}
	}
	return s.Default
}

// origin reads an http permission, and checks what the environment makes of it.
func (b *builder) origin(v *item) Setting {
	s := b.setting(v)
	if s.Env != "" && b.l.o.Getenv != nil {
		if value, ok := b.l.o.Getenv(s.Env); ok && value != "" {
			if p := checkOrigin(value); p != nil && !(p.anyHost && b.anyHost) {
				b.say(v.get("env"), p.code, p.hint, "the environment variable %s: %s", s.Env, p.message)
			}
		}
	}
	return s
}

func (b *builder) allow(p *Plugin, t *item) {
	if v := t.get("http"); v != nil && v.kind == arrayKind {
		for _, e := range v.items {
			p.Allow.HTTP = append(p.Allow.HTTP, b.origin(e))
		}
	}
	seen := map[string]bool{}
	for _, m := range t.tables("fs") {
		var mount Mount
		mount.Path, _ = m.str("path")
		mount.At, _ = m.str("at")
		mode, _ := m.str("mode")
		mount.Write = mode == "rw"
		if at := m.get("at"); at != nil && seen[mount.At] {
			b.say(at, "contradiction", "", "two folders are mounted at %s", mount.At)
		}
		seen[mount.At] = true
		if v := m.get("path"); v != nil && v.kind == stringKind && strings.TrimSpace(v.text) != "" {
			b.folder(v)
		}
		p.Allow.FS = append(p.Allow.FS, mount)
	}
	for _, s := range t.strings("env") {
		p.Allow.Env = append(p.Allow.Env, s)
	}
	if v := t.get("secrets"); v != nil && v.kind == arrayKind {
		for _, e := range v.items {
			p.Allow.Secrets = append(p.Allow.Secrets, b.secretUse(p, e))
		}
	}
}

func (b *builder) secretUse(p *Plugin, v *item) SecretUse {
	if v.kind == stringKind {
		return SecretUse{Name: v.text}
	}
	var u SecretUse
	u.Name, _ = v.str("name")
	u.Header, _ = v.str("header")
	u.Prefix, _ = v.str("prefix")
	if to := v.get("to"); to != nil && to.kind == arrayKind {
		if len(to.items) == 0 { // not "to all": that would be the opposite of what it looks like
			b.say(to, "bad_value", "leave `to` out for the plugin's http origins, or leave the secret out", "an empty list of origins sends the secret nowhere")
		}
		for _, e := range to.items {
			u.To = append(u.To, b.origin(e))
		}
	}
	if u.Header == "" && v.kind == tableKind {
		for _, key := range []string{"prefix", "to"} {
			if e := v.find(key); e != nil {
				b.sayAt(e.at, e.end, "contradiction", `name the header: header = "Authorization"`, "%s says how the secret goes into a header, but there is no header", key)
			}
		}
	}
	if u.Header != "" && len(p.Allow.HTTP) == 0 && v.get("header") != nil {
		b.say(v.get("header"), "contradiction", "list the origins in allow.http", "the secret goes into HTTP requests, but the plugin may make none")
	}
	if u.Header != "" && b.anyHost {
		b.secretGoesEverywhere(p, v, &u)
	}
	return u
}

// secretGoesEverywhere reports a secret for which the servers that get it are
// not named. Without AllowAnyHost such origins are findings of their own.
func (b *builder) secretGoesEverywhere(p *Plugin, v *item, u *SecretUse) {
	at, origins := v.get("header"), p.Allow.HTTP
	if u.To != nil {
		at, origins = v.get("to"), u.To
	}
	if at != nil && slices.ContainsFunc(origins, func(s Setting) bool { return everyHost(b.valueOf(s)) }) {
		b.say(at, "contradiction", `name them: to = ["https://api.example.com"]`, "the secret %q would be sent to any host; --allow-any-host does not hold for secrets", u.Name)
	}
}

// folder checks that a mounted folder is there.
func (b *builder) folder(v *item) {
	dir := v.text
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(b.dir, filepath.FromSlash(dir))
	}
	info, err := os.Stat(dir)
	if err != nil {
		b.say(v, "missing_file", nearbyFile(dir), "there is no folder %s", dir)
		return
	}
	if !info.IsDir() {
		b.say(v, "bad_path", "mount the folder that it lies in", "%s is a file; folders are mounted", dir)
	}
}

// source checks where a module comes from.
func (b *builder) source(e *entry, p *Plugin) {
	v := e.item.get("source")
	if v == nil || v.kind != stringKind || checkSource(v.text) != nil {
		b.broken[e.key] = true
		return
	}
	switch scheme, rest, _ := strings.Cut(v.text, ":"); {
	case scheme == "https" || scheme == "oci":
		if e.item.get("sha256") == nil {
			b.say(v, "missing_digest", "add sha256 = \"…\" to [plugins."+e.key+"]", "a module from %s:// needs its sha256", scheme)
			b.broken[e.key] = true
		}
	case scheme == "builtin":
		if b.l.o.Builtins != nil && !slices.Contains(b.l.o.Builtins, rest) {
			b.unknownBuiltin(v, rest)
			b.broken[e.key] = true
		}
	default:
		file := v.text
		if !filepath.IsAbs(file) {
			file = filepath.Join(b.dir, filepath.FromSlash(file))
		}
		info, err := os.Stat(file)
		if err == nil && info.Mode().IsRegular() {
			break
		}
		b.broken[e.key] = true
		if err == nil {
			b.say(v, "unreadable", "", "%s is %s", file, unlikeFile(info.Mode()))
			break
		}
		code, message, hint := whyUnreadable(file, "module", err)
		if build, ok := e.item.str("build"); ok && code == "missing_file" {
			if b.l.o.Unbuilt {
				break
			}
			if hint == "" {
				hint = "build it: " + build
			}
		}
		b.say(v, code, hint, "%s", message)
	}
	if s := e.item.get("sha256"); s != nil && s.kind == stringKind && checkSHA256(s.text) != nil {
		b.broken[e.key] = true
	}
}
