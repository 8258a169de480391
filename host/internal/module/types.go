package module

import (
	"fmt"
	"strings"
)

// ValType is a value type as the binary format writes it.
type ValType byte

const (
	I32       ValType = 0x7f
	I64       ValType = 0x7e
	F32       ValType = 0x7d
	F64       ValType = 0x7c
	V128      ValType = 0x7b
	FuncRef   ValType = 0x70
	ExternRef ValType = 0x6f
)

// String returns the name the text format uses.
func (t ValType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	}
	return fmt.Sprintf("type 0x%x", byte(t))
}

// FuncType is the signature of a function.
type FuncType struct {
	Params, Results []ValType
}

// String writes the signature as "(i32, i64) -> (i32)".
func (t FuncType) String() string {
	var b strings.Builder
	for i, list := range [][]ValType{t.Params, t.Results} {
		if i == 1 {
			b.WriteString(" -> ")
		}
		b.WriteByte('(')
		for j, v := range list {
			if j > 0 {
				b.WriteString(", ")
			}
			b.WriteString(v.String())
		}
		b.WriteByte(')')
	}
	return b.String()
}

// External is what an import or an export is.
type External byte

const (
	Func   External = 0
	Table  External = 1
	Memory External = 2
	Global External = 3
)

// String returns the name the text format uses.
func (k External) String() string {
	switch k {
	case Func:
		return "func"
	case Table:
		return "table"
	case Memory:
		return "memory"
	case Global:
		return "global"
	}
	return fmt.Sprintf("kind 0x%x", byte(k))
}

// Range is the size of a memory in pages of 64 KiB, or of a table in elements.
type Range struct {
	Min    uint32
	Max    uint32 // meaningless unless HasMax
	HasMax bool
}

// TableType is a table's element type and size.
type TableType struct {
	Elem ValType
	Range
}

// GlobalType is a global's type.
type GlobalType struct {
	Type    ValType
	Mutable bool
}

func isRef(t ValType) bool { return t == FuncRef || t == ExternRef }

// valTypes reads n value types.
func (r *reader) valTypes(n int, features *Features) []byte {
	off := r.pos
	s := r.bytes(uint32(n))
	for i, c := range s {
		r.checkValType(off+i, c, features)
	}
	return s
}

func (r *reader) valType(features *Features) ValType {
	off := r.pos
	c := r.byte()
	r.checkValType(off, c, features)
	return ValType(c)
}

func (r *reader) checkValType(off int, c byte, features *Features) {
	if r.err != nil {
		return
	}
	switch ValType(c) {
	case I32, I64, F32, F64:
	case V128:
		features.set(SIMD)
	case FuncRef, ExternRef:
		features.set(ReferenceTypes)
	default:
		switch {
		case c == 0x63 || c == 0x64:
			r.fail(unsupported(off, r.what, "typed-function-references", "a reference to a type"))
		case c == 0x69 || c == 0x74:
			r.fail(unsupported(off, r.what, "exceptions", "exnref"))
		case c >= 0x6a && c <= 0x73 || c == 0x77 || c == 0x78:
			r.fail(unsupported(off, r.what, "gc", fmt.Sprintf("value type 0x%x", c)))
		default:
			r.failf(off, "unknown value type 0x%x", c)
		}
	}
}

// limits reads the size of a table or memory.
func (r *reader) limits(memory bool) (l Range) {
	off := r.pos
	flags := r.byte()
	switch {
	case r.err != nil:
		return
	case flags&^0x0f != 0:
		r.failf(off, "unknown limits flag 0x%x", flags)
	case flags&0x08 != 0:
		r.fail(unsupported(off, r.what, "custom-page-sizes", ""))
	case flags&0x04 != 0:
		r.fail(unsupported(off, r.what, "memory64", "64-bit limits"))
	case flags&0x02 != 0 && memory:
		r.fail(unsupported(off, r.what, "threads", "a shared memory"))
	case flags&0x02 != 0:
		r.failf(off, "a table cannot be shared")
	}
	l.Min = r.u32()
	if l.HasMax = flags&1 != 0; l.HasMax {
		at := r.pos
		l.Max = r.u32()
		if r.err == nil && l.Max < l.Min {
			r.failf(at, "maximum %d is below minimum %d", l.Max, l.Min)
		}
	}
	if memory && r.err == nil && (l.Min > 65536 || l.HasMax && l.Max > 65536) {
		r.failf(off, "a memory of more than 65,536 pages (4 GiB)")
	}
	return
}

func (r *reader) tableType(features *Features) (t TableType) {
	off := r.pos
	if r.pos < r.end && r.b[r.pos] == 0x40 {
		r.fail(unsupported(off, r.what, "typed-function-references", "a table with an initial value"))
		return
	}
	t.Elem = r.valType(features)
	if r.err == nil && !isRef(t.Elem) {
		r.failf(off, "a table of %s", t.Elem)
	}
	t.Range = r.limits(false)
	return
}

func (r *reader) globalType(features *Features) (g GlobalType) {
	g.Type = r.valType(features)
	off := r.pos
	switch r.byte() {
	case 0:
	case 1:
		g.Mutable = true
	default:
		r.failf(off, "a global's mutability must be 0 or 1")
	}
	return
}
