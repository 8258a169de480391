package workflow_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"wasmhost/host/workflow"
)

func TestSchemaIsGivenAsItIsWritten(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const text = `{"type": "object", "properties": {"n": {"$ref": "n.json"}}}`
	schema, part := write("in.json", text), write("n.json", `{"type": "integer"}`)
	file := write("a.toml", "[input]\nschema = \"in.json\"\n[plugins.p]\nsource = \"builtin:uppercase\"\n[nodes.a]\nplugin = \"p\"\n")
	plan, findings := workflow.Load(t.Context(), file, workflow.Options{Builtins: []string{"uppercase"}})
	if plan == nil {
		t.Fatal(findings)
	}
	if got := string(plan.Input.Schema.JSON()); got != text {
		t.Errorf("schema of a file: %s", got)
	}
	slices.Sort(plan.Files)
	if want := []string{schema, part}; !slices.Equal(plan.Files, want) {
		t.Errorf("files %v, want %v", plan.Files, want)
	}
	file = write("b.toml", "[input.schema]\ntype = \"string\"\n[plugins.p]\nsource = \"builtin:uppercase\"\n[nodes.a]\nplugin = \"p\"\n")
	if plan, findings = workflow.Load(t.Context(), file, workflow.Options{Builtins: []string{"uppercase"}}); plan == nil {
		t.Fatal(findings)
	}
	if got := string(plan.Input.Schema.JSON()); got != `{"type":"string"}` {
		t.Errorf("inline schema: %s", got)
	}
}
