package module

// meter rewrites function bodies: checks at loop headers and function entries,
// bulk operations paid for, function indices shifted.
type meter struct {
	d        *decoded
	on       bool // false: indices and the written flag only
	shift    shift
	imported uint32 // index of the imported yield function
	first    uint32 // index of the first routine
	counter  uint32 // index of the counter global
	written  uint32 // index of the written global

	initMax  uint32 // most bytes one memory.init can move
	tableMax uint32 // most elements one table operation can touch

	used  []routine // routines in the order of their indices
	place [routines]int
	marks bool // the written global is used
	buf   []byte
}

// index returns the function index of a routine, which is added when it is
// asked for first.
func (m *meter) index(r routine) uint32 {
	if m.place[r] == 0 {
		m.used = append(m.used, r)
		m.place[r] = len(m.used)
	}
	return m.first + uint32(m.place[r]) - 1
}

// body writes the body that s has scanned, size first.
func (m *meter) body(out []byte, s *scanner, body span) []byte {
	src := m.d.b
	b := append(m.buf[:0], src[body.start:s.code]...)
	if m.on && !s.free {
		b = m.entry(b, s)
	}
	from := s.code
	for i := range s.edits {
		e := &s.edits[i]
		b = append(b, src[from:e.at]...)
		b = m.edit(b, e, src)
		from = e.end
	}
	b = append(b, src[from:body.end]...)
	m.buf = b
	return append(appendU32(out, uint32(len(b))), b...)
}

func (m *meter) edit(b []byte, e *edit, src []byte) []byte {
	own := src[e.at:e.end]
	switch e.kind {
	case editCall:
		return appendU32(b, m.shift.of(e.arg))
	case editTableSet, editDrop:
		return append(m.mark(b), own...)
	case editTable, editTableGrow:
		b = m.mark(b)
		if m.on {
			b = m.call(b, routineTable)
		}
		return append(b, own...)
	}
	if !m.on {
		return append(b, own...)
	}
	switch e.kind {
	case editLoop:
		return m.turn(append(b, own...), e)
	case editFill:
		return m.call(b, routineFill)
	case editCopy:
		return m.call(b, routineCopy)
	case editGrow:
		return m.call(b, routineGrow)
	case editLength:
		return append(m.call(b, routineInit), own...)
	}
	return append(b, own...)
}

func (m *meter) call(b []byte, r routine) []byte {
	return appendU32(append(b, opCall), m.index(r))
}

// mark sets the written flag.
func (m *meter) mark(b []byte) []byte {
	m.marks = true
	return appendU32(append(b, opI32Const, 1, opGlobalSet), m.written)
}

// entry writes the check at the start of a function:
//
//	block
//	  br_if 0 (counter >= 0)
//	  call yield
//	  call this function again, with its parameters
//	  return
//	end
//	counter -= steps
//
// The path that yields never comes back to the usual one, so wazero places it
// behind the rest of the function, and keeps registers free of it: an `if`
// around the call costs twice as much. Testing before subtracting lets a path
// be longer than a slice.
func (m *meter) entry(b []byte, s *scanner) []byte {
	b = m.test(append(b, opBlock, emptyBlock), 0)
	b = m.call(b, routineYield)
	for i := range s.params {
		b = appendU32(append(b, opLocalGet), uint32(i))
	}
	b = appendU32(append(b, opCall), m.shift.of(s.index))
	return m.pay(append(b, opReturn, opEnd), s.charge)
}

// turn writes the check at the head of a loop, with the loop itself as the way
// back from the path that yields:
//
//	loop
//	  block
//	    br_if 0 (counter >= 0)
//	    call yield
//	    br 1
//	  end
//	  counter -= steps
//
// A loop that takes values cannot be gone back to from in there; an empty loop
// around the call serves then.
func (m *meter) turn(b []byte, e *edit) []byte {
	b = append(b, opBlock, emptyBlock)
	if e.params {
		b = m.test(append(b, opLoop, emptyBlock), 1)
		b = append(m.call(b, routineYield), opBr, 0, opEnd, opEnd)
	} else {
		b = m.test(b, 0)
		b = append(m.call(b, routineYield), opBr, 1, opEnd)
	}
	return m.pay(b, int64(e.arg))
}

// test branches out of depth blocks while the slice lasts.
func (m *meter) test(b []byte, depth byte) []byte {
	b = appendU32(append(b, opGlobalGet), m.counter)
	return append(b, opI64Const, 0, i64GeS, opBrIf, depth)
}

func (m *meter) pay(b []byte, steps int64) []byte {
	b = appendU32(append(b, opGlobalGet), m.counter)
	b = append(appendSigned(append(b, opI64Const), steps), i64Sub)
	return appendU32(append(b, opGlobalSet), m.counter)
}
