package workflow

import (
	"encoding/json"
	"hash"
	"math"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/checker/nature"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"wasmhost/host/event"
	"wasmhost/resilience"
)

// builder makes the plan of one file out of its document. It runs after check,
// and goes on whatever is wrong: it reports what check cannot know, because it
// depends on more than one value.
type builder struct {
	reader
	l     *loader
	plan  *Plan
	dir   string
	stack []step
	hash  hash.Hash // of the file and of what it names

	compiler   *jsonschema.Compiler
	schemas    map[string]*Schema // by path
	moduleKeys map[string]string  // of plugins, into loader.modules
	broken     map[string]bool    // plugins that need not be looked into
	used       map[string]bool    // plugins that something calls
	breakerUse map[string][]*Policy

	cyclic  bool           // the nodes form a circle somewhere
	ids     map[string]int // node → place in plan.Nodes
	entries []*entry       // of plan.Nodes
	bases   map[string]*resolved
	queries []upstreamQuery
	types   map[int]nature.Nature // of nodes, as far as something is known
	words   *vocabulary

	inputNature *nature.Nature
	tooLong     map[string]*tooLong
	longKeys    []string
}

// all are the entries of a table; of nil there are none.
func (t *item) all() []*entry {
	if t == nil {
		return nil
	}
	out := make([]*entry, len(t.entries))
	for i := range t.entries {
		out[i] = &t.entries[i]
	}
	return out
}

func (b *builder) build() {
	p, root := b.plan, b.root
	p.Name = strings.TrimSuffix(filepath.Base(p.File), filepath.Ext(p.File))
	if name, ok := root.str("name"); ok {
		p.Name = name
	}
	p.Description, _ = root.str("description")

	b.used = map[string]bool{}
	b.breakerUse = map[string][]*Policy{}
	b.input(root.table("input"))
	b.run(root.table("run"))
	b.secrets(root.table("secrets"))
	b.plugins(root.table("plugins"))
	b.breakers(root.table("breakers"))
	b.policies(root.table("policies"))
	b.classify()
	b.inspectAll()
	b.health(root.table("health"))
	b.nodes(root.table("nodes"))
	b.output(root.table("output"))
	b.levels()
	b.triggers()
	b.answerUpstream()
	b.warn()
}

func (b *builder) input(t *item) {
	if t == nil {
		return
	}
	b.plan.Input.Schema = b.schema(t.get("schema"), "input.schema")
	if v := t.get("default"); v != nil {
		value, ok := b.constant(v)
		if !ok {
			return
		}
		b.plan.Input.Default, b.plan.Input.HasDefault = value, true
		b.fits(v, b.plan.Input.Schema, value, "the default input does not fit the schema")
	}
}

// fits reports a constant that misses its schema.
func (b *builder) fits(v *item, s *Schema, value event.Value, message string) {
	if err := s.Check(value); err != nil {
		b.say(v, "schema_mismatch", "", "%s: %v", message, err)
	}
}

func (b *builder) run(t *item) {
	r := &b.plan.Run
	r.Concurrency = 2 * runtime.GOMAXPROCS(0)
	r.HealthGate = true
	if n, ok := t.integer("concurrency"); ok && n > 0 {
		r.Concurrency = int(n)
	}
	r.Deadline = t.duration("deadline")
	if s, ok := t.str("on_failure"); ok {
		r.Continue = s == "continue"
	}
	if s, ok := t.str("health_gate"); ok {
		r.HealthGate = s != "off"
	}
	if retry := t.table("retry"); retry != nil {
		var res resolved
		res.applyRetry(retry, false)
		r.Retry = res.Retry
	}
}

func (b *builder) secrets(t *item) {
	b.plan.Secrets = map[string]Secret{}
	for _, e := range t.all() {
		s := Secret{Name: e.key, Optional: e.item.boolean("optional", false)}
		s.Env, _ = e.item.str("env")
		s.File, _ = e.item.str("file")
		if e.item.kind == tableKind {
			b.exactlyOne(e, "secret "+strconv.Quote(e.key), "env", "file")
		}
		b.plan.Secrets[e.key] = s
	}
}

// exactlyOne reports a table that has none or several of some keys, and returns
// the one that it has.
func (b *builder) exactlyOne(e *entry, what string, keys ...string) string {
	var found []*entry
	for _, k := range keys {
		if f := e.item.find(k); f != nil {
			found = append(found, f)
		}
	}
	switch len(found) {
	case 1:
		return found[0].key
	case 0:
		b.sayAt(e.at, e.end, "missing_key", "", "%s needs one of %s", what, strings.Join(keys, ", "))
		return ""
	}
	second := found[1]
	b.sayAt(second.at, second.end, "contradiction", "", "%s has %s and %s, it takes one of them", what, found[0].key, second.key)
	return found[0].key
}

func (b *builder) classify() {
	for _, t := range b.root.tables("classify") {
		var rule resilience.Rule
		class, _ := t.str("class")
		rule.Class = resilience.Class(class)
		if v := t.get("code"); v != nil && v.kind == arrayKind {
			for _, c := range v.items {
				rule.Codes = append(rule.Codes, codeText(c))
			}
		}
		if s, ok := t.str("match"); ok {
			rule.Match, _ = regexp.Compile(s)
		}
		if t.get("code") == nil && t.get("match") == nil {
			b.say(t, "missing_key", "give it code = [...] or match = \"...\"", "a rule that looks at neither code nor match never matches")
		}
		b.plan.Classify = append(b.plan.Classify, rule)
	}
}

// codeText writes a code as errors carry it: numbers as plain decimals.
func codeText(v *item) string {
	if v.kind == integerKind {
		if n, err := strconv.ParseInt(strings.TrimPrefix(strings.ReplaceAll(v.text, "_", ""), "+"), 0, 64); err == nil {
			return strconv.FormatInt(n, 10)
		}
	}
	return v.text
}

func (b *builder) health(t *item) {
	for _, e := range t.all() {
		if e.item.kind != tableKind {
			continue
		}
		c := Check{Name: e.key, Function: "health", Timeout: defaultCheckTimeout, Critical: e.item.boolean("critical", true)}
		c.Plugin, _ = e.item.str("plugin")
		c.Every = e.item.duration("every")
		if d := e.item.duration("timeout"); d > 0 {
			c.Timeout = d
		}
		at := e.item.get("plugin")
		f := e.item.get("function")
		if f != nil && f.kind == stringKind {
			c.Function, at = f.text, f
		}
		if at != nil {
			b.callable(c.Plugin, c.Function, at)
		}
		b.used[c.Plugin] = true
		b.plan.Health = append(b.plan.Health, c)
	}
}

func (b *builder) triggers() {
	for _, t := range b.root.tables("schedule") {
		s := Schedule{Timezone: "UTC", Overlap: "skip"}
		s.Cron, _ = t.str("cron")
		if zone, ok := t.str("timezone"); ok {
			s.Timezone = zone
		}
		if overlap, ok := t.str("overlap"); ok {
			s.Overlap = overlap
		}
		s.CatchUp = t.duration("catch_up")
		s.times, _ = parseCron(s.Cron, s.Timezone) // what is wrong was said already
		b.plan.Schedules = append(b.plan.Schedules, s)
	}
	if e := b.root.find("webhook"); e != nil && e.item.kind == tableKind {
		w := &Webhook{}
		w.Path, _ = e.item.str("path")
		if auth := e.item.find("auth"); auth != nil && auth.item.kind == tableKind {
			w.HMAC, _ = auth.item.str("hmac")
			w.Bearer, _ = auth.item.str("bearer")
			which := b.exactlyOne(auth, "a webhook's auth", "hmac", "bearer")
			header := auth.item.find("header")
			if which == "hmac" {
				w.Header = "X-Signature"
			}
			if header != nil {
				w.Header, _ = auth.item.str("header")
				if which == "bearer" {
					b.sayAt(header.at, header.end, "contradiction", "", "header goes with hmac; a bearer token comes in Authorization")
				}
			}
		}
		b.plan.Webhook = w
	}
	for _, t := range b.root.tables("alert") {
		a := Alert{}
		a.URL, _ = t.str("url")
		for _, s := range t.strings("on") {
			on, _ := parseAlert(s)
			a.On = append(a.On, on)
		}
		b.plan.Alerts = append(b.plan.Alerts, a)
	}
}

func (b *builder) levels() {
	for _, t := range b.root.tables("fallback") {
		l := Level{Priority: 1}
		if n, ok := t.integer("priority"); ok {
			l.Priority = int(n)
		}
		if t.get("on") != nil {
			l.On = []resilience.Class{}
			for _, s := range t.strings("on") {
				l.On = append(l.On, resilience.Class(s))
			}
		}
		if l.Plan = b.use(t.get("workflow")); l.Plan != nil {
			b.plan.Levels = append(b.plan.Levels, l)
		}
	}
	slices.SortStableFunc(b.plan.Levels, func(x, y Level) int { return x.Priority - y.Priority })
}

// schema reads a JSON Schema: a path, or an inline table.
func (b *builder) schema(v *item, where string) *Schema {
	if v == nil {
		return nil
	}
	if b.compiler == nil {
		b.compiler = newSchemaCompiler(&schemaLoader{dir: b.dir, read: func(file string, text []byte) {
			b.hash.Write(text)
			b.plan.Files = append(b.plan.Files, filepath.Join(b.dir, filepath.FromSlash(file)))
		}})
	}
	if v.kind != stringKind {
		raw, ok := b.plainItem(v)
		if !ok || v.kind != tableKind {
			return nil
		}
		s, err := schemaInline(b.compiler, where, raw)
		if err != nil {
			b.badSchema(v, "", err)
		}
		return s
	}
	file := filepath.ToSlash(filepath.Clean(filepath.FromSlash(v.text)))
	if s, ok := b.schemas[file]; ok {
		return s
	}
	if strings.TrimSpace(v.text) == "" {
		return nil
	}
	if filepath.IsAbs(v.text) || file == ".." || strings.HasPrefix(file, "../") {
		b.say(v, "bad_path", "move or copy it into the folder", "schemas are read from the workflow's folder only, %s leads out of it", v.text)
		return nil
	}
	text, err := readInside(b.dir, file)
	if err != nil {
		code, message, hint := whyUnreadable(filepath.Join(b.dir, file), "schema", err)
		b.say(v, code, hint, "%s", message)
		b.schemas[file] = nil
		return nil
	}
	s, err := schemaFile(b.compiler, file)
	if err != nil {
		b.badSchema(v, file, err)
	} else {
		s.text = text
	}
	b.schemas[file] = s
	return s
}

// constant is an item as a value without templates.
func (b *builder) constant(v *item) (event.Value, bool) {
	raw, ok := b.plainItem(v)
	return event.Of(raw), ok
}

// plainItem turns TOML into JSON; what JSON cannot say is reported.
func (b *builder) plainItem(v *item) (any, bool) {
	switch v.kind {
	case stringKind, dateKind:
		return v.text, true
	case boolKind:
		return v.text == "true", true
	case integerKind, floatKind:
		return b.numberItem(v)
	case arrayKind:
		list := make([]any, 0, len(v.items))
		good := true
		for _, e := range v.items {
			item, ok := b.plainItem(e)
			good = good && ok
			list = append(list, item)
		}
		return list, good
	case tableKind:
		object := make(map[string]any, len(v.entries))
		good := true
		for i := range v.entries {
			item, ok := b.plainItem(v.entries[i].item)
			good = good && ok
			object[v.entries[i].key] = item
		}
		return object, good
	}
	return nil, false
}

// numberItem keeps the digits of a number.
func (b *builder) numberItem(v *item) (any, bool) {
	text := strings.TrimPrefix(strings.ReplaceAll(v.text, "_", ""), "+")
	if v.kind == integerKind {
		n, err := strconv.ParseInt(text, 0, 64)
		if err != nil {
			b.say(v, "bad_number", "", "the number %s does not fit 64 bits", v.text)
			return nil, false
		}
		return json.Number(strconv.FormatInt(n, 10)), true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		b.say(v, "bad_number", "", "%s is no number in JSON", v.text)
		return nil, false
	}
	return json.Number(text), true
}

// defaultCheckTimeout bounds a health check that names no timeout.
const defaultCheckTimeout = 5 * time.Second
