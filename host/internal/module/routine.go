package module

// A routine is a function that preparation adds to a module, so that code which
// needs a check is a call of it and stays short.
type routine int

const (
	routineYield routine = iota // () -> (): end the slice, begin the next
	routineInit                 // (n) -> (n): pay for memory.init
	routineTable                // (n) -> (n): pay for a table operation
	routineGrow                 // (pages) -> (old): memory.grow, paid for when it succeeds
	routineFill                 // (to, value, n): memory.fill in pieces
	routineCopy                 // (to, from, n): memory.copy in pieces
	routines
)

var routineNames = [routines]string{"yield", "init", "table", "grow", "fill", "copy"}

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

func (r routine) typ() int {
	switch r {
	case routineYield:
		return typeAction
	case routineFill, routineCopy:
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

// routine returns the code of a routine, without its size.
func (m *meter) routine(r routine) []byte {
	a := asm{m: m}
	switch r {
	case routineYield:
		a.op(0) // no locals
		a.global(opGlobalGet).u32(opCall, m.imported).global(opGlobalSet)
	case routineInit:
		a.op(0).payFor(int32(m.initMax), bytesShift).u32(opLocalGet, 0)
	case routineTable:
		a.op(0).payFor(int32(m.tableMax), elementsShift).u32(opLocalGet, 0)
	case routineGrow:
		// old = memory.grow(pages); if old != -1 { pay(pages << 12) }; old
		a.op(1, 1, byte(I32))
		a.u32(opLocalGet, 0).op(opMemoryGrow, 0).u32(opLocalTee, 1).i32(-1).op(i32Ne)
		a.op(opIf, emptyBlock)
		a.global(opGlobalGet).u32(opLocalGet, 0).op(i64ExtendU).i64(12).op(i64Shl).op(i64Sub).global(opGlobalSet)
		a.check().op(opEnd)
		a.u32(opLocalGet, 1)
	case routineFill:
		a.op(0).pieces([]uint32{0}, func() {
			a.loop(func() {
				a.piece().u32(opLocalGet, 0).u32(opLocalGet, 1).i32(pieceBytes).op(opMisc, miscMemoryFill, 0)
				a.u32(opLocalGet, 0).i32(pieceBytes).op(i32Add).u32(opLocalSet, 0)
				a.less()
			})
		})
		a.u32(opLocalGet, 0).u32(opLocalGet, 1).u32(opLocalGet, 2).op(opMisc, miscMemoryFill, 0)
		a.payRest()
	case routineCopy:
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
