package module

import "encoding/binary"

// rewriter copies bytes of a module to out and replaces the function indices
// in them. A nil rewriter does nothing: decoding alone.
type rewriter struct {
	src   []byte
	from  int // copied up to here
	out   []byte
	shift shift
}

// shift maps function indices of the module to those of the prepared one: a
// function is imported behind the ones that are, so the module's own move up.
type shift struct {
	imported uint32
	by       uint32
}

func (s shift) of(f uint32) uint32 {
	if f >= s.imported {
		return f + s.by
	}
	return f
}

// funcIndex replaces the index f that stands at [start, end).
func (w *rewriter) funcIndex(start, end int, f uint32) {
	if w == nil {
		return
	}
	w.out = append(w.out, w.src[w.from:start]...)
	w.out = appendU32(w.out, w.shift.of(f))
	w.from = end
}

// rest copies what is left up to end.
func (w *rewriter) rest(end int) {
	w.out = append(w.out, w.src[w.from:end]...)
	w.from = end
}

func appendU32(b []byte, v uint32) []byte { return binary.AppendUvarint(b, uint64(v)) }

func appendSigned(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func appendName(b []byte, s string) []byte {
	return append(appendU32(b, uint32(len(s))), s...)
}

// appendSection writes a section whose contents are the given parts.
func appendSection(b []byte, id byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b = appendU32(append(b, id), uint32(n))
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func count(n int) []byte { return appendU32(nil, uint32(n)) }
