package module

import "fmt"

// editKind says what the rewriter must do at a place in a function body.
type editKind byte

const (
	editLoop      editKind = iota // a check after the header
	editCall                      // a function index
	editFill                      // memory.fill
	editCopy                      // memory.copy
	editGrow                      // memory.grow
	editLength                    // an instruction with a length on top of the stack
	editTable                     // the same, and it writes a table
	editTableSet                  // table.set
	editTableGrow                 // table.grow
	editDrop                      // elem.drop, data.drop
)

// edit is a place in a function body that the rewriter must change: the bytes
// [at, end), where at is the start of the instruction.
type edit struct {
	at, end uint32
	arg     uint32 // editCall: the index; editLoop: the steps of one turn
	kind    editKind
	params  bool // editLoop: the loop takes values
}

// frame is a block, loop or if that is open.
type frame struct {
	op     byte
	region int32 // the region its label lies in
	arity  int32 // values a branch to it carries
	label  int64 // longest path to its end by branches, -1: none yet
	entry  int64 // if: the path at its start, for the else
}

// region is a part of a function that is paid for at its start: the function
// itself, or a loop without the loops inside it.
type region struct {
	cur  int64 // steps of the longest path to here, -1: not reachable
	max  int64 // longest path to any way out so far
	edit int   // the loop's edit; -1 for the function
}

// callSteps is what a call costs besides the values it moves. It pays for the
// function called as well when that is no longer than so many steps outside
// its loops and calls nothing there: such a function is not checked at its
// entry. That spares all small leaves, and functions that are one loop, as Go's
// compiler makes them, a second check.
const callSteps = 16

// scanner walks over function bodies. It is reused from one to the next.
type scanner struct {
	d       *decoded
	frames  []frame
	regions []region
	edits   []edit
	code    uint32 // where the instructions start, after the locals
	index   uint32 // of the function
	params  int    // values it takes
	charge  int64  // steps of the longest path of the function outside its loops
	free    bool   // the caller has paid: see callSteps
	calls   bool   // there are calls outside its loops
	effort  effort // of compiling it
	total   int64  // of compiling all functions until now
	most    int64  // that it may be
}

// scanner returns one for the bodies of d.
func (d *decoded) scanner(metered bool) *scanner {
	s := &scanner{d: d, most: int64(d.lim.compile(len(d.b)))}
	s.total = costType*int64(len(d.types)) + costEntry*int64(len(d.imports)+len(d.exports)+len(d.globals)+d.elementCount)
	s.effort.metered = metered
	for _, g := range d.globals {
		if g.Mutable {
			s.effort.reloads++
		}
	}
	return s
}

// info describes the module, whose bodies have all been scanned.
func (s *scanner) info() *Info {
	i := s.d.info()
	i.CompileMillis = int(s.total / 1e6)
	return i
}

// scan walks over body i: structure, indices and opcodes are checked, places
// to edit noted, paths measured. Types of operands are left to the compiler.
//
// A step is an instruction; block, loop, else, end and nop are none, a branch
// that moves n values takes n more, a call callSteps and the values it moves. A
// function or a turn of a loop costs at least one.
func (s *scanner) scan(i int) *Error {
	if err := s.walk(i); err != nil {
		return err
	}
	if s.effort.rough() {
		// Again, with a closer look at which values are alive where.
		if s.effort.live == nil {
			s.effort.live = new(liveness)
		}
		s.effort.live.reset(s.effort.distinct, s.effort.blocks)
		s.effort.structure = true
		err := s.walk(i)
		s.effort.structure = false
		if err != nil {
			return err
		}
	}
	s.total += s.effort.ns
	if s.total > s.most {
		e := tooLarge(s.d.bodies[i].start, "", "compiling would take too long (milliseconds, estimated from the structure of the code up to here)",
			"CompileMillis", uint64(s.most/1e6), uint64(s.total/1e6))
		return s.named(e, i)
	}
	return nil
}

// walk is scan without a second look.
func (s *scanner) walk(i int) *Error {
	d := s.d
	body := d.bodies[i]
	r := reader{b: d.b, pos: body.start, end: body.end}
	ft := d.funcType(uint32(d.importedFuncs + i))
	s.index, s.params = uint32(d.importedFuncs+i), len(ft.params)
	locals := s.locals(&r, len(ft.params))
	if r.err != nil {
		return s.named(r.err, i)
	}
	s.code = uint32(r.pos)
	s.edits = s.edits[:0]
	s.frames = append(s.frames[:0], frame{op: opBlock, arity: int32(len(ft.results)), label: -1})
	s.regions = append(s.regions[:0], region{cur: 1, edit: -1})
	s.calls = false
	s.effort.start(locals, uint32(body.end-body.start), len(ft.results))
	for len(s.frames) > 0 {
		if r.pos >= r.end {
			r.failf(r.pos, "ends inside %d open blocks", len(s.frames))
		} else {
			s.instruction(&r, locals)
		}
		if r.err != nil {
			return s.named(r.err, i)
		}
	}
	if r.pos != r.end {
		r.failf(r.pos, "%d bytes after its end", r.left())
		return s.named(r.err, i)
	}
	return nil
}

// named adds the function to an error.
func (s *scanner) named(e *Error, i int) *Error {
	e.What = s.d.function(i)
	return e
}

// locals reads the declarations and returns how many locals there are in all.
func (s *scanner) locals(r *reader, params int) uint32 {
	total := uint64(params)
	for range r.count(2, "groups of locals", "Locals", s.d.lim.Locals) {
		off := r.pos
		total += uint64(r.u32())
		r.valType(&s.d.features)
		if r.err == nil && total > uint64(s.d.lim.Locals) {
			r.fail(tooLarge(off, "", "too many locals", "Locals", uint64(s.d.lim.Locals), total))
		}
		if r.err != nil {
			return 0
		}
	}
	return uint32(total)
}

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

// step counts n steps on the present path.
func (s *scanner) step(n int) {
	if c := &s.regions[len(s.regions)-1].cur; *c >= 0 {
		*c += int64(n)
	}
}

// plain counts an instruction that pushes so many values, or pops them when
// below zero.
func (s *scanner) plain(effect int) {
	s.step(1)
	s.effort.plain(costPlain, effect)
}

// stop ends the present path: what follows cannot be reached from here.
func (s *scanner) stop() {
	r := &s.regions[len(s.regions)-1]
	r.max = max(r.max, r.cur)
	r.cur = -1
	s.effort.stop()
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

// blockType reads the type of a block, and returns how many values it takes
// and leaves.
func (s *scanner) blockType(r *reader) (params, results int) {
	off := r.pos
	if r.pos < r.end {
		switch c := r.b[r.pos]; {
		case c == emptyBlock:
			r.pos++
			return 0, 0
		case c >= 0x40 && c < 0x80:
			r.valType(&s.d.features)
			return 0, 1
		}
	}
	i := r.signed(33)
	if r.err != nil {
		return
	}
	if i < 0 || i >= int64(len(s.d.types)) {
		r.failf(off, "type %d does not exist: there are %d", i, len(s.d.types))
		return
	}
	s.d.features.set(MultiValue)
	t := &s.d.types[i]
	return len(t.params), len(t.results)
}

func (s *scanner) open(r *reader, off int, op byte, arity int) {
	if len(s.frames) > s.d.lim.Nesting {
		r.fail(tooLarge(off, "", "blocks are nested too deep", "Nesting", uint64(s.d.lim.Nesting), uint64(len(s.frames))))
		return
	}
	s.frames = append(s.frames, frame{op: op, region: int32(len(s.regions) - 1), arity: int32(arity), label: -1})
}

// branch follows a branch to the label depth blocks up, and returns how many
// values it carries.
func (s *scanner) branch(r *reader, off int, depth uint32) int {
	if uint64(depth) >= uint64(len(s.frames)) {
		r.failf(off, "branch out of %d blocks, only %d are open", depth+1, len(s.frames))
		return 0
	}
	s.effort.branch(depth)
	f := &s.frames[len(s.frames)-1-int(depth)]
	inner := &s.regions[len(s.regions)-1]
	if inner.cur < 0 {
		return int(f.arity)
	}
	inner.max = max(inner.max, inner.cur+1+int64(f.arity))
	if f.op != opLoop {
		// The region of the label has paid up to where the inner loop began.
		f.label = max(f.label, s.regions[f.region].cur+1+int64(f.arity))
	}
	return int(f.arity)
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
		s.regions = append(s.regions, region{cur: 1, edit: len(s.edits)})
		s.edits = append(s.edits, edit{at: uint32(off), end: uint32(r.pos), kind: editLoop, params: params > 0})
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

// note records an edit of [at, here).
func (s *scanner) note(r *reader, at int, kind editKind, arg uint32) {
	s.edits = append(s.edits, edit{at: uint32(at), end: uint32(r.pos), kind: kind, arg: arg})
}

func (s *scanner) call(t *funcType, tail bool) {
	s.effort.call(len(t.params), len(t.results))
	s.step(callSteps + len(t.params) + len(t.results))
	s.calls = s.calls || len(s.regions) == 1
	if tail {
		s.d.features.set(TailCall)
		s.stop()
	}
}

func (s *scanner) otherwise(r *reader, off int) {
	f := &s.frames[len(s.frames)-1]
	if f.op != opIf {
		r.failf(off, "else without if")
		return
	}
	s.effort.otherwise()
	reg := &s.regions[len(s.regions)-1]
	f.label = max(f.label, reg.cur)
	reg.cur = f.entry
	f.op = opElse
}

// close ends the innermost block.
func (s *scanner) close() {
	f := s.frames[len(s.frames)-1]
	s.frames = s.frames[:len(s.frames)-1]
	reg := &s.regions[len(s.regions)-1]
	if f.op == opLoop {
		falls := reg.cur >= 0
		s.edits[reg.edit].arg = uint32(min(max(reg.max, reg.cur, 1), 1<<31-1))
		s.regions = s.regions[:len(s.regions)-1]
		if !falls {
			s.regions[len(s.regions)-1].cur = -1
		}
		return
	}
	reg.cur = max(reg.cur, f.label)
	if f.op == opIf {
		reg.cur = max(reg.cur, f.entry)
	}
	if len(s.frames) == 0 {
		s.charge = min(max(reg.max, reg.cur, 1), 1<<31-1)
		s.free = !s.calls && s.charge <= callSteps
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
