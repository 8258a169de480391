package plugin

import (
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// watchedFile is a file as it was last seen, with those that it names when it is
// a manifest.
type watchedFile struct {
	name    string
	parts   []filePart // itself first
	content string     // the digests of what was seen last; "": nothing was
	away    int        // how often in a row it was not there when it was looked for
	touched bool       // something was told of it since it was read
	readAt  time.Time  // when it was begun to be read
}

type filePart struct {
	path string
	info os.FileInfo // nil: it was not there
}

func (f *watchedFile) stale() bool {
	return slices.ContainsFunc(f.parts, func(p filePart) bool {
		info, err := os.Stat(p.path)
		if err != nil {
			return p.info != nil
		}
		return p.info == nil || !unchanged(p.info, info)
	})
}

// vanished reports, once, that the file was not there twice in a row: who builds it
// anew may take it away for a moment.
func (f *watchedFile) vanished() bool {
	if info, err := os.Stat(f.parts[0].path); f.content == "" || err == nil && info.Mode().IsRegular() {
		f.away = 0
		return false
	}
	if f.away++; f.away < 2 {
		return false
	}
	f.content, f.away = "", 0 // whatever it holds when it is back, it is told
	return true
}

// tick is the coarsest step of a file system's clock, and some: what is written
// within one has the time that it had.
const tick = 2 * time.Second

// atRest reports whether the file is as it was read, as far as can be told without
// reading it: nothing was told of it, and it was last written so long before it
// was read that a later write would show.
func (f *watchedFile) atRest() bool {
	return !f.touched && f.content != "" && !f.stale() && !slices.ContainsFunc(f.parts, func(p filePart) bool {
		return p.info == nil || !p.info.ModTime().Before(f.readAt.Add(-tick))
	})
}

func unchanged(a, b os.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// look reads the files that are not at rest, and tells of those that have other
// content. again is true when that has to be done once more: one changed while it
// was read, or names other files now.
func look(files []*watchedFile, changed func(string)) (again bool) {
	for _, f := range files {
		if f.atRest() {
			continue
		}
		before := f.parts
		content, err := f.read()
		if errors.Is(err, errBusy) || !slices.EqualFunc(before, f.parts, func(a, b filePart) bool { return a.path == b.path }) {
			again = true
		}
		if err != nil || content == f.content {
			continue
		}
		f.content = content
		if changed != nil {
			changed(f.name)
		}
	}
	return again
}

// read reads all parts, and finds out which these are.
func (f *watchedFile) read() (content string, err error) {
	f.touched, f.readAt = false, time.Now()
	parts := []filePart{{path: f.parts[0].path}}
	var text manifestText
	for i := 0; i < len(parts); i++ {
		sum := sha256.New()
		to := io.Writer(sum)
		if i == 0 {
			to = io.MultiWriter(sum, &text)
		}
		info, partErr := readQuiet(parts[i].path, to)
		parts[i].info, err = info, errors.Join(err, partErr)
		content += string(sum.Sum(nil))
		if i == 0 && partErr == nil {
			for _, path := range linkedFiles(text.text, filepath.Dir(parts[0].path)) {
				parts = append(parts, filePart{path: path})
			}
		}
	}
	f.parts = parts
	return content, err
}

var errBusy = errors.New("it changed while it was read")

// readQuiet writes a regular file to w, if nobody writes it just now.
func readQuiet(path string, w io.Writer) (os.FileInfo, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, os.ErrInvalid) // a pipe would not open
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil || !before.Mode().IsRegular() {
		return nil, errors.Join(err, os.ErrInvalid)
	}
	if _, err := io.Copy(w, f); err != nil {
		return nil, err
	}
	after, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !unchanged(before, after) {
		return nil, errBusy
	}
	return before, nil
}

// manifestText keeps what is written to it, if that may be a manifest.
type manifestText struct {
	text []byte
	none bool
}

func (m *manifestText) Write(p []byte) (int, error) {
	if !m.none {
		m.text = append(m.text, p...)
		if !isManifest(m.text) || len(m.text) > defaultMaxModule {
			m.text, m.none = nil, true
		}
	}
	return len(p), nil
}
