package module

import "unicode/utf8"

// reader walks over bytes of a module. The first failure sticks: later reads
// return zeros, and the caller looks at err once for a whole entity. Offsets
// are positions in the whole module.
type reader struct {
	b    []byte // the whole module
	pos  int
	end  int    // exclusive; never above len(b)
	what string // the place, for errors
	err  *Error
}

func (r *reader) left() int { return r.end - r.pos }

func (r *reader) fail(e *Error) {
	if r.err == nil {
		r.err = e
		r.pos = r.end
	}
}

func (r *reader) failf(off int, format string, args ...any) {
	if r.err == nil {
		r.fail(malformed(off, r.what, format, args...))
	}
}

func (r *reader) byte() byte {
	if r.pos >= r.end {
		r.failf(r.pos, "ends too early: a byte is missing")
		return 0
	}
	c := r.b[r.pos]
	r.pos++
	return c
}

// bytes returns the next n bytes, not copied.
func (r *reader) bytes(n uint32) []byte {
	if uint64(n) > uint64(r.left()) {
		r.failf(r.pos, "ends too early: %d bytes are declared, %d are left", n, r.left())
		return nil
	}
	s := r.b[r.pos : r.pos+int(n) : r.pos+int(n)]
	r.pos += int(n)
	return s
}

// u32 reads an unsigned LEB128 number of at most 32 bits.
func (r *reader) u32() uint32 {
	if r.pos < r.end {
		if c := r.b[r.pos]; c < 0x80 {
			r.pos++
			return uint32(c)
		}
	}
	return r.u32slow()
}

func (r *reader) u32slow() uint32 {
	start := r.pos
	var v uint32
	for shift := uint(0); shift < 35; shift += 7 {
		if r.pos >= r.end {
			r.failf(start, "ends too early: a number is cut off")
			return 0
		}
		c := r.b[r.pos]
		r.pos++
		if shift == 28 && c > 0x0f {
			break
		}
		v |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	r.failf(start, "a number does not fit 32 bits")
	return 0
}

// signed reads a signed LEB128 number of at most bits bits (32, 33 or 64).
func (r *reader) signed(bits uint) int64 {
	start := r.pos
	var v int64
	for shift := uint(0); shift < bits; shift += 7 {
		if r.pos >= r.end {
			r.failf(start, "ends too early: a number is cut off")
			return 0
		}
		c := r.b[r.pos]
		r.pos++
		v |= int64(c&0x7f) << shift
		if rest := bits - shift; rest < 7 {
			// Last byte: the bits that do not fit must repeat the sign.
			sign := int8(c<<1) >> rest // all bits above the number's own, sign extended
			if c >= 0x80 || (sign != 0 && sign != -1) {
				break
			}
			if bits == 64 {
				return v
			}
			return v << (64 - bits) >> (64 - bits)
		}
		if c < 0x80 {
			if s := shift + 7; s < 64 {
				return v << (64 - s) >> (64 - s)
			}
			return v
		}
	}
	r.failf(start, "a number does not fit %d bits", bits)
	return 0
}

// count reads how many entries follow. Each takes at least min bytes, so a
// count that the rest of the section cannot hold is refused before anything is
// allocated for it.
func (r *reader) count(min int, what, limit string, max int) int {
	off := r.pos
	n := r.u32()
	if r.err != nil {
		return 0
	}
	if uint64(n) > uint64(max) {
		r.fail(tooLarge(off, r.what, "too many "+what, limit, uint64(max), uint64(n)))
		return 0
	}
	if uint64(n)*uint64(min) > uint64(r.left()) {
		r.failf(off, "%d %s are declared, but only %d bytes are left", n, what, r.left())
		return 0
	}
	return int(n)
}

// name reads a length and that many bytes of UTF-8, not copied.
func (r *reader) name(max int) []byte {
	off := r.pos
	n := r.u32()
	if r.err == nil && uint64(n) > uint64(r.left()) {
		r.failf(off, "a name of %d bytes is declared, %d are left", n, r.left())
		return nil
	}
	if uint64(n) > uint64(max) {
		r.fail(tooLarge(off, r.what, "a name is too long", "NameBytes", uint64(max), uint64(n)))
		return nil
	}
	s := r.bytes(n)
	if !utf8.Valid(s) {
		r.failf(off, "a name is not valid UTF-8")
	}
	return s
}
