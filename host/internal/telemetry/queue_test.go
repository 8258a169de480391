package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"wasmhost/host/event"
)

// TestNoCollector: nobody listens, and runs and Close do not care.
func TestNoCollector(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+l.Addr().String())
	l.Close()
	tel := tell(t, func(tel *Telemetry) {
		for i := range 10 {
			(&story{tel: tel, run: fmt.Sprint(i)}).begins().node(0, 1, "a").ends(2, event.Succeeded, nil)
		}
	})
	families, _ := scrape(t, tel)
	if got := samples(families); got["spans_dropped_total export"] != "30" || got["runs_total succeeded report"] != "10" {
		t.Error(got)
	}
}

// TestCollectorFails: a collector that answers 500 loses its spans, and is said so
// in the log once.
func TestCollectorFails(t *testing.T) {
	c := collect(t)
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "3")
	c.answer = func(w http.ResponseWriter, r *http.Request) bool {
		http.Error(w, "out of order", http.StatusInternalServerError)
		return true
	}
	var log strings.Builder
	tel, err := New(Config{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		(&story{tel: tel, run: fmt.Sprint(i)}).begins().node(0, 1, "a").ends(2, event.Succeeded, nil)
	}
	shut(t, tel)
	families, _ := scrape(t, tel)
	if got := samples(families)["spans_dropped_total export"]; got != "12" {
		t.Errorf("%s spans are counted as lost", got)
	}
	if n := strings.Count(log.String(), "traces were not exported"); n != 1 || !strings.Contains(log.String(), "out of order") {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
}

// TestCollectorHangs: a collector that takes a request and never answers. The queue
// fills, what is beyond is counted, Emit never waits, and Close no longer than it may.
func TestCollectorHangs(t *testing.T) {
	c := collect(t)
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
	asked := make(chan bool, 1)
	c.answer = func(w http.ResponseWriter, r *http.Request) bool {
		select {
		case asked <- true:
		default:
		}
		var rest [1 << 16]byte // so that the server sees the client go
		for {
			if _, err := r.Body.Read(rest[:]); err != nil {
				break
			}
		}
		<-r.Context().Done()
		return true
	}
	tel, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	emit := func(from int) {
		for i := range 10 {
			(&story{tel: tel, run: fmt.Sprint(from + i)}).begins().ends(2, event.Succeeded, nil)
		}
	}
	emit(0)
	<-asked
	for i := range 100 {
		emit(10 + 10*i)
	}
	families, _ := scrape(t, tel)
	if got := samples(families)["spans_dropped_total queue"]; got != "900" {
		t.Errorf("%s spans are counted as lost of 1,010, where 10 are under way and 100 wait", got)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := tel.Close(ctx); err == nil {
		t.Error("Close says that all was exported")
	}
	families, _ = scrape(t, tel)
	if got := samples(families)["spans_dropped_total export"]; got != "110" {
		t.Errorf("%s spans are counted as lost by Close, not 110", got)
	}
	(&story{tel: tel, run: "late"}).begins().ends(2, event.Succeeded, nil)
	families, _ = scrape(t, tel)
	if got := samples(families)["spans_dropped_total closed"]; got != "1" {
		t.Errorf("after Close: %s", got)
	}
}

// TestExportedInTime: a batch that is not full goes out after the delay, without Close.
func TestExportedInTime(t *testing.T) {
	c := collect(t)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
	t.Setenv("OTEL_SERVICE_NAME", "orders")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "X-Team=red")
	came := make(chan bool, 1)
	c.answer = func(http.ResponseWriter, *http.Request) bool {
		select {
		case came <- true:
		default:
		}
		return false
	}
	tel, err := New(Config{Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	defer shut(t, tel)
	(&story{tel: tel, run: "01RUN"}).begins().ends(2, event.Succeeded, nil)
	<-came
	shut(t, tel)
	if c.header.Get("X-Team") != "red" || valueOf(c.resource, "service.name") != "orders" || valueOf(c.resource, "service.version") != "1.2.3" || valueOf(c.resource, "deployment.environment") != "test" {
		t.Errorf("%v %v", c.header, c.resource)
	}
}

func TestSettings(t *testing.T) {
	for _, x := range []struct {
		name, value string
		traces      bool
		says        string
	}{
		{"OTEL_SDK_DISABLED", "true", false, ""},
		{"OTEL_TRACES_EXPORTER", "none", false, ""},
		{"OTEL_TRACES_EXPORTER", "otlp", true, ""},
		{"OTEL_TRACES_EXPORTER", "zipkin", false, "set it to otlp or none"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", false, "only http/protobuf and http/json"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", true, ""},
		{"OTEL_TRACES_SAMPLER", "jaeger_remote", false, "always_on, always_off or traceidratio"},
		{"OTEL_BSP_MAX_QUEUE_SIZE", "many", false, "a whole number from 1"},
		{"OTEL_BSP_SCHEDULE_DELAY", "-1", false, "a whole number from 1"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "", false, ""},
	} {
		t.Run(x.name+"="+x.value, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
			t.Setenv(x.name, x.value)
			tel, err := New(Config{})
			if x.says != "" {
				if err == nil || !strings.Contains(err.Error(), x.says) || !strings.Contains(err.Error(), x.value) {
					t.Fatalf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tel.Tracing() != x.traces {
				t.Errorf("traces: %v", tel.Tracing())
			}
			if parent := tel.TraceParent(Place{Run: "r", Node: "a", Attempt: 1}); (parent != "") != x.traces {
				t.Errorf("traceparent %q", parent)
			}
			shut(t, tel)
		})
	}
}

// TestTogether has many runs at once, scrapes in between, and a Close among it.
func TestTogether(t *testing.T) {
	collect(t)
	tel, err := New(Config{Log: slog.New(slog.DiscardHandler), Sources: Sources{Live: func() map[string]int { return map[string]int{"report": 1} }}})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 50 {
				id := fmt.Sprintf("%d-%d", i, j)
				tel.Begin(id, 1)
				s := &story{tel: tel, run: id}
				s.begins().starts(0, "a").attemptFails(0, 1, "a", 1).retries(1, 1, "a", 2)
				p := Place{Run: id, Workflow: "report", Node: "a", Attempt: 2}
				tel.TraceParent(p)
				var inside sync.WaitGroup
				inside.Go(func() { tel.HTTP(p, "", HTTPExchange{Method: "GET", Status: 500}) })
				s.at(2, event.Event{Type: event.BreakerChanged, Breaker: "shop", From: "closed", To: "open"})
				inside.Wait()
				s.succeeds(0, 5, "a", 2)
				if j%2 == 0 {
					s.ends(6, event.Succeeded, nil)
				} else {
					tel.Left(id)
				}
				tel.Served("GET /", "GET", 200, time.Millisecond)
				tel.Breaker("report", "closed", "open", event.BreakerState{Key: "shop"})
			}
		})
	}
	for range 5 {
		all.Go(func() { scrape(t, tel) })
	}
	all.Wait()
	shut(t, tel)
	if n := len(tel.runs.by); n != 0 {
		t.Errorf("%d runs are remembered", n)
	}
	families, _ := scrape(t, tel)
	if got := samples(families)["attempts_total a answered http report"]; got != "400" {
		t.Error(got)
	}
}

// TestForgotten: runs that nobody ends do not pile up.
func TestForgotten(t *testing.T) {
	tel := tell(t, func(tel *Telemetry) {
		for i := range 2*mostRuns + 10 {
			tel.Begin(fmt.Sprint(i), 1)
		}
	})
	if n := len(tel.runs.by); n > mostRuns {
		t.Errorf("%d runs are remembered", n)
	}
	if tel.runs.known(fmt.Sprint(2*mostRuns+9)) == nil {
		t.Error("the newest is forgotten")
	}
}
