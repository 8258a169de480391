package module

// A helper is a function that preparation adds to a module.
type helper int

const (
	helperYield helper = iota // () -> (): end the slice, begin the next
	helperInit                // (n) -> (n): pay for memory.init
	helperTable               // (n) -> (n): pay for a table operation
	helperGrow                // (pages) -> (old): memory.grow, paid for when it succeeds
	helperFill                // (to, value, n): memory.fill in pieces
	helperCopy                // (to, from, n): memory.copy in pieces
	helpers
)

var helperNames = [helpers]string{"yield", "init", "table", "grow", "fill", "copy"}

// The types preparation adds, in this order behind the module's own.
const (
	typeImport = iota // (i64) -> (i64)
	typeAction        // () -> ()
	typeLength        // (i32) -> (i32)
	typeBulk          // (i32, i32, i32) -> ()
	typesAdded
)

var addedTypes = []byte{
	0x60, 1, byte(I64), 1, byte(I64),
	0x60, 0, 0,
	0x60, 1, byte(I32), 1, byte(I32),
	0x60, 3, byte(I32), byte(I32), byte(I32), 0,
}

func (h helper) typ() int {
	switch h {
	case helperYield:
		return typeAction
	case helperFill, helperCopy:
		return typeBulk
	}
	return typeLength
}

const (
	bytesShift    = 4       // bulk memory operations: 16 bytes a step
	elementsShift = 1       // table operations: 2 elements a step
	pieceBytes    = 1 << 18 // a fill or copy between two checks
	pieceSteps    = pieceBytes >> bytesShift
)

// helper returns the code of a helper, without its size.
func (m *meter) helper(h helper) []byte {
	a := asm{m: m}
	switch h {
	case helperYield:
		a.op(0) // no locals
		a.global(opGlobalGet).u32(opCall, m.imported).global(opGlobalSet)
	case helperInit:
		a.op(0).payFor(int32(m.initMax), bytesShift).u32(opLocalGet, 0)
	case helperTable:
		a.op(0).payFor(int32(m.tableMax), elementsShift).u32(opLocalGet, 0)
	case helperGrow:
		// old = memory.grow(pages); if old != -1 { pay(pages << 12) }; old
		a.op(1, 1, byte(I32))
		a.u32(opLocalGet, 0).op(opMemoryGrow, 0).u32(opLocalTee, 1).i32(-1).op(i32Ne)
		a.op(opIf, emptyBlock)
		a.global(opGlobalGet).u32(opLocalGet, 0).op(i64ExtendU).i64(12).op(i64Shl).op(i64Sub).global(opGlobalSet)
		a.check().op(opEnd)
		a.u32(opLocalGet, 1)
	case helperFill:
		a.op(0).pieces([]uint32{0}, func() {
			a.loop(func() {
				a.piece().u32(opLocalGet, 0).u32(opLocalGet, 1).i32(pieceBytes).op(opMisc, miscMemoryFill, 0)
				a.u32(opLocalGet, 0).i32(pieceBytes).op(i32Add).u32(opLocalSet, 0)
				a.less()
			})
		})
		a.u32(opLocalGet, 0).u32(opLocalGet, 1).u32(opLocalGet, 2).op(opMisc, miscMemoryFill, 0)
		a.payRest()
	case helperCopy:
		a.op(0).pieces([]uint32{0, 1}, func() {
			a.u32(opLocalGet, 0).u32(opLocalGet, 1).op(i32LeU)
			a.op(opIf, emptyBlock)
			a.loop(func() { // downwards in memory: from the start
				a.piece().u32(opLocalGet, 0).u32(opLocalGet, 1).i32(pieceBytes).op(opMisc, miscMemoryCopy, 0, 0)
				for l := uint32(0); l < 2; l++ {
					a.u32(opLocalGet, l).i32(pieceBytes).op(i32Add).u32(opLocalSet, l)
				}
				a.less()
			})
			a.op(opElse)
			a.loop(func() { // upwards: from the end
				a.piece()
				for l := uint32(0); l < 2; l++ {
					a.u32(opLocalGet, l).u32(opLocalGet, 2).op(i32Add).i32(pieceBytes).op(i32Sub)
				}
				a.i32(pieceBytes).op(opMisc, miscMemoryCopy, 0, 0)
				a.less()
			})
			a.op(opEnd)
		})
		a.u32(opLocalGet, 0).u32(opLocalGet, 1).u32(opLocalGet, 2).op(opMisc, miscMemoryCopy, 0, 0)
		a.payRest()
	}
	a.op(opEnd)
	return a.b
}

// Opcodes only helpers are made of.
const (
	opLocalSet = 0x21
	opLocalTee = 0x22
	i32Ne      = 0x47
	i32LtU     = 0x49
	i32GtU     = 0x4b
	i32LeU     = 0x4d
	i64LtS     = 0x53
	i64LeU     = 0x58
	i64GeS     = 0x59
	i32Add     = 0x6a
	i32Sub     = 0x6b
	i32ShrU    = 0x76
	i64Add     = 0x7c
	i64Sub     = 0x7d
	i64Shl     = 0x86
	i64ExtendU = 0xad
	opSelect   = 0x1b
)

// asm writes instructions.
type asm struct {
	m *meter
	b []byte
}

func (a *asm) op(b ...byte) *asm { a.b = append(a.b, b...); return a }

func (a *asm) u32(op byte, v uint32) *asm { a.b = appendU32(append(a.b, op), v); return a }

func (a *asm) i32(v int32) *asm { a.b = appendSigned(append(a.b, opI32Const), int64(v)); return a }

func (a *asm) i64(v int64) *asm { a.b = appendSigned(append(a.b, opI64Const), v); return a }

// global reads or writes the counter.
func (a *asm) global(op byte) *asm { return a.u32(op, a.m.counter) }

// check yields when the slice is used up.
func (a *asm) check() *asm {
	a.global(opGlobalGet).i64(0).op(i64LtS, opIf, emptyBlock)
	return a.u32(opCall, a.m.index(helperYield)).op(opEnd)
}

// payFor charges for min(local 0, most) >> shift steps.
func (a *asm) payFor(most int32, shift int32) *asm {
	a.global(opGlobalGet)
	a.u32(opLocalGet, 0).i32(most).u32(opLocalGet, 0).i32(most).op(i32LtU, opSelect)
	a.i32(shift).op(i32ShrU, i64ExtendU, i64Sub).global(opGlobalSet)
	return a.check()
}

// payRest charges for local 2 bytes.
func (a *asm) payRest() *asm {
	a.global(opGlobalGet)
	a.u32(opLocalGet, 2).i32(bytesShift).op(i32ShrU, i64ExtendU, i64Sub).global(opGlobalSet)
	return a.check()
}

// pieces runs body when local 2, the length, is above a piece and the range
// from each of the given locals on lies in memory; else the instruction that
// follows traps before it writes, as it must.
func (a *asm) pieces(starts []uint32, body func()) {
	a.u32(opLocalGet, 2).i32(pieceBytes).op(i32GtU, opIf, emptyBlock)
	for _, s := range starts {
		a.u32(opLocalGet, s).op(i64ExtendU).u32(opLocalGet, 2).op(i64ExtendU, i64Add)
		a.op(opMemorySize, 0, i64ExtendU).i64(16).op(i64Shl, i64LeU, opIf, emptyBlock)
	}
	body()
	for range starts {
		a.op(opEnd)
	}
	a.op(opEnd)
}

func (a *asm) loop(body func()) {
	a.op(opLoop, emptyBlock)
	body()
	a.op(opEnd)
}

// piece charges for one piece.
func (a *asm) piece() *asm {
	a.global(opGlobalGet).i64(pieceSteps).op(i64Sub).global(opGlobalSet)
	return a.check()
}

// less takes a piece off the length and goes on while more than one is left.
func (a *asm) less() {
	a.u32(opLocalGet, 2).i32(pieceBytes).op(i32Sub).u32(opLocalTee, 2)
	a.i32(pieceBytes).op(i32GtU).u32(opBrIf, 0)
}
