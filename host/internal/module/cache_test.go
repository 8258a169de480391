package module

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func loopModule() []byte {
	var m modBuilder
	m.memory = true
	m.globals = [][]byte{{byte(I32), 1, opI32Const, 7, opEnd}}
	m.fn(m.typ(0, 0), 0, opLoop, emptyBlock, opBr, 0, opEnd)
	m.exports = [][]byte{append(appendName(nil, "run"), 0, 0)}
	return m.bytes()
}

func TestCacheRebuildsWhatIsDamaged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "prepared")
	c, err := OpenCache(dir)
	if err != nil {
		t.Fatal(err)
	}
	var heard []string
	c.OnError = func(err error) { heard = append(heard, err.Error()) }
	b := loopModule()
	digest := sha256.Sum256(b)
	want, err := c.Prepare(digest, b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if st, _ := os.Stat(dir); st.Mode().Perm() != 0o700 {
		t.Errorf("directory has mode %v", st.Mode())
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(files) != 1 {
		t.Fatalf("files: %v", files)
	}
	if st, _ := os.Stat(files[0]); st.Mode().Perm() != 0o600 {
		t.Errorf("file has mode %v", st.Mode())
	}
	same := func(what string) {
		t.Helper()
		// The bytes are not needed when the file is good.
		got, err := c.Prepare(digest, nil, Options{})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if !bytes.Equal(got.Bytes, want.Bytes) || !reflect.DeepEqual(got.Info, want.Info) {
			t.Errorf("%s: another result", what)
		}
	}
	same("second time")
	good := readFile(t, files[0])
	for _, bad := range [][]byte{
		nil, good[:10], good[:len(good)-1], append(bytes.Clone(good), 0),
		append([]byte("x"), good...), flip(good, len(good)/2), flip(good, len(fileMagic)+3), flip(good, len(good)-1),
	} {
		if err := os.WriteFile(files[0], bad, 0o600); err != nil {
			t.Fatal(err)
		}
		heard = nil
		if got, err := c.Prepare(digest, b, Options{}); err != nil || !bytes.Equal(got.Bytes, want.Bytes) {
			t.Fatalf("after damage: %v", err)
		}
		if len(heard) != 1 || !strings.Contains(heard[0], "damaged") {
			t.Errorf("heard %q", heard)
		}
		same("after damage")
	}
	// Other options are another file.
	if _, err := c.Prepare(digest, b, Options{MemoryPages: 9}); err != nil {
		t.Fatal(err)
	}
	if files, _ = filepath.Glob(filepath.Join(dir, "*")); len(files) != 2 {
		t.Errorf("files: %v", files)
	}
}

// TestCacheKeepsInfo: whatever Info holds comes back as it was.
func TestCacheKeepsInfo(t *testing.T) {
	c, err := OpenCache(filepath.Join(t.TempDir(), "c"))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	modules := [][]byte{{0, 'a', 's', 'm', 1, 0, 0, 0}, with(custom("empty"), custom("full", 1))}
	for range 30 {
		modules = append(modules, (&generator{b: randomBytes(r, 1000)}).module())
	}
	for _, b := range modules {
		digest := sha256.Sum256(b)
		want, err := c.Prepare(digest, b, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Prepare(digest, nil, Options{})
		if err != nil || !bytes.Equal(got.Bytes, want.Bytes) || !reflect.DeepEqual(got.Info, want.Info) {
			t.Errorf("%v\nput %+v\ngot %+v", err, want.Info, got.Info)
		}
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 0x40
	return b
}

func TestCachePrunesOldestFirst(t *testing.T) {
	if _, err := OpenCache(t.TempDir()); err == nil {
		t.Fatal("a directory open to others was taken")
	}
	dir := filepath.Join(t.TempDir(), "p")
	c, err := OpenCache(dir)
	if err != nil {
		t.Fatal(err)
	}
	b := loopModule()
	digest := sha256.Sum256(b)
	for i := range 3 {
		if _, err := c.Prepare(digest, b, Options{MemoryPages: uint32(10 + i)}); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(time.Duration(i-10) * time.Hour)
		name := filepath.Join(dir, key(digest, Options{MemoryPages: uint32(10 + i)})+suffix)
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	left := filepath.Join(dir, "new-left")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ancient := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(left, ancient, ancient); err != nil {
		t.Fatal(err)
	}
	st, _ := os.Stat(filepath.Join(dir, key(digest, Options{MemoryPages: 12})+suffix))
	if err := c.Prune(st.Size() + 10); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(files) != 1 || !strings.Contains(files[0], key(digest, Options{MemoryPages: 12})) {
		t.Errorf("left: %v", files)
	}
}

func TestCacheRefusesSharedDirectories(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := OpenCache(dir)
	if err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("mode 0755: %v", err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCache(link); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("symbolic link: %v", err)
	}
}
