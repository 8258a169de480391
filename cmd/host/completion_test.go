package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The script for bash is asked by bash. A word that stands apart by =, : or @ does so
// in COMP_WORDS too.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("there is no bash")
	}
	var script bytes.Buffer
	if code := run(context.Background(), []string{"host", "completion", "bash"}, strings.NewReader(""), &script, &script); code != exitOK {
		t.Fatal(script.String())
	}
	dir := t.TempDir()
	for _, name := range []string{"flow.toml", "host.toml", "flows"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for typed, want := range map[string]string{
		"host ru":                            "run runs",
		"host runs sh":                       "show",
		"host run fl":                        "flow.toml flows",
		"host run --wa":                      "--watch",
		"host run --server h":                "",
		"host run --server = h":              "",
		"host run --run-id f":                "",
		"host run --server http://h flow.":   "flow.toml",
		"host run --state fl":                "flow.toml flows",
		"host runs list --state fl":          "flow.toml flows",
		"host run --server http : //h":       "",
		"host run --server = http : //l : 7": "",
		"host run --server http :":           "",
		"host run --input @ flow.":           "@flow.toml",
		"host runs approve --answer @ fl":    "@flow.toml @flows",
		"host run --output = j":              "json jsonl",
		"host run -o q":                      "quiet",
		"host runs list --status can":        "cancelled",
		"host runs list --limit f":           "",
		"host runs list --limit ":            "",
	} {
		cmd := exec.Command(bash, "--norc", "-c", script.String()+`
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _host; echo "${COMPREPLY[@]}"`, "bash")
		cmd.Args = append(cmd.Args, strings.Split(typed, " ")...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s: %q, want %q (%v)", typed, got, want, err)
		}
	}
}
