package plugin

import (
	"os"

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

// mapFrom is the size from which a memory is mapped, so that instances share
// what they do not write; smaller ones are cheaper to copy.
const mapFrom = 1 << 20

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
	l := &linear{memory: m, most: most}
	m.linears = append(m.linears, l)
	return l
}

// linear is the memory of one module.
type linear struct {
	memory *memory
	buf    []byte
	most   uint64
	region []byte // reserved, when it is mapped
	// shares is the file whose pages lie under the memory; nil: none.
	shares *os.File
}

// Reallocate implements experimental.LinearMemory: nil fails memory.grow in the
// guest, as the specification says.
func (l *linear) Reallocate(n uint64) []byte {
	first := l.buf == nil
	if !l.memory.grow(int64(n) - int64(len(l.buf))) {
		if first { // wazero has no answer to nil here
			panic(fault(event.System, codeMemory, "the module needs %s of memory to start, and limits.memory allows %s", size(int64(n)), size(l.memory.limit)))
		}
		return nil
	}
	if first && n >= mapFrom {
		if l.region = reserve(min(l.most, uint64(l.memory.limit)&^(kernelPage-1))); l.region != nil {
			l.buf = l.region[:n]
			return l.buf
		}
	}
	if first || n > uint64(cap(l.buf)) {
		// Room to grow, so that a guest which grows page by page is not copied
		// every time; untouched pages of it cost nothing.
		room := n
		if !first {
			room = min(2*uint64(len(l.buf)), l.most, n+uint64(l.memory.limit-l.memory.used))
		}
		grown := make([]byte, n, max(room, n))
		copy(grown, l.buf)
		l.buf = grown
		if l.region != nil { // it was too small, which it should not be
			unreserve(l.region)
			l.region, l.shares = nil, nil
		}
		return l.buf
	}
	l.buf = l.buf[:n]
	return l.buf
}

// Free implements experimental.LinearMemory.
func (l *linear) Free() {
	l.memory.used -= int64(len(l.buf))
	l.buf = nil
	if l.region != nil {
		unreserve(l.region)
		l.region = nil
	}
}

// free gives back what the runtime has not: it forgets the memory of a module
// that it could not instantiate.
func (m *memory) free() {
	for _, l := range m.linears {
		l.Free()
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
