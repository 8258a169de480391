package module

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// watText translates a module given as text.
func watText(t testing.TB, text string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "m.wat")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return wat(t, name)
}

// run is an instance of a prepared module with a yield that only counts.
type run struct {
	api.Module
	*Prepared
	t       testing.TB
	granted int64
	used    int64 // in slices that are over
	yields  int
}

func prepared(t testing.TB, b []byte, o Options, slice int64) *run {
	t.Helper()
	p, err := Prepare(b, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(allFeatures))
	t.Cleanup(func() { rt.Close(ctx) })
	r := &run{Prepared: p, t: t, granted: slice}
	provideYield(t, rt, func(_ context.Context, _ api.Module, left int64) int64 {
		r.yields++
		r.used += r.granted - left
		r.granted = slice
		return slice
	})
	if r.Module, err = rt.InstantiateWithConfig(ctx, p.Bytes, wazero.NewModuleConfig().WithStartFunctions()); err != nil {
		t.Fatal(err)
	}
	r.left().Set(uint64(slice))
	return r
}

func (r *run) left() api.MutableGlobal {
	return r.ExportedGlobal(LeftExport).(api.MutableGlobal)
}

func (r *run) steps() int64 { return r.used + r.granted - int64(r.left().Get()) }

func (r *run) call(name string, args ...uint64) []uint64 {
	r.t.Helper()
	out, err := r.ExportedFunction(name).Call(context.Background(), args...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// TestSteps: the count is the longest path, known beforehand, whatever the
// slice.
func TestSteps(t *testing.T) {
	long := strings.Repeat("(drop (i32.const 1))", 9) // 18 steps
	b := watText(t, strings.ReplaceAll(`(module (memory 2) (table 4 funcref) (data $d "0123456789012345678901234567890123456789")
	  (func (export "nothing"))
	  (func (export "straight") (drop (i32.add (i32.const 1) (i32.const 2))))
	  (func $long (export "long") LONG)
	  (func (export "branches") (param i32)
	    (if (local.get 0) (then (drop (i32.const 1))) (else LONG)))
	  (func (export "early") (param i32)
	    (if (local.get 0) (then (return))) LONG)
	  (func (export "loop") (param i32)
	    (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
	  (func (export "nested") (param i32) (local i32)
	    (loop $a
	      (local.set 1 (i32.const 4))
	      (loop $b (br_if $b (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
	      (br_if $a (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
	  (func $callee (param i32 i32) (result i32) (i32.const 1))
	  (func (export "call") (drop (call $callee (i32.const 1) (i32.const 2))))
	  (func (export "call-long") (call $long))
	  (func $f (export "call-in-loop") (loop (call $f2)))
	  (func $f2)
	  (func (export "fill") (param i32) (memory.fill (i32.const 0) (i32.const 7) (local.get 0)))
	  (func (export "copy") (param i32) (memory.copy (i32.const 0) (i32.const 1) (local.get 0)))
	  (func (export "init") (memory.init $d (i32.const 0) (i32.const 0) (i32.const 40)))
	  (func (export "tfill") (table.fill 0 (i32.const 0) (ref.null func) (i32.const 4)))
	  (func (export "grow") (param i32) (drop (memory.grow (local.get 0))))
	)`, "LONG", long))
	cases := []struct {
		name string
		args []uint64
		want int64
	}{
		// Small functions without calls are paid for by whoever calls them.
		{"nothing", nil, 0},
		{"straight", nil, 0},
		{"long", nil, 1 + 18},
		{"branches", []uint64{1}, 1 + 2 + 18}, // the longer arm
		{"branches", []uint64{0}, 1 + 2 + 18},
		{"early", []uint64{1}, 1 + 2 + 18},
		{"loop", []uint64{1}, 1 * (1 + 5)},
		{"loop", []uint64{1000}, 1000 * (1 + 5)},
		{"nested", []uint64{3}, 3*(1+2+5) + 3*4*(1+5)},
		{"call", nil, 1 + 2 + (callSteps + 2 + 1) + 1},
		{"call-long", nil, 1 + callSteps + 1 + 18},
		{"call-in-loop", nil, 1 + callSteps},
		{"fill", []uint64{0}, 0},
		{"fill", []uint64{160}, 10},
		{"copy", []uint64{65536}, 4096},
		{"init", nil, 2},
		{"tfill", nil, 2},
		{"grow", []uint64{1}, 4096},
		{"grow", []uint64{70000}, 0}, // it fails
	}
	for _, slice := range []int64{1, 7, 100, 1 << 40} {
		for _, c := range cases {
			r := prepared(t, b, Options{}, slice)
			r.call(c.name, c.args...)
			// Helpers count nothing for themselves.
			if got := r.steps(); got != c.want {
				t.Errorf("%s%v in slices of %d: %d steps, want %d", c.name, c.args, slice, got, c.want)
			}
			if slice == 1 && len(c.args) > 0 && c.args[0] == 1000 && r.yields < 999 {
				t.Errorf("%s%v: %d yields in slices of 1", c.name, c.args, r.yields)
			}
		}
	}
}

func TestStartIsMovedToAnExport(t *testing.T) {
	r := prepared(t, watText(t, `(module (global $g (export "g") (mut i32) (i32.const 1))
	  (func $s (global.set $g (i32.const 2))) (start $s))`), Options{}, 100)
	if !r.Info.Start {
		t.Error("Info does not tell of the start function")
	}
	if got := r.ExportedGlobal("g").Get(); got != 1 {
		t.Errorf("instantiation ran it: %d", got)
	}
	r.call(StartExport)
	if got := r.ExportedGlobal("g").Get(); got != 2 {
		t.Errorf("it did not run: %d", got)
	}
	// An imported function can be the start function as well.
	p, err := Prepare(watText(t, `(module (import "a" "b" (func $s)) (start $s))`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	info, err := checkPrepared(p.Bytes)
	if e, ok := info.Export("testhost:start"); err != nil || !ok || e.Kind != Func {
		t.Errorf("%v %+v", err, info)
	}
}

// checkPrepared reads a prepared module, whose names are reserved.
func checkPrepared(b []byte) (*Info, error) {
	return Check(bytes.ReplaceAll(b, []byte(Prefix), []byte("testhost:")), Limits{})
}

func TestCaps(t *testing.T) {
	b := watText(t, `(module (memory 1) (table $a 2 externref) (table $b 3 5 externref) (table $fixed 4 funcref)
	  (func (export "memory") (param i32) (result i32) (memory.grow (local.get 0)))
	  (func (export "a") (param i32) (result i32) (table.grow $a (ref.null extern) (local.get 0)))
	  (func (export "b") (param i32) (result i32) (table.grow $b (ref.null extern) (local.get 0))))`)
	r := prepared(t, b, Options{MemoryPages: 3, TableElements: 19}, 1<<40)
	failed := uint64(0xffffffff)
	for _, c := range []struct {
		f    string
		n    uint64
		want uint64
	}{
		{"memory", 3, failed}, {"memory", 2, 1}, {"memory", 1, failed}, {"memory", 0, 3},
		// 19 less the 9 they start with are shared by the two that grow.
		{"a", 6, failed}, {"a", 5, 2}, {"a", 1, failed},
		{"b", 3, failed}, {"b", 2, 3}, // its own maximum is lower
	} {
		if got := r.call(c.f, c.n)[0]; got != c.want {
			t.Errorf("%s grown by %d: %d, want %d", c.f, c.n, int32(got), int32(c.want))
		}
	}
}

// TestReset: with the exported globals and memory an instance is taken back to
// where it was, and WrittenExport says when that is not enough.
func TestReset(t *testing.T) {
	r := prepared(t, watText(t, `(module (memory 1) (table 2 funcref)
	  (global (mut i32) (i32.const 1)) (global i32 (i32.const 9)) (global $x (mut f64) (f64.const 2)) (global $f (mut funcref) (ref.null func))
	  (func $me (export "change")
	    (global.set 0 (i32.const 5)) (global.set $x (f64.const 7)) (global.set $f (ref.func $me)) (i32.store (i32.const 8) (i32.const 3)))
	  (func (export "sum") (result f64)
	    (f64.add (f64.convert_i32_s (i32.add (global.get 0) (i32.load (i32.const 8)))) (f64.add (global.get $x) (f64.convert_i32_s (ref.is_null (global.get $f))))))
	  (func (export "write") (table.set 0 (i32.const 1) (ref.func $me))))`), Options{}, 1<<40)
	want := []ValType{I32, F64, FuncRef}
	if r.Info.Reset.Globals != 3 || !slices.Equal(r.Info.Reset.Types, want) || !r.Info.Reset.WritesTables || r.Info.Reset.V128 {
		t.Errorf("%+v", r.Info.Reset)
	}
	written := r.ExportedGlobal(WrittenExport).(api.MutableGlobal)
	memory := r.ExportedMemory(MemoryExport)
	content, _ := memory.Read(0, memory.Size())
	saved := bytes.Clone(content)
	var values []uint64
	for i := range r.Info.Reset.Globals {
		values = append(values, r.ExportedGlobal(GlobalExport(i)).Get())
	}
	before := r.call("sum")[0]
	r.call("change")
	if after := r.call("sum")[0]; after == before {
		t.Fatal("nothing changed")
	}
	for i, v := range values {
		r.ExportedGlobal(GlobalExport(i)).(api.MutableGlobal).Set(v)
	}
	memory.Write(0, saved)
	if after := r.call("sum")[0]; after != before {
		t.Errorf("%v, not %v", api.DecodeF64(after), api.DecodeF64(before))
	}
	if written.Get() != 0 {
		t.Error("marked as written too early")
	}
	r.call("write")
	if written.Get() != 1 {
		t.Error("table.set left no mark")
	}
	written.Set(0)
}

// TestDataSegmentsAreJoined compares the memory after instantiation, and the
// number of segments.
func TestDataSegmentsAreJoined(t *testing.T) {
	cases := []struct {
		name, text string
		segments   int
	}{
		{"near", `(memory (export "m") 1) (data (i32.const 16) "ab") (data (i32.const 20) "cd") (data (i32.const 22) "ef")`, 1},
		{"far", `(memory (export "m") 1) (data (i32.const 16) "ab") (data (i32.const 300) "cd")`, 2},
		{"backwards", `(memory (export "m") 1) (data (i32.const 80) "ab") (data (i32.const 40) "cd") (data (i32.const 60) "")`, 1},
		{"overlapping", `(memory (export "m") 1) (data (i32.const 16) "abcd") (data (i32.const 18) "xy")`, 2},
		{"one inside another's gap", `(memory (export "m") 1) (data (i32.const 16) "ab") (data (i32.const 30) "cd") (data (i32.const 20) "ef")`, 1},
		{"to the last byte", `(memory (export "m") 1) (data (i32.const 65530) "abc") (data (i32.const 65533) "def")`, 1},
		{"with a passive one", `(memory (export "m") 1) (data (i32.const 16) "ab") (data "x") (data (i32.const 20) "cd")`, 3},
		{"named by number", `(memory (export "m") 1) (data (i32.const 16) "ab") (data (i32.const 20) "cd") (func (data.drop 1))`, 2},
		{"at a global", `(global $g (import "env" "g") i32) (memory (export "m") 1) (data (global.get $g) "ab") (data (i32.const 20) "cd")`, 2},
		{"in a shared memory", `(import "env" "m" (memory 1)) (data (i32.const 16) "ab") (data (i32.const 20) "cd")`, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := watText(t, "(module "+c.text+")")
			p, err := Prepare(b, Options{})
			if err != nil {
				t.Fatal(err)
			}
			d, failed := decode(bytes.ReplaceAll(p.Bytes, []byte(Prefix), []byte("testhost:")), Limits{}.withDefaults())
			if failed != nil {
				t.Fatal(failed)
			}
			if len(d.data) != c.segments {
				t.Errorf("%d segments, want %d", len(d.data), c.segments)
			}
			if p.Info.Data == 0 {
				t.Error("Info is not of the module as it was given")
			}
			if !strings.Contains(c.text, "import") && !bytes.Equal(memoryOf(t, b), memoryOf(t, p.Bytes)) {
				t.Error("another memory")
			}
		})
	}
	// Out of bounds from the start: it fails as it would have.
	b := watText(t, `(module (memory 1) (data (i32.const 65530) "abc") (data (i32.const 65534) "def"))`)
	p, err := Prepare(b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{b, p.Bytes} {
		if _, err := instance(t, b); err == nil || !strings.Contains(err.Error(), "out of bounds") {
			t.Errorf("instantiated with %v", err)
		}
	}
}

func instance(t *testing.T, b []byte) (api.Module, error) {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(allFeatures))
	t.Cleanup(func() { rt.Close(ctx) })
	provideYield(t, rt, politeYield)
	return rt.InstantiateWithConfig(ctx, b, wazero.NewModuleConfig())
}

func memoryOf(t *testing.T, b []byte) []byte {
	t.Helper()
	m, err := instance(t, b)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := m.ExportedMemory("m").Read(0, 65536)
	return c
}

// TestNames: traps are explained with the module's own function names.
func TestNames(t *testing.T) {
	if _, err := exec.LookPath("wat2wasm"); err != nil {
		lacks(t, "wat2wasm (wabt) is not installed")
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "m.wat"), filepath.Join(dir, "m.wasm")
	text := `(module $called (import "wasmtest" "f" (func $outside)) (func $inner (param $p i32) unreachable) (func $outer (export "run") (call $inner (i32.const 1))))`
	if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := exec.Command("wat2wasm", "--debug-names", "-o", out, in).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	p, err := Prepare(readFile(t, out), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	rt := wazero.NewRuntime(ctx)
	defer rt.Close(ctx)
	provideYield(t, rt, politeYield)
	if _, err := rt.NewHostModuleBuilder("wasmtest").NewFunctionBuilder().WithFunc(func() {}).Export("f").Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	m, err := rt.Instantiate(ctx, p.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.ExportedFunction("run").Call(ctx)
	if err == nil || !strings.Contains(err.Error(), "called.inner(i32)") || !strings.Contains(err.Error(), "called.outer()") {
		t.Errorf("%v", err)
	}
}

func TestInfo(t *testing.T) {
	b := watText(t, `(module
	  (import "env" "f" (func (param i32 i64) (result f32))) (import "env" "g" (global (mut i64)))
	  (table 3 9 funcref) (memory (export "mem") 2 7) (global i32 (i32.const 1))
	  (func (export "run") (result i32) (drop (table.grow 0 (ref.null func) (i32.const 1))) (i32.const 1)))`)
	b = append(b, custom("producers", 1, 2, 3)...)
	b = append(b, custom("name", 0, 2, 1, 'x')...)
	b = append(b, custom("big", make([]byte, 70_000)...)...)
	i, err := Check(b, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%s.%s %s %v", i.Imports[0].Module, i.Imports[0].Name, i.Imports[0].Kind, i.Imports[0].Func); got != "env.f func (i32, i64) -> (f32)" {
		t.Error(got)
	}
	if g := i.Imports[1].Global; g == nil || !g.Mutable || g.Type != I64 {
		t.Errorf("%+v", i.Imports[1])
	}
	e, ok := i.Export("run")
	if !ok || e.Func.String() != "() -> (i32)" {
		t.Errorf("%+v", e)
	}
	if e, _ := i.Export("mem"); e.Memory == nil || *e.Memory != (Range{2, 7, true}) || *i.Memory != *e.Memory {
		t.Errorf("%+v", e)
	}
	if _, ok := i.Export("none"); ok {
		t.Error("an export that is not there")
	}
	if len(i.Tables) != 1 || i.Tables[0] != (TableType{FuncRef, Range{3, 9, true}}) {
		t.Errorf("%+v", i.Tables)
	}
	if d, ok := i.CustomData("producers"); !ok || !bytes.Equal(d, []byte{1, 2, 3}) {
		t.Errorf("%v", d)
	}
	if _, ok := i.CustomData("big"); ok || i.Custom[2].Size != 70_000 {
		t.Errorf("a section of 70,000 bytes was kept")
	}
	r := i.Reset
	if !r.SharedGlobals || !r.SharedMemory || r.SharedTables || !r.WritesTables || r.DropsSegments || r.GrowsMemory || r.Globals != 0 {
		t.Errorf("%+v", r)
	}
	if got := i.Features.String(); got != "reference-types" {
		t.Error(got)
	}
}

// TestUnmetered: everything but the meter.
func TestUnmetered(t *testing.T) {
	p, err := Prepare(watText(t, `(module (memory 1) (table 3 funcref) (global (mut i32) (i32.const 1)) (func $s) (start $s)
	  (func (export "run") (loop (table.set 0 (i32.const 0) (ref.null func)))))`), Options{Unmetered: true, MemoryPages: 4})
	if err != nil {
		t.Fatal(err)
	}
	i, err := checkPrepared(p.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range i.Exports {
		names = append(names, strings.TrimPrefix(e.Name, "testhost:"))
	}
	if got := strings.Join(names, " "); got != "run written start memory global.0" {
		t.Error(got)
	}
	if len(i.Imports) != 0 || i.Functions != 2 || i.Memory.Max != 4 {
		t.Errorf("%+v", i)
	}
}

// TestPrepareIsRepeatable: same bytes and options, same result.
func TestPrepareIsRepeatable(t *testing.T) {
	b := bombs["br-tables"](5000)
	p, err := Prepare(b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		q, err := Prepare(bytes.Clone(b), Options{})
		if err != nil || !bytes.Equal(p.Bytes, q.Bytes) {
			t.Fatalf("another result: %v", err)
		}
	}
}
