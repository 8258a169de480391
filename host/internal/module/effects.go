package module

// opEffects are the changes of the operand stack's height by opcode, where the
// shape of the opcode does not need the scanner's own look.
var opEffects = func() (t [256]int) {
	set := func(effect int, ranges ...int) {
		for i := 0; i < len(ranges); i += 2 {
			for op := ranges[i]; op <= ranges[i+1]; op++ {
				t[op] = effect
			}
		}
	}
	set(-1, 0x1a, 0x1a) // drop
	set(-2, 0x1b, 0x1b) // select
	set(1, 0x20, 0x20, 0x23, 0x23)
	set(-1, 0x21, 0x21, 0x24, 0x24)
	set(-2, 0x36, 0x3e)                                     // stores
	set(-1, 0x46, 0x4f, 0x51, 0x66, 0x6a, 0x78, 0x7c, 0x8a) // comparisons, arithmetic of integers
	set(-1, 0x92, 0x98, 0xa0, 0xa6)                         // of floats
	return
}()

// opCosts are what the same opcodes cost the compiler.
var opCosts = func() (t [256]int64) {
	for i := range t {
		t[i] = costPlain
	}
	for op := 0x28; op <= 0x3e; op++ {
		t[op] = costAccess
	}
	for _, op := range []int{0x6d, 0x6e, 0x6f, 0x70, 0x7f, 0x80, 0x81, 0x82} {
		t[op] = costDivision
	}
	for op := 0xa8; op <= 0xb1; op++ {
		t[op] = costDivision // conversions of floats to integers
	}
	t[opTableGet] = costTableOp
	return
}()

var miscEffects = [...]int{
	miscMemoryInit: -3, miscMemoryCopy: -3, miscMemoryFill: -3, miscTableInit: -3,
	miscTableCopy: -3, miscTableGrow: -1, miscTableSize: 1, miscTableFill: -3,
}

var miscCosts = [...]int64{
	miscMemoryInit: costTableOp, miscDataDrop: costPlain, miscMemoryCopy: costBulk, miscMemoryFill: costBulk,
	miscTableInit: costTableOp, miscElemDrop: costPlain, miscTableCopy: costTableOp, miscTableGrow: costBulk,
	miscTableSize: costPlain, miscTableFill: costTableOp,
}

// simdEffect is the same for an opcode behind 0xfd.
func simdEffect(op uint32) int {
	switch {
	case op == 0x0c: // v128.const
		return 1
	case op == 0x0b || op == 0x52 || op >= 0x58 && op <= 0x5b: // stores, bitselect
		return -2
	case op == 0x0d || op == 0x0e || op >= 0x23 && op <= 0x4c || op >= 0x4e && op <= 0x51 || op >= 0x54 && op <= 0x57:
		return -1 // shuffle, swizzle, comparisons, bit operations, lane loads
	case op >= 0x15 && op <= 0x22:
		if replaceLane[op] {
			return -1
		}
		return 0
	case op < 0x60 || simdUnary[op]:
		return 0
	}
	return -1
}

var replaceLane = map[uint32]bool{0x17: true, 0x1a: true, 0x1c: true, 0x1e: true, 0x20: true, 0x22: true}

// simdUnary are the opcodes from 0x60 on that take one value.
var simdUnary = func() (t [256]bool) {
	for _, op := range []int{
		0x60, 0x61, 0x62, 0x63, 0x64, 0x67, 0x68, 0x69, 0x6a, 0x74, 0x75, 0x7a, 0x7c, 0x7d, 0x7e, 0x7f,
		0x80, 0x81, 0x83, 0x84, 0x87, 0x88, 0x89, 0x8a, 0x94, 0xa0, 0xa1, 0xa3, 0xa4, 0xa7, 0xa8, 0xa9, 0xaa,
		0xc0, 0xc1, 0xc3, 0xc4, 0xc7, 0xc8, 0xc9, 0xca, 0xe0, 0xe1, 0xe3, 0xec, 0xed, 0xef,
		0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff,
	} {
		t[op] = true
	}
	return
}()
