package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"wasmhost/host/internal/journal"
)

// Finding is what Doctor found.
type Finding struct {
	What  string `json:"what"`
	Where string `json:"where"`
	Next  string `json:"next,omitempty"` // what to do
	Bad   bool   `json:"bad"`
}

// Doctor looks at the journal in the state folder and at the folder of compiled
// plugins ("" is the default one, see Config.CacheDir), without changing what is
// in them. It writes a small file to each, to see whether that works.
func Doctor(ctx context.Context, state, cache string) ([]Finding, error) {
	found, err := journal.Check(ctx, state)
	all := make([]Finding, 0, len(found)+2)
	for _, f := range found {
		all = append(all, Finding(f))
	}
	if f, ok := writable(state); !ok {
		all = append(all, f)
	}
	if f := doctorJournalFiles(state); f != nil {
		all = append(all, *f)
	}
	return append(all, doctorCache(cache)), err
}

// writable tries to write to a folder, as the journal does. One that is not
// there yet is no finding.
func writable(dir string) (Finding, bool) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return Finding{}, true
	}
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err == nil {
		_, err = f.Write(make([]byte, 64<<10))
		err = errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
	}
	if err == nil {
		return Finding{}, true
	}
	return Finding{What: "nothing can be written: " + err.Error(), Where: dir, Bad: true,
		Next: "make room, or the folder writable, or name another one with --state"}, false
}

// doctorJournalFiles looks for what keeps the journal from being opened for
// writing, and for what is left of one that was deleted.
func doctorJournalFiles(state string) *Finding {
	db := filepath.Join(state, "journal.db")
	if _, err := os.Stat(db); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(db + "-wal"); err == nil {
			return &Finding{What: "the journal is gone, and what was written last lies in its log without it", Where: db + "-wal", Bad: true,
				Next: "put journal.db back from where it was moved to; to begin anew, move the folder away"}
		}
		return nil
	}
	for _, name := range []string{db, db + "-wal", db + "-shm"} {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		switch {
		case err == nil:
			_ = f.Close()
		case !errors.Is(err, fs.ErrNotExist):
			return &Finding{What: "it cannot be written: " + err.Error(), Where: name, Bad: true, Next: "chmod 600 " + name + ", or run host as its owner"}
		}
	}
	return nil
}

// doctorCache looks at the folder of compiled plugins. Its contents are
// executed: nobody else may write there.
func doctorCache(cache string) Finding {
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return Finding{What: "no cache of compiled plugins: " + err.Error(), Next: "set HOME or XDG_CACHE_HOME, or every process compiles its plugins anew"}
		}
		cache = filepath.Join(base, "host")
	}
	info, err := os.Stat(cache)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Finding{What: "no plugin was compiled yet", Where: cache}
	case err != nil:
		return Finding{What: err.Error(), Where: cache, Next: "make it readable, or name another folder", Bad: true}
	case !info.IsDir():
		return Finding{What: "it is no folder", Where: cache, Next: "remove it", Bad: true}
	case info.Mode().Perm()&0o022 != 0:
		return Finding{What: fmt.Sprintf("others may write to the compiled plugins (mode %04o), which are executed", info.Mode().Perm()), Where: cache,
			Next: "chmod 700 " + cache, Bad: true}
	}
	if f, ok := writable(cache); !ok {
		f.Next = "make room, or the folder writable, or name another one"
		return f
	}
	size, files := int64(0), 0
	_ = filepath.WalkDir(cache, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if i, err := d.Info(); err == nil {
				size += i.Size()
				files++
			}
		}
		return nil
	})
	return Finding{What: fmt.Sprintf("compiled plugins: %d files, %.1f MiB", files, float64(size)/(1<<20)), Where: cache}
}
