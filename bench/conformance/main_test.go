package main

import (
	"strings"
	"testing"

	"wasmhost/bench/gotest"
)

func TestWhatHasNoReasonIsCounted(t *testing.T) {
	var out strings.Builder
	n := show(&out, []gotest.Row{
		{What: "one", Unit: "calls", Number: 5, Different: []gotest.Difference{{What: "a", Why: "stricter"}, {What: "b"}}},
		{What: "two", Unit: "modules", Number: 7},
	})
	if n != 1 {
		t.Errorf("%d differences without a reason, not 1", n)
	}
	for _, want := range []string{"5 calls", "stricter", "NO REASON", "7 modules"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
}
