package plugin

import (
	"os"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pageRange is a row of pages, as the kernel's struct page_region has it.
type pageRange struct{ start, end, _ uint64 }

const (
	maxTouched     = 128 // pages; more are given back, and come anew when they are touched
	maxTouchedRows = 64
)

// pageMap is the process's own, by which the kernel says what lies behind each
// page; nil where it cannot be asked as touched does: before Linux 6.7, or
// without /proc.
var pageMap = sync.OnceValue(func() *os.File {
	file, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return nil
	}
	probe := reserve(kernelPage)
	if probe == nil {
		file.Close()
		return nil
	}
	defer unreserve(probe)
	probe[page] = 1
	rows := probeRows
	if n, ok := scan(file, probe, rows); !ok || n != 1 || rows[0].start != uint64(uintptr(unsafe.Pointer(&probe[page]))) || rows[0].end-rows[0].start != page {
		file.Close()
		return nil
	}
	return file
})

var probeRows = new([maxTouchedRows]pageRange)

// touched finds the pages of a region that hold something of their own: not
// zeros that were never written, and not what they share. These are all that may
// have changed since the rest was last as it should be. False: there are too
// many, or the kernel does not say. rows must not lie on a stack, which may move.
func touched(memory []byte, rows *[maxTouchedRows]pageRange) (n int, ok bool) {
	file := pageMap()
	if file == nil || os.Getpagesize() != page {
		return 0, false
	}
	if len(memory) == 0 {
		return 0, true
	}
	if n, ok = scan(file, memory, rows); !ok {
		return 0, false
	}
	base, pages := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(memory)))), uint64(0)
	for i := range rows[:n] {
		rows[i].start -= base
		rows[i].end -= base
		pages += (rows[i].end - rows[i].start) / page
	}
	return n, pages <= maxTouched
}

// pmScanArg is the kernel's struct pm_scan_arg.
type pmScanArg struct {
	size, flags, start, end, walkEnd, vec, vecLen, maxPages   uint64
	categoryInverted, categoryMask, categoryAnyOf, returnMask uint64
}

const (
	pagemapScan   = 0xc0606610 // _IOWR('f', 16, struct pm_scan_arg)
	pageIsFile    = 1 << 2
	pageIsPresent = 1 << 3
	pageIsSwapped = 1 << 4
)

// scan asks for pages that are there, or were and are swapped out, and are not a
// file's. It is false when not all rows have room.
func scan(pagemap *os.File, memory []byte, rows *[maxTouchedRows]pageRange) (n int, ok bool) {
	start := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(memory))))
	arg := pmScanArg{
		start: start, end: start + uint64(len(memory)),
		vec: uint64(uintptr(unsafe.Pointer(rows))), vecLen: maxTouchedRows,
		categoryInverted: pageIsFile, categoryMask: pageIsFile, categoryAnyOf: pageIsPresent | pageIsSwapped, returnMask: pageIsPresent,
	}
	arg.size = uint64(unsafe.Sizeof(arg))
	found, _, errno := unix.Syscall(unix.SYS_IOCTL, pagemap.Fd(), pagemapScan, uintptr(unsafe.Pointer(&arg)))
	runtime.KeepAlive(rows)
	return int(found), errno == 0 && arg.walkEnd == arg.end
}
