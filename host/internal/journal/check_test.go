package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// findings are what Check finds, as text, bad ones marked.
func findings(t *testing.T, dir string) string {
	t.Helper()
	found, err := Check(t.Context(), dir)
	must(t, err)
	var b strings.Builder
	for _, f := range found {
		if f.Bad {
			b.WriteString("BAD ")
			if f.Next == "" {
				t.Errorf("%+v leaves the reader alone", f)
			}
		}
		b.WriteString(f.What + "\n")
	}
	return b.String()
}

func TestCheck(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	expect := func(want ...string) {
		t.Helper()
		got := findings(t, dir)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%q is missing in\n%s", w, got)
			}
		}
		if bad := strings.Contains(strings.Join(want, ""), "BAD"); bad != strings.Contains(got, "BAD") {
			t.Errorf("bad: %v, of\n%s", bad, got)
		}
	}
	expect("there is no journal yet")
	j := open(t, dir, Options{})
	writePast(t, j)
	w := begin(t, j, "alive")
	must(t, append1(w, step("alive", 1)))
	expect("SQLite finds nothing wrong", "5 runs with 49 records, all as written", "large values, all as written", "1 run was interrupted")
	shut(t, j)
	before := stat(t, dir)
	expect("5 runs with 49 records", "2 runs were interrupted")
	if after := stat(t, dir); after != before {
		t.Errorf("the check changed the journal: %s, before %s", after, before)
	}

	// Somebody helps the history along with the sqlite3 tool.
	change := func(statement string) {
		t.Helper()
		j := open(t, dir, Options{})
		must(t, j.do(t.Context(), "", func(tx *tx) error { _, err := tx.exec(statement); return err }))
		shut(t, j)
	}
	change("UPDATE records SET mark = mark + 1 WHERE at = (SELECT min(at) + 3 FROM records)")
	expect("BAD run succeeded: record 4 is not what was written")
	change("DELETE FROM records WHERE at = (SELECT min(at) + 1 FROM records)")
	expect("BAD run succeeded: record 2 is missing")
	change("DELETE FROM runs WHERE id = 'succeeded'")
	expect("BAD large values are said to be used")
	change("UPDATE outputs SET data = x'00'")
	expect("large values are not what was written", "BAD run failed: the output of record")
	change("DELETE FROM outputs")
	expect("BAD run failed: the output of record")

	must(t, os.Chmod(dir, 0o777))
	must(t, os.Chmod(filepath.Join(dir, fileName), 0o644))
	expect("BAD other users may write into the folder", "BAD the file is open to other users")
	// Opening closes the file to them again.
	shut(t, open(t, dir, Options{}))
	if info, err := os.Stat(filepath.Join(dir, fileName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

func stat(t *testing.T, dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, fileName))
	must(t, err)
	return string(digestOf(b))
}

// TestSealed: pages of the main file are sealed, and the test would notice if the
// layer were not there.
func TestSealed(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	writePast(t, j)
	shut(t, j)
	b, err := os.ReadFile(filepath.Join(dir, fileName))
	must(t, err)
	if len(b) < 10*pageSize || len(b)%pageSize != 0 {
		t.Fatalf("%d bytes", len(b))
	}
	for at := 0; at < len(b); at += pageSize {
		page := b[at : at+pageSize]
		if string(page[pageSize-sealSize:]) == strings.Repeat("\x00", sealSize) {
			t.Errorf("page %d has no seal", at/pageSize+1)
		}
		if rc := unseal(mainFile, page, int64(at)); rc != 0 {
			t.Errorf("page %d has a broken seal", at/pageSize+1)
		}
	}
}
