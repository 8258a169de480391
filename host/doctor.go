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
// plugins ("" is the default one, see Config.CacheDir), without changing them.
func Doctor(ctx context.Context, state, cache string) ([]Finding, error) {
	found, err := journal.Check(ctx, state)
	all := make([]Finding, 0, len(found)+1)
	for _, f := range found {
		all = append(all, Finding(f))
	}
	return append(all, doctorCache(cache)), err
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
