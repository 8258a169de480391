package host

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestLatenciesAreThoseOfTheLastAttempts compares with sorting the last ones
// anew, doubles included.
func TestLatenciesAreThoseOfTheLastAttempts(t *testing.T) {
	var l latencies
	if got := l.quantiles(); got != nil {
		t.Errorf("quantiles of nothing: %v", got)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var all []float64
	for range 3 * latenciesKept {
		ms := float64(r.IntN(400)) / 8
		all = append(all, ms)
		l.add(ms)
		want := slices.Sorted(slices.Values(all[max(0, len(all)-latenciesKept):]))
		if !slices.Equal(l.sorted, want) {
			t.Fatalf("after %d attempts: %v, want %v", len(all), l.sorted, want)
		}
	}
	got := l.quantiles()
	last := l.sorted
	for name, want := range map[string]float64{"p50": last[512], "p90": last[921], "p99": last[1013], "max": last[1023]} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}
