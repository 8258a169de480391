package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// lookAgain is how often files are looked at although nothing was told: network
// file systems tell nothing, and a queue can overflow. A look asks for sizes and
// times only.
const lookAgain = 10 * time.Second

// Watch tells which of files have other content than when they were last looked
// at, the first time being when Watch is called. It looks when nothing has
// changed around them for settle; it watches the folders that lead to them, also
// by way of symbolic links, so that a file may be written, replaced by another
// one or by a link to one, go and come back. A file that is gone for moments, or is
// no regular file then, keeps the content that was seen last; one that stays away
// is told once, and again when it is back. The content of an Extism manifest is
// also that of the files that it names.
//
// What comes from next are the files from then on; of those that were watched
// before nothing is missed. nil: they stay the same.
//
// began is told of the files that have been looked at for the first time. What
// changed before that is not told: who read them earlier has to see whether they
// are still so. nil: nobody did.
//
// Both are called on Watch's goroutine; what changes meanwhile is seen
// afterwards. Watch returns nil when ctx is done, and an error when nothing can
// be watched.
func Watch(ctx context.Context, files []string, next <-chan []string, settle time.Duration, began func(files []string), changed func(file string)) error {
	w, err := newWatch(files)
	if err != nil {
		return err
	}
	if w.began = began; began != nil {
		began(files)
	}
	return w.run(ctx, next, settle, lookAgain, changed)
}

func newWatch(files []string) (*watch, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("files cannot be watched: %w", err)
	}
	w := &watch{watcher: watcher, folders: map[string]bool{}}
	err = w.take(files)
	if err == nil && len(w.folders) == 0 && len(files) > 0 {
		err = fmt.Errorf("files cannot be watched: none of the folders of %s can", strings.Join(files, ", "))
	}
	if err != nil {
		watcher.Close()
		return nil, err
	}
	return w, nil
}

// watch is the files, and the folders that are watched for their sake.
type watch struct {
	watcher *fsnotify.Watcher
	files   []*watchedFile
	folders map[string]bool
	points  map[string][]*watchedFile // in them: what leads to a file, or would
	began   func(files []string)      // nil: nobody wants to know
}

// touch notes that something was told of files.
func touch(files []*watchedFile) {
	for _, f := range files {
		f.touched = true
	}
}

// take makes files those that are watched. What was seen of those that are
// already stays as it is; the others are looked at.
func (w *watch) take(files []string) error {
	var all, added []*watchedFile
	for _, name := range files {
		i := slices.IndexFunc(w.files, func(f *watchedFile) bool { return f.name == name })
		if i >= 0 {
			all = append(all, w.files[i])
			continue
		}
		path, err := filepath.Abs(name)
		if err != nil {
			return fmt.Errorf("%s cannot be watched: %w", name, err)
		}
		f := &watchedFile{name: name, parts: []filePart{{path: path}}}
		all, added = append(all, f), append(added, f)
	}
	w.files = all
	w.follow()
	if look(added, nil) { // the files that a manifest names are known now
		w.follow()
		look(added, nil)
	}
	return nil
}

// run tells of changes until ctx is done; then w is closed.
func (w *watch) run(ctx context.Context, next <-chan []string, settle, lookAgain time.Duration, changed func(string)) error {
	defer w.watcher.Close()
	quiet := time.NewTimer(settle)
	quiet.Stop()
	defer quiet.Stop()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case files := <-next:
			before := w.files
			if err := w.take(files); err != nil {
				return err
			}
			if w.began != nil {
				w.began(slices.DeleteFunc(slices.Clone(files), func(name string) bool {
					return slices.ContainsFunc(before, func(f *watchedFile) bool { return f.name == name })
				}))
			}
			quiet.Reset(settle)
		case e, open := <-w.watcher.Events:
			if !open {
				return errors.New("files are not watched any more: the system ended it")
			}
			if w.folders[e.Name] && (e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename)) {
				// Another folder may have its name by now.
				_ = w.watcher.Remove(e.Name)
				delete(w.folders, e.Name)
				touch(w.files)
				quiet.Reset(settle)
			}
			if files := w.points[e.Name]; files != nil { // others may change all the time
				touch(files)
				quiet.Reset(settle)
			}
		case err, open := <-w.watcher.Errors:
			if !open {
				return errors.New("files are not watched any more: the system ended it")
			}
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				touch(w.files)
				quiet.Reset(settle)
			}
		case <-again.C:
			if w.stale() {
				quiet.Reset(settle)
			}
			for _, f := range w.files {
				if f.vanished() {
					changed(f.name)
				}
			}
		case <-quiet.C:
			// What was made between a look at a folder and its being watched is seen
			// by looking at the files last.
			w.follow()
			if look(w.files, changed) {
				quiet.Reset(settle)
			}
		}
	}
}

// follow watches what leads to the files now, and nothing else.
func (w *watch) follow() {
	lead := map[string]bool{}
	w.points = map[string][]*watchedFile{}
	for _, f := range w.files {
		for _, part := range f.parts {
			for _, point := range leading(part.path) {
				lead[filepath.Dir(point)] = true
				w.points[point] = append(w.points[point], f)
			}
		}
	}
	for folder := range w.folders {
		if !lead[folder] {
			_ = w.watcher.Remove(folder)
			delete(w.folders, folder)
		}
	}
	for folder := range lead {
		// Again, also when it is watched already: by now the name may lead to another
		// folder, through a link above it.
		if w.watcher.Add(folder) == nil {
			w.folders[folder] = true
		}
	}
}

// maxLinks is how many links a path may lead through, as on Linux.
const maxLinks = 40

// leading are the names at which something can change what path leads to: that
// of the file, and those of all links on the way, each without links in the
// folders before it. Where the path ends early, the last is what is missing.
func leading(path string) []string {
	const slash = string(filepath.Separator)
	// apart takes an absolute path apart.
	apart := func(path string) (root string, names []string) {
		volume := filepath.VolumeName(path)
		return volume + slash, strings.Split(strings.Trim(filepath.Clean(path)[len(volume):], slash), slash)
	}
	var points []string
	at, names := apart(path)
	for links := 0; len(names) > 0; {
		next := filepath.Join(at, names[0])
		info, err := os.Lstat(next)
		if err != nil {
			return append(points, next)
		}
		if info.Mode()&os.ModeSymlink == 0 {
			if len(names) == 1 {
				return append(points, next)
			}
			at, names = next, names[1:]
			continue
		}
		points = append(points, next)
		to, err := os.Readlink(next)
		if links++; err != nil || links > maxLinks {
			return points
		}
		rest := names[1:]
		if filepath.IsAbs(to) {
			at, names = apart(to)
		} else {
			names = strings.Split(filepath.Clean(to), slash)
		}
		names = append(slices.Clone(names), rest...)
	}
	return points
}

// stale reports whether a file looks otherwise than when it was read.
func (w *watch) stale() bool { return slices.ContainsFunc(w.files, (*watchedFile).stale) }
