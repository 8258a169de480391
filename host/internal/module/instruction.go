package module

import "fmt"

// instruction reads one instruction of a function with so many locals.
func (s *scanner) instruction(r *reader, locals uint32) {
	off := r.pos
	op := r.b[off]
	r.pos++
	cur := &s.regions[len(s.regions)-1].cur
	switch shapes[op] {
	case shapeNone:
		if op >= 0xc0 {
			s.later(op)
		}
	case shapeLocal:
		l := r.u32()
		if l >= locals {
			r.failf(off, "local %d does not exist: there are %d", l, locals)
			return
		}
		s.effort.local(l, op != opLocalGet)
	case shapeGlobal:
		r.index("global", len(s.d.globals))
	case shapeTable:
		r.index("table", len(s.d.tables))
		s.d.features.set(ReferenceTypes)
	case shapeMemArg:
		s.memArg(r)
	case shapeSpecial:
		s.special(r, off, op)
		return
	default:
		r.fail(unknownOpcode(off, "", 0, uint32(op)))
	}
	if *cur >= 0 {
		*cur++
	}
	s.effort.plain(opCosts[op], opEffects[op])
}

// later notes the features of opcodes that were added with no operands.
func (s *scanner) later(op byte) {
	if op == 0xd1 {
		s.d.features.set(ReferenceTypes)
	} else {
		s.d.features.set(SignExtension)
	}
}

func (s *scanner) special(r *reader, off int, op byte) {
	d := s.d
	switch op {
	case opNop:
	case opUnreachable:
		s.step(1)
		s.stop()
	case opReturn:
		s.step(1 + int(s.frames[0].arity))
		s.effort.plain(costPlain+costMoved*int64(s.frames[0].arity), 0)
		s.stop()
	case opBlock:
		params, results := s.blockType(r)
		s.open(r, off, op, results)
		s.effort.open(op, params, results)
	case opIf:
		params, results := s.blockType(r)
		s.step(1)
		s.open(r, off, op, results)
		s.effort.open(op, params, results)
		s.frames[len(s.frames)-1].entry = s.regions[len(s.regions)-1].cur
	case opLoop:
		params, results := s.blockType(r)
		outer := &s.regions[len(s.regions)-1]
		outer.max = max(outer.max, outer.cur)
		if outer.cur < 0 { // it can never be reached: nothing to check or to pay
			s.regions = append(s.regions, region{cur: -1, max: -1, edit: -1})
		} else {
			s.regions = append(s.regions, region{cur: 1, edit: len(s.edits)})
			s.edits = append(s.edits, edit{at: uint32(off), end: uint32(r.pos), kind: editLoop, params: params > 0})
		}
		s.open(r, off, op, params)
		s.effort.open(op, params, results)
	case opElse:
		s.otherwise(r, off)
	case opEnd:
		s.close()
		s.effort.close()
	case opBr:
		s.step(1 + s.branch(r, off, r.u32()))
		s.stop()
	case opBrIf:
		s.effort.plain(costPlain, -1)
		s.step(1 + s.branch(r, off, r.u32()))
		s.effort.conditional()
	case opBrTable:
		s.branchTable(r, off)
	case opCall, opReturnCall:
		at := r.pos
		f := d.funcIndex(r)
		if r.err != nil {
			return
		}
		s.note(r, at, editCall, f)
		if f < uint32(d.importedFuncs) {
			s.effort.plain(costImport*int64(f), 0)
		}
		s.call(d.funcType(f), op == opReturnCall)
	case opCallIndirect, opReturnIndirect:
		t := d.typeIndex(r)
		if table := r.index("table", len(d.tables)); table != 0 {
			d.features.set(ReferenceTypes)
		}
		if r.err == nil {
			s.step(1)
			s.effort.plain(costIndirect, -1)
			s.call(&d.types[t], op == opReturnIndirect)
		}
	case opSelectTyped:
		if n := r.byte(); r.err == nil && n != 1 {
			r.failf(off, "select with %d types", n)
		}
		r.valType(&d.features)
		d.features.set(ReferenceTypes)
		s.effort.plain(costPlain, -2)
		s.step(1)
	case opTableSet:
		r.index("table", len(d.tables))
		d.features.set(ReferenceTypes)
		d.use.tableWrites = true
		s.note(r, off, editTableSet, 0)
		s.effort.plain(costTableOp, -2)
		s.step(1)
	case opMemorySize, opMemoryGrow:
		if c := r.byte(); r.err == nil && c != 0 {
			r.fail(unsupported(off, "", "multi-memory", fmt.Sprintf("memory %d", c)))
		}
		s.needMemory(r, off)
		if op == opMemoryGrow {
			d.use.memoryGrow = true
			s.note(r, off, editGrow, 0)
			s.effort.call(1, 0)
		}
		s.plain(1)
	case opI32Const:
		r.signed(32)
		s.plain(1)
	case opI64Const:
		r.signed(64)
		s.plain(1)
	case opF32Const:
		r.bytes(4)
		s.plain(1)
	case opF64Const:
		r.bytes(8)
		s.plain(1)
	case opRefNull:
		d.refType(r)
		s.plain(1)
	case opRefFunc:
		at := r.pos
		f := d.funcIndex(r)
		if r.err == nil && (d.declared == nil || !d.declared.has(int(f))) {
			r.failf(off, "ref.func %d: the function is in no export, element or global", f)
		}
		d.features.set(ReferenceTypes)
		s.note(r, at, editCall, f)
		s.effort.call(0, 0)
		s.plain(1)
	case opMisc:
		s.misc(r, off)
	case opSIMD:
		s.simd(r, off)
	}
}

func (s *scanner) memArg(r *reader) {
	off := r.pos
	align := r.u32()
	switch {
	case r.err != nil:
		return
	case align&^0x40 > 4:
		r.failf(off, "alignment 2^%d is too large", align)
		return
	case align&0x40 != 0:
		r.fail(unsupported(off, "", "multi-memory", "access to another memory"))
		return
	}
	r.u32()
	s.needMemory(r, off)
}

func (s *scanner) needMemory(r *reader, off int) {
	if r.err == nil && len(s.d.memories) == 0 {
		r.failf(off, "memory 0 does not exist: there are 0")
	}
}

func (s *scanner) branchTable(r *reader, off int) {
	n := r.count(1, "branch targets", "BranchTable", s.d.lim.BranchTable)
	s.effort.plain(costPlain, -1)
	arity := 0
	for range n + 1 {
		if r.err != nil {
			return
		}
		arity = max(arity, s.branch(r, off, r.u32()))
		s.effort.split()
	}
	s.step(1 + arity)
	s.stop()
}

// misc reads what follows the prefix 0xfc.
func (s *scanner) misc(r *reader, off int) {
	d := s.d
	sub := r.u32()
	s.step(1)
	switch {
	case r.err != nil:
		return
	case sub < miscMemoryInit:
		d.features.set(SatFloat)
		s.effort.plain(costDivision, 0)
		return
	case sub > miscTableFill:
		r.fail(unknownOpcode(off, "", opMisc, sub))
		return
	case sub >= miscTableGrow:
		d.features.set(ReferenceTypes)
	default:
		d.features.set(BulkMemory)
	}
	s.effort.plain(miscCosts[sub], miscEffects[sub])
	switch sub {
	case miscMemoryInit:
		s.dataIndex(r, off)
		s.memoryZero(r, off)
		d.use.memoryInit = true
		s.note(r, off, editLength, 0)
	case miscDataDrop:
		s.dataIndex(r, off)
		d.use.dataDrop = true
		s.note(r, off, editDrop, 0)
	case miscMemoryCopy:
		s.memoryZero(r, off)
		s.memoryZero(r, off)
		s.note(r, off, editCopy, 0)
	case miscMemoryFill:
		s.memoryZero(r, off)
		s.note(r, off, editFill, 0)
	case miscTableInit:
		r.index("element segment", d.elements)
		r.index("table", len(d.tables))
		d.use.tableWrites = true
		s.note(r, off, editTable, 0)
	case miscElemDrop:
		r.index("element segment", d.elements)
		d.use.elemDrop = true
		s.note(r, off, editDrop, 0)
	case miscTableCopy:
		r.index("table", len(d.tables))
		r.index("table", len(d.tables))
		d.use.tableWrites = true
		s.note(r, off, editTable, 0)
	case miscTableGrow:
		if t := r.index("table", len(d.tables)); r.err == nil {
			d.grown[t] = true
		}
		d.use.tableWrites = true
		s.note(r, off, editTableGrow, 0)
	case miscTableSize:
		r.index("table", len(d.tables))
	case miscTableFill:
		s.effort.inline(3) // the compiler writes a loop
		r.index("table", len(d.tables))
		d.use.tableWrites = true
		s.note(r, off, editTable, 0)
	}
}

// dataIndex reads the index of a data segment; the section itself comes later,
// its count earlier.
func (s *scanner) dataIndex(r *reader, off int) {
	if s.d.dataN < 0 {
		r.failf(off, "memory.init and data.drop need a data count section")
		return
	}
	r.index("data segment", s.d.dataN)
}

func (s *scanner) memoryZero(r *reader, off int) {
	if c := r.byte(); r.err == nil && c != 0 {
		r.fail(unsupported(off, "", "multi-memory", fmt.Sprintf("memory %d", c)))
	}
	s.needMemory(r, off)
}

// simd reads what follows the prefix 0xfd.
func (s *scanner) simd(r *reader, off int) {
	sub := r.u32()
	s.d.features.set(SIMD)
	s.step(1)
	if r.err != nil {
		return
	}
	if sub > 0xff {
		r.fail(unknownOpcode(off, "", opSIMD, sub))
		return
	}
	s.effort.plain(costSIMD, simdEffect(sub))
	switch simdShapes[sub] {
	case shapeNone:
	case shapeMemArg:
		s.memArg(r)
	case shapeMemLane:
		s.memArg(r)
		r.byte()
	case shapeLane:
		r.byte()
	case shape16:
		r.bytes(16)
	default:
		r.fail(unknownOpcode(off, "", opSIMD, sub))
	}
}
