package module

// Opcodes only routines are made of.
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
	return a.u32(opCall, a.m.index(routineYield)).op(opEnd)
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
