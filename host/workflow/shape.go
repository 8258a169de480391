package workflow

import "math"

// typ is the type of a value in a workflow file: what the reader accepts and
// what the JSON Schema says.
type typ struct {
	form formKind
	// what describes a good value, with its article: `a duration like "30s"`.
	what string

	enum  []string
	check func(string) *problem // of a string
	// pattern is a regular expression for the JSON Schema; check decides.
	pattern string
	ref     string // the top-level table whose keys the string names
	file    bool   // the string is a path to a file

	object bool // of anyForm: a table only

	min, max float64 // of a number
	above    bool    // min itself is too small

	elem  *typ   // of a list, or of the values of a map
	shape *shape // of a table
	alts  []*typ // the forms that it may take, told apart by their TOML kind
}

type formKind uint8

const (
	stringForm formKind = iota
	integerForm
	numberForm
	boolForm
	listForm   // an array of elem
	tableForm  // a table of shape
	tablesForm // an array of tables of shape
	mapForm    // a table with names for keys and elem for values
	anyForm    // any TOML value; strings may be templates
	unionForm
)

// key is a key of a table.
type key struct {
	name     string
	typ      *typ
	doc      string // one sentence, for editors
	def      any    // the default, as JSON; nil: none
	required bool
}

// shape is a table: its keys.
type shape struct {
	what string // with its article: "a node"
	keys []key
	byID map[string]*key
	// not are keys that similar tables have, with why this one has not.
	not map[string]string
}

func newShape(what string, keys ...key) *shape {
	s := &shape{what: what, keys: keys, byID: make(map[string]*key, len(keys))}
	for i := range s.keys {
		s.byID[s.keys[i].name] = &s.keys[i]
	}
	return s
}

// without says why a table does not take a key that one would expect.
func (s *shape) without(key, why string) *shape {
	if s.not == nil {
		s.not = map[string]string{}
	}
	s.not[key] = why
	return s
}

// names are the keys in the order of the table.
func (s *shape) names(yield func(string) bool) {
	for i := range s.keys {
		if !yield(s.keys[i].name) {
			return
		}
	}
}

// with returns the keys of several groups as one list.
func with(groups ...[]key) []key {
	var all []key
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

// The types of which keys are made.
var (
	boolTyp     = &typ{form: boolForm, what: "true or false"}
	textTyp     = &typ{form: stringForm, what: "a string"}
	filledTyp   = &typ{form: stringForm, what: "a string that is not empty", check: checkNotEmpty, pattern: `\S`}
	exprTyp     = &typ{form: stringForm, what: "an expression in a string", check: checkNotEmpty}
	durationTyp = &typ{form: stringForm, what: `a duration like "30s"`, check: positive, pattern: durationPattern}
	waitTyp     = &typ{form: stringForm, what: `a duration like "1s"`, check: notNegative, pattern: durationPattern}
	sizeTyp     = &typ{form: stringForm, what: `a size like "64MiB"`, check: checkSize, pattern: sizePattern}
	memoryTyp   = &typ{form: stringForm, what: `a size like "64MiB"`, check: checkMemory, pattern: sizePattern}
	rateTyp     = &typ{form: stringForm, what: `a rate like "20/s"`, check: checkRate, pattern: `^\s*[0-9.eE+]+\s*/\s*[smh]\s*$`}
	countTyp    = &typ{form: integerForm, what: "a whole number", min: 1, max: math.MaxInt32}
	numberTyp   = &typ{form: integerForm, what: "a whole number", min: 0, max: math.MaxInt32}
	bigTyp      = &typ{form: integerForm, what: "a whole number", min: 1, max: math.MaxInt64}
	shareTyp    = &typ{form: numberForm, what: "a number between 0 and 1", min: 0, max: 1}
	someTyp     = &typ{form: numberForm, what: "a number above 0, at most 1", min: 0, max: 1, above: true}
	envTyp      = &typ{form: stringForm, what: "the name of an environment variable", check: checkEnv}
	originTyp   = &typ{form: stringForm, what: `an origin like "https://api.example.com"`, check: checkOrigin, pattern: `^https?://`}
	valueTyp    = &typ{form: anyForm, what: "a value"}
	classTyp    = enum("transient", "permanent", "system", "unknown")
	classesTyp  = listOf(classTyp)
	schemaTyp   = &typ{form: unionForm, what: "a JSON Schema: a path or a table", alts: []*typ{pathTyp, {form: anyForm, what: "a JSON Schema in a table", object: true}}}
	pathTyp     = &typ{form: stringForm, what: "a path", check: checkNotEmpty, file: true}
	workflowTyp = &typ{form: stringForm, what: "a path to a workflow", check: checkNotEmpty, file: true}
)

const (
	durationPattern = `^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$|^0$`
	sizePattern     = `^[0-9.]+\s*(B|KB|MB|GB|KiB|MiB|GiB)$`
)

func enum(values ...string) *typ {
	return &typ{form: stringForm, what: "one of " + quoted(values), enum: values}
}

func listOf(elem *typ) *typ {
	return &typ{form: listForm, what: "an array", elem: elem}
}

func table(s *shape) *typ { return &typ{form: tableForm, what: "a table", shape: s} }

func manyTables(s *shape) *typ { return &typ{form: tablesForm, what: "an array of tables", shape: s} }

func mapOf(elem *typ) *typ { return &typ{form: mapForm, what: "a table", elem: elem} }

func refTo(table string) *typ {
	return &typ{form: stringForm, what: "a name from [" + table + "]", ref: table}
}

// setting is a string, or where in the environment it is.
func setting(of *typ) *typ {
	return &typ{form: unionForm, what: of.what + ", or { env = … }", alts: []*typ{of, table(newShape("a setting",
		key{name: "env", typ: envTyp, required: true, doc: "The environment variable that holds the value."},
		key{name: "default", typ: of, doc: "The value when the variable is not set; without it, that is an error."},
	))}}
}

func quoted(values []string) string {
	s := ""
	for i, v := range values {
		if i > 0 {
			s += ", "
		}
		s += `"` + v + `"`
	}
	return s
}
