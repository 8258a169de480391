package host_test

import (
	"path/filepath"
	"testing"

	"wasmhost/host"
	"wasmhost/host/event"
)

// TestTrials: how a canary or a shadow came out is shown when it is over.
func TestTrials(t *testing.T) {
	dir := t.TempDir()
	one := module(t, filepath.Join(dir, "up.wasm"), 0)
	h := open(t, nil)
	w := loaded(t, h, file(t, dir, "shout", shoutsFromFile))
	call := func() {
		t.Helper()
		r, err := h.Start(t.Context(), w, host.Options{Input: event.Text("x"), HasInput: true})
		if err != nil {
			t.Fatal(err)
		}
		wantStatus(t, wait(t, r), event.Succeeded)
	}
	call()
	fails, _ := guest(t, "fh000001")
	for _, trial := range []struct {
		mode    event.SwapMode
		outcome string
	}{{event.SwapCanary, "rolled_back"}, {event.SwapShadow, "ended"}} {
		swapTo(t, h, host.SwapRequest{Plugin: "up", Module: fails, Mode: trial.mode, Good: 3})
		var got *event.TrialResult
		until(t, "the end of the "+string(trial.mode), func() bool {
			call()
			info, err := h.PluginInfo(t.Context(), "up")
			if err != nil {
				t.Fatal(err)
			}
			if info.Digest != one {
				t.Fatalf("the version is %s", info.Digest)
			}
			got = info.LastTrial
			return got != nil && got.Mode == trial.mode
		})
		if got.Outcome != trial.outcome || got.Calls == 0 || got.Digest == one || got.Reason == "" || got.EndedAt.IsZero() {
			t.Errorf("%+v", got)
		}
		if trial.mode == event.SwapCanary && got.Failures < 2 || trial.mode == event.SwapShadow && (got.Differ != got.Calls || len(got.Differences) == 0) {
			t.Errorf("%+v", got)
		}
	}
}
