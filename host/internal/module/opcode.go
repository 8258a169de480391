package module

import "fmt"

// The opcodes that mean something to the scanner or the rewriter.
const (
	opUnreachable    = 0x00
	opNop            = 0x01
	opBlock          = 0x02
	opLoop           = 0x03
	opIf             = 0x04
	opElse           = 0x05
	opEnd            = 0x0b
	opBr             = 0x0c
	opBrIf           = 0x0d
	opBrTable        = 0x0e
	opReturn         = 0x0f
	opCall           = 0x10
	opCallIndirect   = 0x11
	opReturnCall     = 0x12
	opReturnIndirect = 0x13
	opSelectTyped    = 0x1c
	opLocalGet       = 0x20
	opGlobalGet      = 0x23
	opGlobalSet      = 0x24
	opTableGet       = 0x25
	opTableSet       = 0x26
	opMemorySize     = 0x3f
	opMemoryGrow     = 0x40
	opI32Const       = 0x41
	opI64Const       = 0x42
	opF32Const       = 0x43
	opF64Const       = 0x44
	opRefNull        = 0xd0
	opRefFunc        = 0xd2
	opMisc           = 0xfc
	opSIMD           = 0xfd

	miscMemoryInit = 8
	miscDataDrop   = 9
	miscMemoryCopy = 10
	miscMemoryFill = 11
	miscTableInit  = 12
	miscElemDrop   = 13
	miscTableCopy  = 14
	miscTableGrow  = 15
	miscTableSize  = 16
	miscTableFill  = 17

	emptyBlock = 0x40
)

// shape is what follows an opcode.
type shape byte

const (
	shapeBad     shape = iota // not an opcode here
	shapeNone                 // nothing follows
	shapeSpecial              // the scanner knows
	shapeLocal                // index of a local
	shapeGlobal               // index of a global
	shapeTable                // index of a table
	shapeMemArg               // alignment and offset
	shapeLane                 // one lane index
	shapeMemLane              // alignment, offset, lane index
	shape16                   // sixteen bytes
)

// shapes of the opcodes of one byte.
var shapes = func() (t [256]shape) {
	fill := func(from, to int, s shape) {
		for i := from; i <= to; i++ {
			t[i] = s
		}
	}
	fill(0x00, 0x05, shapeSpecial)
	fill(0x0b, 0x13, shapeSpecial)
	fill(0x1a, 0x1b, shapeNone)
	t[opSelectTyped] = shapeSpecial
	fill(0x20, 0x22, shapeLocal)
	fill(0x23, 0x24, shapeGlobal)
	t[opTableGet], t[opTableSet] = shapeTable, shapeSpecial
	fill(0x28, 0x3e, shapeMemArg)
	fill(0x3f, 0x44, shapeSpecial)
	fill(0x45, 0xc4, shapeNone)
	t[opRefNull], t[0xd1], t[opRefFunc] = shapeSpecial, shapeNone, shapeSpecial
	t[opMisc], t[opSIMD] = shapeSpecial, shapeSpecial
	return
}()

// simdShapes are those of the opcodes behind 0xfd.
var simdShapes = func() (t [256]shape) {
	for i := range t {
		t[i] = shapeNone
	}
	for i := 0x00; i <= 0x0b; i++ {
		t[i] = shapeMemArg
	}
	t[0x0c], t[0x0d] = shape16, shape16 // v128.const, i8x16.shuffle
	for i := 0x15; i <= 0x22; i++ {
		t[i] = shapeLane
	}
	for i := 0x54; i <= 0x5b; i++ {
		t[i] = shapeMemLane
	}
	t[0x5c], t[0x5d] = shapeMemArg, shapeMemArg
	for _, hole := range []int{
		0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb,
		0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee,
	} {
		t[hole] = shapeBad
	}
	return
}()

// unknownOpcode refuses an opcode by the name of the feature it belongs to.
func unknownOpcode(off int, what string, prefix byte, op uint32) *Error {
	named := func(feature string) *Error {
		text := fmt.Sprintf("opcode 0x%02x", op)
		if prefix != 0 {
			text = fmt.Sprintf("opcode 0x%02x 0x%02x", prefix, op)
		}
		return unsupported(off, what, feature, text)
	}
	switch prefix {
	case 0:
		switch {
		case op == 0x06 || op == 0x07 || op == 0x09 || op == 0x18 || op == 0x19:
			return named("legacy-exceptions")
		case op == 0x08 || op == 0x0a || op == 0x1f:
			return named("exceptions")
		case op == 0x14 || op == 0x15 || op >= 0xd4 && op <= 0xd6:
			return named("typed-function-references")
		case op == 0xd3 || op == 0xfb:
			return named("gc")
		case op == 0xfe:
			return named("threads")
		}
		return malformed(off, what, "unknown opcode 0x%02x", op)
	case opMisc:
		if op >= 19 && op <= 22 {
			return named("wide-arithmetic")
		}
	case opSIMD:
		if op >= 0x100 && op <= 0x12f {
			return named("relaxed-simd")
		}
	}
	return malformed(off, what, "unknown opcode 0x%02x 0x%02x", prefix, op)
}
