package journal

import (
	"fmt"
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// SQLite reaches the disk through a table of functions, its VFS. A layer is a
// VFS that hands everything to the one below and looks at the bytes that go
// through: that is how pages get their seal, and how tests let a disk fail.
type layer struct {
	name string
	// read is called with what was read, write with what will be; both may change
	// the bytes. sync and truncate are called before. Each returns a result code
	// of SQLite; nil: nothing to do.
	read, write    func(file int32, page []byte, offset int64) int32
	sync, truncate func(file int32) int32

	mu     sync.Mutex
	tables map[[2]uintptr]*ioTable // by the table below and the kind of file
}

// ioTable is the table of functions of one kind of file, as SQLite sees it. The
// functions are closures and must stay reachable for Go.
type ioTable struct {
	methods sqlite3.Tsqlite3_io_methods
	read    func(*libc.TLS, uintptr, uintptr, int32, int64) int32
	write   func(*libc.TLS, uintptr, uintptr, int32, int64) int32
	sync    func(*libc.TLS, uintptr, int32) int32
	trunc   func(*libc.TLS, uintptr, int64) int32
}

// The kinds of files that a layer tells apart.
const (
	mainFile = sqlite3.SQLITE_OPEN_MAIN_DB
	walFile  = sqlite3.SQLITE_OPEN_WAL
)

// layers keeps what SQLite points to alive for the life of the process: SQLite
// has no word for giving back a VFS that a connection may still use.
var layers sync.Map

// register puts the layer above the VFS of that name, "" the default one.
func (l *layer) register(below string) error {
	tls := libc.NewTLS()
	defer tls.Close()
	var zBelow uintptr
	if below != "" {
		z, err := libc.CString(below)
		if err != nil {
			return err
		}
		defer libc.Xfree(tls, z)
		zBelow = z
	}
	base := sqlite3.Xsqlite3_vfs_find(tls, zBelow)
	if base == 0 {
		return fmt.Errorf("SQLite has no VFS %q", below)
	}
	name, err := libc.CString(l.name)
	if err != nil {
		return err
	}
	l.tables = map[[2]uintptr]*ioTable{}
	vfs := new(sqlite3.Tsqlite3_vfs)
	*vfs = *(*sqlite3.Tsqlite3_vfs)(pointer(base))
	vfs.FpNext, vfs.FzName = 0, name
	below0 := vfs.FxOpen
	open := func(tls *libc.TLS, _, path, file uintptr, flags int32, out uintptr) int32 {
		rc := (*(*func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32)(unsafe.Pointer(&struct{ uintptr }{below0})))(tls, base, path, file, flags, out)
		if kind := flags & (mainFile | walFile); rc == sqlite3.SQLITE_OK && kind != 0 {
			l.dress((*sqlite3.Tsqlite3_file)(pointer(file)), kind)
		}
		return rc
	}
	vfs.FxOpen = *(*uintptr)(unsafe.Pointer(&open))
	layers.Store(l.name, []any{l, vfs, open})
	if rc := sqlite3.Xsqlite3_vfs_register(tls, uintptr(unsafe.Pointer(vfs)), 0); rc != sqlite3.SQLITE_OK {
		return fmt.Errorf("SQLite does not take the VFS %q: code %d", l.name, rc)
	}
	return nil
}

// dress gives an open file the layer's functions in place of those it has.
func (l *layer) dress(file *sqlite3.Tsqlite3_file, kind int32) {
	if file.FpMethods == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := [2]uintptr{file.FpMethods, uintptr(kind)}
	t := l.tables[key]
	if t == nil {
		t = l.table(file.FpMethods, kind)
		l.tables[key] = t
	}
	file.FpMethods = uintptr(unsafe.Pointer(&t.methods))
}

func (l *layer) table(below uintptr, kind int32) *ioTable {
	t := &ioTable{methods: *(*sqlite3.Tsqlite3_io_methods)(pointer(below))}
	xRead, xWrite, xSync, xTruncate := t.methods.FxRead, t.methods.FxWrite, t.methods.FxSync, t.methods.FxTruncate
	if l.read != nil {
		t.read = func(tls *libc.TLS, file, buf uintptr, n int32, at int64) int32 {
			rc := (*(*func(*libc.TLS, uintptr, uintptr, int32, int64) int32)(unsafe.Pointer(&struct{ uintptr }{xRead})))(tls, file, buf, n, at)
			if rc == sqlite3.SQLITE_OK {
				rc = l.read(kind, unsafe.Slice((*byte)(pointer(buf)), n), at)
			}
			return rc
		}
		t.methods.FxRead = *(*uintptr)(unsafe.Pointer(&t.read))
	}
	if l.write != nil {
		t.write = func(tls *libc.TLS, file, buf uintptr, n int32, at int64) int32 {
			if rc := l.write(kind, unsafe.Slice((*byte)(pointer(buf)), n), at); rc != sqlite3.SQLITE_OK {
				return rc
			}
			return (*(*func(*libc.TLS, uintptr, uintptr, int32, int64) int32)(unsafe.Pointer(&struct{ uintptr }{xWrite})))(tls, file, buf, n, at)
		}
		t.methods.FxWrite = *(*uintptr)(unsafe.Pointer(&t.write))
	}
	if l.sync != nil {
		t.sync = func(tls *libc.TLS, file uintptr, flags int32) int32 {
			if rc := l.sync(kind); rc != sqlite3.SQLITE_OK {
				return rc
			}
			return (*(*func(*libc.TLS, uintptr, int32) int32)(unsafe.Pointer(&struct{ uintptr }{xSync})))(tls, file, flags)
		}
		t.methods.FxSync = *(*uintptr)(unsafe.Pointer(&t.sync))
	}
	if l.truncate != nil {
		t.trunc = func(tls *libc.TLS, file uintptr, size int64) int32 {
			if rc := l.truncate(kind); rc != sqlite3.SQLITE_OK {
				return rc
			}
			return (*(*func(*libc.TLS, uintptr, int64) int32)(unsafe.Pointer(&struct{ uintptr }{xTruncate})))(tls, file, size)
		}
		t.methods.FxTruncate = *(*uintptr)(unsafe.Pointer(&t.trunc))
	}
	// No page may go past read and write through a memory map.
	t.methods.FiVersion = min(t.methods.FiVersion, 2)
	return t
}

// pointer is an address that SQLite gave, in memory that Go's collector does not
// know and does not move.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }
