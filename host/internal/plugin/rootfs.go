package plugin

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"

	"wasmhost/host/event"
)

// mount is a folder that is shown to a plugin.
type mount struct {
	root  *os.Root // nil: it is withheld
	at    string
	write bool
}

func (p *Plugin) mountAll() *event.Error {
	for _, m := range p.spec.Allow.FS {
		at := path.Clean("/" + m.At)
		if p.spec.withheld != nil {
			p.mounts = append(p.mounts, mount{at: at})
			continue
		}
		root, err := os.OpenRoot(p.spec.inDir(m.Path))
		if err != nil {
			return fault(event.Permanent, codeBadSpec, "allow.fs: %s cannot be shown to the plugin at %s: %v", m.Path, at, err)
		}
		p.mounts = append(p.mounts, mount{root: root, at: at, write: m.Write})
	}
	return nil
}

func (p *Plugin) unmount() {
	for _, m := range p.mounts {
		if m.root != nil {
			m.root.Close()
		}
	}
}

// rootFS is a mount as wazero sees it: an os.Root, out of which no path and no
// link leads. Without write nothing that changes anything gets through, opening
// with O_CREAT or O_TRUNC included. Devices, pipes and sockets are not opened:
// reading them could block for ever.
type rootFS struct {
	sys.UnimplementedFS
	in    *instance
	root  *os.Root
	write bool
	// shown is true once wazero has the folder itself open, which it does before
	// it opens anything in it, when the guest first names it. That stays open with
	// the instance, as if it had been from the start: no state, and no file of the
	// guest's.
	shown bool
}

// maxPath is Linux's. os.Root takes a path apart into all its names, of which a
// guest can make millions.
const maxPath = 4096

var tooLong = strings.Repeat("x", maxPath)

// local is name as os.Root takes it. A path that is too long becomes a name
// that is.
func local(name string) string {
	if len(name) > maxPath {
		return tooLong
	}
	if name = path.Clean(name); name == "/" {
		return "."
	}
	return strings.TrimPrefix(name, "/")
}

// errno translates what os.Root answers. A path that would lead out is not
// permitted, whatever os calls it.
func errno(err error) sys.Errno {
	if err == nil {
		return 0
	}
	var no syscall.Errno
	switch {
	case errors.As(err, &no):
		return sys.UnwrapOSError(no)
	case errors.Is(err, fs.ErrNotExist):
		return sys.ENOENT
	case errors.Is(err, fs.ErrExist):
		return sys.EEXIST
	case errors.Is(err, fs.ErrClosed):
		return sys.EBADF
	case errors.Is(err, fs.ErrInvalid):
		return sys.EINVAL
	}
	return sys.EPERM
}

const changes = sys.O_CREAT | sys.O_TRUNC | sys.O_APPEND

func (f *rootFS) OpenFile(name string, flag sys.Oflag, perm fs.FileMode) (sys.File, sys.Errno) {
	f.in.mustGoOn()
	access := flag & (sys.O_RDWR | sys.O_WRONLY)
	if !f.write && (access != sys.O_RDONLY || flag&changes != 0) {
		return nil, sys.EROFS
	}
	if f.shown && f.in.files >= f.in.plugin.limits.Files {
		f.in.wasi.full = true
		return nil, sys.EAGAIN
	}
	how := os.O_RDONLY | syscall.O_NONBLOCK
	switch access {
	case sys.O_RDWR:
		how |= os.O_RDWR
	case sys.O_WRONLY:
		how |= os.O_WRONLY
	}
	for guest, host := range map[sys.Oflag]int{
		sys.O_APPEND: os.O_APPEND, sys.O_CREAT: os.O_CREATE, sys.O_EXCL: os.O_EXCL,
		sys.O_TRUNC: os.O_TRUNC, sys.O_SYNC: os.O_SYNC, sys.O_DSYNC: os.O_SYNC,
	} {
		if flag&guest != 0 {
			how |= host
		}
	}
	name = local(name)
	// What is there is looked at before it is opened: opening a pipe or a device
	// does things by itself.
	info, err := f.root.Stat(name)
	if flag&sys.O_NOFOLLOW != 0 {
		if link, lerr := f.root.Lstat(name); lerr == nil && link.Mode()&fs.ModeSymlink != 0 {
			return nil, sys.ELOOP
		}
	}
	switch {
	case err == nil && !info.IsDir() && !info.Mode().IsRegular():
		return nil, sys.EACCES
	case err == nil && info.IsDir() && access != sys.O_RDONLY:
		return nil, sys.EISDIR
	case err == nil && flag&sys.O_DIRECTORY != 0 && !info.IsDir():
		return nil, sys.ENOTDIR
	}
	file, err := f.root.OpenFile(name, how, perm&0o777)
	if err != nil {
		return nil, errno(err)
	}
	if info, err = file.Stat(); err != nil || !info.IsDir() && !info.Mode().IsRegular() {
		file.Close()
		return nil, sys.EACCES
	}
	given := !f.shown
	if given {
		f.shown = true
	} else {
		f.in.files++
		f.in.asked.Files++
	}
	return &rootFile{fs: f, given: given, file: file, name: name, flag: how, dir: info.IsDir(), append: flag&sys.O_APPEND != 0, writable: access != sys.O_RDONLY}, 0
}

func (f *rootFS) Lstat(name string) (wsys.Stat_t, sys.Errno) {
	return stat(f.root.Lstat(local(name)))
}

func (f *rootFS) Stat(name string) (wsys.Stat_t, sys.Errno) {
	return stat(f.root.Stat(local(name)))
}

func stat(info fs.FileInfo, err error) (wsys.Stat_t, sys.Errno) {
	if err != nil {
		return wsys.Stat_t{}, errno(err)
	}
	return wsys.NewStat_t(info), 0
}

func (f *rootFS) Readlink(name string) (string, sys.Errno) {
	to, err := f.root.Readlink(local(name))
	return to, errno(err)
}

// change runs do where changes are allowed.
func (f *rootFS) change(do func() error) sys.Errno {
	f.in.mustGoOn()
	if !f.write {
		return sys.EROFS
	}
	return errno(do())
}

func (f *rootFS) Mkdir(name string, perm fs.FileMode) sys.Errno {
	return f.change(func() error { return f.root.Mkdir(local(name), perm&0o777) })
}

func (f *rootFS) Chmod(name string, perm fs.FileMode) sys.Errno {
	return f.change(func() error { return f.root.Chmod(local(name), perm&0o777) })
}

func (f *rootFS) Rename(from, to string) sys.Errno {
	return f.change(func() error { return f.root.Rename(local(from), local(to)) })
}

func (f *rootFS) Rmdir(name string) sys.Errno {
	if info, err := f.root.Lstat(local(name)); err == nil && !info.IsDir() {
		return sys.ENOTDIR
	}
	return f.change(func() error { return f.root.Remove(local(name)) })
}

func (f *rootFS) Unlink(name string) sys.Errno {
	if info, err := f.root.Lstat(local(name)); err == nil && info.IsDir() {
		return sys.EISDIR
	}
	return f.change(func() error { return f.root.Remove(local(name)) })
}

func (f *rootFS) Link(from, to string) sys.Errno {
	return f.change(func() error { return f.root.Link(local(from), local(to)) })
}

// Symlink makes links that lead down, so that they stay within the mount also
// when they, or a folder around them, are moved. The guest itself could not
// follow others, but other programs that read the folder would.
func (f *rootFS) Symlink(to, name string) sys.Errno {
	if len(to) > maxPath {
		return sys.ENAMETOOLONG
	}
	if path.IsAbs(to) || slices.Contains(strings.Split(to, "/"), "..") {
		return sys.EPERM
	}
	return f.change(func() error { return f.root.Symlink(to, local(name)) })
}

func (f *rootFS) Utimens(name string, atim, mtim int64) sys.Errno {
	return f.change(func() error {
		access, modified, err := f.times(name, atim, mtim)
		if err != nil {
			return err
		}
		return f.root.Chtimes(local(name), access, modified)
	})
}

func (f *rootFS) times(name string, atim, mtim int64) (access, modified time.Time, err error) {
	if atim == sys.UTIME_OMIT || mtim == sys.UTIME_OMIT {
		info, err := f.root.Stat(local(name))
		if err != nil {
			return access, modified, err
		}
		now := wsys.NewStat_t(info)
		if atim == sys.UTIME_OMIT {
			atim = now.Atim
		}
		if mtim == sys.UTIME_OMIT {
			mtim = now.Mtim
		}
	}
	return time.Unix(0, atim), time.Unix(0, mtim), nil
}
