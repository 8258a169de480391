package plugin

import (
	"encoding/binary"
	"math/bits"

	"wasmhost/host/event"
)

// blocks is a kernel in Go: one growing piece of memory that the guest reaches
// through load and store functions only, and the list of its blocks outside of
// it, where no guest can write. Every operation is O(1) in the number of
// blocks.
type blocks struct {
	memory *memory
	data   []byte
	top    uint64            // where unused memory begins
	live   map[uint64]uint64 // start of a block → its length
	free   map[uint64][]uint64
	// released are blocks that the host gave back. A guest often frees the same
	// block once more after the call, so that they rest before they are used
	// again.
	released []uint64

	in, out  span
	failedAt uint64
}

type span struct{ offset, length uint64 }

const (
	blocksBase    = 64 // so that 0, and small numbers read from nowhere, are no block
	blocksAlign   = 16
	blocksResting = 32
	blocksKept    = 1 << 20 // bytes, between calls
)

func newBlocks(m *memory) *blocks {
	return &blocks{memory: m, top: blocksBase, live: map[uint64]uint64{}, free: map[uint64][]uint64{}}
}

func (b *blocks) clear() {
	b.reset()
	b.in = span{}
	// The next call pays for what it uses, as with a new instance; the memory
	// itself stays for it, unless it is a lot.
	b.memory.used -= int64(len(b.data))
	b.data = b.data[:0]
	if cap(b.data) > blocksKept {
		b.data = nil
	}
}

func (b *blocks) pristine() bool {
	return b.top == blocksBase && b.in == span{} && b.out == span{} && b.failedAt == 0
}

func (b *blocks) begin(input []byte) error {
	b.in = span{}
	if len(input) == 0 {
		return nil
	}
	offset, err := b.write(input)
	if err != nil {
		return fault(event.Permanent, codeInput, "the input of %d bytes does not fit into the plugin's memory of %s (limits.memory)", len(input), size(b.memory.limit))
	}
	b.in = span{offset, uint64(len(input))}
	return nil
}

func (b *blocks) reset() {
	clear(b.data[:min(b.top, uint64(len(b.data)))])
	b.top = blocksBase
	clear(b.live)
	clear(b.free)
	b.released = b.released[:0]
	b.out, b.failedAt = span{}, 0
}

// room is how much memory a block of n bytes takes: sizes go in steps of an
// eighth of their power of two, so that freed blocks fit again.
func room(n uint64) uint64 {
	step := uint64(blocksAlign)
	if l := bits.Len64(n); l > 7 {
		step = 1 << (l - 4)
	}
	return (n + step - 1) &^ (step - 1)
}

func (b *blocks) alloc(n uint64) (uint64, error) {
	if n == 0 {
		return 0, nil
	}
	if n > uint64(b.memory.limit) {
		b.memory.refused = true
		return 0, b.full(n)
	}
	need := room(n)
	if list := b.free[need]; len(list) > 0 {
		offset := list[len(list)-1]
		b.free[need] = list[:len(list)-1]
		clear(b.data[offset : offset+need])
		b.live[offset] = n
		return offset, nil
	}
	if err := b.reach(b.top + need); err != nil {
		return 0, b.full(n)
	}
	offset := b.top
	b.top += need
	b.live[offset] = n
	return offset, nil
}

func (b *blocks) full(n uint64) error {
	e := fault(event.System, codeMemory, "the plugin ran out of memory: a block of %d bytes does not fit into %s (limits.memory), of which %d bytes are used", n, size(b.memory.limit), b.memory.used)
	e.OutcomeUnknown = true
	return e
}

// reach makes the memory at least end bytes long.
func (b *blocks) reach(end uint64) error {
	have := uint64(len(b.data))
	if end <= have {
		return nil
	}
	grown := max(end, 4096)
	if have > 0 { // twice as much, but no more than there is
		grown = max(end, min(2*have, have+uint64(max(b.memory.limit-b.memory.used, 0))))
	}
	if !b.memory.grow(int64(grown - have)) {
		if grown = end; !b.memory.grow(int64(grown - have)) {
			return b.full(end - have)
		}
		b.memory.refused = false
	}
	if grown <= uint64(cap(b.data)) { // what was given back is clean
		b.data = b.data[:grown]
		return nil
	}
	data := make([]byte, grown)
	copy(data, b.data)
	b.data = data
	return nil
}

// drop frees a block of the guest. What is no block is none of our business:
// guests free what the host took back already.
func (b *blocks) drop(offset uint64) {
	n, ok := b.live[offset]
	if !ok {
		return
	}
	delete(b.live, offset)
	need := room(n)
	b.free[need] = append(b.free[need], offset)
}

func (b *blocks) release(offset uint64) {
	n, ok := b.live[offset]
	if !ok {
		return
	}
	delete(b.live, offset)
	b.released = append(b.released, offset, n)
	if len(b.released) > 2*blocksResting {
		offset, n := b.released[0], b.released[1]
		b.released = b.released[:copy(b.released, b.released[2:])]
		need := room(n)
		b.free[need] = append(b.free[need], offset)
	}
}

func (b *blocks) length(offset uint64) uint64 { return b.live[offset] }

func (b *blocks) read(offset uint64) ([]byte, error) {
	if offset == 0 {
		return nil, nil
	}
	n, ok := b.live[offset]
	if !ok {
		return nil, badHandle("offset %d is not the start of a block", offset)
	}
	return b.data[offset : offset+n], nil
}

func (b *blocks) write(data []byte) (uint64, error) {
	offset, err := b.alloc(uint64(len(data)))
	if err != nil {
		return 0, err
	}
	copy(b.data[offset:], data)
	return offset, nil
}

// at is n bytes at offset, wherever they lie in the memory that is in use.
func (b *blocks) at(what string, offset, n uint64) []byte {
	if offset < blocksBase || n > b.top || offset > b.top-n {
		panic(badHandle("%s: %d bytes at offset %d lie outside of the plugin's blocks", what, n, offset))
	}
	return b.data[offset : offset+n]
}

func (b *blocks) setOutput(offset, n uint64) {
	if n > 0 {
		b.at("output_set", offset, n)
	}
	b.out = span{offset, n}
}

func (b *blocks) setInput(offset, n uint64) {
	if n > 0 {
		b.at("input_set", offset, n)
	}
	b.in = span{offset, n}
}

func (b *blocks) setError(offset uint64) {
	if _, ok := b.live[offset]; offset != 0 && !ok {
		panic(badHandle("error_set: offset %d is not the start of a block", offset))
	}
	b.failedAt = offset
}

func (b *blocks) output(limit int64) ([]byte, error) {
	if b.out.length > uint64(limit) {
		e := fault(event.System, codeOutput, "the output has %d bytes, and limits.output allows %s", b.out.length, size(limit))
		e.OutcomeUnknown = true
		return nil, e
	}
	if b.out.length == 0 {
		return nil, nil
	}
	return append([]byte(nil), b.at("output", b.out.offset, b.out.length)...), nil
}

func (b *blocks) failure() ([]byte, bool) {
	if b.failedAt == 0 {
		return nil, false
	}
	text, err := b.read(b.failedAt)
	if err != nil { // freed after it was set; the memory is still the guest's
		return []byte("the plugin reported an error and freed its text"), true
	}
	return text, true
}

// input is a byte or word of the input, from its start.
func (b *blocks) input(what string, offset, n uint64) []byte {
	if n > b.in.length || offset > b.in.length-n {
		panic(badHandle("%s: %d bytes at %d lie outside of the input of %d bytes", what, n, offset, b.in.length))
	}
	return b.at(what, b.in.offset+offset, n)
}

func badHandle(format string, a ...any) *event.Error {
	e := fault(event.System, codeTrap, "the plugin was stopped: "+format, a...)
	e.OutcomeUnknown = true
	return e
}

func (b *blocks) loadU64(offset uint64) uint64 {
	return binary.LittleEndian.Uint64(b.at("load_u64", offset, 8))
}

func (b *blocks) storeU64(offset, v uint64) {
	binary.LittleEndian.PutUint64(b.at("store_u64", offset, 8), v)
}
