package journal

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLayouts: what the migrations make is what is expected of every version.
func TestLayouts(t *testing.T) {
	if len(layouts) != schema+1 {
		t.Fatalf("%d layouts, %d versions", len(layouts), schema)
	}
	must(t, sealed())
	path := filepath.Join(t.TempDir(), fileName)
	must(t, os.WriteFile(path, firstPage(), 0o600))
	c, err := dial(t.Context(), dsn(path, sealedVFS))
	must(t, err)
	defer c.close()
	for version := range int64(len(layouts)) {
		if version > 0 {
			must(t, c.step(version))
		}
		if got, err := c.layout(); err != nil || got != layouts[version] {
			t.Errorf("version %d has the layout %q, %v; expected is %q", version, got, err, layouts[version])
		}
	}
}

// TestOtherLayout: a journal that a development build wrote is refused before
// anything is done with it, and doctor says the same.
func TestOtherLayout(t *testing.T) {
	dir := t.TempDir()
	must(t, alter(filepath.Join(dir, fileName), "ALTER TABLE records DROP COLUMN commits"))
	before := stat(t, dir)
	_, err := Open(t.Context(), dir, Options{})
	if err == nil {
		t.Fatal("it opens")
	}
	for _, want := range []string{filepath.Join(dir, fileName), "schema version", "its tables are others", "development build", "move the folder away", "--state"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
	if after := stat(t, dir); after != before {
		t.Error("it was changed")
	}
	found, err := Check(t.Context(), dir)
	must(t, err)
	last := found[len(found)-1]
	if !last.Bad || !strings.Contains(last.What, "its tables are others") || last.Next != layoutRemedy || last.Where != filepath.Join(dir, fileName) {
		t.Errorf("%+v", last)
	}
}

// TestAnalyzed: what SQLite keeps for itself is no other layout.
func TestAnalyzed(t *testing.T) {
	dir := t.TempDir()
	must(t, alter(filepath.Join(dir, fileName), "ANALYZE"))
	shut(t, open(t, dir, Options{}))
}

// BenchmarkOpen is what every command that looks at the journal pays first.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		j, err := Open(context.Background(), dir, Options{Durability: Normal})
		if err != nil {
			b.Fatal(err)
		}
		shut(b, j)
	}
}

// BenchmarkLayout is the part of it that looks at the tables.
func BenchmarkLayout(b *testing.B) {
	dir := b.TempDir()
	j, err := Open(context.Background(), dir, Options{Durability: Normal})
	if err != nil {
		b.Fatal(err)
	}
	defer shut(b, j)
	c, err := j.dialReader(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	defer c.close()
	for b.Loop() {
		if _, err := look(c); err != nil {
			b.Fatal(err)
		}
	}
}
