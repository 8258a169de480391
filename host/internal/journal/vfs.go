package journal

import (
	"errors"
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
	methods *sqlite3.Tsqlite3_io_methods
	at      uintptr // of methods
	read    func(*libc.TLS, uintptr, uintptr, int32, int64) int32
	write   func(*libc.TLS, uintptr, uintptr, int32, int64) int32
	sync    func(*libc.TLS, uintptr, int32) int32
	trunc   func(*libc.TLS, uintptr, int64) int32
	traits  func(*libc.TLS, uintptr) int32
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
	vfs, at, err := allocate[sqlite3.Tsqlite3_vfs](tls)
	if err != nil {
		return err
	}
	*vfs = *(*sqlite3.Tsqlite3_vfs)(pointer(base))
	vfs.FpNext, vfs.FzName = 0, name
	below0 := vfs.FxOpen
	open := func(tls *libc.TLS, _, path, file uintptr, flags int32, out uintptr) int32 {
		rc := (*(*func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32)(unsafe.Pointer(&struct{ uintptr }{below0})))(tls, base, path, file, flags, out)
		if kind := flags & (mainFile | walFile); rc == sqlite3.SQLITE_OK && kind != 0 {
			return l.dress(tls, (*sqlite3.Tsqlite3_file)(pointer(file)), kind)
		}
		return rc
	}
	vfs.FxOpen = *(*uintptr)(unsafe.Pointer(&open))
	layers.Store(l.name, []any{l, &open})
	if rc := sqlite3.Xsqlite3_vfs_register(tls, at, 0); rc != sqlite3.SQLITE_OK {
		return fmt.Errorf("SQLite does not take the VFS %q: code %d", l.name, rc)
	}
	return nil
}

// dress gives an open file the layer's functions in place of those it has.
func (l *layer) dress(tls *libc.TLS, file *sqlite3.Tsqlite3_file, kind int32) int32 {
	if file.FpMethods == 0 {
		return sqlite3.SQLITE_OK
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := [2]uintptr{file.FpMethods, uintptr(kind)}
	t := l.tables[key]
	if t == nil {
		var err error
		if t, err = l.table(tls, file.FpMethods, kind); err != nil {
			return sqlite3.SQLITE_NOMEM
		}
		l.tables[key] = t
	}
	file.FpMethods = t.at
	return sqlite3.SQLITE_OK
}

func (l *layer) table(tls *libc.TLS, below uintptr, kind int32) (*ioTable, error) {
	methods, at, err := allocate[sqlite3.Tsqlite3_io_methods](tls)
	if err != nil {
		return nil, err
	}
	*methods = *(*sqlite3.Tsqlite3_io_methods)(pointer(below))
	t := &ioTable{methods: methods, at: at}
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
	// No byte may go past read and write: not through a memory map, and not as a
	// part of a page, which SQLite reads to save itself the rest.
	t.methods.FiVersion = min(t.methods.FiVersion, 2)
	xTraits := t.methods.FxDeviceCharacteristics
	t.traits = func(tls *libc.TLS, file uintptr) int32 {
		return (*(*func(*libc.TLS, uintptr) int32)(unsafe.Pointer(&struct{ uintptr }{xTraits})))(tls, file) &^ sqlite3.SQLITE_IOCAP_SUBPAGE_READ
	}
	t.methods.FxDeviceCharacteristics = *(*uintptr)(unsafe.Pointer(&t.traits))
	return t, nil
}

// allocate makes a table in SQLite's memory, for good.
func allocate[T any](tls *libc.TLS) (*T, uintptr, error) {
	at := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(*new(T))))
	if at == 0 {
		return nil, 0, errors.New("no memory for SQLite's tables")
	}
	return (*T)(pointer(at)), at, nil
}

// pointer is an address that SQLite gave, in memory that Go's collector does not
// know and does not move.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }
