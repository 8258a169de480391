// Package docs_test keeps the guides true. Every workflow in them is loaded and,
// where an output stands below it, run; every Go program is checked, every
// plugin built and called; tables of keys, codes, functions and fields are
// compared with the code.
//
// How a block of a guide is marked, behind the name of its language:
//
//	toml                 a complete file: it loads without an error
//	toml file=NAME       the same, and later blocks of the page may name it
//	toml excerpt         a part of a file: it parses, and every key is known
//	toml findings        a file with mistakes; the text below is what is found
//	json|text output     what a run of the toml above returns
//	go file=DIR/NAME     a program, or its test; go vet passes
//	go plugin file=…     the same, built for wasip1 and called
//	LANGUAGE from=PATH   a part of that file of the repository
//
// A comment above a table says what it lists: see tables.
package docs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
	"wasmhost/host/workflow"
	"wasmhost/plugins"
	"wasmhost/resilience"
)

// block is a fenced block of a page.
type block struct {
	line  int
	lang  string
	words []string
	text  string
}

func (b *block) is(word string) bool { return slices.Contains(b.words, word) }

func (b *block) value(key string) string {
	for _, w := range b.words {
		if v, ok := strings.CutPrefix(w, key+"="); ok {
			return v
		}
	}
	return ""
}

// table is a table of a page under a comment such as <!-- keys: nodes.* -->.
type table struct {
	line       int
	kind, what string
	rows       [][]string // without the heading
}

type page struct {
	name   string
	text   string
	blocks []*block
	tables []*table
}

var directive = regexp.MustCompile(`^<!-- ([a-z-]+)(?:: (.*?))? -->$`)

func pages(t *testing.T) []*page {
	t.Helper()
	files, err := filepath.Glob("guide/*.md")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d guides found: %v", len(files), err)
	}
	var all []*page
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parse(filepath.Base(f), string(text)))
	}
	return all
}

func parse(name, text string) *page {
	p := &page{name: name, text: text}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if info, ok := strings.CutPrefix(line, "```"); ok {
			b := &block{line: i + 1}
			if fields := strings.Fields(info); len(fields) > 0 {
				b.lang, b.words = fields[0], fields[1:]
			}
			for i++; i < len(lines) && lines[i] != "```"; i++ {
				b.text += lines[i] + "\n"
			}
			p.blocks = append(p.blocks, b)
			continue
		}
		if m := directive.FindStringSubmatch(line); m != nil {
			t := &table{line: i + 1, kind: m[1], what: m[2]}
			for i++; i < len(lines) && strings.HasPrefix(lines[i], "|"); i++ {
				t.rows = append(t.rows, cells(lines[i]))
			}
			if len(t.rows) > 2 {
				t.rows = t.rows[2:]
			}
			p.tables = append(p.tables, t)
		}
	}
	return p
}

// cells are the cells of a row; "\|" is a bar within one.
func cells(row string) []string {
	row = strings.ReplaceAll(strings.Trim(row, "|"), `\|`, "\x00")
	list := strings.Split(row, "|")
	for i := range list {
		list[i] = strings.TrimSpace(strings.ReplaceAll(list[i], "\x00", "|"))
	}
	return list
}

var code = regexp.MustCompile("`([^`]+)`")

// codes are the words in back quotes of a cell.
func codes(cell string) []string {
	var list []string
	for _, m := range code.FindAllStringSubmatch(cell, -1) {
		list = append(list, m[1])
	}
	return list
}

// firsts are the words in back quotes of the first column.
func (t *table) firsts() []string {
	var list []string
	for _, r := range t.rows {
		list = append(list, codes(r[0])...)
	}
	return list
}

// tables finds the tables of a kind on all pages; there must be some.
func tables(t *testing.T, kind string) []*table {
	t.Helper()
	var list []*table
	for _, p := range pages(t) {
		for _, x := range p.tables {
			if x.kind == kind {
				list = append(list, x)
			}
		}
	}
	if len(list) == 0 {
		t.Fatalf("no table of %s", kind)
	}
	return list
}

// same compares two lists without their order.
func same(t *testing.T, what string, documented, real []string) {
	t.Helper()
	for _, name := range real {
		if !slices.Contains(documented, name) {
			t.Errorf("%s: %s is not documented", what, name)
		}
	}
	for i, name := range documented {
		if !slices.Contains(real, name) {
			t.Errorf("%s: %s is documented and does not exist", what, name)
		}
		if slices.Contains(documented[:i], name) {
			t.Errorf("%s: %s is documented twice", what, name)
		}
	}
}

func open(t *testing.T) *host.Host {
	t.Helper()
	h, err := host.Open(t.Context(), host.Config{Getenv: func(name string) (string, bool) {
		if name == "OPENAI_API_KEY" {
			return "sk-0123456789", true
		}
		return os.LookupEnv(name)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return h
}

func TestWorkflows(t *testing.T) {
	h := open(t)
	for _, p := range pages(t) {
		dir := t.TempDir()
		for i, b := range p.blocks {
			if b.lang != "toml" {
				continue
			}
			var next *block
			if i+1 < len(p.blocks) {
				next = p.blocks[i+1]
			}
			t.Run(fmt.Sprintf("%s:%d", p.name, b.line), func(t *testing.T) {
				switch {
				case b.is("excerpt"):
					excerpt(t, b)
				case b.is("findings"):
					findings(t, h, b, next)
				default:
					complete(t, h, dir, b, next)
				}
			})
		}
	}
}

func complete(t *testing.T, h *host.Host, dir string, b, next *block) {
	name := b.value("file")
	if name == "" {
		name = "workflow.toml"
	}
	file := filepath.Join(dir, name)
	write(t, file, b.text)
	w, found, err := h.Load(t.Context(), file)
	if err != nil || len(found) > 0 {
		t.Fatalf("%v: %v", err, found)
	}
	if next == nil || !next.is("output") {
		return
	}
	run, err := h.Start(t.Context(), w, host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := run.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if next.lang == "text" {
		if got := r.Output.String() + "\n"; got != next.text {
			t.Errorf("the run returns\n%s(%v), not\n%s", got, r.Error, next.text)
		}
		return
	}
	if got := string(r.Output.JSON()); canonical(t, got) != canonical(t, next.text) {
		t.Errorf("the run returns %s (%v), not %s", got, r.Error, next.text)
	}
}

// canonical is JSON with its keys in order and its numbers as they are written.
func canonical(t *testing.T, text string) string {
	t.Helper()
	v, err := event.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out, err := json.Marshal(v.Any())
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// excerpt completes a part of a file and looks for mistakes in the part itself:
// what stands in parts of the file that are not shown may be missing.
func excerpt(t *testing.T, b *block) {
	text := b.text
	if !strings.Contains(text, "[nodes.") {
		text += "\n[nodes.skeleton]\nplugin = \"skeleton\"\n"
	}
	elsewhere := []string{"unknown_plugin", "unknown_node", "unknown_policy", "unknown_breaker", "unknown_secret", "missing_file", "breaker_never_trips", "unused_permission"}
	_, found := workflow.Parse(t.Context(), "excerpt.toml", []byte(text), workflow.Options{})
	for _, f := range found {
		if !slices.Contains(elsewhere, f.Code) {
			t.Errorf("%v", f)
		}
	}
}

func findings(t *testing.T, h *host.Host, b, next *block) {
	if next == nil || next.lang != "text" {
		t.Fatal("no text with the findings below")
	}
	t.Chdir(t.TempDir())
	write(t, "workflow.toml", b.text)
	_, found, _ := h.Load(t.Context(), "workflow.toml")
	var got bytes.Buffer
	workflow.Format(&got, found, nil, false)
	if got.String() != next.text {
		t.Errorf("the findings are\n%s\nnot\n%s", got.String(), next.text)
	}
}

// schemaTables are the tables of workflow files by path: "nodes.*.fallback[]".
func schemaTables(t *testing.T) map[string]map[string]any {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(workflow.JSONSchema(), &root); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{}
	var walk func(s map[string]any, path string)
	walk = func(s map[string]any, path string) {
		for _, alternatives := range []string{"anyOf", "oneOf"} {
			list, _ := s[alternatives].([]any)
			for _, a := range list {
				walk(a.(map[string]any), path)
			}
		}
		if properties, ok := s["properties"].(map[string]any); ok {
			all[path] = s
			for name, p := range properties {
				walk(p.(map[string]any), strings.TrimPrefix(path+"."+name, "."))
			}
		}
		if each, ok := s["additionalProperties"].(map[string]any); ok {
			walk(each, path+".*")
		}
		if items, ok := s["items"].(map[string]any); ok {
			walk(items, path+"[]")
		}
	}
	walk(root, "")
	return all
}

// settings are where a string may come from the environment: { env, default },
// described once in the text.
var settings = []string{"default", "env"}

func TestKeys(t *testing.T) {
	schema := schemaTables(t)
	limits := builtinLimits(t)
	var covered [][]string
	for _, x := range tables(t, "keys") {
		s, ok := schema[strings.TrimSuffix(x.what, "/")]
		if !ok {
			t.Errorf("line %d: workflow files have no table %q", x.line, x.what)
			continue
		}
		properties := s["properties"].(map[string]any)
		keys := slices.Sorted(maps.Keys(properties))
		covered = append(covered, keys)
		same(t, x.what, x.firsts(), keys)
		required, _ := s["required"].([]any)
		for _, row := range x.rows {
			name := codes(row[0])[0]
			p, _ := properties[name].(map[string]any)
			if want, documented := slices.Contains(required, any(name)), row[2] == "required"; want != documented {
				t.Errorf("%s.%s: required is %v, documented as %v", x.what, name, want, documented)
			}
			got, want := "", ""
			if c := codes(row[2]); len(c) > 0 {
				got = c[0]
			}
			if def, ok := p["default"]; ok {
				text, _ := json.Marshal(def)
				want = strings.ReplaceAll(string(text), ",", ", ")
			} else if strings.HasSuffix(x.what, "limits") {
				want = limits[name]
			}
			// 0 is what holds without a retry; a retry has to say max_retries.
			if got != want && !(name == "max_retries" && got == "") && !strings.Contains(row[2], "http` origins") {
				t.Errorf("%s.%s: the default is %s, documented as %q", x.what, name, want, got)
			}
		}
	}
	for path, s := range schema {
		keys := slices.Sorted(maps.Keys(s["properties"].(map[string]any)))
		if reflect.DeepEqual(keys, settings) {
			continue
		}
		if !slices.ContainsFunc(covered, func(c []string) bool {
			return !slices.ContainsFunc(keys, func(k string) bool { return !slices.Contains(c, k) })
		}) {
			t.Errorf("the table %q is not documented: %v", path, keys)
		}
	}
}

// builtinLimits reads the defaults that package plugin gives to limits.
func builtinLimits(t *testing.T) map[string]string {
	t.Helper()
	text := source(t, "../host/internal/plugin/spec.go")
	names := map[string]string{"Vars": "vars", "HTTPBytes": "http_bytes", "HTTPRequests": "http_requests", "Files": "files", "Instances": "instances"}
	limits := map[string]string{}
	for _, m := range regexp.MustCompile(`def(?:Int)?\(&l\.(\w+), (\d+)(?:<<(\d+))?\)`).FindAllStringSubmatch(text, -1) {
		switch m[3] {
		case "":
			limits[names[m[1]]] = m[2]
		case "20":
			limits[names[m[1]]] = `"` + m[2] + `MiB"`
		}
	}
	if len(limits) < len(names) {
		t.Fatalf("limits found: %v", limits)
	}
	return limits
}

func source(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFindingCodes(t *testing.T) {
	var documented []string
	for _, x := range tables(t, "codes") {
		for _, c := range x.firsts() {
			documented = append(documented, c)
			info := workflow.Codes[c]
			kind := map[bool]string{true: "warning", false: "error"}[info.Warning]
			if info.Module {
				kind = "module"
			}
			if kind != x.what {
				t.Errorf("%s is of kind %s, documented as %s", c, kind, x.what)
			}
		}
	}
	same(t, "codes of findings", documented, slices.Collect(maps.Keys(workflow.Codes)))
}

func TestExpressions(t *testing.T) {
	text := "`input` = `"
	p := source(t, "guide/workflow.md")
	_, rest, ok := strings.Cut(p, text)
	if !ok {
		t.Fatal("the input of the examples is not there")
	}
	given, _, _ := strings.Cut(rest, "`")
	input, err := event.Parse([]byte(given))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range tables(t, "expressions") {
		for _, row := range x.rows {
			e, err := workflow.NewExpr(codes(row[0])[0], nil)
			if err != nil {
				t.Errorf("%s: %v", row[0], err)
				continue
			}
			v, err := e.Value(t.Context(), &workflow.Scope{Input: input})
			if got := string(v.JSON()); err != nil != (row[1] == "error") || err == nil && got != codes(row[1])[0] {
				t.Errorf("%s gives %s, %v; documented is %s", row[0], got, err, row[1])
			}
		}
	}
}

func TestFunctions(t *testing.T) {
	var documented []string
	for _, x := range tables(t, "functions") {
		for _, row := range x.rows {
			documented = append(documented, codes(row[1])...)
		}
	}
	real := append(mapKeys(t, "../host/workflow/functions.go", "functions"), mapKeys(t, "../host/workflow/loops.go", "loops")...)
	same(t, "functions", documented, real)
}

// mapKeys are the string keys of a map literal.
func mapKeys(t *testing.T, file, name string) []string {
	t.Helper()
	var keys []string
	ast.Inspect(parseGo(t, file), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != name {
			return true
		}
		ast.Inspect(spec, func(n ast.Node) bool {
			if kv, ok := n.(*ast.KeyValueExpr); ok {
				if lit, ok := kv.Key.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					key, _ := strconv.Unquote(lit.Value)
					keys = append(keys, key)
				}
			}
			return true
		})
		return false
	})
	if len(keys) == 0 {
		t.Fatalf("%s has no map %s", file, name)
	}
	return keys
}

func parseGo(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// constants are the constants of a file whose names begin with prefix.
func constants(t *testing.T, file, prefix string) []string {
	t.Helper()
	var values []string
	ast.Inspect(parseGo(t, file), func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, prefix) && len(spec.Values) == 1 {
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
				values = append(values, strings.Trim(lit.Value, `"`))
			}
		}
		return true
	})
	if len(values) == 0 {
		t.Fatalf("%s has no constants %s…", file, prefix)
	}
	return values
}

// TestErrorCodes compares the codes of failed calls and runs with those that
// the packages make, and the classes with those that the classifier gives.
func TestErrorCodes(t *testing.T) {
	var documented []string
	for _, x := range tables(t, "error-codes") {
		documented = append(documented, x.firsts()...)
		for _, row := range x.rows {
			for _, c := range codes(row[0]) {
				class := resilience.DefaultClassifier.Classify(resilience.Signal{Code: c})
				if documented := row[1]; class != resilience.Unknown && !strings.Contains(documented, string(class)) {
					t.Errorf("%s is %s, documented as %s", c, class, documented)
				}
			}
		}
	}
	real := append(constants(t, "../host/internal/plugin/fault.go", "code"), constants(t, "../resilience/failure.go", "Code")...)
	real = append(real, "invalid_input", "invalid_output", "expression", "unhealthy")
	// What keeps a run from starting or going on, and what ends nodes of it.
	for _, pattern := range []string{"../host/*.go", "../host/internal/engine/*.go", "../host/internal/journal/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, m := range regexp.MustCompile(`(?:\b(?:refusal|no)\(|\bCode: +)"([a-z_]+)"`).FindAllStringSubmatch(source(t, file), -1) {
				real = append(real, m[1])
			}
		}
	}
	slices.Sort(real)
	real = slices.DeleteFunc(slices.Compact(real), func(c string) bool { return c == resilience.CodeHedgeLost })
	same(t, "codes of errors", documented, real)
	explained := mapKeys(t, "../cmd/host/codes.go", "errorCodes")
	for _, c := range documented {
		if !slices.Contains(explained, c) {
			t.Errorf("host explain does not know %s", c)
		}
	}
}

// TestDelays compares the waits in tables with the formulas.
func TestDelays(t *testing.T) {
	for _, x := range tables(t, "delays") {
		for _, row := range x.rows {
			r := resilience.DefaultRetry()
			r.Backoff = resilience.Backoff(codes(row[0])[0])
			for n, cell := range row[1:] {
				low, high, ranged := strings.Cut(cell, "–")
				previous := r.BaseDelay
				for range n {
					previous = r.Delay(1, previous, 1)
				}
				if n == 0 {
					previous = 0
				}
				if !ranged {
					high = low
				}
				for u, want := range map[float64]string{0: low, 1: high} {
					d := r.Delay(n, previous, u)
					if got := strings.ReplaceAll(d.Round(time.Millisecond).String(), "1m0s", "60s"); got != strings.ReplaceAll(want, " ", "") {
						t.Errorf("%s, retry %d, u = %v: %s, documented as %s", r.Backoff, n, u, got, want)
					}
				}
			}
		}
	}
}

// TestFields compares tables of JSON fields with the types that are written.
func TestFields(t *testing.T) {
	types := map[string]reflect.Type{
		"result": reflect.TypeFor[event.Result](), "node": reflect.TypeFor[event.NodeResult](), "level": reflect.TypeFor[event.Level](),
		"error": reflect.TypeFor[event.Error](), "metrics": reflect.TypeFor[event.Metrics](), "node metrics": reflect.TypeFor[event.NodeMetrics](),
		"report": reflect.TypeFor[event.Report](), "check": reflect.TypeFor[event.Check](), "event": reflect.TypeFor[event.Event](),
		"finding": reflect.TypeFor[workflow.Finding](), "call": reflect.TypeFor[host.CallResult](),
		"run": reflect.TypeFor[host.RunInfo](), "wait": reflect.TypeFor[host.Wait](),
	}
	seen := map[string]bool{}
	for _, x := range tables(t, "fields") {
		of, ok := types[x.what]
		if !ok {
			t.Errorf("line %d: no type %q", x.line, x.what)
			continue
		}
		seen[x.what] = true
		var fields []string
		for i := range of.NumField() {
			if name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
				fields = append(fields, name)
			}
		}
		same(t, "fields of a "+x.what, x.firsts(), fields)
	}
	for name := range types {
		if !seen[name] {
			t.Errorf("the fields of a %s are not documented", name)
		}
	}
}

func TestEventTypes(t *testing.T) {
	var real []string
	for _, c := range constants(t, "../host/event/event.go", "") {
		if strings.Contains(c, ".") || c == "log" {
			real = append(real, c)
		}
	}
	var documented []string
	for _, x := range tables(t, "events") {
		documented = append(documented, x.firsts()...)
	}
	same(t, "types of events", documented, real)
}

func TestBuiltins(t *testing.T) {
	for _, x := range tables(t, "builtins") {
		same(t, "builtin plugins", x.firsts(), plugins.Names())
	}
}

func TestMetadata(t *testing.T) {
	text := source(t, "../host/internal/plugin/services.go")
	_, text, ok := strings.Cut(text, `strings.CutPrefix(key, "host.")`)
	if !ok {
		t.Fatal("where metadata is read has moved")
	}
	text, _, _ = strings.Cut(text, `"secret."`)
	var real []string
	for _, m := range regexp.MustCompile(`case "(\w+)"`).FindAllStringSubmatch(text, -1) {
		real = append(real, "host."+m[1])
	}
	for _, x := range tables(t, "metadata") {
		same(t, "metadata", x.firsts(), real)
	}
}

// TestPrograms makes a module of the Go programs, as one that embeds the host
// would, vets it, runs its tests, and builds and calls the plugins in it.
func TestPrograms(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir, tested, modules := t.TempDir(), []string{}, map[string]*block{}
	programs := 0
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if from := b.value("from"); from != "" {
				if !strings.Contains(source(t, filepath.Join(root, from)), b.text) {
					t.Errorf("%s:%d is not a part of %s", p.name, b.line, from)
				}
				continue
			}
			if b.lang != "go" {
				continue
			}
			name := b.value("file")
			if name == "" {
				t.Errorf("%s:%d: a Go block needs file=DIR/NAME", p.name, b.line)
				continue
			}
			programs++
			folder := "./" + filepath.Dir(name)
			write(t, filepath.Join(dir, name), b.text)
			if strings.HasSuffix(name, "_test.go") {
				tested = append(tested, folder)
			}
			if b.is("plugin") {
				modules[folder] = b
			}
		}
	}
	if programs < 7 || len(modules) < 2 || len(tested) < 1 {
		t.Fatalf("%d programs, plugins %v, tests %v", programs, modules, tested)
	}
	_, requires, _ := strings.Cut(source(t, "../go.mod"), "\n")
	write(t, filepath.Join(dir, "go.mod"), "module programs\n"+requires+"\nrequire wasmhost v0.0.0\nreplace wasmhost => "+root+"\n")
	write(t, filepath.Join(dir, "go.sum"), source(t, "../go.sum"))
	gotool := func(env []string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, said)
		}
	}
	gotool(nil, "vet", "./...")
	gotool(nil, append([]string{"test"}, tested...)...)
	h := open(t)
	for folder, b := range modules {
		wasm := filepath.Join(dir, folder, "plugin.wasm")
		args := []string{"build", "-o", wasm}
		if strings.Contains(b.text, "go:wasmexport") {
			args = append(args, "-buildmode=c-shared")
		}
		gotool([]string{"GOOS=wasip1", "GOARCH=wasm"}, append(args, folder)...)
		p, err := h.Plugin(t.Context(), host.PluginOptions{Source: wasm})
		if err != nil {
			t.Error(err)
			continue
		}
		if r := p.Call(t.Context(), "", event.Text("the lamp\nburned"), 20*time.Second); r.Error != nil {
			t.Errorf("%s: %v", folder, r.Error)
		} else if got, want := r.Output.String(), b.value("gives"); got != want {
			t.Errorf("%s gives %s, not %s", folder, got, want)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestExitCodes(t *testing.T) {
	for _, x := range tables(t, "exit-codes") {
		same(t, "exit codes", x.firsts(), mapKeys(t, "../cmd/host/codes.go", "exitCodes"))
	}
}

var (
	helpCommand = regexp.MustCompile(`(?m)^  ([a-z]+) {2,}\S`)
	helpFlag    = regexp.MustCompile(`(?m)^  (?:-(\w), )?--([a-z0-9-]+)`)
)

// TestCommands compares commands and flags with what the command itself says,
// and command lines in the guides with both.
func TestCommands(t *testing.T) {
	command := filepath.Join(t.TempDir(), "host")
	if said, err := exec.CommandContext(t.Context(), "go", "build", "-o", command, "../cmd/host").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	help := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), command, args...).Output()
		if err != nil {
			t.Fatalf("host %v: %v", args, err)
		}
		return string(out)
	}
	overview, _, _ := strings.Cut(help("help"), "\nFlags")
	flags := map[string][]string{} // own ones by command, "" for those of every command
	for _, m := range helpCommand.FindAllStringSubmatch(overview, -1) {
		own, common, _ := strings.Cut(help(m[1], "--help"), "Flags of every command:")
		_, own, _ = strings.Cut(own, "\nFlags:")
		for name, text := range map[string]string{m[1]: own, "": common} {
			flags[name] = nil
			for _, f := range helpFlag.FindAllStringSubmatch(text, -1) {
				flags[name] = append(flags[name], "--"+f[2])
				if f[1] != "" {
					flags[name] = append(flags[name], "-"+f[1])
				}
			}
		}
	}
	var documented []string
	for _, x := range tables(t, "commands") {
		for _, c := range x.firsts() {
			documented = append(documented, strings.Fields(c)[1])
		}
	}
	real := slices.Collect(maps.Keys(flags))
	same(t, "commands", documented, slices.DeleteFunc(real, func(c string) bool { return c == "" }))

	seen := map[string]bool{}
	for _, x := range tables(t, "flags") {
		of := strings.Replace(x.what, "version", "", 1) // a command without flags of its own
		seen[of] = true
		same(t, "flags of host "+of, x.firsts(), flags[of])
	}
	for name, list := range flags {
		if len(list) > 0 && !seen[name] {
			t.Errorf("the flags of host %s are not documented: %v", name, list)
		}
	}
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.lang != "sh" {
				continue
			}
			for line := range strings.Lines(b.text) {
				words := strings.Fields(line[strings.LastIndex(line, "| ")+1:])
				if len(words) < 2 || words[0] != "host" && words[0] != "|" {
					continue
				}
				name := words[slices.Index(words, "host")+1]
				if _, ok := flags[name]; !ok {
					t.Errorf("%s:%d: there is no host %s", p.name, b.line, name)
				}
				for _, w := range words {
					flag, _, _ := strings.Cut(w, "=")
					if strings.HasPrefix(flag, "-") && flag != "-" && !slices.Contains(flags[name], flag) && !slices.Contains(flags[""], flag) {
						t.Errorf("%s:%d: host %s has no %s", p.name, b.line, name, flag)
					}
				}
			}
		}
	}
}

// TestNumbers plays through what the guide on policies says in numbers.
func TestNumbers(t *testing.T) {
	t.Run("rate limit", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for wait, want := range map[time.Duration]string{
				time.Minute:     "[0s 0s 0s 500ms 1s 1.5s 2s 2.5s 3s 3.5s]",
				2 * time.Second: "[0s 0s 0s 500ms 1s 1.5s 2s]",
			} {
				l := resilience.NewLimiter(resilience.RateLimit{Rate: 2, Burst: 3, MaxWait: wait}, nil)
				began, at := time.Now(), make(chan time.Duration, 10)
				var all sync.WaitGroup
				for range 10 {
					all.Go(func() {
						if l.Acquire(t.Context()) == nil {
							at <- time.Since(began)
						}
					})
				}
				all.Wait()
				close(at)
				var starts []time.Duration
				for d := range at {
					starts = append(starts, d)
				}
				if got := fmt.Sprint(starts); got != want {
					t.Errorf("max_wait %s: calls start at %s, not %s", wait, got, want)
				}
			}
		})
	})
	failing := errors.New("unavailable")
	calls := func(s *resilience.Stack[int]) (n int, err error) {
		_, err = s.Do(context.Background(), resilience.Options{Idempotent: true}, func(context.Context, resilience.Attempt) (int, error) {
			n++
			return 0, failing
		})
		return n, err
	}
	t.Run("breaker", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := resilience.NewBreaker("model", resilience.BreakerConfig{RecoveryTimeout: 30 * time.Second}, nil)
			r := resilience.DefaultRetry()
			r.BaseDelay = time.Millisecond
			s := resilience.NewStack[int](resilience.Policy{Breaker: b, Retry: r}, nil)
			one, _ := calls(s)
			two, err := calls(s)
			if one != 4 || two != 1 || !errors.Is(err, resilience.ErrBreakerOpen) {
				t.Errorf("%d and %d attempts, %v", one, two, err)
			}
			time.Sleep(30 * time.Second)
			if state := b.State(); state != resilience.HalfOpen {
				t.Error(state)
			}
		})
	})
	t.Run("budget", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := resilience.DefaultRetry()
			r.Budget = 0.2
			s := resilience.NewStack[int](resilience.Policy{Retry: r}, nil)
			retries := 0
			for retries < 10 {
				n, _ := calls(s)
				retries += n - 1
			}
			for range 50 {
				n, _ := calls(s)
				retries += n - 1
			}
			if retries < 19 || retries > 21 {
				t.Errorf("%d retries, not 10 and one for every five of 50 calls", retries)
			}
		})
	})
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks follows the links between the guides, and into the repository.
func TestLinks(t *testing.T) {
	anchors := map[string][]string{}
	all := pages(t)
	for _, p := range all {
		for line := range strings.SplitSeq(p.text, "\n") {
			if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
				anchors[p.name] = append(anchors[p.name], anchor(title))
			}
		}
	}
	for _, p := range all {
		for _, m := range link.FindAllStringSubmatch(p.text, -1) {
			to, at, _ := strings.Cut(m[1], "#")
			if strings.HasPrefix(to, "https:") {
				continue
			}
			file := to
			if file == "" {
				file = p.name
			}
			if _, err := os.Stat(filepath.Join("guide", file)); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
			if at != "" && !slices.Contains(anchors[file], at) {
				t.Errorf("%s: %s has no heading #%s; it has %v", p.name, file, at, anchors[file])
			}
		}
	}
}

// anchor is what GitHub makes of a heading.
func anchor(title string) string {
	return strings.ReplaceAll(regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-")
}
