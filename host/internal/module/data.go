package module

import (
	"cmp"
	"slices"
)

// gapBytes is the longest run of zeros that is written out to join two data
// segments: about what a segment costs the runtime in memory.
const gapBytes = 64

// data writes the data segments, joined where nobody can tell: a Go program
// has tens of thousands of them, each with a cost at every instantiation.
func (p *writer) data() (out []byte, n int) {
	order, ok := p.d.joinable()
	if !ok {
		return p.d.entries(secData), len(p.d.data)
	}
	section := p.d.sections[secData]
	w := joiner{out: make([]byte, 0, section.end-section.start)}
	for _, i := range order {
		s := &p.d.data[i]
		w.add(s.at, p.d.b[s.init:s.end])
	}
	w.flush()
	return w.out, w.n
}

// joinable says whether segments may be joined and put in order of address,
// and gives that order. They may when the memory is the module's own, so that
// it is zero before and nobody sees it in between; when all are active, at
// known places inside the memory's minimal size, so that none can fail; when
// no two overlap; and when no instruction names segments by number.
func (d *decoded) joinable() (order []int32, ok bool) {
	if d.importedMemories > 0 || len(d.memories) == 0 || d.use.memoryInit || d.use.dataDrop || len(d.data) < 2 {
		return nil, false
	}
	size := uint64(d.memories[0].Min) << 16
	order = make([]int32, len(d.data))
	for i := range d.data {
		s := &d.data[i]
		if s.passive || !s.known || uint64(s.at)+uint64(s.end-s.init) > size {
			return nil, false
		}
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(d.data[a].at, d.data[b].at) })
	for i := 1; i < len(order); i++ {
		last, next := &d.data[order[i-1]], &d.data[order[i]]
		if uint64(last.at)+uint64(last.end-last.init) > uint64(next.at) {
			return nil, false
		}
	}
	return order, true
}

// joiner writes segments that come in order of address.
type joiner struct {
	out []byte
	n   int
	run []byte // the bytes of the segment being joined
	at  uint32 // where they go
}

func (w *joiner) add(at uint32, init []byte) {
	if len(init) == 0 {
		return
	}
	end := uint64(w.at) + uint64(len(w.run))
	if gap := uint64(at) - end; len(w.run) > 0 && gap <= gapBytes {
		for range gap {
			w.run = append(w.run, 0)
		}
	} else {
		w.flush()
		w.at = at
	}
	w.run = append(w.run, init...)
}

func (w *joiner) flush() {
	if len(w.run) == 0 {
		return
	}
	w.out = append(w.out, 0)
	w.out = append(appendSigned(append(w.out, opI32Const), int64(int32(w.at))), opEnd)
	w.out = append(appendU32(w.out, uint32(len(w.run))), w.run...)
	w.n++
	w.run = w.run[:0]
}
