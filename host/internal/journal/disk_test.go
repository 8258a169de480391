package journal

import (
	"sync"
	"sync/atomic"

	sqlite3 "modernc.org/sqlite/lib"
)

// faultyVFS is the journal's VFS with a disk below that a test can let fail: any
// read, write, sync or truncation, of the database or its WAL.
const faultyVFS = "host-journal-faulty"

// disk is what a test's disk says to an operation: SQLITE_OK lets it through.
var disk atomic.Pointer[func(op string, file int32) int32]

var faulty = sync.OnceValue(func() error {
	if err := sealed(); err != nil {
		return err
	}
	ask := func(op string, file int32) int32 {
		if f := disk.Load(); f != nil {
			return (*f)(op, file)
		}
		return sqlite3.SQLITE_OK
	}
	return (&layer{
		name:     faultyVFS,
		read:     func(file int32, _ []byte, _ int64) int32 { return ask("read", file) },
		write:    func(file int32, _ []byte, _ int64) int32 { return ask("write", file) },
		sync:     func(file int32) int32 { return ask("sync", file) },
		truncate: func(file int32) int32 { return ask("truncate", file) },
	}).register(sealedVFS)
})

// failing lets the operations that pick chooses fail with code until the
// returned function is called.
func failing(code int32, pick func(op string, file int32) bool) (well func()) {
	f := func(op string, file int32) int32 {
		if pick(op, file) {
			return code
		}
		return sqlite3.SQLITE_OK
	}
	disk.Store(&f)
	return func() { disk.Store(nil) }
}
