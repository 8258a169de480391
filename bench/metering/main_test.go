package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wasmhost/bench/gotest"
)

func TestOwnSourcesAreThere(t *testing.T) {
	b := builder{own: "programs", module: "../../host/internal/module/testdata/bench"}
	names := map[string]bool{}
	for _, p := range programs {
		if names[p.name] {
			t.Errorf("two programs are called %s", p.name)
		}
		names[p.name] = true
		own := p
		own.files = nil
		for _, f := range p.files {
			if strings.Contains(f, ":") {
				own.files = append(own.files, f)
			}
		}
		files, err := b.find(own)
		if err != nil || len(files) == 0 && p.name != "go" {
			t.Errorf("%s: %v, %v", p.name, files, err)
		}
	}
	if _, err := b.find(program{files: []string{"own:none.c"}}); err == nil {
		t.Error("a pattern that finds nothing is no error")
	}
	files, err := b.find(program{files: []string{"own:*.c"}, without: []string{"zlib.c"}})
	if err != nil || len(files) == 0 || strings.Contains(strings.Join(files, " "), "zlib.c") {
		t.Errorf("without zlib.c: %v, %v", files, err)
	}
}

func TestAFileOfAnotherDigestIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := sources[0]
	if err := s.check(dir); err == nil {
		t.Error("a file that is missing passed")
	}
	writeFile(t, filepath.Join(dir, s.file), "something else")
	if err := s.check(dir); err == nil || !strings.Contains(err.Error(), s.sha256) {
		t.Errorf("another file passed, or the error does not say which it should be: %v", err)
	}
}

func TestTheTableSaysWhetherTheTargetIsMet(t *testing.T) {
	for _, c := range []struct {
		what   string
		worst  float64
		others float64
		want   string
	}{
		{"all cheap", 1.1, 1.1, "met"},
		{"one too dear", 1.4, 1.1, "MISSED"},
		{"all a little too dear", 1.2, 1.2, "MISSED"},
	} {
		r := &gotest.Results{By: map[string]gotest.Series{}}
		for i, p := range programs {
			x := c.others
			if i == 0 {
				x = c.worst
			}
			r.By[p.name] = gotest.Series{"x-metered": {x}}
		}
		var out strings.Builder
		show(&out, r)
		if !strings.HasSuffix(strings.TrimSpace(out.String()), ": "+c.want) {
			t.Errorf("%s:\n%s", c.what, &out)
		}
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
