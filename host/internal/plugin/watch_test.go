package plugin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// watchFor watches files, and returns what tells of them.
func watchFor(t *testing.T, lookAgain time.Duration, files ...string) <-chan string {
	t.Helper()
	told := make(chan string, 100)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	w, err := newWatch(files)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		done <- w.run(ctx, nil, 30*time.Millisecond, lookAgain, func(f string) { told <- f })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return told
}

// tells waits until a file is told.
func tells(t *testing.T, told <-chan string, want string) {
	t.Helper()
	select {
	case got := <-told:
		if got != want {
			t.Fatalf("told of %s; want %s", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("nothing is told of %s", want)
	}
}

// must does what a shell would.
func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestWatch(t *testing.T) {
	put := func(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }
	replace := func(path, text string) error {
		return errors.Join(put(path+".tmp", text), os.Rename(path+".tmp", path))
	}
	for name, c := range map[string]struct {
		path string // what is watched
		make func(dir string) []error
		// Each change is told once.
		changes []func(dir string) []error
	}{
		"written": {"a", func(d string) []error { return []error{put(d+"/a", "1")} }, []func(string) []error{
			func(d string) []error { return []error{put(d+"/a", "2")} },
			func(d string) []error { return []error{put(d+"/a", "3"), put(d+"/other", "x")} },
		}},
		"replaced": {"a", func(d string) []error { return []error{put(d+"/a", "1")} }, []func(string) []error{
			func(d string) []error { return []error{put(d+"/.a.tmp", "2"), os.Rename(d+"/.a.tmp", d+"/a")} },
			func(d string) []error {
				return []error{os.Rename(d+"/a", d+"/a~"), put(d+"/a", "3"), os.Remove(d + "/a~")}
			},
		}},
		"gone and back": {"a", func(d string) []error { return []error{put(d+"/a", "1")} }, []func(string) []error{
			func(d string) []error { return []error{os.Remove(d + "/a"), put(d+"/a", "2")} },
		}},
		"not there yet": {"x/y/a", func(string) []error { return nil }, []func(string) []error{
			func(d string) []error { return []error{os.MkdirAll(d+"/x/y", 0o700), put(d+"/x/y/a", "1")} },
			func(d string) []error { return []error{put(d+"/x/y/a", "2")} },
			func(d string) []error {
				return []error{os.RemoveAll(d + "/x"), os.MkdirAll(d+"/x/y", 0o700), put(d+"/x/y/a", "3")}
			},
		}},
		"a folder is replaced": {"x/a", func(d string) []error { return []error{os.Mkdir(d+"/x", 0o700), put(d+"/x/a", "1")} }, []func(string) []error{
			func(d string) []error {
				return []error{os.Mkdir(d+"/new", 0o700), put(d+"/new/a", "2"), os.Rename(d+"/x", d+"/old"), os.Rename(d+"/new", d+"/x")}
			},
			func(d string) []error { return []error{put(d+"/x/a", "3")} },
		}},
		"a folder above is replaced": {"x/y/a", func(d string) []error { return []error{os.MkdirAll(d+"/x/y", 0o700), put(d+"/x/y/a", "1")} }, []func(string) []error{
			func(d string) []error {
				return []error{os.MkdirAll(d+"/new/y", 0o700), put(d+"/new/y/a", "2"), os.Rename(d+"/x", d+"/old"), os.Rename(d+"/new", d+"/x")}
			},
			func(d string) []error { return []error{put(d+"/x/y/a", "3")} },
		}},
		// As Kubernetes mounts: a → ..data/a, ..data → ..1.
		"a link in the folder": {"a", func(d string) []error {
			return []error{os.Mkdir(d+"/..1", 0o700), put(d+"/..1/a", "1"), os.Symlink("..1", d+"/..data"), os.Symlink("..data/a", d+"/a")}
		}, []func(string) []error{
			func(d string) []error {
				return []error{os.Mkdir(d+"/..2", 0o700), put(d+"/..2/a", "2"), os.Symlink("..2", d+"/..tmp"), os.Rename(d+"/..tmp", d+"/..data"), os.RemoveAll(d + "/..1")}
			},
			func(d string) []error {
				return []error{os.Mkdir(d+"/..3", 0o700), put(d+"/..3/a", "3"), os.Symlink("..3", d+"/..tmp"), os.Rename(d+"/..tmp", d+"/..data"), os.RemoveAll(d + "/..2")}
			},
		}},
		// As releases are: current → releases/1.
		"a link above": {"current/a", func(d string) []error {
			return []error{os.MkdirAll(d+"/releases/1", 0o700), os.MkdirAll(d+"/releases/2", 0o700), put(d+"/releases/1/a", "1"), put(d+"/releases/2/a", "2"), os.Symlink(d+"/releases/1", d+"/current")}
		}, []func(string) []error{
			func(d string) []error {
				return []error{os.Remove(d + "/current"), os.Symlink("releases/2", d+"/current")}
			},
			func(d string) []error { return []error{put(d+"/releases/2/a", "3")} },
		}},
		"what a manifest names": {"m.json", func(d string) []error {
			return []error{put(d+"/m.json", `{"wasm":[{"path":"in/a"},{"name":"lib","path":"`+d+`/b"}]}`), os.Mkdir(d+"/in", 0o700), put(d+"/in/a", "1"), put(d+"/b", "1")}
		}, []func(string) []error{
			func(d string) []error { return []error{replace(d+"/in/a", "2")} },
			func(d string) []error { return []error{replace(d+"/b", "2")} },
			func(d string) []error {
				return []error{replace(d+"/m.json", `{"wasm":[{"path":"c"}]}`), put(d+"/c", "1")}
			},
			func(d string) []error { return []error{replace(d+"/b", "3"), replace(d+"/c", "2")} },
		}},
	} {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		must(t, err)
		must(t, c.make(dir)...)
		file := filepath.Join(dir, c.path)
		told := watchFor(t, time.Second, file)
		for i, change := range c.changes {
			t.Logf("%s: %d", name, i)
			must(t, change(dir)...)
			// What was told of half a change is told again of the whole one.
			want, err := os.ReadFile(file)
			must(t, err)
			for {
				tells(t, told, file)
				if now, _ := os.ReadFile(file); slices.Equal(now, want) {
					break
				}
			}
		}
		select {
		case f := <-told:
			t.Errorf("%s: told of %s once more", name, f)
		default:
		}
	}
}

// TestWatchTellsOfContent: a file that is touched, rewritten as it was, or gone
// and back, is the same.
func TestWatchTellsOfContent(t *testing.T) {
	dir := t.TempDir()
	a, b := dir+"/a", dir+"/b"
	write(t, a, "1")
	write(t, b, "1")
	told := watchFor(t, time.Hour, a, b)
	now := time.Now()
	must(t, os.Chtimes(a, now, now))
	write(t, a, "1")
	must(t, os.Remove(a), os.Mkdir(a, 0o700), os.Remove(a), os.Symlink("a", a), os.Remove(a))
	write(t, a, "1")
	write(t, b, "2")
	tells(t, told, b)
	// a was looked at with b, and after it.
	write(t, b, "3")
	tells(t, told, b)
	write(t, a, "2")
	tells(t, told, a)
}

// TestWatchOfHalfAFile: what is being written is looked at when that is over.
func TestWatchOfHalfAFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/a", "1")
	seen := make(chan string, 100)
	w, err := newWatch([]string{dir + "/a"})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- w.run(ctx, nil, 500*time.Millisecond, time.Hour, func(f string) {
			text, _ := os.ReadFile(f)
			seen <- string(text)
		})
	}()
	f, err := os.Create(dir + "/a")
	must(t, err)
	for range 50 {
		_, err := f.WriteString("x")
		must(t, err)
	}
	must(t, f.Close())
	if text := <-seen; len(text) != 50 {
		t.Errorf("%d bytes were there when it was told", len(text))
	}
	cancel()
	must(t, <-done)
}

// TestWatchOfOtherFiles: other files are watched from then on, and nothing is
// missed of those that were watched before.
func TestWatchOfOtherFiles(t *testing.T) {
	dir := t.TempDir()
	a, b := dir+"/a", dir+"/b"
	write(t, a, "1")
	write(t, b, "1")
	w, err := newWatch([]string{a})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done, next, told := make(chan error, 1), make(chan []string), make(chan string, 100)
	go func() { done <- w.run(ctx, next, 30*time.Millisecond, time.Hour, func(f string) { told <- f }) }()
	for _, text := range []string{"2", "3", "4"} {
		write(t, a, text) // is not looked at yet
		next <- []string{b, a}
		tells(t, told, a)
	}
	write(t, b, "2")
	tells(t, told, b)
	next <- []string{b}
	write(t, a, "5")
	write(t, b, "3")
	tells(t, told, b)
	cancel()
	must(t, <-done)
	if len(told) > 0 {
		t.Errorf("told of %s too", <-told)
	}
}

func TestWatchOfNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Watch(ctx, nil, nil, time.Second, nil, nil); err != nil {
		t.Error(err)
	}
	if err := Watch(ctx, []string{t.TempDir() + "/a"}, nil, time.Second, nil, nil); err != nil {
		t.Error(err)
	}
}

func TestLeading(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	must(t, os.MkdirAll(dir+"/real/sub", 0o700), os.Symlink("real", dir+"/link"), os.Symlink("../link/sub/f", dir+"/real/f"), os.Symlink("loop", dir+"/loop"))
	write(t, dir+"/real/sub/f", "x")
	for path, want := range map[string][]string{
		"/real/sub/f": {"/real/sub/f"},
		"/link/sub/f": {"/link", "/real/sub/f"},
		"/link/f":     {"/link", "/real/f", "/link", "/real/sub/f"},
		"/none/f":     {"/none"},
		"/link/none":  {"/link", "/real/none"},
	} {
		got := leading(dir + path)
		for i := range want {
			want[i] = dir + want[i]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v", path, got)
		}
	}
	if n := len(leading(dir + "/loop/f")); n != maxLinks+1 {
		t.Errorf("a loop: %d", n)
	}
}

// TestWatchOfAFileThatStaysAway: it is told once, and again when it is back, also as
// it was.
func TestWatchOfAFileThatStaysAway(t *testing.T) {
	dir := t.TempDir()
	a, b := dir+"/a", dir+"/b"
	write(t, a, "1")
	write(t, b, "1")
	told := watchFor(t, 100*time.Millisecond, a, b)
	must(t, os.Remove(a))
	tells(t, told, a)
	write(t, b, "2")
	tells(t, told, b)
	write(t, a, "1")
	tells(t, told, a)
}

// TestLookReadsWhatMayHaveChanged: a file that has been at rest since before it was
// read is not read again, unless something was told of it; what was written just
// before is, for a write right after that may have the same time.
func TestLookReadsWhatMayHaveChanged(t *testing.T) {
	file := t.TempDir() + "/a"
	rest := time.Now().Add(-time.Hour)
	// put leaves the file with the same size and, as far as that says anything, time.
	put := func(text string, at time.Time) {
		t.Helper()
		write(t, file, text)
		must(t, os.Chtimes(file, at, at))
	}
	for name, c := range map[string]struct {
		at    time.Time
		event bool
		seen  bool
	}{
		"at rest":              {rest, false, false},
		"at rest, but told of": {rest, true, true},
		"written just before":  {time.Now().Add(-time.Second), false, true},
		"of the future":        {time.Now().Add(time.Hour), false, true},
	} {
		put("1", c.at)
		w, err := newWatch([]string{file})
		must(t, err)
		put("2", c.at)
		if c.event {
			w.files[0].touched = true
		}
		told := 0
		look(w.files, func(string) { told++ })
		if told == 1 != c.seen {
			t.Errorf("%s: told %d times", name, told)
		}
		must(t, w.watcher.Close())
	}
}

// BenchmarkLook is a look at many large files of which one was written.
func BenchmarkLook(b *testing.B) {
	dir := b.TempDir()
	rest := time.Now().Add(-time.Hour)
	var files []string
	for i := range 20 {
		file := filepath.Join(dir, string(rune('a'+i)))
		if err := errors.Join(os.WriteFile(file, make([]byte, 4<<20), 0o600), os.Chtimes(file, rest, rest)); err != nil {
			b.Fatal(err)
		}
		files = append(files, file)
	}
	w, err := newWatch(files)
	if err != nil {
		b.Fatal(err)
	}
	defer w.watcher.Close()
	for b.Loop() {
		w.files[0].touched = true
		look(w.files, nil)
	}
}
