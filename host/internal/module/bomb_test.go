package module

import (
	"context"
	"errors"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
)

// modBuilder writes modules for tests.
type modBuilder struct {
	types, imports, funcs, globals, bodies [][]byte
	table, memory                          bool
	exports                                [][]byte
}

func (m *modBuilder) typ(params, results int) int {
	b := []byte{0x60}
	b = appendU32(b, uint32(params))
	for range params {
		b = append(b, byte(I32))
	}
	b = appendU32(b, uint32(results))
	for range results {
		b = append(b, byte(I32))
	}
	m.types = append(m.types, b)
	return len(m.types) - 1
}

func (m *modBuilder) fn(typ int, locals int, code ...byte) {
	m.funcs = append(m.funcs, appendU32(nil, uint32(typ)))
	b := []byte{0}
	if locals > 0 {
		b = append(appendU32([]byte{1}, uint32(locals)), byte(I32))
	}
	b = append(append(b, code...), opEnd)
	m.bodies = append(m.bodies, append(appendU32(nil, uint32(len(b))), b...))
}

func (m *modBuilder) bytes() []byte {
	b := []byte{0, 'a', 's', 'm', 1, 0, 0, 0}
	vec := func(id byte, e [][]byte) {
		if len(e) > 0 {
			b = appendSection(b, id, append([][]byte{count(len(e))}, e...)...)
		}
	}
	vec(secType, m.types)
	vec(secImport, m.imports)
	vec(secFunction, m.funcs)
	if m.table {
		b = appendSection(b, secTable, []byte{1, 0x70, 0, 10})
	}
	if m.memory {
		b = appendSection(b, secMemory, []byte{1, 0, 1})
	}
	vec(secGlobal, m.globals)
	vec(secExport, m.exports)
	vec(secCode, m.bodies)
	return b
}

func rep(n int, code ...byte) []byte { return []byte(strings.Repeat(string(code), n)) }

func cat(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return
}

func lget(i int) []byte { return appendU32([]byte{opLocalGet}, uint32(i)) }
func lset(i int) []byte { return appendU32([]byte{opLocalSet}, uint32(i)) }

// bombs are shapes of code that compilers are slow at, each of about size bytes.
var bombs = map[string]func(size int) []byte{
	"nested-blocks": func(size int) []byte {
		n := size / 3
		var m modBuilder
		m.fn(m.typ(0, 0), 0, cat(rep(n, opBlock, emptyBlock), rep(n, opEnd))...)
		return m.bytes()
	},
	"nested-blocks-br": func(size int) []byte {
		n := size / 7
		var m modBuilder
		m.fn(m.typ(0, 0), 1, cat(rep(n, opBlock, emptyBlock, opLocalGet, 0, opBrIf, 0), rep(n, opEnd))...)
		return m.bytes()
	},
	"nested-loops": func(size int) []byte {
		n := size / 7
		var m modBuilder
		m.fn(m.typ(0, 0), 1, cat(rep(n, opLoop, emptyBlock, opLocalGet, 0, opBrIf, 0), rep(n, opEnd))...)
		return m.bytes()
	},
	"nested-ifs": func(size int) []byte {
		n := size / 5
		var m modBuilder
		m.fn(m.typ(0, 0), 1, cat(rep(n, opLocalGet, 0, opIf, emptyBlock), rep(n, opEnd))...)
		return m.bytes()
	},
	"loops-then-locals": func(size int) []byte {
		n, l := size/2/7, size/2/4
		var m modBuilder
		code := rep(n, opLoop, emptyBlock, opLocalGet, 0, opBrIf, 0, opEnd)
		for i := range l {
			code = append(append(code, lget(i)...), 0x1a)
		}
		m.fn(m.typ(0, 0), l+1, code...)
		return m.bytes()
	},
	"nested-loops-then-locals": func(size int) []byte {
		n, l := size/2/3, size/2/4
		n = min(n, 4000)
		var m modBuilder
		code := rep(n, opLoop, emptyBlock)
		for i := range l {
			code = append(append(code, lget(i)...), 0x1a)
		}
		code = append(code, rep(n, opLocalGet, 0, opBrIf, 0, opEnd)...)
		m.fn(m.typ(0, 0), l+1, code...)
		return m.bytes()
	},
	"ifs-set-locals": func(size int) []byte {
		var m modBuilder
		var code []byte
		l := 1000
		for i := 0; len(code) < size; i++ {
			code = append(code, opLocalGet, 0, opIf, emptyBlock)
			code = append(code, lget((i+1)%l)...)
			code = append(code, lset(i%l)...)
			code = append(code, opEnd)
		}
		for i := range l {
			code = append(append(code, lget(i)...), 0x1a)
		}
		m.fn(m.typ(0, 0), l, code...)
		return m.bytes()
	},
	"loops-set-locals": func(size int) []byte {
		var m modBuilder
		var code []byte
		l := 1000
		for i := 0; len(code) < size; i++ {
			code = append(code, opLoop, emptyBlock)
			code = append(code, lget((i+1)%l)...)
			code = append(code, lset(i%l)...)
			code = append(code, opLocalGet, 0, opBrIf, 0, opEnd)
		}
		for i := range l {
			code = append(append(code, lget(i)...), 0x1a)
		}
		m.fn(m.typ(0, 0), l, code...)
		return m.bytes()
	},
	"live-across-calls": func(size int) []byte {
		var m modBuilder
		l := 1000
		t := m.typ(0, 1)
		var code []byte
		for i := range l {
			code = append(append(code, opCall, 1), lset(i)...)
		}
		for i := 0; len(code) < size-6*l; i++ {
			code = append(code, opLocalGet, 0, opIf, emptyBlock, opCall, 1, 0x1a, opEnd)
		}
		for i := range l {
			code = append(append(code, lget(i)...), 0x1a)
		}
		m.fn(t, l, append(code, opI32Const, 0)...)
		m.fn(t, 0, opI32Const, 0)
		return m.bytes()
	},
	"br-table": func(size int) []byte {
		var m modBuilder
		code := []byte{opBlock, emptyBlock, opLocalGet, 0, opBrTable}
		code = appendU32(code, uint32(size))
		code = append(append(code, rep(size+1, 0)...), opEnd)
		m.fn(m.typ(0, 0), 1, code...)
		return m.bytes()
	},
	"br-tables": func(size int) []byte {
		var m modBuilder
		var code []byte
		for len(code) < size {
			code = append(code, opBlock, emptyBlock, opLocalGet, 0, opBrTable, 100)
			code = append(append(code, rep(101, 0)...), opEnd)
		}
		m.fn(m.typ(0, 0), 1, code...)
		return m.bytes()
	},
	"br-table-locals": func(size int) []byte { // many targets, each with many values live
		var m modBuilder
		n, l := size/8, 500
		var code []byte
		for i := range l {
			code = append(append(code, opCall, 1), lset(i)...)
		}
		code = append(code, rep(n, opBlock, emptyBlock)...)
		code = appendU32(append(code, opLocalGet, 0, opBrTable), uint32(n))
		for i := range n + 1 {
			code = appendU32(code, uint32(i))
		}
		code = append(code, rep(n, opEnd, 0x01)...)
		for i := range l {
			code = append(append(code, lget(i)...), 0x1a)
		}
		m.fn(m.typ(0, 0), l, code...)
		m.fn(m.typ(0, 1), 0, opI32Const, 0)
		return m.bytes()
	},
	"globals-calls": func(size int) []byte {
		var m modBuilder
		for range size / 2 / 5 {
			m.globals = append(m.globals, []byte{byte(I32), 1, opI32Const, 0, opEnd})
		}
		m.fn(m.typ(0, 0), 0, rep(size/2/2, opCall, 0)...)
		return m.bytes()
	},
	"imports-calls": func(size int) []byte {
		var m modBuilder
		m.typ(0, 0)
		for range size / 2 / 6 {
			m.imports = append(m.imports, append(appendName(appendName(nil, "m"), "f"), 0, 0))
		}
		call := appendU32([]byte{opCall}, uint32(len(m.imports)-1))
		m.fn(0, 0, rep(size/2/len(call), call...)...)
		return m.bytes()
	},
	"deep-stack": func(size int) []byte {
		var m modBuilder
		n := size / 3
		m.fn(m.typ(1, 1), 0, cat(rep(n, opLocalGet, 0), rep(n-1, i32Add))...)
		return m.bytes()
	},
	"deep-stack-calls": func(size int) []byte {
		var m modBuilder
		n := size / 3
		m.fn(m.typ(1, 1), 0, cat(lget(0), rep(n, opCall, 1), rep(n, i32Add))...)
		m.fn(m.typ(0, 1), 0, opI32Const, 1)
		return m.bytes()
	},
	"straight": func(size int) []byte {
		var m modBuilder
		m.fn(m.typ(1, 1), 0, cat(lget(0), rep(size/3, opLocalGet, 0, i32Add))...)
		return m.bytes()
	},
	"loads": func(size int) []byte {
		var m modBuilder
		m.memory = true
		m.fn(m.typ(1, 0), 0, rep(size/6, opLocalGet, 0, 0x28, 2, 0, 0x1a)...)
		return m.bytes()
	},
	"calls": func(size int) []byte {
		var m modBuilder
		m.fn(m.typ(0, 0), 0, rep(size/2, opCall, 0)...)
		return m.bytes()
	},
	"divs": func(size int) []byte {
		var m modBuilder
		m.fn(m.typ(1, 1), 0, cat(lget(0), rep(size/3, opLocalGet, 0, 0x6d))...)
		return m.bytes()
	},
	"traps": func(size int) []byte {
		var m modBuilder
		m.table = true
		m.fn(m.typ(0, 0), 1, rep(size/5, opLocalGet, 0, opCallIndirect, 0, 0)...)
		return m.bytes()
	},
	"functions": func(size int) []byte {
		var m modBuilder
		t := m.typ(0, 0)
		for range size / 4 {
			m.fn(t, 0)
		}
		return m.bytes()
	},
	"types": func(size int) []byte {
		var m modBuilder
		for i := 0; i < size; i += 13 {
			b := []byte{0x60, 8}
			for j := range 8 {
				b = append(b, byte(0x7c+(i/13>>(2*j))&3))
			}
			m.types = append(m.types, append(b, 0))
		}
		m.fn(0, 0)
		return m.bytes()
	},
	"wide-calls": func(size int) []byte {
		var m modBuilder
		n := 1000
		t := m.typ(n, n)
		m.fn(t, 0, cat(func() (b []byte) {
			for i := range n {
				b = append(b, lget(i)...)
			}
			return
		}(), rep(size/2, opCall, 0))...)
		return m.bytes()
	},
	"wide-blocks": func(size int) []byte {
		var m modBuilder
		n := 1000
		t := m.typ(n, n)
		var code []byte
		for i := range n {
			code = append(code, lget(i)...)
		}
		for len(code) < size {
			code = append(append(code, opLocalGet, 0, opIf, byte(t), opElse), opEnd)
		}
		m.fn(t, 0, code...)
		return m.bytes()
	},
	"wide-loops": func(size int) []byte {
		var m modBuilder
		n := 1000
		t := m.typ(n, n)
		var code []byte
		for i := range n {
			code = append(code, lget(i)...)
		}
		for len(code) < size {
			code = append(code, opLoop, byte(t), opLocalGet, 0, opBrIf, 0, opEnd)
		}
		m.fn(t, 0, code...)
		return m.bytes()
	},
	"wide-branches": func(size int) []byte {
		var m modBuilder
		n := 1000
		t := m.typ(n, n)
		code := []byte{}
		for i := range n {
			code = append(code, lget(i)...)
		}
		code = append(code, opBlock, byte(t))
		code = append(code, rep(size/4, opLocalGet, 0, opBrIf, 0)...)
		code = append(code, opEnd)
		m.fn(t, 0, code...)
		return m.bytes()
	},
	"many-locals": func(size int) []byte { // tiny functions with the most locals
		var m modBuilder
		t := m.typ(0, 0)
		for range size / 10 {
			m.fn(t, 49_999, opLocalGet, 0, 0x1a)
		}
		return m.bytes()
	},
	"many-locals-returned": func(size int) []byte { // locals that all are values
		var m modBuilder
		t := m.typ(0, 0)
		var code []byte
		n := min(size/6, 49_000)
		for i := range n {
			code = append(append(code, lget(i)...), lset(i+1)...)
		}
		m.fn(t, n+1, code...)
		return m.bytes()
	},
	"simd": func(size int) []byte {
		var m modBuilder
		m.memory = true
		m.fn(m.typ(1, 0), 0, rep(size/12, opLocalGet, 0, opSIMD, 0, 4, 0, opLocalGet, 0, opSIMD, 0, 4, 0, opSIMD, 0x6e, 0x1a)...)
		return m.bytes()
	},
	"shuffles": func(size int) []byte {
		var m modBuilder
		sh := append([]byte{opSIMD, 0x0d}, 0, 31, 2, 29, 4, 27, 6, 25, 8, 23, 10, 21, 12, 19, 14, 17)
		m.memory = true
		m.fn(m.typ(1, 0), 0, rep(size/28, cat([]byte{opLocalGet, 0, opSIMD, 0, 4, 0, opLocalGet, 0, opSIMD, 0, 4, 0}, sh, []byte{0x1a})...)...)
		return m.bytes()
	},
	"fills": func(size int) []byte {
		var m modBuilder
		m.memory = true
		m.fn(m.typ(1, 0), 0, rep(size/9, opLocalGet, 0, opLocalGet, 0, opLocalGet, 0, opMisc, 11, 0)...)
		return m.bytes()
	},
	"table-fills": func(size int) []byte {
		var m modBuilder
		m.table = true
		m.fn(m.typ(1, 0), 0, rep(size/9, opLocalGet, 0, opRefNull, 0x70, opLocalGet, 0, opMisc, 17, 0)...)
		return m.bytes()
	},
	"selects": func(size int) []byte {
		var m modBuilder
		m.fn(m.typ(1, 1), 0, cat(lget(0), rep(size/5, opLocalGet, 0, opLocalGet, 0, opSelect))...)
		return m.bytes()
	},
	"unreachables": func(size int) []byte {
		var m modBuilder
		m.fn(m.typ(0, 0), 1, rep(size/6, opLocalGet, 0, opIf, emptyBlock, opUnreachable, opEnd)...)
		return m.bytes()
	},
	"returns": func(size int) []byte {
		var m modBuilder
		m.fn(m.typ(0, 0), 1, rep(size/6, opLocalGet, 0, opIf, emptyBlock, opReturn, opEnd)...)
		return m.bytes()
	},
	"dead-code": func(size int) []byte {
		var m modBuilder
		m.fn(m.typ(0, 0), 1, cat([]byte{opUnreachable}, rep(size/7, opLoop, emptyBlock, opLocalGet, 0, opBrIf, 0, opEnd))...)
		return m.bytes()
	},
	"global-sets": func(size int) []byte {
		var m modBuilder
		n := size / 2 / 5
		for range n {
			m.globals = append(m.globals, []byte{byte(I32), 1, opI32Const, 0, opEnd})
		}
		var code []byte
		for i := 0; len(code) < size/2; i++ {
			code = appendU32(append(code, opI32Const, 1, opGlobalSet), uint32(i%n))
		}
		m.fn(m.typ(0, 0), 0, code...)
		return m.bytes()
	},
}

// TestBombsCompileInTime takes every shape in the largest size up to 64 KiB
// that is accepted, and compiles it. With MODULE_CAMPAIGN set the limits are
// the real ones, a second each; otherwise a twentieth of them, to be quick.
func TestBombsCompileInTime(t *testing.T) {
	lim, most := Limits{CompileMillis: 1000}, time.Second
	if os.Getenv("MODULE_CAMPAIGN") != "" {
		lim = Limits{}
	}
	for _, name := range slices.Sorted(maps.Keys(bombs)) {
		var p *Prepared
		size, refused := 64<<10, ""
		for ; size > 100; size = size * 9 / 10 {
			b := bombs[name](size)
			var err error
			if p, err = Prepare(b, Options{Limits: lim}); err == nil {
				break
			}
			var e *Error
			if !errors.As(err, &e) || e.Kind != TooLarge {
				t.Fatalf("%s: %v", name, err)
			}
			refused = e.Limit
		}
		if p == nil {
			t.Logf("%-26s refused in every size (%s)", name, refused)
			continue
		}
		ctx := context.Background()
		rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(allFeatures))
		runtime.LockOSThread()
		begin := threadTime()
		_, err := compile(ctx, rt, p.Bytes)
		took := threadTime() - begin
		runtime.UnlockOSThread()
		rt.Close(ctx)
		t.Logf("%-26s %6d bytes, larger ones refused by %-13q estimated %5d ms, took %5d ms", name, size, refused, p.Info.CompileMillis, took.Milliseconds())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if took > most {
			t.Errorf("%s: %v to compile %d bytes", name, took, size)
		}
	}
}
