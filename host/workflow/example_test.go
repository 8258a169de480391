package workflow_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wasmhost/host/workflow"
)

const example = "../../testdata/example/workflow.toml"

// TestExample reads the design's own file with everything that it names: no
// finding, not even a warning.
func TestExample(t *testing.T) {
	plan, findings := workflow.Load(context.Background(), example, workflow.Options{Inspector: builtins})
	var text strings.Builder
	workflow.Format(&text, findings, nil, false)
	if len(findings) > 0 {
		t.Fatalf("findings:\n%s", text.String())
	}
	if plan.Name != "fault-tolerant-analysis" || len(plan.Nodes) != 6 || len(plan.Levels) != 2 {
		t.Errorf("name %q, %d nodes, %d levels", plan.Name, len(plan.Nodes), len(plan.Levels))
	}
}

// The modules are what their sources beside them say.
func TestModulesAreBuiltFromTheirSources(t *testing.T) {
	wat2wasm, err := exec.LookPath("wat2wasm")
	if err != nil {
		if os.Getenv("CI") != "" { // CI skips nothing
			t.Fatal("wat2wasm (wabt) is not installed: the committed modules were not compared with their sources")
		}
		t.Skip("NOT TESTED: wat2wasm (wabt) is not installed: the committed modules were not compared with their sources")
	}
	sources, _ := filepath.Glob(filepath.Join(filepath.Dir(example), "plugins", "*.wat"))
	if len(sources) != 3 {
		t.Fatalf("sources: %v", sources)
	}
	for _, source := range sources {
		built := filepath.Join(t.TempDir(), "built.wasm")
		if out, err := exec.Command(wat2wasm, source, "-o", built).CombinedOutput(); err != nil {
			t.Fatalf("%s: %s", source, out)
		}
		want, err := os.ReadFile(built)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(strings.TrimSuffix(source, ".wat") + ".wasm")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s was not built from %s", strings.TrimSuffix(source, ".wat")+".wasm", source)
		}
	}
}
