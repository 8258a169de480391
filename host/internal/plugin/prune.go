package plugin

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The cache keeps what it may within these sizes: compiled code, a folder for
// each digest, and prepared modules. What was used last stays; fetched modules
// all stay, since their sources may be gone.
const (
	keptCompiled = 768 << 20
	keptPrepared = 256 << 20
	// prunedAfter is how long nobody may have used what goes, so that nobody is
	// just reading it.
	prunedAfter = 10 * time.Minute
)

// pruneOnce makes room in the cache, in the background of the first load. What
// goes wrong is left for the next process.
func (r *Runtime) pruneOnce() {
	r.pruning.Do(func() {
		if r.cfg.CacheDir == "" {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.closed {
			return
		}
		r.background.Go(func() {
			_ = r.pruneCompiled(keptCompiled, time.Now())
			if cache, err := r.prepared(); err == nil {
				_ = cache.Prune(keptPrepared)
			}
		})
	})
}

// pruneCompiled removes the code that was not used for longest until the rest is
// no larger than limit bytes. What a plugin of this process runs stays, and what
// any process has begun to use lately.
func (r *Runtime) pruneCompiled(limit int64, now time.Time) error {
	dir := filepath.Join(r.cfg.CacheDir, compiledDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	type entry struct {
		name string
		used time.Time
		size int64
	}
	var all []entry
	var total int64
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), goingPrefix) {
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
			continue
		}
		info, err := e.Info()
		if err != nil || !info.IsDir() {
			continue
		}
		one := entry{e.Name(), info.ModTime(), sizeBelow(filepath.Join(dir, e.Name()))}
		all = append(all, one)
		total += one.size
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(a.used.Compare(b.used), strings.Compare(a.name, b.name)) })
	for _, e := range all {
		if total <= limit {
			break
		}
		if going, ok := r.takeAway(dir, e.name, now); ok {
			_ = os.RemoveAll(going)
			total -= e.size
		}
	}
	return nil
}

// takeAway moves an entry that nobody uses to where nobody looks for it: all of
// it is there or nothing.
func (r *Runtime) takeAway(dir, name string, now time.Time) (going string, ok bool) {
	r.mu.Lock() // nobody begins to use it meanwhile
	defer r.mu.Unlock()
	if r.programs["sha256:"+name] != nil {
		return "", false
	}
	from := filepath.Join(dir, name)
	if info, err := os.Lstat(from); err != nil || now.Sub(info.ModTime()) < prunedAfter {
		return "", false
	}
	going = filepath.Join(dir, goingPrefix+name)
	return going, os.Rename(from, going) == nil
}

// goingPrefix marks what is being removed.
const goingPrefix = "going-"

func sizeBelow(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}
