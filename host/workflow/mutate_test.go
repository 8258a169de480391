package workflow_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"wasmhost/host/workflow"
)

// Files that were right, or nearly, with lines lost, doubled, moved and bytes
// changed: what people's files look like while they write them. Reading never
// panics, and takes nothing that the TOML library refuses.
func TestMutilatedFiles(t *testing.T) {
	var files [][]byte
	cases, _ := filepath.Glob("../../testdata/workflows/*.txtar")
	for _, file := range cases {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, archive.Files[0].Data)
	}
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, text)
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		lines := bytes.Split(files[rapid.IntRange(0, len(files)-1).Draw(t, "file")], []byte("\n"))
		for range rapid.IntRange(1, 8).Draw(t, "changes") {
			i := rapid.IntRange(0, len(lines)-1).Draw(t, "line")
			line := bytes.Clone(lines[i])
			switch rapid.IntRange(0, 5).Draw(t, "change") {
			case 0:
				lines[i] = nil
			case 1:
				lines = append(lines, line)
			case 2:
				j := rapid.IntRange(0, len(lines)-1).Draw(t, "with")
				lines[i], lines[j] = lines[j], lines[i]
			case 3:
				if len(line) > 0 {
					line[rapid.IntRange(0, len(line)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("[]{}\"'=.,#\\\n\t0aZ\x00\xff*-")).Draw(t, "byte")
					lines[i] = line
				}
			case 4:
				lines[i] = line[:rapid.IntRange(0, len(line)).Draw(t, "cut")]
			case 5:
				at := rapid.IntRange(0, len(line)).Draw(t, "at")
				piece := rapid.SampledFrom([]string{"[", "]", "[[", "]]", "{", "}", `"""`, "'''", `"`, "{{", "}}", " = ", ".", "nodes", "[nodes.a]", "[nodes.a.b]", "a.b = 1", "é"}).Draw(t, "piece")
				lines[i] = append(append(bytes.Clone(line[:at]), piece...), line[at:]...)
			}
		}
		text := bytes.Join(lines, []byte("\n"))
		file := filepath.Join(dir, "mutilated.toml")
		plan, findings := workflow.Parse(context.Background(), file, text, workflow.Options{Inspector: builtins})
		if (plan == nil) != workflow.HasErrors(findings) {
			t.Fatalf("a plan: %v, with %v", plan != nil, findings)
		}
		var v map[string]any
		err := toml.Unmarshal(text, &v)
		syntax := false
		for _, f := range findings {
			syntax = syntax || f.Code == "syntax" || f.Code == "duplicate_key"
			if lines := strings.Split(string(text), "\n"); f.File == file && (f.Line < 1 || f.Line > len(lines)) {
				t.Fatalf("outside the file: %v", f)
			}
		}
		if err != nil && !syntax && !hugeNumberOnly(err) {
			t.Fatalf("the TOML library says %v, reading finds nothing wrong with the TOML\n%s", err, text)
		}
		if err == nil && syntax {
			t.Fatalf("the TOML library takes it, reading says %v\n%s", findings, text)
		}
	})
}

// hugeNumberOnly: numbers that do not fit are a finding of their own.
func hugeNumberOnly(err error) bool {
	return strings.Contains(err.Error(), "too large")
}
