package server

import (
	"fmt"
	"testing"

	"wasmhost/host/event"
)

// What one event costs the run's side, by how many watch over real connections.
func BenchmarkEvent(b *testing.B) {
	for _, n := range []int{1, 10, 200} {
		b.Run(fmt.Sprintf("watchers=%d", n), func(b *testing.B) {
			s := serve(b, nil)
			s.start("r1", "slow")
			for range n {
				w := s.watch("r1")
				w.want("1 run.started")
				go func() {
					for w.next() != "" {
					}
				}()
			}
			t, leave, err := s.hub.join("r1", 0)
			if err != nil {
				b.Fatal(err)
			}
			defer leave()
			e := &event.Event{V: 1, Type: event.NodeSucceeded, Run: "r1", Node: "report/each[3]", Plugin: "up", Digest: "sha256:aa"}
			seq := uint64(10)
			b.ReportAllocs()
			for b.Loop() {
				seq++
				e.Seq = seq
				if err := t.add(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
