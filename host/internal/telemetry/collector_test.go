package telemetry

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"wasmhost/host/event"
)

// collector takes OTLP/HTTP on loopback.
type collector struct {
	*httptest.Server
	answer func(w http.ResponseWriter, r *http.Request) bool // true: it has answered itself

	mu       sync.Mutex
	spans    []*tracepb.Span
	resource []*commonpb.KeyValue
	header   http.Header
	raw      []byte // all that came, as it came
}

func collect(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.answer != nil && c.answer(w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	var q collectorpb.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &q)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		http.Error(w, fmt.Sprint(r.URL.Path, err), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.header, c.raw = r.Header.Clone(), append(c.raw, body...)
	for _, rs := range q.ResourceSpans {
		c.resource = rs.Resource.Attributes
		for _, ss := range rs.ScopeSpans {
			c.spans = append(c.spans, ss.Spans...)
		}
	}
}

func valueOf(list []*commonpb.KeyValue, key string) string {
	for _, a := range list {
		if a.Key == key {
			if i, ok := a.Value.Value.(*commonpb.AnyValue_IntValue); ok {
				return fmt.Sprint(i.IntValue)
			}
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// tree draws the spans: one a line, below its parent; those whose parent is not
// there are marked with a question mark.
func (c *collector) tree(t *testing.T) string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := map[string]*tracepb.Span{}
	for _, s := range c.spans {
		if old := ids[string(s.SpanId)]; old != nil {
			t.Errorf("two spans have the id %x: %s and %s", s.SpanId, old.Name, s.Name)
		}
		if s.EndTimeUnixNano < s.StartTimeUnixNano {
			t.Errorf("%s ends before it begins", s.Name)
		}
		ids[string(s.SpanId)] = s
	}
	slices.SortStableFunc(c.spans, func(a, b *tracepb.Span) int { return int(int64(a.StartTimeUnixNano) - int64(b.StartTimeUnixNano)) })
	var b strings.Builder
	var draw func(parent, indent string)
	line := func(s *tracepb.Span, indent, mark string) {
		if p := ids[string(s.ParentSpanId)]; p != nil && string(p.TraceId) != string(s.TraceId) {
			t.Errorf("%s is in another trace than its parent", s.Name)
		}
		fmt.Fprintf(&b, "%s%s%s", indent, mark, s.Name)
		for _, key := range []string{"wasmhost.attempt", "wasmhost.status", "wasmhost.answered_by", "wasmhost.error.code"} {
			if v := valueOf(s.Attributes, key); v != "" {
				fmt.Fprintf(&b, " %s", v)
			}
		}
		fmt.Fprintf(&b, " %d-%d", (s.StartTimeUnixNano-uint64(noon.UnixNano()))/1e6, (s.EndTimeUnixNano-uint64(noon.UnixNano()))/1e6)
		if s.Status.Code == tracepb.Status_STATUS_CODE_ERROR {
			b.WriteString(" ERROR")
		}
		for _, e := range s.Events {
			fmt.Fprintf(&b, " [%s]", e.Name)
		}
		b.WriteString("\n")
		draw(string(s.SpanId), indent+"  ")
	}
	draw = func(parent, indent string) {
		for _, s := range c.spans {
			if string(s.ParentSpanId) == parent {
				line(s, indent, "")
			}
		}
	}
	draw("", "")
	for _, s := range c.spans {
		if len(s.ParentSpanId) > 0 && ids[string(s.ParentSpanId)] == nil {
			line(s, "", "?")
		}
	}
	return b.String()
}

// noon is when every story begins.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// story is a run's events at their milliseconds after noon.
type story struct {
	tel *Telemetry
	run string
	seq uint64
	log []*event.Event
}

func (s *story) at(ms int, e event.Event) *story {
	s.seq++
	e.V, e.Seq, e.Run, e.Time = event.Version, s.seq, s.run, noon.Add(time.Duration(ms)*time.Millisecond)
	if e.Workflow == "" {
		e.Workflow = "report"
	}
	s.log = append(s.log, &e)
	s.tel.Emit(&e)
	return s
}

func (s *story) begins() *story { return s.at(0, event.Event{Type: event.RunStarted}) }

func (s *story) ends(ms int, status event.Status, err *event.Error) *story {
	return s.at(ms, event.Event{Type: event.RunFinished, Status: status, Error: err, DurationMS: float64(ms),
		Result: &event.Result{RunID: s.run, Workflow: "report", Status: status, StartedAt: noon}})
}

// node is a node that a plugin answered at once.
func (s *story) node(from, to int, path string) *story {
	return s.starts(from, path).succeeds(from, to, path, 1)
}

func (s *story) starts(ms int, path string) *story {
	return s.at(ms, event.Event{Type: event.NodeStarted, Node: path, Plugin: "http", Function: "run"})
}

func (s *story) succeeds(from, to int, path string, attempts int) *story {
	return s.at(to, event.Event{Type: event.NodeSucceeded, Node: path, Plugin: "http", Status: event.Succeeded, AnsweredBy: "primary", Attempt: attempts,
		Digest: "sha256:1", DurationMS: float64(to - from), Steps: 1000, MemoryBytes: 1 << 20, HostCalls: &event.HostCalls{HTTP: 2, HTTPBytes: 300}, Output: new(event.Value)})
}

func (s *story) attemptFails(from, to int, path string, attempt int) *story {
	return s.at(to, event.Event{Type: event.NodeAttemptFailed, Node: path, Plugin: "http", Attempt: attempt, Digest: "sha256:1", Error: unavailable, DurationMS: float64(to - from), Steps: 500})
}

func (s *story) retries(ms, wait int, path string, next int) *story {
	return s.at(ms, event.Event{Type: event.NodeRetrying, Node: path, Plugin: "http", Attempt: next, RetryInMS: float64(wait), Error: unavailable})
}

func (s *story) fails(from, to int, path string, attempts int) *story {
	return s.at(to, event.Event{Type: event.NodeFailed, Node: path, Plugin: "http", Status: event.Failed, Attempt: attempts, Error: unavailable, DurationMS: float64(to - from)})
}

var unavailable = &event.Error{Class: event.Transient, Code: "unavailable", Message: "503 from the shop"}

// tell makes a Telemetry, lets somebody speak and closes it.
func tell(t *testing.T, speak func(*Telemetry)) *Telemetry {
	t.Helper()
	tel, err := New(Config{Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	speak(tel)
	shut(t, tel)
	return tel
}

func shut(t *testing.T, tel *Telemetry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := tel.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := tel.Close(ctx); err != nil {
		t.Error(err)
	}
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }
