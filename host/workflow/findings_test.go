package workflow_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"wasmhost/host/workflow"
)

var update = flag.Bool("update", false, "write the findings as they are now into testdata/workflows")

// TestFindings reads testdata/workflows/*.txtar: a workflow, the files that it
// names, and what reading it prints ("want"). A file NAME.hex is written as the
// bytes that it spells, NAME@ is a symlink to what it says.
func TestFindings(t *testing.T) {
	files, err := filepath.Glob("../../testdata/workflows/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		abs, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(abs)
			if err != nil {
				t.Fatal(err)
			}
			findings, got := readCase(t, archive)
			for _, f := range findings {
				seen[f.Code] = true
				if _, ok := workflow.Codes[f.Code]; !ok {
					t.Errorf("the code %q is not in Codes", f.Code)
				}
			}
			i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" })
			if *update {
				if i < 0 {
					archive.Files = append(archive.Files, txtar.File{Name: "want"})
					i = len(archive.Files) - 1
				}
				archive.Files[i].Data = []byte(got)
				if err := os.WriteFile(abs, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if i < 0 {
				t.Fatalf("the case has no -- want --; got:\n%s", got)
			}
			if diff := cmp.Diff(string(archive.Files[i].Data), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	// Every code has a case that shows its message.
	for _, code := range slices.Sorted(maps.Keys(workflow.Codes)) {
		switch code {
		case "too_large", "bad_signature": // see TestLargeFiles; it is reserved
			continue
		}
		if !seen[code] {
			t.Errorf("no case shows the finding %q", code)
		}
	}
}

// readCase lays the files out and reads workflow.toml among them.
func readCase(t *testing.T, archive *txtar.Archive) ([]workflow.Finding, string) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, f := range archive.Files {
		if f.Name == "want" {
			continue
		}
		name, data := f.Name, f.Data
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if link, ok := strings.CutSuffix(name, "@"); ok {
			err = os.Symlink(strings.TrimSpace(string(data)), link)
		} else {
			if plain, ok := strings.CutSuffix(name, ".hex"); ok {
				name = plain
				if data, err = hex.DecodeString(strings.Join(strings.Fields(string(data)), "")); err != nil {
					t.Fatal(err)
				}
			}
			err = os.WriteFile(name, data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	options := workflow.Options{Inspector: builtins, Builtins: slices.Sorted(maps.Keys(builtins.builtins)), Getenv: func(name string) (string, bool) {
		value, ok := map[string]string{"BAD_ORIGIN": "localhost", "WIDE_ORIGIN": "https://*.com", "EMPTY": ""}[name]
		return value, ok
	}}
	plan, findings := workflow.Load(context.Background(), "workflow.toml", options)
	if (plan == nil) != workflow.HasErrors(findings) {
		t.Errorf("a plan: %v, errors: %v", plan != nil, workflow.HasErrors(findings))
	}
	var text bytes.Buffer
	workflow.Format(&text, findings, nil, false)
	if len(findings) == 0 {
		text.WriteString("no findings\n")
	}
	return findings, text.String()
}

// TestTwelveMistakes: one file, twelve different mistakes, one reading.
func TestTwelveMistakes(t *testing.T) {
	t.Chdir("../../testdata/workflows")
	_, findings := workflow.Load(context.Background(), "twelve-mistakes.toml", workflow.Options{Inspector: builtins})
	if len(findings) != 12 {
		t.Errorf("%d findings", len(findings))
	}
	codes := map[string]bool{}
	for _, f := range findings {
		codes[f.Code] = true
	}
	if len(codes) != 12 {
		t.Errorf("they are of %d sorts", len(codes))
	}
	var got bytes.Buffer
	workflow.Format(&got, findings, nil, false)
	if *update {
		if err := os.WriteFile("twelve-mistakes.golden", got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("twelve-mistakes.golden")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
