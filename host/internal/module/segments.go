package module

// constExpr reads a constant expression. Types are left to the compiler;
// indices are checked, because the rewriter appends functions and globals that
// an index out of range could reach.
func (d *decoded) constExpr(r *reader, w *rewriter) {
	start := r.pos
	for r.err == nil {
		if r.pos-start > d.lim.ConstBytes {
			r.fail(tooLarge(start, r.what, "a constant expression is too long", "ConstBytes", uint64(d.lim.ConstBytes), uint64(r.pos-start)))
			return
		}
		off := r.pos
		switch op := r.byte(); op {
		case opEnd:
			return
		case opI32Const:
			r.signed(32)
		case opI64Const:
			r.signed(64)
		case opF32Const:
			r.bytes(4)
		case opF64Const:
			r.bytes(8)
		case 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e:
			d.features.set(ExtendedConst)
		case opGlobalGet:
			if g := r.index("global", len(d.globals)); int(g) >= d.importedGlobals {
				d.features.set(ExtendedConst)
			}
		case opRefNull:
			d.refType(r)
		case opRefFunc:
			at := r.pos
			f := d.funcIndex(r)
			if r.err == nil {
				d.declare(f)
				w.funcIndex(at, r.pos, f)
			}
			d.features.set(ReferenceTypes)
		case opSIMD:
			if sub := r.u32(); r.err == nil && sub != 0x0c {
				r.failf(off, "opcode 0xfd 0x%x is not constant", sub)
			}
			r.bytes(16)
			d.features.set(SIMD)
		case 0xfb:
			r.fail(unsupported(off, r.what, "gc", "in a constant expression"))
		default:
			r.failf(off, "opcode 0x%02x is not constant", op)
		}
	}
}

// refType reads a reference type.
func (d *decoded) refType(r *reader) ValType {
	off := r.pos
	t := r.valType(&d.features)
	if r.err == nil && !isRef(t) {
		r.failf(off, "%s is not a reference type", t)
	}
	d.features.set(ReferenceTypes)
	return t
}

// elementSection reads the element segments; with a rewriter, function indices
// are handed to it.
func (d *decoded) elementSection(r *reader, w *rewriter) {
	n := r.count(2, "element segments", "Elements", d.lim.Elements)
	d.elements = n
	for range n {
		off := r.pos
		flags := r.u32()
		if r.err != nil {
			return
		}
		if flags > 7 {
			r.failf(off, "unknown form of element segment 0x%x", flags)
			return
		}
		if flags != 0 {
			d.features.set(BulkMemory)
		}
		active, explicit, exprs := flags&1 == 0, flags&2 != 0, flags&4 != 0
		if active {
			if explicit {
				r.index("table", len(d.tables))
			} else if r.err == nil && len(d.tables) == 0 {
				r.failf(off, "table 0 does not exist: there are 0")
			}
			d.constExpr(r, w)
		}
		if explicit || !active {
			at := r.pos
			if exprs {
				d.refType(r)
			} else if kind := r.byte(); r.err == nil && kind != 0 {
				r.failf(at, "unknown kind of elements 0x%x", kind)
			}
		}
		min := 1
		if exprs {
			min = 2
		}
		k := r.count(min, "elements", "ElementSize", d.lim.ElementSize)
		if w == nil {
			d.elementCount += k
		}
		for range k {
			if exprs {
				d.constExpr(r, w)
			} else {
				at := r.pos
				if f := d.funcIndex(r); r.err == nil {
					d.declare(f)
					w.funcIndex(at, r.pos, f)
				}
			}
			if r.err != nil {
				return
			}
		}
	}
}

func (d *decoded) dataSection(r *reader) {
	n := r.count(2, "data segments", "Data", d.lim.Data)
	d.data = make([]dataSegment, 0, n)
	for range n {
		off := r.pos
		s := dataSegment{start: uint32(off)}
		switch flags := r.u32(); {
		case r.err != nil:
			return
		case flags == 1:
			s.passive = true
			d.features.set(BulkMemory)
		case flags == 0 || flags == 2:
			if flags == 2 {
				d.features.set(BulkMemory)
				if at := r.pos; r.u32() != 0 {
					r.fail(unsupported(at, r.what, "multi-memory", "data for another memory"))
				}
			}
			if r.err == nil && len(d.memories) == 0 {
				r.failf(off, "memory 0 does not exist: there are 0")
			}
			s.at, s.known = constOffset(d.b[r.pos:r.end])
			d.constExpr(r, nil)
		default:
			r.failf(off, "unknown form of data segment 0x%x", flags)
		}
		size := r.u32()
		s.init = uint32(r.pos)
		r.bytes(size)
		if r.err != nil {
			return
		}
		s.end = uint32(r.pos)
		d.data = append(d.data, s)
	}
}

// constOffset recognises the expression `i32.const n end`.
func constOffset(b []byte) (uint32, bool) {
	r := reader{b: b, end: len(b)}
	if r.byte() != opI32Const {
		return 0, false
	}
	v := r.signed(32)
	return uint32(v), r.byte() == opEnd && r.err == nil
}
