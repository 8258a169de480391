package module

import "encoding/binary"

// generator writes valid modules from a stream of bytes: the same bytes, the
// same module. Its code always ends, for every function and turn of a loop
// takes from a supply of fuel and traps when that is used up.
type generator struct {
	b     []byte // decisions that are left; zeros follow
	types []FuncType
	funcs []int // type of each function; 0 is imported
	fuel  int   // the global's index
	glob  []ValType
	depth int
	code  []byte

	locals []ValType
	labels []label // innermost last
	result []ValType
	ops    int // instructions left for this function
	simd   bool
	tail   bool
}

type label struct {
	types []ValType // what a branch carries
	loop  bool
}

func (g *generator) n(limit int) int {
	if limit <= 1 || len(g.b) == 0 {
		return 0
	}
	v := int(g.b[0])
	g.b = g.b[1:]
	return v % limit
}

func (g *generator) i32() int32 {
	var v [4]byte
	n := 1 + g.n(4)
	k := copy(v[:n], g.b)
	g.b = g.b[k:]
	return int32(binary.LittleEndian.Uint32(v[:]))
}

func (g *generator) valType() ValType {
	t := []ValType{I32, I32, I32, I64, I64, F32, F64, V128}[g.n(8)]
	if t == V128 && !g.simd {
		return I32
	}
	return t
}

func (g *generator) some(most int) (t []ValType) {
	for range g.n(most + 1) {
		t = append(t, g.valType())
	}
	return
}

func (g *generator) op(b ...byte)            { g.code = append(g.code, b...) }
func (g *generator) opU(op byte, v int)      { g.code = appendU32(append(g.code, op), uint32(v)) }
func (g *generator) constI(op byte, v int64) { g.code = appendSigned(append(g.code, op), v) }
func (g *generator) mem(op byte, align, at int) {
	g.op(op, byte(align))
	g.code = appendU32(g.code, uint32(at))
}

// blockType returns the type of a block, by index where it must be.
func (g *generator) blockType(params, results []ValType) []byte {
	if len(params) == 0 && len(results) == 0 {
		return []byte{emptyBlock}
	}
	if len(params) == 0 && len(results) == 1 {
		return []byte{byte(results[0])}
	}
	g.types = append(g.types, FuncType{params, results})
	return appendSigned(nil, int64(len(g.types)-1))
}

// burn takes one unit of fuel.
func (g *generator) burn() {
	g.opU(opGlobalGet, g.fuel)
	g.op(0x45, opIf, emptyBlock, opUnreachable, opEnd)
	g.opU(opGlobalGet, g.fuel)
	g.op(opI32Const, 1, i32Sub)
	g.opU(opGlobalSet, g.fuel)
}

// value writes code that leaves one value.
func (g *generator) value(t ValType) {
	g.ops--
	g.depth++
	defer func() { g.depth-- }()
	if g.depth > 6 || g.ops <= 0 {
		g.leaf(t)
		return
	}
	switch g.n(14) {
	case 0, 1, 2:
		g.leaf(t)
	case 3:
		g.value(t)
		g.value(t)
		g.value(I32)
		if t == FuncRef {
			g.op(opSelectTyped, 1, byte(t))
		} else {
			g.op(opSelect)
		}
	case 4: // block
		bt := g.blockType(nil, []ValType{t})
		g.op(opBlock)
		g.op(bt...)
		g.enter(label{types: []ValType{t}}, func() { g.statements(2); g.value(t) })
	case 5: // if
		g.value(I32)
		bt := g.blockType(nil, []ValType{t})
		g.op(opIf)
		g.op(bt...)
		g.enterOpen(label{types: []ValType{t}}, func() { g.statements(1); g.value(t) })
		g.op(opElse)
		g.enter(label{types: []ValType{t}}, func() { g.statements(1); g.value(t) })
	case 6: // loop with a parameter
		g.value(t)
		bt := g.blockType([]ValType{t}, []ValType{t})
		g.op(opLoop)
		g.op(bt...)
		g.enter(label{types: []ValType{t}, loop: true}, func() {
			g.burn()
			g.drop()
			g.statements(2)
			g.value(t)
			g.value(I32)
			g.opU(opBrIf, 0)
		})
	case 7: // call
		for f, typ := range g.funcs {
			if r := g.types[typ].Results; len(r) == 1 && r[0] == t && g.n(3) == 0 {
				g.call(f, typ)
				return
			}
		}
		g.leaf(t)
	case 8: // branch out
		g.statement()
		g.value(t)
	default:
		g.arithmetic(t)
	}
}

func (g *generator) drop() { g.op(0x1a) }

// enter writes the inside of a block that is open, and its end.
func (g *generator) enter(l label, inside func()) {
	g.enterOpen(l, inside)
	g.op(opEnd)
}

func (g *generator) enterOpen(l label, inside func()) {
	g.labels = append(g.labels, l)
	inside()
	g.labels = g.labels[:len(g.labels)-1]
}

// leaf leaves a value without looking further.
func (g *generator) leaf(t ValType) {
	if g.n(3) > 0 {
		var of []int
		for i, l := range g.locals {
			if l == t {
				of = append(of, i)
			}
		}
		if len(of) > 0 {
			g.opU(opLocalGet, of[g.n(len(of))])
			return
		}
		for i, l := range g.glob {
			if l == t && g.n(2) == 0 {
				g.opU(opGlobalGet, i)
				return
			}
		}
	}
	switch t {
	case I32:
		if g.n(8) == 0 {
			g.op(opMemorySize, 0)
			return
		}
		g.constI(opI32Const, int64(g.i32()))
	case I64:
		g.constI(opI64Const, int64(g.i32())<<g.n(33))
	case F32:
		g.op(opF32Const, byte(g.n(256)), 0, byte(g.n(128)), 0x3f)
	case F64:
		g.op(opF64Const, 0, byte(g.n(256)), 0, 0, 0, 0, byte(0xe0+g.n(32)), 0x3f)
	case V128:
		g.op(opSIMD, 0x0c)
		for range 16 {
			g.op(byte(g.n(256)))
		}
	case FuncRef:
		g.opU(opRefFunc, g.n(len(g.funcs)))
	case ExternRef:
		g.op(opRefNull, byte(ExternRef))
	}
}

// arithmetic leaves a value that is computed. NaNs may have any bits, so floats
// never become integers bit by bit.
func (g *generator) arithmetic(t ValType) {
	two := func(t ValType, op byte) { g.value(t); g.value(t); g.op(op) }
	one := func(t ValType, op ...byte) { g.value(t); g.op(op...) }
	pick := func(ops ...byte) byte { return ops[g.n(len(ops))] }
	switch t {
	case I32:
		switch g.n(9) {
		case 0:
			two(I64, pick(0x51, 0x52, 0x53, 0x54, 0x57, 0x5a))
		case 1:
			two(F64, pick(0x61, 0x62, 0x63, 0x66))
		case 2:
			one(I32, pick(0x45, 0x67, 0x68, 0x69, 0xc0, 0xc1))
		case 3:
			one(I64, 0xa7)
		case 4:
			g.value(I32)
			g.mem(pick(0x28, 0x2c, 0x2d, 0x2e, 0x2f), 0, g.n(300))
		case 5:
			if g.simd {
				g.value(V128)
				g.op(opSIMD, 0x15, byte(g.n(16)))
				return
			}
			two(I32, i32Add)
		case 6:
			one(F64, opMisc, pick(2, 3))
		case 7:
			g.value(FuncRef)
			g.op(0xd1)
		default:
			two(I32, pick(0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x46, 0x48, 0x49, 0x4f))
		}
	case I64:
		switch g.n(4) {
		case 0:
			one(I32, pick(0xac, 0xad))
		case 1:
			g.value(I32)
			g.mem(pick(0x29, 0x30, 0x33, 0x35), 0, g.n(300))
		default:
			two(I64, pick(0x7c, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89))
		}
	case F32:
		if g.n(3) == 0 {
			one(I32, pick(0xb2, 0xb3))
			return
		}
		two(F32, pick(0x92, 0x93, 0x94, 0x96, 0x97))
	case F64:
		if g.n(3) == 0 {
			one(I64, pick(0xb9, 0xba))
			return
		}
		two(F64, pick(0xa0, 0xa1, 0xa2, 0xa4, 0xa5))
	case V128:
		switch g.n(4) {
		case 0:
			g.value(I32)
			g.op(opSIMD, pick(0x0f, 0x10, 0x11))
		case 1:
			g.value(I32)
			g.op(opSIMD, 0, 0)
			g.code = appendU32(g.code, uint32(g.n(300)))
		default:
			g.value(V128)
			g.value(V128)
			sub := []byte{0x4e, 0x50, 0x51, 0x6e, 0x71, 0x23, 0x0e}[g.n(7)]
			g.op(opSIMD, sub)
		}
	default:
		g.leaf(t)
	}
}

// call calls a function with values.
func (g *generator) call(f, typ int) {
	for _, p := range g.types[typ].Params {
		g.value(p)
	}
	if g.n(3) == 0 {
		g.constI(opI32Const, int64(f)) // the table holds the functions in order
		g.opU(opCallIndirect, typ)
		g.op(0)
		return
	}
	g.opU(opCall, f)
}

func (g *generator) statements(n int) {
	for range g.n(n + 1) {
		g.statement()
	}
}

// statement writes code that leaves nothing.
func (g *generator) statement() {
	g.ops--
	if g.ops <= 0 {
		return
	}
	g.depth++
	defer func() { g.depth-- }()
	if g.depth > 6 {
		return
	}
	switch g.n(20) {
	case 0, 1:
		if len(g.locals) > 0 {
			l := g.n(len(g.locals))
			g.value(g.locals[l])
			g.opU(opLocalSet, l)
		}
	case 2:
		i := g.n(len(g.glob))
		if i != g.fuel {
			g.value(g.glob[i])
			g.opU(opGlobalSet, i)
		}
	case 3, 4:
		g.value(I32)
		g.value(I32)
		g.mem([]byte{0x36, 0x3a, 0x3b}[g.n(3)], 0, g.n(300))
	case 5:
		g.value(I32)
		g.op(opIf, emptyBlock)
		g.enterOpen(label{}, func() { g.statements(3) })
		if g.n(2) == 0 {
			g.op(opElse)
			g.enterOpen(label{}, func() { g.statements(3) })
		}
		g.op(opEnd)
	case 6, 7:
		g.op(opLoop, emptyBlock)
		g.enter(label{loop: true}, func() {
			g.burn()
			g.statements(4)
			g.value(I32)
			g.opU(opBrIf, 0)
		})
	case 8:
		g.op(opBlock, emptyBlock)
		g.enter(label{}, func() { g.statements(3); g.branch(); g.statements(1) })
	case 9:
		g.branch()
	case 10: // branch table over labels that carry nothing
		var to []int
		for i := range g.labels {
			if l := g.labels[len(g.labels)-1-i]; len(l.types) == 0 {
				to = append(to, i)
			}
		}
		if len(to) == 0 {
			return
		}
		g.op(opBlock, emptyBlock)
		g.enter(label{}, func() {
			g.value(I32)
			n := g.n(5)
			g.opU(opBrTable, n)
			for range n + 1 {
				g.code = appendU32(g.code, uint32(to[g.n(len(to))]+1))
			}
		})
	case 11:
		f := g.n(len(g.funcs))
		g.call(f, g.funcs[f])
		for range g.types[g.funcs[f]].Results {
			g.drop()
		}
	case 12: // bulk memory: to, from or value, length
		g.value(I32)
		g.value(I32)
		g.length()
		switch g.n(3) {
		case 0:
			g.op(opMisc, miscMemoryFill, 0)
		case 1:
			g.op(opMisc, miscMemoryCopy, 0, 0)
		default:
			g.op(opMisc, miscMemoryInit, byte(g.n(2)), 0)
		}
	case 13:
		g.constI(opI32Const, int64(g.n(4)))
		g.op(opMemoryGrow, 0)
		g.drop()
	case 14: // tables
		switch g.n(6) {
		case 0:
			g.value(I32)
			g.value(FuncRef)
			g.op(opTableSet, 1)
		case 1:
			g.value(FuncRef)
			g.constI(opI32Const, int64(g.n(9)))
			g.op(opMisc, miscTableGrow, 1)
			g.drop()
		case 2:
			g.constI(opI32Const, int64(g.n(9)))
			g.value(FuncRef)
			g.constI(opI32Const, int64(g.n(9)))
			g.op(opMisc, miscTableFill, 1)
		case 3:
			for range 3 {
				g.constI(opI32Const, int64(g.n(9)))
			}
			g.op(opMisc, miscTableCopy, byte(g.n(2)), 1)
		case 4:
			for range 3 {
				g.constI(opI32Const, int64(g.n(4)))
			}
			g.op(opMisc, miscTableInit, 1, 1)
		default:
			g.value(I32)
			g.op(opTableGet, byte(g.n(2)), 0x1a)
		}
	case 15:
		if g.n(2) == 0 {
			g.op(opMisc, miscDataDrop, byte(g.n(2)))
		} else {
			g.op(opMisc, miscElemDrop, 1)
		}
	case 16: // return, or a tail call, on some condition
		g.value(I32)
		g.op(opIf, emptyBlock)
		g.enter(label{}, func() {
			if f := g.n(len(g.funcs)); g.tail && sameTypes(g.types[g.funcs[f]].Results, g.result) {
				for _, p := range g.types[g.funcs[f]].Params {
					g.value(p)
				}
				g.opU(opReturnCall, f)
				return
			}
			for _, r := range g.result {
				g.value(r)
			}
			g.op(opReturn)
		})
	case 17:
		g.op(opNop)
	default:
		g.value(g.valType())
		g.drop()
	}
}

func sameTypes(a, b []ValType) bool { return string(bytesOf(a)) == string(bytesOf(b)) }

func bytesOf(t []ValType) (b []byte) {
	for _, v := range t {
		b = append(b, byte(v))
	}
	return
}

// length leaves a length for a bulk operation, now and then one of many pieces.
func (g *generator) length() {
	if g.n(4) == 0 {
		g.constI(opI32Const, int64(pieceBytes-3+g.n(7))*int64(1+g.n(4)))
		return
	}
	g.constI(opI32Const, int64(g.n(256)))
}

// branch leaves the block on some condition, with what the label carries.
func (g *generator) branch() {
	d := g.n(len(g.labels))
	l := g.labels[len(g.labels)-1-d]
	for _, t := range l.types {
		g.value(t)
	}
	g.value(I32)
	g.opU(opBrIf, d)
	for range l.types {
		g.drop()
	}
}

// module writes a whole one. Every function is exported as f0, f1, …; the
// memory as "m", the globals as g0, g1, ….
func (g *generator) module() []byte {
	g.simd, g.tail = g.n(3) == 0, g.n(3) == 0
	g.types = []FuncType{{[]ValType{I32}, []ValType{I32}}}
	g.funcs = []int{0} // imported: env.f
	for range 1 + g.n(6) {
		g.types = append(g.types, FuncType{g.some(4), g.some(2)})
		g.funcs = append(g.funcs, len(g.types)-1)
	}
	g.glob = []ValType{I32}
	for range g.n(4) {
		g.glob = append(g.glob, g.valType())
	}
	var bodies [][]byte
	for _, typ := range g.funcs[1:] {
		bodies = append(bodies, g.function(g.types[typ]))
	}
	var types, funcs, globals, exports [][]byte
	for _, t := range g.types {
		e := appendU32([]byte{0x60}, uint32(len(t.Params)))
		e = appendU32(append(e, bytesOf(t.Params)...), uint32(len(t.Results)))
		types = append(types, append(e, bytesOf(t.Results)...))
	}
	all := count(len(g.funcs))
	for i, typ := range g.funcs {
		all = appendU32(all, uint32(i))
		exports = append(exports, appendU32(append(appendName(nil, "f"+string(rune('0'+i))), byte(Func)), uint32(i)))
		if i > 0 {
			funcs = append(funcs, appendU32(nil, uint32(typ)))
		}
	}
	for i, t := range g.glob {
		exports = append(exports, appendU32(append(appendName(nil, "g"+string(rune('0'+i))), byte(Global)), uint32(i)))
		e := []byte{byte(t), 1}
		switch t {
		case I32:
			e = append(e, opI32Const, 0)
		case I64:
			e = append(e, opI64Const, 5)
		case F32:
			e = append(e, opF32Const, 0, 0, 0x80, 0x3f)
		case F64:
			e = append(e, opF64Const, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f)
		default:
			e = append(append(e, opSIMD, 0x0c), make([]byte, 16)...)
		}
		globals = append(globals, append(e, opEnd))
	}
	exports = append(exports, append(appendName(nil, "m"), byte(Memory), 0))

	b := []byte{0, 'a', 's', 'm', 1, 0, 0, 0}
	vec := func(id byte, e [][]byte) { b = appendSection(b, id, append([][]byte{count(len(e))}, e...)...) }
	vec(secType, types)
	vec(secImport, [][]byte{append(appendName(appendName(nil, "env"), "f"), byte(Func), 0)})
	vec(secFunction, funcs)
	vec(secTable, [][]byte{append([]byte{byte(FuncRef), 0}, count(len(g.funcs))...), {byte(FuncRef), 1, 4, 50}})
	vec(secMemory, [][]byte{{1, 1, 40}})
	vec(secGlobal, globals)
	vec(secExport, exports)
	if starts := g.n(3); starts == 0 {
		for i, typ := range g.funcs {
			if i > 0 && len(g.types[typ].Params)+len(g.types[typ].Results) == 0 {
				b = appendSection(b, secStart, count(i))
				break
			}
		}
	}
	// Segment 0 fills the first table, segment 1 is there to be copied from.
	vec(secElement, [][]byte{append([]byte{0, opI32Const, 0, opEnd}, all...), append([]byte{1, 0}, all...)})
	drops := len(bodies) > 0 // memory.init and data.drop need the count
	if drops {
		b = appendSection(b, secDataCount, count(2))
	}
	var code [][]byte
	for _, c := range bodies {
		code = append(code, append(appendU32(nil, uint32(len(c))), c...))
	}
	vec(secCode, code)
	at := append(appendSigned([]byte{0, opI32Const}, int64(g.n(200))), opEnd)
	vec(secData, [][]byte{append(at, appendName(nil, "some data at the beginning")...), append([]byte{1}, appendName(nil, "passive data")...)})
	return b
}

func (g *generator) function(t FuncType) []byte {
	own := g.some(5)
	g.locals = append(append([]ValType{}, t.Params...), own...)
	g.labels = []label{{types: t.Results}}
	g.result, g.code, g.ops, g.depth = t.Results, nil, 60, 0
	g.burn()
	g.statements(6)
	for _, r := range t.Results {
		g.value(r)
	}
	g.op(opEnd)
	b := count(len(own))
	for _, l := range own {
		b = append(b, 1, byte(l))
	}
	return append(b, g.code...)
}
