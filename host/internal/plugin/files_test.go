package plugin

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// folder loads the files guest with a folder, and fills the folder.
func folder(t *testing.T, write bool) (p *Plugin, dir, outside string) {
	t.Helper()
	base := t.TempDir()
	dir, outside = filepath.Join(base, "shown"), filepath.Join(base, "outside")
	for _, d := range []string{dir, outside, dir + "/sub"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{dir + "/a.txt": "hello", dir + "/sub/b.txt": "below", outside + "/secret.txt": "secret"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for to, name := range map[string]string{
		"a.txt": "inside-link", "../outside/secret.txt": "leads-out", outside: "outside-dir", "/etc/passwd": "absolute", "sub/../../outside": "crooked",
	} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s := guest("files")
	s.Dir = abs(t, guests)
	s.Allow.FS = []Mount{{Path: dir, At: "/data", Write: write}}
	return load(t, s), dir, outside
}

func TestFilesRead(t *testing.T) {
	for _, write := range []bool{false, true} {
		p, dir, _ := folder(t, write)
		if err := syscall.Mkfifo(dir+"/pipe", 0o644); err != nil {
			t.Skip(err)
		}
		succeeds(t, p, "read", "/data/a.txt", "hello")
		succeeds(t, p, "read", "/data/sub/../a.txt", "hello")
		succeeds(t, p, "read", "/data/sub/b.txt", "below")
		succeeds(t, p, "read", "/data/inside-link", "hello")
		succeeds(t, p, "size", "/data/a.txt", "5")
		a, err := p.Call(t.Context(), Call{Function: "list", Input: []byte("/data")})
		if err != nil || len(strings.Fields(string(a.Output))) != 8 || !strings.Contains(string(a.Output), "sub/ ") {
			t.Errorf("%q, %v", a.Output, err)
		}
		for path, says := range map[string]string{
			"/data/leads-out":               "not permitted",
			"/data/outside-dir/secret.txt":  "not permitted",
			"/data/absolute":                "not permitted",
			"/data/crooked/secret.txt":      "not permitted",
			"/data/../outside/secret.txt":   "",
			"/data/sub/../../../etc/passwd": "",
			"/etc/passwd":                   "",
			"/data/none":                    "No such file",
			"/data/pipe":                    "Permission denied", // opening it would block for ever
		} {
			if e := fails(t, p, Call{Function: "read", Input: []byte(path)}); !strings.Contains(e.Message, says) {
				t.Errorf("%s: %s", path, e.Message)
			}
		}
	}
}

// TestReadOnlyMountsStayAsTheyAre tries everything that could change one.
func TestReadOnlyMountsStayAsTheyAre(t *testing.T) {
	p, dir, _ := folder(t, false)
	before := tree(t, dir)
	for _, c := range [][2]string{
		{"write", "/data/a.txt\nnew"}, {"write", "/data/new\nnew"}, {"append", "/data/a.txt\nmore"}, {"exclusive", "/data/new"},
		{"truncate_reading", "/data/a.txt"}, {"create_reading", "/data/new"},
		{"mkdir", "/data/dir"}, {"remove", "/data/a.txt"}, {"rmdir", "/data/sub"}, {"rename", "/data/a.txt\n/data/c.txt"},
		{"link", "/data/a.txt\n/data/hard"}, {"symlink", "a.txt\n/data/soft"}, {"touch", "/data/a.txt"},
	} {
		if e := fails(t, p, Call{Function: c[0], Input: []byte(c[1])}); e.Code != "" || e.Message == "" {
			t.Errorf("%s: %+v", c[0], e)
		}
		if after := tree(t, dir); after != before {
			t.Fatalf("%s changed the folder:\n%s\n%s", c[0], before, after)
		}
	}
}

// tree is what lies below dir, as text.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b.WriteString(path + " " + info.Mode().String() + " " + info.ModTime().String())
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b.Write(text)
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFilesWrite(t *testing.T) {
	p, dir, outside := folder(t, true)
	before := tree(t, outside)
	succeeds(t, p, "write", "/data/new.txt\nfirst", "")
	succeeds(t, p, "append", "/data/new.txt\n second", "")
	succeeds(t, p, "read", "/data/new.txt", "first second")
	succeeds(t, p, "write", "/data/new.txt\nx", "")
	succeeds(t, p, "read", "/data/new.txt", "x")
	succeeds(t, p, "exclusive", "/data/fresh\nf", "")
	if e := fails(t, p, Call{Function: "exclusive", Input: []byte("/data/fresh\nf")}); e.Message != "File exists" {
		t.Error(e)
	}
	succeeds(t, p, "mkdir", "/data/dir", "")
	succeeds(t, p, "rename", "/data/new.txt\n/data/dir/moved.txt", "")
	succeeds(t, p, "read", "/data/dir/moved.txt", "x")
	succeeds(t, p, "link", "/data/dir/moved.txt\n/data/hard", "")
	succeeds(t, p, "symlink", "dir/moved.txt\n/data/soft", "")
	succeeds(t, p, "read", "/data/soft", "x")
	succeeds(t, p, "touch", "/data/hard", "")
	if info, err := os.Stat(dir + "/hard"); err != nil || !info.ModTime().Equal(time.Unix(1000000000, 0)) {
		t.Error(info, err)
	}
	succeeds(t, p, "remove", "/data/hard", "")
	if e := fails(t, p, Call{Function: "rmdir", Input: []byte("/data/dir")}); e.Message != "Directory not empty" {
		t.Error(e)
	}
	succeeds(t, p, "remove", "/data/dir/moved.txt", "")
	succeeds(t, p, "rmdir", "/data/dir", "")
	for _, c := range [][2]string{
		{"write", "/data/leads-out\nx"}, {"write", "/data/outside-dir/new\nx"}, {"write", "/data/../outside/new\nx"}, {"remove", "/data/outside-dir/secret.txt"},
		{"rename", "/data/a.txt\n/data/outside-dir/a.txt"}, {"rename", "/data/outside-dir/secret.txt\n/data/mine"}, {"link", "/data/outside-dir/secret.txt\n/data/mine"},
		{"symlink", "/etc/passwd\n/data/made"}, {"symlink", "../outside/secret.txt\n/data/made"}, {"symlink", "x/../../outside\n/data/made"},
		{"mkdir", "/data/outside-dir/d"}, {"touch", "/data/leads-out"}, {"write", "/data/sub\nx"},
	} {
		fails(t, p, Call{Function: c[0], Input: []byte(c[1])})
	}
	if after := tree(t, outside); after != before {
		t.Errorf("something outside was changed:\n%s\n%s", before, after)
	}
	if _, err := os.Lstat(dir + "/made"); err == nil {
		t.Error("a link that leads out was made")
	}
}

func TestOpenFilesAreCapped(t *testing.T) {
	p, _, _ := folder(t, false)
	p.limits.Files = 10
	p.runtime.background.Wait() // it reads folders
	before := openDescriptors(t)
	for range 3 {
		succeeds(t, p, "open_many", "/data/a.txt", "10")
	}
	if after := openDescriptors(t); after > before {
		t.Errorf("%d descriptors are open, %d before", after, before)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("counts /proc/self/fd")
	}
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
