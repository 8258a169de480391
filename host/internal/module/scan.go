package module

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
	edit int   // the loop's edit; -1: the function, or a loop that cannot be reached
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
		if reg.edit >= 0 {
			s.edits[reg.edit].arg = uint32(min(max(reg.max, reg.cur, 1), 1<<31-1))
		}
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
