package workflow_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/rogpeppe/go-internal/txtar"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

func fileSchema(t testing.TB) *workflow.Schema {
	t.Helper()
	s, err := workflow.NewSchema(workflow.JSONSchema())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON reads TOML as an editor does before it looks at the schema.
func asJSON(t interface {
	Helper()
	Fatal(...any)
}, text []byte) event.Value {
	t.Helper()
	var v map[string]any
	if err := toml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return event.Raw(raw)
}

// The schema lies beside the example, where its first line names it, and is
// what JSONSchema makes.
func TestJSONSchemaFile(t *testing.T) {
	file := filepath.Join(filepath.Dir(example), "workflow.schema.json")
	if *update {
		if err := os.WriteFile(file, workflow.JSONSchema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, workflow.JSONSchema()) {
		t.Errorf("%s is out of date: go test ./host/workflow -update", file)
	}
}

func TestJSONSchemaTakesTheExample(t *testing.T) {
	s := fileSchema(t)
	for _, name := range []string{"workflow.toml", "report.toml", "basic.toml", "emergency.toml"} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(example), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(asJSON(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"nme = \"x\"\n[nodes]":                                               `nme is not allowed here`,
		"[nodes.a]\nplugin = 5":                                              "nodes.a.plugin must be a string, it is a number",
		"[nodes.a]\ntimeout = \"30\"":                                        "nodes.a.timeout must match",
		"[nodes.a.retry]\nbackoff = \"x\"":                                   `nodes.a.retry.backoff must be one of "constant"`,
		"[nodes]\n[breakers.b]\nfailure_rate = 0":                            "breakers.b.failure_rate must be more than 0",
		"[nodes]\n[plugins.p]\nsource = \"x\"\nlimits = { memory = \"8M\" }": "plugins.p.limits.memory must match",
	} {
		err := s.Check(asJSON(t, []byte(name)))
		if err == nil || !strings.Contains(err.Error(), strings.SplitN(want, " must match", 2)[0]) {
			t.Errorf("%q: %v, want %s", name, err, want)
		}
	}
}

// What the strict reader takes, the schema takes: both come from one table.
func TestJSONSchemaTakesWhatIsRead(t *testing.T) {
	s := fileSchema(t)
	files, _ := filepath.Glob("../../testdata/workflows/*.txtar")
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if last := archive.Files[len(archive.Files)-1]; bytes.Contains(last.Data, []byte("[syntax]")) ||
			bytes.Contains(last.Data, []byte("[duplicate_key]")) || bytes.Contains(last.Data, []byte("too large")) {
			continue // not TOML that can be read otherwise
		}
		schemaErr := s.Check(asJSON(t, archive.Files[0].Data))
		form := bytes.Contains(archive.Files[len(archive.Files)-1].Data, []byte("[unknown_key]")) ||
			bytes.Contains(archive.Files[len(archive.Files)-1].Data, []byte("[wrong_type]"))
		if form && schemaErr == nil {
			t.Errorf("%s: the reader finds keys or types wrong, the schema nothing", file)
		}
		want := string(archive.Files[len(archive.Files)-1].Data)
		if schemaErr != nil && !strings.Contains(want, "[unknown_key]") && !strings.Contains(want, "[wrong_type]") &&
			!strings.Contains(want, "[missing_key]") && !strings.Contains(want, "[bad_") {
			t.Errorf("%s: the schema refuses what the reader takes: %v", file, schemaErr)
		}
	}
}
