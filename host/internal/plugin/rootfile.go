package plugin

import (
	"errors"
	"io"
	"os"

	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"
)

// rootFile is an open file or folder of a rootFS.
type rootFile struct {
	sys.UnimplementedFile
	fs       *rootFS
	file     *os.File
	name     string
	flag     int
	dir      bool
	append   bool
	writable bool
	closed   bool
	given    bool // the folder of the mount itself, which the guest did not open
}

func (f *rootFile) Dev() (uint64, sys.Errno) {
	s, no := f.Stat()
	return s.Dev, no
}

func (f *rootFile) Ino() (wsys.Inode, sys.Errno) {
	s, no := f.Stat()
	return s.Ino, no
}

func (f *rootFile) IsDir() (bool, sys.Errno) { return f.dir, 0 }
func (f *rootFile) IsAppend() bool           { return f.append }

// SetAppend opens the file again, since the flag cannot be changed while it is
// open; the offset does not matter to what is appended.
func (f *rootFile) SetAppend(enable bool) sys.Errno {
	if f.dir {
		return sys.EISDIR
	}
	if enable == f.append {
		return 0
	}
	if !f.writable {
		f.append = enable
		return 0
	}
	flag := f.flag &^ (os.O_APPEND | os.O_CREATE | os.O_EXCL | os.O_TRUNC)
	if enable {
		flag |= os.O_APPEND
	}
	again, err := f.fs.root.OpenFile(f.name, flag, 0)
	if err != nil {
		return errno(err)
	}
	if old, err := f.file.Stat(); err == nil {
		if now, err := again.Stat(); err != nil || !os.SameFile(old, now) {
			again.Close()
			return sys.EBADF
		}
	}
	if at, err := f.file.Seek(0, io.SeekCurrent); err == nil {
		again.Seek(at, io.SeekStart)
	}
	f.file.Close()
	f.file, f.append = again, enable
	return 0
}

func (f *rootFile) Stat() (wsys.Stat_t, sys.Errno) {
	if f.closed {
		return wsys.Stat_t{}, sys.EBADF
	}
	return stat(f.file.Stat())
}

func (f *rootFile) Read(p []byte) (int, sys.Errno) {
	f.fs.in.mustGoOn()
	if f.dir {
		return 0, sys.EISDIR
	}
	if len(p) == 0 {
		return 0, 0
	}
	n, err := f.file.Read(p)
	return n, ioErrno(err)
}

func (f *rootFile) Pread(p []byte, at int64) (int, sys.Errno) {
	f.fs.in.mustGoOn()
	if f.dir {
		return 0, sys.EISDIR
	}
	if at < 0 {
		return 0, sys.EINVAL
	}
	n, err := f.file.ReadAt(p, at)
	return n, ioErrno(err)
}

// position is an int64 under a name of its own: go vet wants every Seek of an
// int64 to be io.Seeker's, and wazero's is not.
type position = int64

func (f *rootFile) Seek(offset position, whence int) (position, sys.Errno) {
	if f.dir && (offset != 0 || whence != io.SeekStart) {
		return 0, sys.EINVAL
	}
	n, err := f.file.Seek(offset, whence)
	return n, ioErrno(err)
}

func (f *rootFile) Readdir(n int) ([]sys.Dirent, sys.Errno) {
	f.fs.in.mustGoOn()
	if !f.dir {
		return nil, sys.ENOTDIR
	}
	list, err := f.file.Readdir(n)
	entries := make([]sys.Dirent, 0, len(list))
	for _, info := range list {
		entries = append(entries, sys.Dirent{Name: info.Name(), Type: info.Mode().Type(), Ino: wsys.NewStat_t(info).Ino})
	}
	return entries, ioErrno(err)
}

func (f *rootFile) Write(p []byte) (int, sys.Errno) {
	f.fs.in.mustGoOn()
	if f.dir {
		return 0, sys.EISDIR
	}
	if !f.writable {
		return 0, sys.EBADF
	}
	n, err := f.file.Write(p)
	return n, ioErrno(err)
}

func (f *rootFile) Pwrite(p []byte, at int64) (int, sys.Errno) {
	f.fs.in.mustGoOn()
	switch {
	case f.dir:
		return 0, sys.EISDIR
	case !f.writable:
		return 0, sys.EBADF
	case at < 0:
		return 0, sys.EINVAL
	case f.append: // as POSIX on Linux does, and os.File refuses
		return f.Write(p)
	}
	n, err := f.file.WriteAt(p, at)
	return n, ioErrno(err)
}

func (f *rootFile) Truncate(n int64) sys.Errno {
	switch {
	case f.dir:
		return sys.EISDIR
	case !f.writable:
		return sys.EBADF
	case n < 0:
		return sys.EINVAL
	}
	return ioErrno(f.file.Truncate(n))
}

func (f *rootFile) Sync() sys.Errno     { return ioErrno(f.file.Sync()) }
func (f *rootFile) Datasync() sys.Errno { return f.Sync() }

func (f *rootFile) Utimens(atim, mtim int64) sys.Errno { return f.fs.Utimens(f.name, atim, mtim) }

func (f *rootFile) Close() sys.Errno {
	if f.closed {
		return 0
	}
	f.closed = true
	if !f.given {
		f.fs.in.files--
	}
	err := f.file.Close()
	if err != nil {
		f.fs.in.wasi.touched = true // wazero keeps the descriptor then
	}
	return ioErrno(err)
}

func ioErrno(err error) sys.Errno {
	if errors.Is(err, io.EOF) {
		return 0
	}
	return errno(err)
}
