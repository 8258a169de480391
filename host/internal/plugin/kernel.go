package plugin

import (
	"context"
	_ "embed"
	"encoding/binary"
	"math/bits"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"wasmhost/host/event"
)

// kernelCode is extism:host/env as WebAssembly; see kernel.wat, its source.
//
//go:embed kernel.wasm
var kernelCode []byte

// kernel is the memory that a guest and the host share in the Extism ABI:
// blocks, reached by 64-bit offsets, of which 0 is none. It belongs to one
// instance. The guest works on it by the functions of kernel.wat; here is the
// host's side, which works on the same memory directly. Every operation is
// O(1) in the number of blocks.
//
// What read and failure return is valid until the guest runs again.
type kernel struct {
	memory *memory
	module api.Module
	shared *linear
	// resting are blocks that the host took back. A guest often frees the same
	// block once more after the call, so that they rest before they are used
	// again.
	resting []uint64
}

// The layout of kernel.wat.
const (
	atTop, atCharged         = 8, 16
	atInput, atInputLength   = 24, 32
	atOutput, atOutputLength = 40, 48
	atError                  = 56
	atHeads, endOfHeads      = 64, 4096
	blocksBase               = 4096
	blockHead                = 16
	blockMark                = 0x6b636f6c

	kernelPage   = 1 << 16
	kernelKept   = 1 << 20   // bytes of ordinary memory that an idle instance may hold
	keptBlocks   = 256 << 10 // bytes of blocks that are cleared, not given back to the system
	blocksRested = 32
)

func newKernel(ctx context.Context, m *memory, rt wazero.Runtime, code wazero.CompiledModule) (*kernel, error) {
	if !m.grow(kernelPage) {
		return nil, fault(event.System, codeMemory, "the plugin needs %s of memory to start, and limits.memory allows %s", size(kernelPage), size(m.limit))
	}
	k := &kernel{memory: m}
	// It pays for what is used, not for what is there.
	ctx = experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(func(_, most uint64) experimental.LinearMemory {
		k.shared = newLinear(&memory{limit: max(m.limit, kernelPage)}, most)
		return k.shared
	}))
	var err error
	if k.module, err = rt.InstantiateModule(ctx, code, wazero.NewModuleConfig().WithName("").WithStartFunctions()); err != nil {
		return nil, err
	}
	k.set(atTop, blocksBase)
	k.set(atCharged, kernelPage)
	return k, nil
}

func (k *kernel) get(at int) uint64    { return binary.LittleEndian.Uint64(k.shared.buf[at:]) }
func (k *kernel) set(at int, v uint64) { binary.LittleEndian.PutUint64(k.shared.buf[at:], v) }

// clear forgets all blocks, input and output: nothing of what they held can be
// read any more, and nothing is charged for them.
func (k *kernel) clear() {
	if charged := int64(k.get(atCharged)); charged != kernelPage {
		k.memory.used -= charged - kernelPage
		k.set(atCharged, kernelPage)
	}
	k.reset()
	k.set(atInput, 0)
	k.set(atInputLength, 0)
}

// reset is what the guest can ask for: the input stays where it was.
func (k *kernel) reset() {
	all := k.shared.buf
	clear(all[atOutput:atHeads])
	top := k.get(atTop)
	if top == blocksBase { // there was no block, and so none was freed
		return
	}
	if n := top - blocksBase; n <= keptBlocks || k.shared.region == nil || forget(all[blocksBase:]) != nil {
		clear(all[blocksBase:top])
	}
	clear(all[atHeads : head(room(top))+8])
	k.set(atTop, blocksBase)
	k.resting = k.resting[:0]
}

// pristine is true when there is nothing that clear would take away.
func (k *kernel) pristine() bool {
	return k.get(atTop) == blocksBase && used(k.shared.buf[atInput:endOfHeads]) == 0
}

// large is true when it holds more than an idle instance should.
func (k *kernel) large() bool { return k.shared.region == nil && len(k.shared.buf) > kernelKept }

// begin makes input the input of a call.
func (k *kernel) begin(input []byte) error {
	k.set(atInput, 0)
	k.set(atInputLength, 0)
	offset, err := k.write(input)
	if err != nil {
		return fault(event.Permanent, codeInput, "the input of %d bytes does not fit into the plugin's memory of %s (limits.memory)", len(input), size(k.memory.limit))
	}
	k.set(atInput, offset)
	k.set(atInputLength, uint64(len(input)))
	return nil
}

// room is how much memory a block of n bytes takes, as in kernel.wat.
func room(n uint64) uint64 {
	step := uint64(16)
	if l := bits.Len64(n); l > 7 {
		step = 1 << (l - 4)
	}
	return (n + step - 1) &^ (step - 1)
}

// head is where the list of free blocks of that room begins.
func head(room uint64) int {
	l := bits.Len64(room)
	return atHeads + (l<<3|int(room>>(l-4)&7))*8
}

func (k *kernel) alloc(n uint64) (uint64, error) {
	if n == 0 {
		return 0, nil
	}
	if n > maxMemory {
		return 0, k.full(n)
	}
	need := room(n)
	list := head(need)
	at := k.get(list)
	if at == 0 {
		at = k.get(atTop) + blockHead
		if err := k.reach(n, at+need); err != nil {
			return 0, err
		}
		k.set(atTop, at+need)
	} else {
		if at < blocksBase+blockHead || at+need > k.get(atTop) {
			return 0, outside(0, at, need)
		}
		k.set(list, k.get(int(at-8)))
		clear(k.shared.buf[at : at+need])
	}
	k.set(int(at-blockHead), uint64(uint32(at)^blockMark))
	k.set(int(at-8), n)
	return at, nil
}

// wipe clears n bytes of the kernel's memory, in pieces with a look at the call
// between them: this thread does nothing else while one is cleared.
func (in *instance) wipe(at, n uint64) {
	for block := in.kernel.shared.buf[at : at+n]; len(block) > 0; {
		in.giveWay()
		piece := min(len(block), 256<<10)
		clear(block[:piece])
		block = block[piece:]
	}
}

// reach makes room up to end, for a block of n bytes.
func (k *kernel) reach(n, end uint64) error {
	have := k.get(atCharged)
	if end <= have {
		return nil
	}
	if end > maxMemory {
		return k.full(n)
	}
	whole := func(n uint64) uint64 { return (n + kernelPage - 1) &^ (kernelPage - 1) }
	left := uint64(max(k.memory.limit-k.memory.used, 0))
	grown := min(max(whole(end), 2*have), (have+left)&^(kernelPage-1))
	if grown < end || !k.memory.grow(int64(grown-have)) {
		return k.full(n)
	}
	if there := uint64(len(k.shared.buf)); there < grown {
		if _, ok := k.module.Memory().Grow(uint32((grown - there) / kernelPage)); !ok {
			return k.full(n)
		}
	}
	k.set(atCharged, grown)
	return nil
}

func (k *kernel) full(n uint64) error {
	k.memory.refused = true
	e := fault(event.System, codeMemory, "the plugin ran out of memory: a block of %d bytes does not fit into %s (limits.memory), of which %d bytes are used", n, size(k.memory.limit), k.memory.used)
	e.OutcomeUnknown = true
	return e
}

// length is 0 where no block begins. The head is the guest's to spoil.
func (k *kernel) length(at uint64) uint64 {
	top := k.get(atTop)
	if at < blocksBase+blockHead || at > top || k.get(int(at-blockHead)) != uint64(uint32(at)^blockMark) {
		return 0
	}
	n := k.get(int(at - 8))
	if n > top-at {
		return 0
	}
	return n
}

// read is the block that at is the start of; the block 0 is empty.
func (k *kernel) read(at uint64) ([]byte, error) {
	if at == 0 {
		return nil, nil
	}
	n := k.length(at)
	if n == 0 {
		return nil, badHandle("offset %d is not the start of a block", at)
	}
	return k.shared.buf[at : at+n : at+n], nil
}

// write puts data into a new block. No data is offset 0.
func (k *kernel) write(data []byte) (uint64, error) {
	at, err := k.alloc(uint64(len(data)))
	if err != nil {
		return 0, err
	}
	if at != 0 {
		copy(k.shared.buf[at:], data)
	}
	return at, nil
}

// release takes a block back that the host was handed for good.
func (k *kernel) release(at uint64) {
	if n := k.length(at); n == 0 || room(n) > k.get(atTop)-at {
		return
	}
	k.set(int(at-blockHead), 0)
	k.resting = append(k.resting, at)
	if len(k.resting) <= blocksRested {
		return
	}
	at = k.resting[0]
	k.resting = k.resting[:copy(k.resting, k.resting[1:])]
	n := k.get(int(at - 8)) // it may have been written over since
	if n == 0 || n > maxMemory || room(n) > k.get(atTop)-at {
		return
	}
	list := head(room(n))
	k.set(int(at-8), k.get(list))
	k.set(list, at)
}

// output is a copy of what the guest set.
func (k *kernel) output(limit int64) ([]byte, error) {
	at, n := k.get(atOutput), k.get(atOutputLength)
	if n > uint64(limit) {
		e := fault(event.System, codeOutput, "the output has %d bytes, and limits.output allows %s", n, size(limit))
		e.OutcomeUnknown = true
		return nil, e
	}
	if n == 0 {
		return nil, nil
	}
	return append([]byte(nil), k.shared.buf[at:at+n]...), nil
}

// failure is the text of error_set, and whether there was one.
func (k *kernel) failure() ([]byte, bool) {
	at := k.get(atError)
	if at == 0 {
		return nil, false
	}
	text, err := k.read(at)
	if err != nil { // freed after it was set; the memory is still the guest's
		return []byte("the plugin reported an error and freed its text"), true
	}
	return text, true
}

// outside is the error of a guest that named bytes which are not its own.
func outside(what uint32, at, n uint64) *event.Error {
	names := [...]string{"alloc", "load_u8", "load_u64", "store_u8", "store_u64", "input_load_u8", "input_load_u64", "input_set", "output_set", "error_set"}
	name := names[min(int(what), len(names)-1)]
	switch name {
	case "alloc":
		return badHandle("it wrote over the list of its free blocks: %d bytes at offset %d are none", n, at)
	case "error_set":
		return badHandle("error_set: offset %d is not the start of a block", at)
	}
	return badHandle("%s: %d bytes at offset %d lie outside of the plugin's blocks", name, n, at)
}

func badHandle(format string, a ...any) *event.Error {
	e := fault(event.System, codeTrap, "the plugin was stopped: "+format, a...)
	e.OutcomeUnknown = true
	return e
}
