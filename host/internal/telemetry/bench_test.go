package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"wasmhost/host/event"
)

// BenchmarkEmit is what one event costs the run that waits for it: of nodes that
// succeed at once, of items, and of attempts that fail and are made again.
func BenchmarkEmit(b *testing.B) {
	for _, x := range []struct {
		name   string
		traces bool
		log    *slog.Logger
	}{{name: "metrics"}, {name: "metrics+traces", traces: true}, {name: "metrics+log", log: slog.New(slog.DiscardHandler)}} {
		b.Run(x.name, func(b *testing.B) {
			if x.traces {
				c := &collector{answer: func(http.ResponseWriter, *http.Request) bool { return true }}
				s := httptest.NewServer(c)
				defer s.Close()
				b.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.URL)
			}
			tel, err := New(Config{Log: x.log})
			if err != nil {
				b.Fatal(err)
			}
			defer tel.Close(context.Background())
			s := &story{tel: tel, run: "01RUN"}
			s.begins().node(0, 1, "a").node(0, 1, "each[1234]").starts(0, "b").attemptFails(0, 1, "b", 1).retries(1, 1, "b", 2).succeeds(0, 2, "b", 2)
			for _, c := range []struct {
				name   string
				events []*event.Event
			}{{"node", s.log[1:3]}, {"item", s.log[3:5]}, {"retry", s.log[5:9]}} {
				b.Run(c.name, func(b *testing.B) {
					b.ReportAllocs()
					i := 0
					for b.Loop() {
						tel.Emit(c.events[i])
						if i++; i == len(c.events) {
							i = 0
						}
					}
				})
			}
		})
	}
}

func BenchmarkTraceParent(b *testing.B) {
	s := httptest.NewServer(&collector{answer: func(http.ResponseWriter, *http.Request) bool { return true }})
	defer s.Close()
	b.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.URL)
	tel, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer tel.Close(context.Background())
	tel.Begin("01RUN", 1)
	b.ReportAllocs()
	for b.Loop() {
		tel.TraceParent(Place{Run: "01RUN", Workflow: "report", Node: "each[3]/fetch", Attempt: 1})
	}
}
