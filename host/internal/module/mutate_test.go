package module

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// source is a module to make mutants of.
type source struct {
	b      []byte
	code   int // where the section's id is; 0: it has no code, or cannot be read
	first  int // where the first body's size is
	end    int // of the section
	bodies []sourceBody
}

type sourceBody struct {
	span
	at []int // of each instruction, and of the final end
}

// newSource looks for the instructions in a module, whatever it is.
func newSource(b []byte) (s source) {
	s.b = b
	d, err := decode(b, Limits{}.withDefaults())
	if err != nil || len(d.bodies) == 0 {
		return s
	}
	scan := d.scanner(true)
	var bodies []sourceBody
	for i, span := range d.bodies {
		if scan.walk(i) != nil {
			return s
		}
		body := sourceBody{span: span}
		// The same walk again, which is known to end well.
		ft := d.funcType(uint32(d.importedFuncs + i))
		r := reader{b: b, pos: span.start, end: span.end}
		locals := scan.locals(&r, len(ft.params))
		scan.frames = append(scan.frames[:0], frame{op: opBlock, arity: int32(len(ft.results)), label: -1})
		scan.regions = append(scan.regions[:0], region{cur: 1, edit: -1})
		scan.effort.start(locals, uint32(span.end-span.start), len(ft.results))
		for len(scan.frames) > 0 && r.err == nil {
			body.at = append(body.at, r.pos)
			scan.instruction(&r, locals)
		}
		if r.err != nil {
			return s
		}
		bodies = append(bodies, body)
	}
	r := reader{b: b, pos: 8, end: len(b)}
	for r.left() > 0 {
		at := r.pos
		id := r.byte()
		size := int(r.u32())
		if id == secCode {
			s.code, s.end = at, r.pos+size
			r.u32()
			s.first, s.bodies = r.pos, bodies
			return s
		}
		r.pos += size
	}
	return s
}

// replace returns the module with n instructions of a body, from the k-th on,
// replaced, and all sizes as they must be.
func (s *source) replace(body, k, n int, with []byte) []byte {
	c := &s.bodies[body]
	from, to := c.at[k], c.at[min(k+n, len(c.at)-1)]
	head := s.first
	if body > 0 {
		head = s.bodies[body-1].end
	}
	size := from - c.start + len(with) + c.end - to
	out := bytes.Clone(s.b[:s.code])
	out = appendSection(out, secCode, count(len(s.bodies)), s.b[s.first:head],
		appendU32(nil, uint32(size)), s.b[c.start:from], with, s.b[to:c.end], s.b[c.end:s.end])
	return append(out, s.b[s.end:]...)
}

// alike are opcodes without operands that take and give the same types.
var alike = [][2]byte{{0x46, 0x4f}, {0x51, 0x5a}, {0x5b, 0x60}, {0x61, 0x66}, {0x67, 0x69}, {0x6a, 0x78}, {0x79, 0x7b},
	{0x7c, 0x8a}, {0x8b, 0x91}, {0x92, 0x98}, {0x99, 0x9f}, {0xa0, 0xa6}, {0xa8, 0xa9}, {0xaa, 0xab}, {0xac, 0xad}, {0xc0, 0xc1}, {0xc2, 0xc4}}

// mutateCode changes a module by instructions: its structure stays right, and
// often its types too, so that the change reaches the compiler.
func mutateCode(r *rand.Rand, s *source, from []source) []byte {
	body := r.IntN(len(s.bodies))
	at := s.bodies[body].at
	last := len(at) - 1 // the final end stays
	if last == 0 {
		return s.replace(body, 0, 0, []byte{opNop})
	}
	k := r.IntN(last)
	switch r.IntN(8) {
	default: // another instruction of the same type, from here on the first that has some
		for i := range last {
			k := (k + i) % last
			op := s.b[at[k]]
			for _, a := range alike {
				if a[0] <= op && op <= a[1] {
					return s.replace(body, k, 1, []byte{a[0] + byte(r.IntN(int(a[1]-a[0])+1))})
				}
			}
		}
	case 3, 4: // another constant
		for i := range last {
			k := (k + i) % last
			switch s.b[at[k]] {
			case opI32Const:
				return s.replace(body, k, 1, appendSigned([]byte{opI32Const}, int64(int32(r.Uint32())>>r.IntN(32))))
			case opI64Const:
				return s.replace(body, k, 1, appendSigned([]byte{opI64Const}, int64(r.Uint64())>>r.IntN(64)))
			}
		}
	case 5: // some away
		return s.replace(body, k, 1+r.IntN(6), nil)
	case 6: // some again
		return s.replace(body, k, 0, s.b[at[k]:at[min(last, k+1+r.IntN(20))]])
	case 7: // some of another
		o := &from[r.IntN(len(from))]
		if len(o.bodies) == 0 {
			break
		}
		other := o.bodies[r.IntN(len(o.bodies))].at
		j := r.IntN(len(other))
		return s.replace(body, k, r.IntN(4), o.b[other[j]:other[min(len(other)-1, j+r.IntN(20))]])
	}
	return s.replace(body, k, 0, []byte{opNop})
}

// mutate changes a module in a few places: every other time by instructions,
// else by bytes.
func mutate(r *rand.Rand, from []source) []byte {
	s := &from[r.IntN(len(from))]
	if len(s.bodies) > 0 && r.IntN(2) == 0 {
		return mutateCode(r, s, from)
	}
	b := bytes.Clone(s.b)
	for range 1 + r.IntN(1+r.IntN(4)) {
		if len(b) == 0 {
			return b
		}
		i := r.IntN(len(b))
		switch max(0, r.IntN(18)-9) { // most keep the length, and so the structure
		case 0, 1, 2:
			b[i] = byte(r.Uint32())
		case 3:
			b[i] ^= 1 << r.IntN(8)
		case 4: // a number, up or down
			b[i] += byte(1 - 2*r.IntN(2))
		case 5: // a large count
			b = slices.Concat(b[:i], []byte{0xff, 0xff, 0xff, byte(r.IntN(128))}, b[i:])
		case 6: // a part again
			j := min(len(b), i+r.IntN(40))
			b = slices.Concat(b[:j], b[i:j], b[j:])
		case 7: // a part away
			j := min(len(b), i+r.IntN(20))
			b = slices.Concat(b[:i], b[j:])
		case 8: // a part of another
			o := from[r.IntN(len(from))].b
			k := r.IntN(len(o) + 1)
			b = slices.Concat(b[:i], o[k:min(len(o), k+r.IntN(60))], b[i:])
		}
	}
	return b
}

// TestReplaceKeepsTheRest: a module whose instructions were replaced by
// themselves is the module.
func TestReplaceKeepsTheRest(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		s := newSource((&generator{b: randomBytes(r, 2000)}).module())
		if len(s.bodies) == 0 {
			t.Fatal("a generated module has no instructions")
		}
		body := r.IntN(len(s.bodies))
		at := s.bodies[body].at
		k := r.IntN(len(at))
		n := r.IntN(len(at) - k)
		if got := s.replace(body, k, n, s.b[at[k]:at[k+n]]); !bytes.Equal(got, s.b) {
			t.Fatalf("instructions %d to %d of body %d by themselves:\n%x\nbecame\n%x", k, k+n, body, s.b, got)
		}
	}
}
