package plugin

// kernel is the memory that a guest and the host share in the Extism ABI:
// blocks, reached by 64-bit offsets, of which 0 is none. The functions of
// extism:host/env that need Go (config, vars, http, logs) know it by this
// interface only, so that the kernel may as well be WebAssembly that is linked
// to the guest.
//
// What read returns is valid until the guest runs again.
type kernel interface {
	// clear forgets all blocks: nothing of what they held can be read any more.
	clear()
	// pristine is true when nothing was left in it since it was cleared.
	pristine() bool
	// begin makes input the input of a call.
	begin(input []byte) error
	// read is the block that offset is the start of; the block 0 is empty.
	read(offset uint64) ([]byte, error)
	// write puts data into a new block. No data is offset 0.
	write(data []byte) (uint64, error)
	// release takes a block back that the host was handed for good.
	release(offset uint64)
	// output is what the guest set, outside of the kernel's memory; failure is the
	// text of error_set, and whether there was one.
	output(limit int64) ([]byte, error)
	failure() ([]byte, bool)
}
