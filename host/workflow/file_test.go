package workflow_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"wasmhost/host/workflow"
)

// TestLargeFiles: what is too large is refused by its size, and not read.
func TestLargeFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	sparse := func(name string, size int64) {
		t.Helper()
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(name, size); err != nil { // a hole: no disk is needed
			t.Fatal(err)
		}
	}
	sparse("large.toml", 1<<30)
	sparse("over.toml", workflow.MaxFile+1)
	sparse("large.json", 1<<30)
	for name, text := range map[string]string{
		"sub.toml":    "[nodes.a]\nworkflow = \"large.toml\"\n",
		"schema.toml": "[plugins.p]\nsource = \"builtin:uppercase\"\n[nodes.a]\nplugin = \"p\"\noutput = \"large.json\"\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ file, says string }{
		{"large.toml", "large.toml has 1073741824 bytes; a workflow file has at most 16 MiB"},
		{"over.toml", "over.toml has 16777217 bytes; a workflow file has at most 16 MiB"},
		{"sub.toml", "large.toml has 1073741824 bytes; a workflow file has at most 16 MiB"},
		{"schema.toml", "large.json has 1073741824 bytes; a schema has at most 4 MiB"},
	} {
		plan, findings := workflow.Load(context.Background(), c.file, workflow.Options{Inspector: builtins})
		if plan != nil || len(findings) != 1 || findings[0].Code != "too_large" || !strings.Contains(findings[0].Message, c.says) {
			t.Errorf("%s: %v", c.file, findings)
		}
	}
	text := bytes.Repeat([]byte("#"), workflow.MaxFile+1)
	if plan, findings := workflow.Parse(context.Background(), "given.toml", text, workflow.Options{}); plan != nil || len(findings) == 0 || findings[0].Code != "too_large" {
		t.Errorf("a text that is given: %v", findings)
	}
	if err := os.WriteFile("most.toml", append(text[:workflow.MaxFile-100], "\nversion = 1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, findings := workflow.Load(context.Background(), "most.toml", workflow.Options{}); len(findings) == 0 || findings[0].Code == "too_large" {
		t.Errorf("a file that is not too large: %v", findings)
	}
}

func TestReadFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("ten", []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := workflow.ReadFile("ten", 10); string(text) != "0123456789" || err != nil {
		t.Errorf("%q %v", text, err)
	}
	if text, err := workflow.ReadFile("ten", 9); text != nil || err == nil || err.Error() != "ten has 10 bytes, and at most 9 bytes are read of it" {
		t.Errorf("%q %v", text, err)
	}
	if _, err := workflow.ReadFile(".", 10); err == nil || err.Error() != ". is a folder" {
		t.Errorf("%v", err)
	}
	if _, err := workflow.ReadFile("none", 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	// It says 0 bytes of itself, and has some.
	if text, err := workflow.ReadFile("/proc/self/status", 10); err == nil || text != nil {
		if _, missing := os.Stat("/proc/self/status"); missing == nil {
			t.Errorf("%q %v", text, err)
		}
	}
}

// TestLineThatWasRead: a finding shows the line that it is about, whatever the
// file holds by now.
func TestLineThatWasRead(t *testing.T) {
	t.Chdir(t.TempDir())
	text := []byte("version = 1\n[nodes.a]\nworkflow = \"sub.toml\"\n")
	for name, text := range map[string]string{"sub.toml": "version = 1\nnonsens = true\n", "odd.toml": string(text), "w.json": "{\"type\": nonsense}\n",
		"schema.toml": "[plugins.p]\nsource = \"builtin:uppercase\"\n[nodes.a]\nplugin = \"p\"\noutput = \"w.json\"\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for file, shows := range map[string]string{"odd.toml": "    nonsens = true\n    ^", "schema.toml": "    {\"type\": nonsense}\n            "} {
		_, findings := workflow.Load(context.Background(), file, workflow.Options{Inspector: builtins})
		for _, name := range []string{"sub.toml", "w.json"} {
			if err := os.WriteFile(name, []byte("another\ntext\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(name)
		}
		var out bytes.Buffer
		workflow.Format(&out, findings, nil, false)
		if !strings.Contains(out.String(), shows) {
			t.Errorf("%s:\n%s", file, out.String())
		}
		for name, text := range map[string]string{"sub.toml": "version = 1\nnonsens = true\n", "w.json": "{\"type\": nonsense}\n"} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
