//go:build unix

package host_test

import (
	"testing"

	"wasmhost/host/internal/torture"
)

// TestSwaps swaps the plugins of a server at work; see package torture.
// SWAPS_COUNT says how often, SWAPS_SEED where to begin.
func TestSwaps(t *testing.T) { torture.Swaps(t, "../testdata/guests") }
