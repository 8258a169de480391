package module

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// with puts sections behind a module's first eight bytes.
func with(sections ...[]byte) []byte {
	return append([]byte{0, 'a', 's', 'm', 1, 0, 0, 0}, cat(sections...)...)
}

func section(id byte, contents ...byte) []byte { return appendSection(nil, id, contents) }

func custom(name string, contents ...byte) []byte {
	return appendSection(nil, secCustom, appendName(nil, name), contents)
}

// body is a module with one function () -> () of that code.
func body(code ...byte) []byte {
	var m modBuilder
	m.fn(m.typ(0, 0), 0, code...)
	return m.bytes()
}

// bodyWith has a memory, a table and a local too.
func bodyWith(code ...byte) []byte {
	var m modBuilder
	m.memory, m.table = true, true
	m.fn(m.typ(0, 0), 1, code...)
	return m.bytes()
}

// huge is the count 4,294,967,295.
var huge = []byte{0xff, 0xff, 0xff, 0xff, 0x0f}

// many is a count of 40,000: below the limits, but more than a few bytes hold.
var many = []byte{0xc0, 0xb8, 0x02}

var (
	typeNone = section(secType, 1, 0x60, 0, 0)
	funcOne  = section(secFunction, 1, 0)
	codeOne  = section(secCode, 1, 2, 0, opEnd)
)

// TestRefusals: what is refused, and how it is said. Decode bombs come first:
// each declares far more than it holds.
func TestRefusals(t *testing.T) {
	cases := []struct {
		name   string
		module []byte
		kind   Kind
		want   string // the whole message
	}{
		{"empty", nil, Malformed, `module at offset 0 (0x0): the file is empty`},
		{"text", []byte("\n(module)"), Malformed, `module at offset 0 (0x0): not WebAssembly binary; this looks like its text format: translate it with wat2wasm first`},
		{"other", []byte("#!/bin/sh\necho"), Malformed, `module at offset 0 (0x0): not WebAssembly: the first bytes must be "\0asm" and version 1`},
		{"version", []byte{0, 'a', 's', 'm', 2, 0, 0, 0}, Malformed, `module at offset 4 (0x4): unknown version 2`},

		{"bomb types", with(section(secType, huge...)), TooLarge, `type section at offset 10 (0xa): too many types: found 4294967295, limit Types is 50000`},
		{"bomb types below the limit", with(section(secType, many...)), Malformed, `type section at offset 10 (0xa): 40000 types are declared, but only 0 bytes are left`},
		{"bomb parameters", with(section(secType, cat([]byte{1, 0x60}, huge)...)), TooLarge, `type section at offset 12 (0xc): too many parameters: found 4294967295, limit Params is 1000`},
		{"bomb results", with(section(secType, cat([]byte{1, 0x60, 0}, huge)...)), TooLarge, `type section at offset 13 (0xd): too many results: found 4294967295, limit Params is 1000`},
		{"bomb imports", with(section(secImport, huge...)), TooLarge, `import section at offset 10 (0xa): too many imports: found 4294967295, limit Imports is 10000`},
		{"bomb import name", with(section(secImport, cat([]byte{1}, huge)...)), Malformed, `import section at offset 11 (0xb): a name of 4294967295 bytes is declared, 0 are left`},
		{"bomb functions", with(section(secFunction, huge...)), TooLarge, `function section at offset 10 (0xa): too many functions: found 4294967295, limit Functions is 200000`},
		{"bomb functions below the limit", with(section(secFunction, many...)), Malformed, `function section at offset 10 (0xa): 40000 functions are declared, but only 0 bytes are left`},
		{"bomb tables", with(section(secTable, huge...)), TooLarge, `table section at offset 10 (0xa): too many tables: found 4294967295, limit Tables is 100`},
		{"bomb table size", with(section(secTable, cat([]byte{1, 0x70, 0}, huge)...)), TooLarge, `table section at offset 11 (0xb): the tables start too large: found 4294967295, limit TableMin is 1000000`},
		{"bomb memories", with(section(secMemory, huge...)), Unsupported, `memory section at offset 10 (0xa): needs multi-memory, which is not supported (4294967295 memories); build with one memory`},
		{"bomb memory size", with(section(secMemory, 1, 0, 0x80, 0x80, 0x02)), TooLarge, `memory section at offset 11 (0xb): a memory starts too large (pages): found 32768, limit MemoryMin is 16384`},
		{"bomb globals", with(section(secGlobal, huge...)), TooLarge, `global section at offset 10 (0xa): too many globals: found 4294967295, limit Globals is 50000`},
		{"bomb exports", with(section(secExport, huge...)), TooLarge, `export section at offset 10 (0xa): too many exports: found 4294967295, limit Exports is 50000`},
		{"bomb element segments", with(section(secElement, huge...)), TooLarge, `element section at offset 10 (0xa): too many element segments: found 4294967295, limit Elements is 50000`},
		{"bomb elements", with(section(secElement, cat([]byte{1, 1, 0}, huge)...)), TooLarge, `element section at offset 13 (0xd): too many elements: found 4294967295, limit ElementSize is 1000000`},
		{"bomb bodies", with(section(secCode, huge...)), TooLarge, `code section at offset 10 (0xa): too many function bodies: found 4294967295, limit Functions is 200000`},
		{"bomb body size", with(typeNone, funcOne, section(secCode, cat([]byte{1}, huge)...)), TooLarge, `function 0 at offset 21 (0x15): the body is too large: found 4294967295, limit BodyBytes is 1048576`},
		{"bomb locals", with(typeNone, funcOne, section(secCode, cat([]byte{1, 8, 1}, huge, []byte{0x7f, opEnd})...)), TooLarge, `function 0 at offset 23 (0x17): too many locals: found 4294967295, limit Locals is 50000`},
		{"bomb groups of locals", with(typeNone, funcOne, section(secCode, cat([]byte{1, 6}, huge, []byte{opEnd})...)), TooLarge, `function 0 at offset 22 (0x16): too many groups of locals: found 4294967295, limit Locals is 50000`},
		{"bomb br_table", body(cat([]byte{opI32Const, 0, opBrTable}, huge, []byte{0})...), TooLarge, `function 0 at offset 26 (0x1a): too many branch targets: found 4294967295, limit BranchTable is 65520`},
		{"bomb data segments", with(section(secData, huge...)), TooLarge, `data section at offset 10 (0xa): too many data segments: found 4294967295, limit Data is 200000`},
		{"bomb data size", with(section(secData, cat([]byte{1, 1}, huge)...)), Malformed, `data section at offset 17 (0x11): ends too early: 4294967295 bytes are declared, 0 are left`},
		{"bomb section size", with(append([]byte{secType}, huge...)), Malformed, `section header at offset 8 (0x8): section 1 declares 4294967295 bytes, 0 are left`},
		{"bomb custom name", with(section(secCustom, huge...)), Malformed, `custom section at offset 10 (0xa): a name of 4294967295 bytes is declared, 0 are left`},
		{"bomb function names", with(custom("name", cat([]byte{1, 5}, huge)...)), TooLarge, `name section at offset 17 (0x11): too many names: found 4294967295, limit ModuleBytes is 67108864`},
		{"bomb local names", with(custom("name", cat([]byte{2, 7, 1, 0}, huge)...)), TooLarge, `name section at offset 19 (0x13): too many names: found 4294967295, limit ModuleBytes is 67108864`},
		{"bomb module name", with(custom("name", cat([]byte{0, 5}, huge)...)), Malformed, `name section at offset 17 (0x11): a name of 4294967295 bytes is declared, 0 are left`},
		{"bomb name subsection", with(custom("name", cat([]byte{9}, huge)...)), Malformed, `name section at offset 15 (0xf): subsection 9 declares 4294967295 bytes, 0 are left`},
		{"two name sections", with(custom("name"), custom("name")), Malformed, `custom section at offset 22 (0x16): there are two name sections`},

		{"component", []byte{0, 'a', 's', 'm', 0x0d, 0, 1, 0}, Unsupported, `module at offset 4 (0x4): needs component-model, which is not supported (this is a component); build a core module instead: a target like wasm32-wasip1 or wasip1, not wasip2 and without ` + "`wasm-tools component new`"},
		{"gc type", with(section(secType, 1, 0x5f, 0)), Unsupported, `type section at offset 11 (0xb): needs gc, which is not supported (type form 0x5f); build with a toolchain that brings its own memory management (Go, Rust, C, AssemblyScript, TinyGo), or turn WasmGC off`},
		{"gc opcode", body(0xfb, 0), Unsupported, `function 0 at offset 23 (0x17): needs gc, which is not supported (opcode 0xfb); build with a toolchain that brings its own memory management (Go, Rust, C, AssemblyScript, TinyGo), or turn WasmGC off`},
		{"typed references", with(section(secType, 1, 0x60, 1, 0x64, 0x70, 0)), Unsupported, `type section at offset 13 (0xd): needs typed-function-references, which is not supported (a reference to a type); build without +typed-function-references; funcref and call_indirect are supported`},
		{"shared memory", with(section(secMemory, 1, 3, 1, 1)), Unsupported, `memory section at offset 11 (0xb): needs threads, which is not supported (a shared memory); build without shared memory and atomics (no -pthread, no +atomics)`},
		{"atomics", body(0xfe, 3, 0), Unsupported, `function 0 at offset 23 (0x17): needs threads, which is not supported (opcode 0xfe); build without shared memory and atomics (no -pthread, no +atomics)`},
		{"memory64", with(section(secMemory, 1, 4, 1)), Unsupported, `memory section at offset 11 (0xb): needs memory64, which is not supported (64-bit limits); build for wasm32`},
		{"two memories", with(section(secMemory, 2, 0, 1, 0, 1)), Unsupported, `memory section at offset 10 (0xa): needs multi-memory, which is not supported (2 memories); build with one memory`},
		{"relaxed SIMD", body(0xfd, 0x80, 0x02), Unsupported, `function 0 at offset 23 (0x17): needs relaxed-simd, which is not supported (opcode 0xfd 0x100); build without +relaxed-simd; fixed-width SIMD is supported`},
		{"legacy exceptions", body(0x06, emptyBlock, opEnd), Unsupported, `function 0 at offset 23 (0x17): needs legacy-exceptions, which is not supported (opcode 0x06); build without exceptions (-fno-exceptions, panic=abort)`},
		{"exceptions", body(0x1f, emptyBlock, 0, opEnd), Unsupported, `function 0 at offset 23 (0x17): needs exceptions, which is not supported (opcode 0x1f); build without exceptions (-fno-exceptions, panic=abort, no setjmp/longjmp)`},
		{"tags", with(section(secTag, 1, 0, 0)), Unsupported, `tag section at offset 8 (0x8): needs exceptions, which is not supported; build without exceptions (-fno-exceptions, panic=abort, no setjmp/longjmp)`},
		{"wide arithmetic", body(0xfc, 19), Unsupported, `function 0 at offset 23 (0x17): needs wide-arithmetic, which is not supported (opcode 0xfc 0x13); build without +wide-arithmetic`},
		{"custom page sizes", with(section(secMemory, 1, 8, 1, 0)), Unsupported, `memory section at offset 11 (0xb): needs custom-page-sizes, which is not supported; build with the usual 64 KiB pages`},
		{"object file", with(custom("linking", 2)), Unsupported, `custom section at offset 18 (0x12): needs object-file, which is not supported (it has a section linking); link it first (wasm-ld): this is a relocatable object, not a module`},

		{"unknown opcode", body(0x27), Malformed, `function 0 at offset 23 (0x17): unknown opcode 0x27`},
		{"unknown SIMD opcode", body(0xfd, 0x9a, 0x01), Malformed, `function 0 at offset 23 (0x17): unknown opcode 0xfd 0x9a`},
		{"unknown bulk opcode", body(0xfc, 0x40), Malformed, `function 0 at offset 23 (0x17): unknown opcode 0xfc 0x40`},
		{"unknown section", with(section(99)), Malformed, `section header at offset 8 (0x8): unknown section 99`},
		{"order", with(funcOne, typeNone), Malformed, `function section at offset 11 (0xb): type 0 does not exist: there are 0`},
		{"order of sections", with(typeNone, section(secMemory, 0), section(secTable, 0)), Malformed, `table section at offset 17 (0x11): out of order, or there twice`},
		{"bytes left in a section", with(section(secMemory, 0, 0)), Malformed, `memory section at offset 11 (0xb): 1 bytes too many in the section`},
		{"function without body", with(typeNone, funcOne), Malformed, `code section at offset 0 (0x0): 1 functions are declared, 0 bodies are there`},
		{"body without function", with(codeOne), Malformed, `code section at offset 10 (0xa): 0 functions are declared, 1 bodies are there`},
		{"data count", with(section(secDataCount, 2)), Malformed, `data count section at offset 10 (0xa): says 2 segments, the data section has 0`},
		{"start with parameters", with(section(secType, 1, 0x60, 1, 0x7f, 0), funcOne, section(secStart, 0), codeOne), Malformed, `start section at offset 21 (0x15): the start function takes or returns values`},
		{"call out of range", body(opCall, 1), Malformed, `function 0 at offset 24 (0x18): function 1 does not exist: there are 1`},
		{"global out of range", body(opGlobalGet, 0, 0x1a), Malformed, `function 0 at offset 24 (0x18): global 0 does not exist: there are 0`},
		{"type out of range", body(opBlock, 1, opEnd), Malformed, `function 0 at offset 24 (0x18): type 1 does not exist: there are 1`},
		{"label out of range", body(opBr, 1), Malformed, `function 0 at offset 23 (0x17): branch out of 2 blocks, only 1 are open`},
		{"else without if", body(opElse), Malformed, `function 0 at offset 23 (0x17): else without if`},
		{"open block", body(opBlock, emptyBlock), Malformed, `function 0 at offset 26 (0x1a): ends inside 1 open blocks`},
		{"code behind the end", body(opEnd), Malformed, `function 0 at offset 24 (0x18): 1 bytes after its end`},
		{"local out of range", bodyWith(opLocalGet, 1, 0x1a), Malformed, `function 0 at offset 36 (0x24): local 1 does not exist: there are 1`},
		{"memory of another number", bodyWith(opMemorySize, 1, 0x1a), Unsupported, `function 0 at offset 36 (0x24): needs multi-memory, which is not supported (memory 1); build with one memory`},
		{"alignment", bodyWith(opLocalGet, 0, 0x28, 5, 0, 0x1a), Malformed, `function 0 at offset 39 (0x27): alignment 2^5 is too large`},
		{"no memory", body(opI32Const, 0, 0x28, 2, 0, 0x1a), Malformed, `function 0 at offset 26 (0x1a): memory 0 does not exist: there are 0`},
		{"data.drop without count", bodyWith(opMisc, miscDataDrop, 0), Malformed, `function 0 at offset 36 (0x24): memory.init and data.drop need a data count section`},
		{"select of two", bodyWith(opSelectTyped, 2, 0x7f, 0x7f), Malformed, `function 0 at offset 36 (0x24): select with 2 types`},
		{"number cut off", body(opI32Const, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), Malformed, `function 0 at offset 24 (0x18): a number does not fit 32 bits`},
		{"reserved import", with(typeNone, section(secImport, cat([]byte{1}, appendName(nil, YieldModule), appendName(nil, "f"), []byte{0, 0})...)), Malformed, `import section at offset 17 (0x11): imports from "wasmhost:meter": names that start with "wasmhost:" are the host's own`},
		{"reserved export", with(section(secMemory, 1, 0, 1), section(secExport, cat([]byte{1}, appendName(nil, MemoryExport), []byte{2, 0})...)), Malformed, `export section at offset 16 (0x10): exports "wasmhost:memory": names that start with "wasmhost:" are the host's own`},
		{"name not UTF-8", with(custom("\xff")), Malformed, `custom section at offset 10 (0xa): a name is not valid UTF-8`},
		{"not constant", with(section(secGlobal, 1, 0x7f, 0, opCall, 0, opEnd)), Malformed, `global section at offset 13 (0xd): opcode 0x10 is not constant`},
		{"constant too long", with(section(secGlobal, cat([]byte{1, 0x7f, 0}, rep(5000, opI32Const, 0))...)), TooLarge, `global section at offset 14 (0xe): a constant expression is too long: found 4098, limit ConstBytes is 4096`},
	}
	var before, after runtime.MemStats
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			runtime.ReadMemStats(&before)
			_, err := Prepare(c.module, Options{})
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != c.want {
				t.Errorf("\nhave %s\nwant %s", err, c.want)
			}
			var e *Error
			if !errors.As(err, &e) || e.Kind != c.kind {
				t.Errorf("kind %v", e.Kind)
			}
			if c.kind == TooLarge && (e.Limit == "" || e.Found <= e.Max) {
				t.Errorf("limit %q, found %d, most %d", e.Limit, e.Found, e.Max)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
				t.Errorf("took %d bytes to refuse %d", got, len(c.module))
			}
			if _, err2 := Check(c.module, Limits{}); err2 == nil || err2.Error() != err.Error() {
				t.Errorf("Check says %v", err2)
			}
		})
	}
}

// TestLimitsAreRespected: every limit refuses what is just above it, by name,
// and takes what is just at it.
func TestLimitsAreRespected(t *testing.T) {
	nest := func(n int) []byte { return body(cat(rep(n, opBlock, emptyBlock), rep(n, opEnd))...) }
	table := func(n int) []byte { return with(section(secTable, 1, 0x70, 0, byte(n))) }
	cases := []struct {
		name   string
		limits Limits
		module func(n int) []byte // n: 3 is at the limit, 4 above
	}{
		{"ModuleBytes", Limits{ModuleBytes: 8 + 3*2}, func(n int) []byte {
			return with(custom(strings.Repeat("x", 2*n-3)))
		}},
		{"CodeBytes", Limits{CodeBytes: 6}, func(n int) []byte { return body(rep(n-1, opNop)...) }},
		{"BodyBytes", Limits{BodyBytes: 4}, func(n int) []byte { return body(rep(n-1, opNop)...) }},
		{"Types", Limits{Types: 3}, func(n int) []byte { return with(section(secType, cat([]byte{byte(n)}, rep(n, 0x60, 0, 0))...)) }},
		{"Params", Limits{Params: 3}, func(n int) []byte {
			return with(section(secType, cat([]byte{1, 0x60, byte(n)}, rep(n, 0x7f), []byte{0})...))
		}},
		{"Imports", Limits{Imports: 3}, func(n int) []byte {
			return with(section(secImport, cat([]byte{byte(n)}, rep(n, 1, 'm', 1, 'g', 3, 0x7f, 0))...))
		}},
		{"Functions", Limits{Functions: 3}, func(n int) []byte {
			return with(typeNone, section(secFunction, cat([]byte{byte(n)}, rep(n, 0))...), section(secCode, cat([]byte{byte(n)}, rep(n, 2, 0, opEnd))...))
		}},
		{"Tables", Limits{Tables: 3}, func(n int) []byte {
			return with(section(secTable, cat([]byte{byte(n)}, rep(n, 0x70, 0, 0))...))
		}},
		{"TableMin", Limits{TableMin: 3}, table},
		{"MemoryMin", Limits{MemoryMin: 3}, func(n int) []byte { return with(section(secMemory, 1, 0, byte(n))) }},
		{"Globals", Limits{Globals: 3}, func(n int) []byte {
			return with(section(secGlobal, cat([]byte{byte(n)}, rep(n, 0x7f, 0, opI32Const, 0, opEnd))...))
		}},
		{"Exports", Limits{Exports: 3}, func(n int) []byte {
			e := []byte{byte(n)}
			for i := range n {
				e = append(e, 1, byte('a'+i), 2, 0)
			}
			return with(section(secMemory, 1, 0, 0), section(secExport, e...))
		}},
		{"Elements", Limits{Elements: 3}, func(n int) []byte {
			return with(section(secElement, cat([]byte{byte(n)}, rep(n, 1, 0, 0))...))
		}},
		{"ElementSize", Limits{ElementSize: 3}, func(n int) []byte {
			return with(section(secElement, cat([]byte{1, 5, 0x70, byte(n)}, rep(n, opRefNull, 0x70, opEnd))...))
		}},
		{"Data", Limits{Data: 3}, func(n int) []byte {
			return with(section(secData, cat([]byte{byte(n)}, rep(n, 1, 0))...))
		}},
		{"Custom", Limits{Custom: 3}, func(n int) []byte { return with(rep(n, custom("c")...)) }},
		{"NameBytes", Limits{NameBytes: 3}, func(n int) []byte { return with(custom(strings.Repeat("x", n))) }},
		{"ConstBytes", Limits{ConstBytes: 6}, func(n int) []byte {
			// i32.const 0 and n-1 additions of a constant
			return with(section(secGlobal, cat([]byte{1, 0x7f, 0, opI32Const, 0}, rep(n-2, opI32Const, 0, i32Add), []byte{opEnd})...))
		}},
		{"Locals", Limits{Locals: 3}, func(n int) []byte {
			return with(typeNone, funcOne, section(secCode, 1, 4, 1, byte(n), 0x7f, opEnd))
		}},
		{"Nesting", Limits{Nesting: 3}, nest},
		{"BranchTable", Limits{BranchTable: 3}, func(n int) []byte {
			return body(cat([]byte{opI32Const, 0, opBrTable, byte(n)}, rep(n+1, 0))...)
		}},
		{"CompileMillis", Limits{CompileMillis: 100}, func(n int) []byte {
			return body(rep(200*(n-2)*(n-2)*(n-2)*(n-2), opBlock, emptyBlock, opEnd)...)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Check(c.module(3), c.limits); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			_, err := Check(c.module(4), c.limits)
			var e *Error
			if !errors.As(err, &e) || e.Kind != TooLarge || e.Limit != c.name {
				t.Errorf("above the limit: %v", err)
			}
		})
	}
}

// TestOptionsAreLimitsToo: what the options cap is refused when it is passed
// from the start, and capped otherwise.
func TestOptionsCap(t *testing.T) {
	b := with(section(secMemory, 1, 0, 10))
	_, err := Prepare(b, Options{MemoryPages: 9})
	if err == nil || err.Error() != `memory section at offset 10 (0xa): the memory starts with more pages (64 KiB) than it may have: found 10, limit MemoryPages is 9` {
		t.Error(err)
	}
	b = with(section(secTable, 1, 0x70, 0, 10))
	_, err = Prepare(b, Options{TableElements: 9})
	if err == nil || err.Error() != `table section at offset 10 (0xa): the tables start with more elements than they may have: found 10, limit TableElements is 9` {
		t.Error(err)
	}
}
