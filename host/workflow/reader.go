package workflow

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
)

// reader checks a document against the grammar and reports everything that does
// not fit. It changes nothing: what is wrong is read as absent later.
type reader struct {
	*document
	report  func(Finding)
	anyHost bool     // see Options.AllowAnyHost
	guesses int      // names that were compared with unknown ones
	path    []string // of the value that is checked, for messages
}

// say reports something at a value.
func (r *reader) say(v *item, code, hint, format string, args ...any) {
	r.sayAt(v.at, v.end, code, hint, format, args...)
}

func (r *reader) sayAt(at, end uint32, code, hint, format string, args ...any) {
	f := Finding{File: r.file, Severity: Error, Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
	if Codes[code].Warning {
		f.Severity = Warning
	}
	f.Line, f.Col = r.place(at)
	f.width = width(r.text, at, end)
	r.report(f)
}

// sayIn reports something at a byte of a string's value.
func (r *reader) sayIn(v *item, offset, width int, code, hint, format string, args ...any) {
	at := r.inString(v, offset)
	r.sayAt(at, max(r.inString(v, offset+width), at), code, hint, format, args...)
}

// check reads the whole document.
func (r *reader) check() { r.table(fileShape, r.root) }

// where is the path of the value that is checked: "nodes.a.needs[2]".
func (r *reader) where() string {
	return strings.ReplaceAll(strings.Join(r.path, "."), ".[", "[")
}

// at checks a value one step further down.
func (r *reader) at(step string, t *typ, v *item) {
	r.path = append(r.path, step)
	r.value(t, v)
	r.path = r.path[:len(r.path)-1]
}

func (r *reader) table(s *shape, t *item) {
	for i := range t.entries {
		e := &t.entries[i]
		k, ok := s.byID[e.key]
		if !ok {
			r.sayAt(e.at, e.end, "unknown_key", unknownKeyHint(s, e.key), "%s has no key %q", s.what, e.key)
			continue
		}
		r.at(e.key, k.typ, e.item)
	}
	for i := range s.keys {
		if k := &s.keys[i]; k.required && t.find(k.name) == nil {
			at, end := t.at, t.end
			if t == r.root {
				at, end = 0, 0
			}
			if r.lostHeader && k.typ.form != stringForm {
				continue
			}
			r.sayAt(at, end, "missing_key", k.doc, "%s needs %s", s.what, keyName(k))
		}
	}
}

func keyName(k *key) string {
	switch k.typ.form {
	case mapForm:
		return "a table [" + k.name + ".…]"
	}
	return "the key " + strconv.Quote(k.name)
}

// unknownKeyHint proposes a key of the table, or the table that the key is for.
func unknownKeyHint(s *shape, name string) string {
	if why := s.not[name]; why != "" {
		return why
	}
	if other, ok := elsewhere[strings.ToLower(name)]; ok && s.byID[other] != nil {
		return fmt.Sprintf("here it is called %q", other)
	}
	if c := near(name, s.names); c != "" {
		return fmt.Sprintf("did you mean %q?", c)
	}
	if home := homes[name]; home != "" {
		return fmt.Sprintf("%s is a key of %s", name, home)
	}
	if len(s.keys) <= 12 {
		return "there are " + someOf(s.names)
	}
	return ""
}

// elsewhere are the names that other systems have for our keys.
var elsewhere = map[string]string{
	"retries": "retry", "max_attempts": "retry", "attempts": "retry", "depends_on": "needs", "dependencies": "needs", "after": "needs",
	"if": "when", "condition": "when", "module": "source", "path": "source", "wasm": "source", "url": "source",
	"input": "with", "inputs": "with", "args": "with", "params": "with", "foreach": "for_each", "parallelism": "max_parallel",
	"circuit_breaker": "breaker", "interval": "every", "permissions": "allow", "digest": "sha256", "hash": "sha256", "title": "name",
	"fallbacks": "fallback", "schema": "output", "export": "function", "func": "function", "subworkflow": "workflow", "steps": "nodes", "tasks": "nodes",
}

// homes says to which table keys belong that are easily put into the wrong one.
var homes = func() map[string]string {
	m := map[string]string{}
	for _, s := range []struct {
		where string
		shape *shape
	}{
		{"a retry: retry = { … }", retryShape}, {"[breakers.NAME]", breakerShape}, {"[plugins.NAME]", pluginShape},
		{"[nodes.ID]", nodeShape}, {"[run]", fileShape.byID["run"].typ.shape},
	} {
		for name := range s.shape.names {
			if _, twice := m[name]; twice {
				m[name] = ""
				continue
			}
			m[name] = s.where
		}
	}
	return m
}()

// value checks one value. What is right may still be refused later, by what it
// means.
func (r *reader) value(t *typ, v *item) {
	if t.form == unionForm {
		for _, alt := range t.alts {
			if alt.takes(v) {
				r.value(alt, v)
				return
			}
		}
		r.wrongType(t, v)
		return
	}
	if !t.takes(v) {
		r.wrongType(t, v)
		return
	}
	switch t.form {
	case stringForm:
		r.str(t, v)
	case integerForm, numberForm:
		r.number(t, v)
	case listForm:
		for i, e := range v.items {
			r.at(indexStep(i), t.elem, e)
		}
	case tableForm:
		r.table(t.shape, v)
	case tablesForm:
		for i, e := range v.items {
			r.path = append(r.path, indexStep(i))
			if e.kind != tableKind {
				r.say(e, "wrong_type", "", "%s must be a table, it is %s", r.where(), e.kind)
			} else {
				r.table(t.shape, e)
			}
			r.path = r.path[:len(r.path)-1]
		}
	case mapForm:
		for i := range v.entries {
			e := &v.entries[i]
			if p := checkName(e.key); p != nil && r.path[len(r.path)-1] != "config" {
				r.sayAt(e.at, e.end, p.code, p.hint, "%s", p.message)
			}
			r.at(e.key, t.elem, e.item)
		}
	}
}

// indexStep is an index in a path; the first few are made once.
func indexStep(i int) string {
	if i < len(steps) {
		return steps[i]
	}
	return fmt.Sprintf("[%d]", i)
}

var steps = [...]string{"[0]", "[1]", "[2]", "[3]", "[4]", "[5]", "[6]", "[7]"}

// takes reports whether a value has the TOML type that t is written in.
func (t *typ) takes(v *item) bool {
	switch t.form {
	case stringForm:
		return v.kind == stringKind
	case integerForm:
		return v.kind == integerKind
	case numberForm:
		return v.kind == integerKind || v.kind == floatKind
	case boolForm:
		return v.kind == boolKind
	case listForm:
		return v.kind == arrayKind && v.flavor != tables
	case tablesForm:
		return v.kind == arrayKind
	case tableForm, mapForm:
		return v.kind == tableKind
	case anyForm:
		return !t.object || v.kind == tableKind
	case unionForm:
		return slices.ContainsFunc(t.alts, func(alt *typ) bool { return alt.takes(v) })
	}
	return true
}

func (r *reader) wrongType(t *typ, v *item) {
	path := r.where()
	hint := ""
	switch {
	case t.form == stringForm && (v.kind == integerKind || v.kind == floatKind):
		switch {
		case t == durationTyp || t == waitTyp:
			hint = fmt.Sprintf("write it with a unit, in quotes: %q", v.text+"s")
		case t == sizeTyp || t == memoryTyp:
			hint = fmt.Sprintf("write it with a unit, in quotes: %q", v.text+"B")
		case t == rateTyp:
			hint = fmt.Sprintf("write it with a time, in quotes: %q", v.text+"/s")
		default:
			hint = fmt.Sprintf("write it in quotes: %q", v.text)
		}
	case v.kind == stringKind && (t.form == integerForm || t.form == numberForm || t.form == boolForm):
		if _, err := strconv.ParseFloat(v.text, 64); err == nil || t.form == boolForm && (v.text == "true" || v.text == "false") {
			hint = "write it without quotes: " + v.text
		}
	case t.form == listForm && v.kind == stringKind:
		hint = fmt.Sprintf("write it as an array: [%q]", v.text)
	case t.form == tablesForm && v.kind == tableKind && v.flavor == explicit:
		hint = "write the header with double brackets: [[" + path + "]]"
	case t.form == tableForm && v.kind == arrayKind && v.flavor == tables:
		hint = "write the header with single brackets: [" + path + "]"
	}
	what := v.kind.String()
	if v.kind == arrayKind && v.flavor == tables {
		what = "an array of tables"
	}
	if v.kind == integerKind || v.kind == floatKind || v.kind == boolKind {
		what += ", " + v.text
	}
	r.say(v, "wrong_type", hint, "%s must be %s, it is %s", path, t.what, what)
}

func (r *reader) str(t *typ, v *item) {
	switch {
	case t.enum != nil:
		if !slices.Contains(t.enum, v.text) {
			hint := didYouMean(v.text, slices.Values(t.enum))
			r.say(v, "bad_value", hint, "%s must be %s, it is %q", r.where(), t.what, v.text)
		}
	case t.ref != "":
		r.reference(t.ref, v)
	case t.check != nil:
		if p := t.check(v.text); p != nil && !(p.anyHost && r.anyHost) {
			if p.width > 0 {
				r.sayIn(v, p.at, p.width, p.code, p.hint, "%s: %s", r.where(), p.message)
			} else {
				r.say(v, p.code, p.hint, "%s: %s", r.where(), p.message)
			}
		}
	}
}

// reference checks that a name is a key of a top-level table.
func (r *reader) reference(to string, v *item) {
	t := r.root.table(to)
	if t.find(v.text) != nil || r.lostHeader {
		return
	}
	one := map[string]string{"nodes": "node", "plugins": "plugin", "policies": "policy", "breakers": "breaker", "secrets": "secret"}[to]
	hint := ""
	// In a large file with many mistakes guessing would take longer than reading.
	if r.guesses += t.count(); r.guesses < maxGuesses {
		hint = didYouMean(v.text, t.keys())
	}
	if hint == "" {
		hint = otherTable(r.root, to, v.text)
	}
	if hint == "" {
		if t == nil || len(t.entries) == 0 {
			hint = fmt.Sprintf("the file has no [%s.…] at all", to)
		} else {
			hint = "there are " + someOf(t.keys())
		}
	}
	r.say(v, "unknown_"+one, hint, "there is no %s %q", one, v.text)
}

// maxGuesses bounds the comparing of names for hints.
const maxGuesses = 2_000_000

// otherTable notices a name that belongs to another sort.
func otherTable(root *item, not, name string) string {
	for _, other := range []string{"nodes", "plugins", "policies", "breakers", "secrets", "health"} {
		if other != not && root.table(other).find(name) != nil {
			return fmt.Sprintf("%q is one of [%s]", name, other)
		}
	}
	return ""
}

func (r *reader) number(t *typ, v *item) {
	n, ok := v.number()
	if !ok {
		r.say(v, "bad_number", "", "%s: the number %s is too large", r.where(), v.text)
		return
	}
	if math.IsNaN(n) || n < t.min || n > t.max || t.above && n == t.min {
		limits := ""
		switch {
		case t.min == t.max:
			limits = strconv.FormatFloat(t.min, 'f', -1, 64)
		case t.above && t.max < 1e6:
			limits = fmt.Sprintf("more than %v, at most %v", t.min, t.max)
		case t.max < 1e6:
			limits = fmt.Sprintf("between %v and %v", t.min, t.max)
		case n < t.min:
			limits = fmt.Sprintf("at least %v", t.min)
		default:
			limits = "smaller"
		}
		r.say(v, "bad_number", "", "%s must be %s, it is %s", r.where(), limits, v.text)
	}
}

// number is the value of an integer or a float.
func (v *item) number() (float64, bool) {
	text := strings.ReplaceAll(v.text, "_", "")
	if v.kind == integerKind {
		n, err := strconv.ParseInt(strings.TrimPrefix(text, "+"), 0, 64)
		return float64(n), err == nil
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}

// The rest reads values whose types are right, and ignores others: check has
// reported them.

func (t *item) str(key string) (string, bool) {
	if v := t.get(key); v != nil && v.kind == stringKind {
		return v.text, true
	}
	return "", false
}

func (t *item) integer(key string) (int64, bool) {
	if v := t.get(key); v != nil && v.kind == integerKind {
		n, err := strconv.ParseInt(strings.TrimPrefix(strings.ReplaceAll(v.text, "_", ""), "+"), 0, 64)
		return n, err == nil
	}
	return 0, false
}

func (t *item) float(key string) (float64, bool) {
	if v := t.get(key); v != nil && (v.kind == integerKind || v.kind == floatKind) {
		return v.number()
	}
	return 0, false
}

func (t *item) boolean(key string, otherwise bool) bool {
	if v := t.get(key); v != nil && v.kind == boolKind {
		return v.text == "true"
	}
	return otherwise
}

// strings are the strings of an array, with their places.
func (t *item) strings(key string) iter.Seq2[*item, string] {
	return func(yield func(*item, string) bool) {
		v := t.get(key)
		if v == nil || v.kind != arrayKind {
			return
		}
		for _, e := range v.items {
			if e.kind == stringKind && !yield(e, e.text) {
				return
			}
		}
	}
}

// tables are the tables of an array of tables.
func (t *item) tables(key string) iter.Seq2[int, *item] {
	return func(yield func(int, *item) bool) {
		v := t.get(key)
		if v == nil || v.kind != arrayKind {
			return
		}
		for i, e := range v.items {
			if e.kind == tableKind && !yield(i, e) {
				return
			}
		}
	}
}
