//go:build unix

package host_test

import (
	"testing"

	"wasmhost/host"
	"wasmhost/host/internal/torture"
)

func init() { torture.Play(host.OpenAt) }

// TestTorture kills processes at work; see package torture. TORTURE_CYCLES says
// how often, TORTURE_SEED where to begin.
func TestTorture(t *testing.T) { torture.Kills(t, host.OpenAt) }
