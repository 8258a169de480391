package workflow_test

import (
	"context"
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
