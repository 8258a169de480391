package module

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"wasmhost/bench/gotest"
)

// wazeroDir is where wazero's sources are in the module cache: they carry the
// WebAssembly core test suite.
var wazeroDir = sync.OnceValue(func() string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
})

type script struct {
	Source   string    `json:"source_filename"`
	Commands []command `json:"commands"`
}

type command struct {
	Type       string `json:"type"`
	Line       int    `json:"line"`
	Name       string `json:"name"`
	Filename   string `json:"filename"`
	As         string `json:"as"`
	Text       string `json:"text"`
	ModuleType string `json:"module_type"`
	Action     struct {
		Type   string  `json:"type"`
		Field  string  `json:"field"`
		Module string  `json:"module"`
		Args   []value `json:"args"`
	} `json:"action"`
}

type value struct {
	Type  string `json:"type"`
	Lane  string `json:"lane_type"`
	Value any    `json:"value"`
}

// words is the value as wazero's API passes it.
func (v value) words(t *testing.T) []uint64 {
	if v.Type == "v128" {
		var out [2]uint64
		lanes := v.Value.([]any)
		bits := 128 / len(lanes)
		for i, l := range lanes {
			n, err := strconv.ParseUint(strings.TrimPrefix(l.(string), "-"), 10, 64)
			if err != nil {
				t.Fatalf("lane %v: %v", l, err)
			}
			out[i*bits/64] |= n << (i * bits % 64)
		}
		return out[:]
	}
	s, ok := v.Value.(string)
	if !ok || s == "null" {
		return []uint64{0}
	}
	switch {
	case strings.HasPrefix(s, "-"):
		n, _ := strconv.ParseInt(s, 10, 64)
		if strings.HasSuffix(v.Type, "32") {
			return []uint64{uint64(uint32(n))}
		}
		return []uint64{uint64(n)}
	case strings.HasPrefix(s, "nan"):
		t.Fatalf("argument %s", s)
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("argument %q: %v", s, err)
	}
	if v.Type == "externref" {
		n++
	}
	return []uint64{n}
}

// world runs one script, with modules prepared or not.
type world struct {
	t       *testing.T
	ctx     context.Context
	rt      wazero.Runtime
	prepare bool
	dir     string
	last    api.Module
	named   map[string]api.Module
	yields  int
}

func newWorld(t *testing.T, dir string, features api.CoreFeatures, prepare bool) *world {
	w := &world{t: t, ctx: context.Background(), prepare: prepare, dir: dir, named: map[string]api.Module{}}
	w.rt = wazero.NewRuntimeWithConfig(w.ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features))
	b, err := os.ReadFile(filepath.Join(wazeroDir(), "internal/integration_test/spectest/testdata/spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.rt.InstantiateWithConfig(w.ctx, b, wazero.NewModuleConfig()); err != nil {
		t.Fatal(err)
	}
	provideYield(t, w.rt, func(context.Context, api.Module, int64) int64 { w.yields++; return 50 })
	return w
}

// provideYield instantiates the host's side of the meter.
func provideYield(t testing.TB, rt wazero.Runtime, f func(context.Context, api.Module, int64) int64) {
	t.Helper()
	_, err := rt.NewHostModuleBuilder(YieldModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, m api.Module, stack []uint64) {
			stack[0] = uint64(f(ctx, m, int64(stack[0])))
		}), []api.ValueType{api.ValueTypeI64}, []api.ValueType{api.ValueTypeI64}).
		Export(YieldName).Instantiate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
}

// compilerPanicked begins the error that compile makes of a panic.
const compilerPanicked = "compiler panicked"

// compile turns a panic of the compiler into an error.
func compile(ctx context.Context, rt wazero.Runtime, b []byte) (c wazero.CompiledModule, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %v", compilerPanicked, p)
		}
	}()
	return rt.CompileModule(ctx, b)
}

// instantiate brings a module to life, its start function included.
func (w *world) instantiate(file, name string) (api.Module, error) {
	b, err := os.ReadFile(filepath.Join(w.dir, file))
	if err != nil {
		w.t.Fatal(err)
	}
	start := false
	if w.prepare {
		p, err := Prepare(b, Options{})
		if err != nil {
			return nil, err
		}
		b, start = p.Bytes, p.Info.Start
	}
	c, err := compile(w.ctx, w.rt, b)
	if err != nil {
		return nil, err
	}
	m, err := w.rt.InstantiateModule(w.ctx, c, wazero.NewModuleConfig().WithName(name).WithStartFunctions())
	if err != nil {
		return nil, err
	}
	if start {
		if _, err := m.ExportedFunction(StartExport).Call(w.ctx); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// outcome is what a command came to.
type outcome struct {
	results []uint64
	types   []api.ValueType
	err     error
}

func (o outcome) same(p outcome) bool {
	if (o.err == nil) != (p.err == nil) {
		return false
	}
	if o.err != nil {
		return trap(o.err) == trap(p.err)
	}
	if len(o.results) != len(p.results) {
		return false
	}
	for i := range o.results {
		same := o.results[i] == p.results[i]
		// References are addresses: only null can be compared.
		if i < len(o.types) && (o.types[i] == api.ValueTypeExternref || o.types[i] == 0x70) {
			same = (o.results[i] == 0) == (p.results[i] == 0)
		}
		if !same {
			return false
		}
	}
	return true
}

// trap is the first line of an error: the kind of the trap, without the stack.
func trap(err error) string {
	s, _, _ := strings.Cut(err.Error(), "\n")
	if strings.Contains(s, "stack overflow") {
		return "stack overflow"
	}
	s = strings.TrimPrefix(s, "start function[0] failed: ")
	if i := strings.Index(s, "wasm error: "); i >= 0 {
		s = s[i:]
	}
	return s
}

func (w *world) act(c *command) (o outcome) {
	m := w.last
	if c.Action.Module != "" {
		m = w.named[c.Action.Module]
	}
	if m == nil {
		return outcome{err: errors.New("no module")}
	}
	if c.Action.Type == "get" {
		g := m.ExportedGlobal(c.Action.Field)
		if g == nil {
			return outcome{err: errors.New("no such global")}
		}
		return outcome{results: []uint64{g.Get()}, types: []api.ValueType{g.Type()}}
	}
	f := m.ExportedFunction(c.Action.Field)
	if f == nil {
		return outcome{err: fmt.Errorf("no function %q", c.Action.Field)}
	}
	var args []uint64
	for _, a := range c.Action.Args {
		args = append(args, a.words(w.t)...)
	}
	o.results, o.err = f.Call(w.ctx, args...)
	o.types = f.Definition().ResultTypes()
	return o
}

func (w *world) run(c *command, next *command) outcome {
	switch c.Type {
	case "module":
		name := ""
		if next != nil && next.Type == "register" {
			name = next.As
		}
		m, err := w.instantiate(c.Filename, name)
		if err == nil {
			w.last = m
			if c.Name != "" {
				w.named[c.Name] = m
			}
		}
		return outcome{err: err}
	case "assert_return", "action", "assert_trap", "assert_exhaustion":
		if c.Action.Type != "" {
			return w.act(c)
		}
		_, err := w.instantiate(c.Filename, "")
		return outcome{err: err}
	case "assert_invalid", "assert_malformed", "assert_unlinkable", "assert_uninstantiable":
		_, err := w.instantiate(c.Filename, "")
		return outcome{err: err}
	}
	w.t.Fatalf("line %d: unknown command %s", c.Line, c.Type)
	return outcome{}
}

// TestCoreSuite runs the WebAssembly core test suite on plain and on prepared
// modules: what one returns or traps with, the other must too, and both must do
// what the suite demands.
func TestCoreSuite(t *testing.T) {
	root := filepath.Join(wazeroDir(), "internal/integration_test/spectest")
	if _, err := os.Stat(root); err != nil {
		t.Skip("wazero's sources are not in the module cache")
	}
	v2 := api.CoreFeaturesV2
	suites := []struct {
		dir      string
		features api.CoreFeatures
	}{
		{"v1", api.CoreFeaturesV1},
		{"v2", v2},
		{"extended-const", v2 | experimental.CoreFeaturesExtendedConst},
		{"tail-call", v2 | experimental.CoreFeaturesTailCall},
	}
	for _, suite := range suites {
		dir := filepath.Join(root, suite.dir, "testdata")
		files, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no scripts: %v", dir, err)
		}
		begin, yields := time.Now(), 0
		row := gotest.Row{What: "core test suite, " + suite.dir + ": prepared modules against plain", Unit: "commands"}
		for i, file := range files {
			if testing.Short() && i%8 != 0 {
				continue
			}
			t.Run(suite.dir+"/"+strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
				yields += runScript(t, dir, file, suite.features, &row)
			})
		}
		row.Seconds = time.Since(begin).Seconds()
		row.Note = fmt.Sprintf("%d yields on the way", yields)
		row.Tell(t)
		t.Logf("%s: %d commands, %d with another outcome, %s", suite.dir, row.Number, len(row.Different), row.Note)
	}
}

// runScript counts the commands of a script, and those with two outcomes, into
// row, and returns how often prepared modules yielded.
func runScript(t *testing.T, dir, file string, features api.CoreFeatures, row *gotest.Row) (yields int) {
	differs := func(format string, args ...any) {
		t.Helper()
		text := fmt.Sprintf(format, args...)
		t.Error(text)
		row.Different = append(row.Different, gotest.Difference{What: filepath.Base(file) + ": " + text})
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s script
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	plain := newWorld(t, dir, features, false)
	defer plain.rt.Close(plain.ctx)
	prepared := newWorld(t, dir, features, true)
	defer prepared.rt.Close(prepared.ctx)
	for i := range s.Commands {
		c := &s.Commands[i]
		if c.Type == "register" || c.ModuleType == "text" {
			continue
		}
		var next *command
		if i+1 < len(s.Commands) {
			next = &s.Commands[i+1]
		}
		row.Number++
		p, q := plain.run(c, next), prepared.run(c, next)
		if (p.err == nil) != (q.err == nil) {
			differs("line %d %s %s: plain %v, prepared %v", c.Line, c.Type, c.Filename, p.err, q.err)
			continue
		}
		refusal := c.Type == "assert_invalid" || c.Type == "assert_malformed" || c.Type == "assert_unlinkable"
		if !refusal && !p.same(q) {
			differs("line %d %s: plain %v %v, prepared %v %v", c.Line, c.Type, p.results, p.err, q.results, q.err)
		}
		fails := refusal || strings.HasPrefix(c.Type, "assert_") && c.Type != "assert_return"
		// wazero lets active element segments fail silently (its own runner
		// accepts that too); prepared modules must do the same, not more.
		lenient := c.Type == "assert_uninstantiable" && c.Text == "out of bounds table access"
		if fails != (q.err != nil) && !lenient {
			differs("line %d %s: %v", c.Line, c.Type, q.err)
		}
	}
	return prepared.yields
}
