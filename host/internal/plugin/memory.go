package plugin

import (
	"bytes"
	"os"
	"slices"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"wasmhost/host/event"
)

// memory counts what an instance holds: the linear memories of all its modules
// and the blocks of the Extism environment, together under one limit. It is
// wazero's allocator for them. One goroutine at a time.
type memory struct {
	limit, used, peak int64
	// refused is true once a guest was told no; a trap after that is a lack of
	// memory.
	refused bool
	linears []*linear // in the order in which they were made
}

// shareFrom is the size from which instances share the pages of a memory that
// they do not write; smaller ones are cheaper to copy.
const shareFrom = 1 << 20

// grow takes n more bytes, if they are there.
func (m *memory) grow(n int64) bool {
	if n > m.limit-m.used {
		m.refused = true
		return false
	}
	m.used += n
	m.peak = max(m.peak, m.used)
	return true
}

// Allocate implements experimental.MemoryAllocator. The suggested capacity is
// not taken: a guest pays for what it uses.
func (m *memory) Allocate(_, most uint64) experimental.LinearMemory {
	l := newLinear(m, most)
	m.linears = append(m.linears, l)
	return l
}

func newLinear(m *memory, most uint64) *linear { return &linear{memory: m, most: most, shrinks: -1} }

// linear is the memory of one module. Where that can be had, it lies in a region
// of address space of its own, as long as it may ever get: pages that were never
// touched cost nothing, and it does not move when it grows.
type linear struct {
	memory *memory
	buf    []byte
	most   uint64
	region []byte   // nil: buf is an ordinary slice
	shares *os.File // whose pages lie under the memory; nil: none
	// was is the state that it was in last; pages that are not touched still are.
	// nil: it was in none, and they are zeros.
	was *unitState
	// shrinks makes the next Reallocate take the memory back to that many bytes,
	// whatever it is asked for; below 0: it does not.
	shrinks int
	rows    *[maxTouchedRows]pageRange // of touchedRows; nil: not asked for yet
}

// Reallocate implements experimental.LinearMemory: nil fails memory.grow in the
// guest, as the specification says.
func (l *linear) Reallocate(n uint64) []byte {
	if l.shrinks >= 0 {
		return l.shrink(l.shrinks)
	}
	first := l.buf == nil
	if !l.memory.grow(int64(n) - int64(len(l.buf))) {
		if first { // wazero has no answer to nil here
			panic(fault(event.System, codeMemory, "the module needs %s of memory to start, and limits.memory allows %s", size(int64(n)), size(l.memory.limit)))
		}
		return nil
	}
	if first {
		l.region = reserve(min(l.most, uint64(l.memory.limit)&^(kernelPage-1)))
	}
	switch {
	case n <= uint64(len(l.region)):
		l.buf = l.region[:n]
	case first || n > uint64(cap(l.buf)):
		// Room to grow, so that a guest which grows page by page is not copied
		// every time.
		room := n
		if !first {
			room = min(2*uint64(len(l.buf)), l.most, n+uint64(l.memory.limit-l.memory.used))
		}
		grown := make([]byte, n, max(room, n))
		copy(grown, l.buf)
		l.buf = grown
		if l.region != nil { // it was too short, which it should not be
			unreserve(l.region)
			l.region, l.shares = nil, nil
		}
	default:
		l.buf = l.buf[:n]
	}
	return l.buf
}

// shrink takes the memory back to n bytes. What was above is zero when it grows
// again.
func (l *linear) shrink(n int) []byte {
	tail := l.buf[n:]
	if l.region == nil || forget(tail) != nil {
		clear(tail)
	}
	l.memory.used -= int64(len(tail))
	l.buf = l.buf[:n]
	return l.buf
}

// shrinkTo takes m, whose bytes l holds, back to n bytes: what the guest cannot do
// and the host may. wazero takes what its allocator returns for the memory as
// it now is, also when that is less. False: it is as long as it may ever be, and
// does not ask.
func (l *linear) shrinkTo(m api.Memory, n int) bool {
	l.shrinks = n
	_, ok := m.Grow(1)
	l.shrinks = -1
	return ok
}

// Free implements experimental.LinearMemory.
func (l *linear) Free() {
	l.memory.used -= int64(len(l.buf))
	l.buf = nil
	if l.region != nil {
		unreserve(l.region)
		l.region, l.shares = nil, nil
	}
}

// free gives back what the runtime has not: it forgets the memory of a module
// that it could not instantiate.
func (m *memory) free() {
	for _, l := range m.linears {
		l.Free()
	}
}

// snapshot is a copy of what it holds, up to the last byte that is not 0. Pages
// that were never touched stay so.
func (l *linear) snapshot() []byte {
	n, ok := 0, false
	if l.region != nil && l.was == nil && l.shares == nil {
		n, ok = findTouched(l.buf, l.touchedRows())
	}
	if !ok {
		return bytes.Clone(l.buf[:used(l.buf)])
	}
	if n == 0 {
		return nil
	}
	all := make([]byte, l.rows[n-1].end)
	for _, r := range l.rows[:n] {
		copy(all[r.start:r.end], l.buf[r.start:r.end])
	}
	return slices.Clip(all[:used(all)])
}

// findTouched is touched; tests do without it.
var findTouched = touched

// touchedRows is where it writes to.
func (l *linear) touchedRows() *[maxTouchedRows]pageRange {
	if l.rows == nil {
		l.rows = new([maxTouchedRows]pageRange)
	}
	return l.rows
}

// undo takes the memory back to what it was in u, by the pages that were touched:
// the others are as they were when it was there last, or when it was new. False:
// it does not know them.
func (l *linear) undo(u *unitState) bool {
	fresh := l.was != u
	if l.region == nil || fresh && (l.shares != nil || u.backing != nil || l.was != nil) {
		return false
	}
	n, ok := findTouched(l.buf, l.touchedRows())
	if !ok {
		return false
	}
	at := 0
	for _, r := range l.rows[:n] {
		if fresh {
			fill(l.buf[:r.start], u.memory, at)
		}
		rewrite(l.buf[r.start:r.end], u.memory[min(int(r.start), len(u.memory)):min(int(r.end), len(u.memory))])
		at = int(r.end)
	}
	if fresh {
		fill(l.buf, u.memory, at)
	}
	l.was = u
	return true
}

// fill makes memory from the byte at on, which is all zeros, what it was. Pages
// that stay zeros are not even read: then there would be something.
func fill(memory, was []byte, at int) {
	for ; at < min(len(memory), len(was)); at += page {
		if old := was[at:min(at+page, len(memory), len(was))]; !bytes.Equal(old, zeros[:len(old)]) {
			copy(memory[at:], old)
		}
	}
}

// rewind takes a mapped memory back to what file holds. done is false when it
// is not mapped, and has to be copied; an error means that it cannot be used
// any more.
func (l *linear) rewind(file *os.File) (done bool, err error) {
	switch {
	case l.region == nil || file == nil:
		return false, nil
	case l.shares == file:
		return forget(l.buf) == nil, nil
	}
	if err := share(l.buf, file); err != nil {
		return false, err
	}
	l.shares = file
	return true, nil
}
