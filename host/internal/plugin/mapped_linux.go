package plugin

import (
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// addressSpace is what regions may take together: a quarter of what the process
// may have, where it has a limit (ulimit -v), since Go ends a process that
// cannot have more.
var addressSpace = sync.OnceValue(func() int64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_AS, &limit) != nil || limit.Cur > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(limit.Cur / 4)
})

// regionBytes is what they take now.
var regionBytes atomic.Int64

// reserve takes address space for a memory of at most n bytes; what is not
// touched costs nothing. nil: there is none to be had.
func reserve(n uint64) []byte {
	if regionBytes.Add(int64(n)) > addressSpace() {
		regionBytes.Add(-int64(n))
		return nil
	}
	region, err := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		regionBytes.Add(-int64(n))
		return nil
	}
	// Pages of 2 MiB would make a guest that touches two bytes hold four.
	_ = unix.Madvise(region, unix.MADV_NOHUGEPAGE)
	return region
}

func unreserve(region []byte) {
	regionBytes.Add(-int64(len(region)))
	_ = unix.Munmap(region)
}

// newBacking keeps b where instances can share its pages until they write to
// them. nil: they have to copy it.
func newBacking(b []byte) *os.File {
	fd, err := unix.MemfdCreate("plugin", unix.MFD_CLOEXEC)
	if err != nil {
		return nil
	}
	file := os.NewFile(uintptr(fd), "plugin memory")
	if n, err := file.Write(b); err != nil || n != len(b) {
		file.Close()
		return nil
	}
	return file
}

// mapOver is mmap; tests let it fail.
var mapOver = unix.MmapPtr

// share puts the pages of file under memory, which begins a reserved region.
// After an error there may be nothing under it any more: touching it would end
// the process.
func share(memory []byte, file *os.File) error {
	at := unsafe.Pointer(unsafe.SliceData(memory))
	_, err := mapOver(int(file.Fd()), 0, at, uintptr(len(memory)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED)
	if err != nil {
		return fmt.Errorf("mapping %d bytes: %w", len(memory), err)
	}
	return nil
}

// forget drops what was written to a part of a region, whole pages of it: it
// holds again what it shares, and else zeros.
func forget(memory []byte) error {
	if len(memory) == 0 {
		return nil
	}
	return unix.Madvise(memory, unix.MADV_DONTNEED)
}
