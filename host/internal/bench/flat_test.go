package bench

import "testing"

// TestFlat: the cost of a node does not grow with the graph. Allocations are
// compared, not times, which a busy machine makes up.
func TestFlat(t *testing.T) {
	for _, shape := range []Shape{Chain, FanOut} {
		per := func(n int) float64 {
			e, p := NewEngine(), Plan(shape, n)
			return testing.AllocsPerRun(3, func() {
				if err := e.Run(p); err != nil {
					t.Fatal(err)
				}
			}) / float64(n)
		}
		small, large := per(100), per(20_000)
		t.Logf("%s: %.1f and %.1f", shape, small, large)
		if large > 1.1*small {
			t.Errorf("%s: %.1f allocations a node in 100 nodes, %.1f in 20,000", shape, small, large)
		}
	}
}
