package bench

import (
	"fmt"
	"testing"
)

// BenchmarkEngine is the cost of a run; ns/node is what to look at.
func BenchmarkEngine(b *testing.B) {
	for _, shape := range []Shape{Chain, FanOut} {
		for _, n := range []int{10, 100, 1000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", shape, n), func(b *testing.B) {
				e, p := NewEngine(), Plan(shape, n)
				b.ReportAllocs()
				for b.Loop() {
					if err := e.Run(p); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/node")
			})
		}
	}
}
