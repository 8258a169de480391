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

// TestPairs lets two processes share a state folder and a run.
func TestPairs(t *testing.T) { torture.Pairs(t, host.OpenAt) }

// TestStopped takes a run away from a process that is stopped, and wakes it.
func TestStopped(t *testing.T) { torture.Stopped(t, host.OpenAt) }

// TestFull lets the disk fill up under a host.
func TestFull(t *testing.T) { torture.Full(t, host.OpenAt) }
