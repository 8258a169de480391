package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// makeFiles makes the folder and an empty database where they are missing. The
// database appears whole: it is written under another name, and a link fails
// where another process was quicker.
func makeFiles(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "owners"), 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, fileName)
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", path)
	case err == nil && info.Size() == 0:
		return damaged("the file is empty")
	case err == nil:
		// Results may hold what others must not read.
		if info.Mode().Perm()&0o077 != 0 {
			return os.Chmod(path, 0o600)
		}
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 {
		return damaged("the file is missing, but its WAL is there")
	}
	f, err := os.CreateTemp(dir, ".journal-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(firstPage())
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// syncDir makes new names in a folder survive a power cut, where the system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync() // not on Windows
	return d.Close()
}
