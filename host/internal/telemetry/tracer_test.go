package telemetry

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"wasmhost/host/event"
)

// stories are runs as package engine tells them, and their traces.
var stories = []struct {
	name string
	told func(s *story)
	want string
}{
	{"two nodes", func(s *story) {
		s.begins().node(0, 5, "fetch").node(5, 9, "sum").ends(10, event.Succeeded, nil)
	}, `
run report succeeded 0-10
  node fetch succeeded primary 0-5
    attempt http 1 0-5
  node sum succeeded primary 5-9
    attempt http 1 5-9
`},
	{"retries, then an answer", func(s *story) {
		s.begins().starts(0, "fetch").attemptFails(0, 10, "fetch", 1).retries(10, 20, "fetch", 2).attemptFails(30, 35, "fetch", 2).retries(35, 40, "fetch", 3).
			succeeds(0, 80, "fetch", 3).ends(80, event.Succeeded, nil)
	}, `
run report succeeded 0-80
  node fetch succeeded primary 0-80 [node.retrying] [node.retrying]
    attempt http 1 unavailable 0-10 ERROR
    attempt http 2 unavailable 30-35 ERROR
    attempt http 3 75-80
`},
	{"a fallback that is a plugin, and one that is a value", func(s *story) {
		s.begins().starts(0, "a").attemptFails(0, 10, "a", 1).at(10, event.Event{Type: event.FallbackUsed, Node: "a", Plugin: "cache", AnsweredBy: "fallback[0]", Error: unavailable}).
			at(14, event.Event{Type: event.NodeSucceeded, Node: "a", Plugin: "cache", Status: event.Degraded, AnsweredBy: "fallback[0]", Attempt: 2, Digest: "sha256:2", DurationMS: 14}).
			starts(20, "b").attemptFails(20, 22, "b", 1).at(22, event.Event{Type: event.FallbackUsed, Node: "b", AnsweredBy: "fallback[0]", Error: unavailable}).
			at(22, event.Event{Type: event.NodeSucceeded, Node: "b", Plugin: "http", Status: event.Degraded, AnsweredBy: "fallback[0]", Attempt: 1, DurationMS: 2}).
			ends(25, event.Degraded, nil)
	}, `
run report degraded 0-25
  node a degraded fallback[0] 0-14 [fallback.used]
    attempt http 1 unavailable 0-10 ERROR
    attempt cache 2 10-14
  node b degraded fallback[0] 20-22 [fallback.used]
    attempt http 1 unavailable 20-22 ERROR
`},
	{"items", func(s *story) {
		s.begins().at(0, event.Event{Type: event.NodeStarted, Node: "each", Plugin: "http"}).
			node(1, 4, "each[0]").starts(2, "each[1]").attemptFails(2, 5, "each[1]", 1).fails(2, 5, "each[1]", 1).
			at(6, event.Event{Type: event.NodeSucceeded, Node: "each", Plugin: "http", Status: event.Degraded, Attempt: 2, Digest: "sha256:1", DurationMS: 6}).
			ends(7, event.Degraded, nil)
	}, `
run report degraded 0-7
  node each degraded 0-6
    item of each succeeded primary 1-4
      attempt http 1 1-4
    item of each failed unavailable 2-5 ERROR
      attempt http 1 unavailable 2-5 ERROR
`},
	{"a sub-workflow in items, which is tried again", func(s *story) {
		sub := func(ms int, e event.Event) { e.Workflow = "inner"; s.at(ms, e) }
		s.begins().at(0, event.Event{Type: event.NodeStarted, Node: "each"}).at(0, event.Event{Type: event.NodeStarted, Node: "each[0]"})
		sub(0, event.Event{Type: event.NodeStarted, Node: "each[0]/x", Plugin: "http"})
		sub(3, event.Event{Type: event.NodeAttemptFailed, Node: "each[0]/x", Plugin: "http", Attempt: 1, Error: unavailable, DurationMS: 3})
		sub(3, event.Event{Type: event.NodeFailed, Node: "each[0]/x", Plugin: "http", Status: event.Failed, Attempt: 1, Error: unavailable, DurationMS: 3})
		sub(3, event.Event{Type: event.NodeRetrying, Node: "each[0]", Attempt: 2, RetryInMS: 10, Error: unavailable, Reason: "the whole run"})
		sub(13, event.Event{Type: event.NodeStarted, Node: "each[0]/x", Plugin: "http"})
		sub(15, event.Event{Type: event.NodeSucceeded, Node: "each[0]/x", Plugin: "http", Status: event.Succeeded, AnsweredBy: "primary", Attempt: 2, Digest: "sha256:1", DurationMS: 2})
		s.at(15, event.Event{Type: event.NodeSucceeded, Node: "each[0]", Status: event.Succeeded, AnsweredBy: "primary", Attempt: 2, DurationMS: 15}).
			at(16, event.Event{Type: event.NodeSucceeded, Node: "each", Status: event.Succeeded, Attempt: 2, DurationMS: 16}).ends(17, event.Succeeded, nil)
	}, `
run report succeeded 0-17
  node each succeeded 0-16
    item of each succeeded primary 0-15 [node.retrying]
      node each[0]/x failed unavailable 0-3 ERROR
        attempt http 1 unavailable 0-3 ERROR
      node each[0]/x succeeded primary 13-15
        attempt http 2 13-15
`},
	{"the next level, with a node of the same id", func(s *story) {
		s.begins().starts(0, "a").attemptFails(0, 2, "a", 1).fails(0, 2, "a", 1).
			at(2, event.Event{Type: event.FallbackUsed, Workflow: "plain", Level: 1, Error: unavailable}).
			at(2, event.Event{Type: event.NodeStarted, Workflow: "plain", Level: 1, Node: "a", Plugin: "http"}).
			at(5, event.Event{Type: event.NodeSucceeded, Workflow: "plain", Level: 1, Node: "a", Plugin: "http", Status: event.Succeeded, AnsweredBy: "primary", Attempt: 1, Digest: "sha256:1", DurationMS: 3}).
			ends(6, event.Degraded, nil)
	}, `
run report degraded 0-6 [fallback.used]
  node a failed unavailable 0-2 ERROR
    attempt http 1 unavailable 0-2 ERROR
  node a succeeded primary 2-5
    attempt http 1 2-5
`},
	{"a breaker opens, a node is skipped, the run fails", func(s *story) {
		s.begins().starts(0, "a").attemptFails(0, 2, "a", 1).at(2, event.Event{Type: event.BreakerChanged, Breaker: "shop", From: "closed", To: "open", Error: unavailable}).
			fails(0, 2, "a", 1).at(2, event.Event{Type: event.NodeSkipped, Node: "b", Status: event.Skipped, Reason: "a failed"}).ends(3, event.Failed, unavailable)
	}, `
run report failed unavailable 0-3 ERROR [breaker.changed]
  node a failed unavailable 0-2 ERROR
    attempt http 1 unavailable 0-2 ERROR
`},
	{"a hedge asks for the same parent, and a plugin's requests", func(s *story) {
		s.begins().starts(0, "a")
		p := Place{Run: s.run, Workflow: "report", Node: "a", Attempt: 1}
		for i := range 2 { // the attempt and its hedge
			s.tel.HTTP(p, "", HTTPExchange{TraceParent: s.tel.TraceParent(p), Method: "GET", URL: "https://shop.example/price", Status: 200, Start: noon.Add(time.Duration(i+1) * time.Millisecond), End: noon.Add(4 * time.Millisecond)})
		}
		s.succeeds(0, 5, "a", 1).ends(6, event.Succeeded, nil)
	}, `
run report succeeded 0-6
  node a succeeded primary 0-5
    attempt http 1 0-5
      GET 1-4
      GET 2-4
`},
	{"cancelled", func(s *story) {
		gone := &event.Error{Class: event.Unknown, Code: "cancelled", Message: "a person"}
		s.begins().starts(0, "a").at(4, event.Event{Type: event.NodeFailed, Node: "a", Status: event.Cancelled, Error: gone, DurationMS: 4, Attempt: 1, Plugin: "http"}).
			ends(5, event.Cancelled, gone)
	}, `
run report cancelled cancelled 0-5
  node a cancelled cancelled 0-4
`},
}

func TestTraces(t *testing.T) {
	for _, x := range stories {
		t.Run(x.name, func(t *testing.T) {
			c := collect(t)
			tell(t, func(tel *Telemetry) { x.told(&story{tel: tel, run: "01RUN"}) })
			if got, want := c.tree(t), strings.TrimPrefix(x.want, "\n"); got != want {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}

// TestResumedTrace lets one process die within a run and another go on: together
// they make one trace.
func TestResumedTrace(t *testing.T) {
	c := collect(t)
	tell(t, func(tel *Telemetry) {
		s := &story{tel: tel, run: "01RUN"}
		s.begins().node(0, 5, "a").starts(5, "b").attemptFails(5, 9, "b", 1).retries(9, 100, "b", 2)
	})
	tell(t, func(tel *Telemetry) {
		tel.Begin("01RUN", 1)
		s := &story{tel: tel, run: "01RUN", seq: 7}
		s.at(1000, event.Event{Type: event.RunResumed, Reason: "goes on with 1 of 2 nodes done"}).
			at(1000, event.Event{Type: event.NodeRetrying, Node: "b", Plugin: "http", Attempt: 2, RetryInMS: 50, Reason: "goes on"})
		p := Place{Run: "01RUN", Workflow: "report", Node: "b", Attempt: 2}
		tel.HTTP(p, "", HTTPExchange{Method: "GET", URL: "https://shop.example/", Status: 200, Start: noon.Add(1060 * time.Millisecond), End: noon.Add(1070 * time.Millisecond)})
		s.succeeds(1000, 1080, "b", 2).ends(1090, event.Succeeded, nil)
	})
	want := `run report succeeded 0-1090
  node a succeeded primary 0-5
    attempt http 1 0-5
  node b succeeded primary 1000-1080 [node.retrying]
    attempt http 1 unavailable 5-9 ERROR
    attempt http 2 1050-1080
      GET 1060-1070
`
	if got := c.tree(t); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// TestGenerations lets a person retry a run: its trace goes on with other spans.
func TestGenerations(t *testing.T) {
	c := collect(t)
	for generation := 1; generation <= 2; generation++ {
		tell(t, func(tel *Telemetry) {
			tel.Begin("01RUN", generation)
			(&story{tel: tel, run: "01RUN"}).begins().node(0, 5, "a").ends(6, event.Succeeded, nil)
		})
	}
	c.tree(t) // no two have one id
	if len(c.spans) != 6 {
		t.Errorf("%d spans", len(c.spans))
	}
	for _, s := range c.spans {
		if string(s.TraceId) != string(c.spans[0].TraceId) {
			t.Errorf("%s is in another trace", s.Name)
		}
	}
}

// TestTraceParent compares what a plugin's requests carry with the spans that come
// of them: each names its own, below the attempt. One that carried something else,
// or nothing, has a span all the same.
func TestTraceParent(t *testing.T) {
	c := collect(t)
	var carried []string
	tell(t, func(tel *Telemetry) {
		s := &story{tel: tel, run: "01RUN"}
		s.begins().starts(0, "each[7]/x").attemptFails(0, 1, "each[7]/x", 1).retries(1, 1, "each[7]/x", 2)
		p := Place{Run: "01RUN", Workflow: "report", Node: "each[7]/x", Attempt: 2}
		carried = append(carried, tel.TraceParent(p), tel.TraceParent(p), "")
		for i, header := range carried {
			tel.HTTP(p, "", HTTPExchange{TraceParent: header, Method: fmt.Sprint("M", i), Start: noon, End: noon})
		}
		s.succeeds(0, 9, "each[7]/x", 2)
	})
	c.tree(t) // no two have one id
	spans := map[string]*tracepb.Span{}
	for _, s := range c.spans {
		spans[s.Name] = s
	}
	for i, header := range carried {
		s, attempt := spans[fmt.Sprint("M", i)], spans["attempt http"]
		if s == nil || attempt == nil || !bytes.Equal(s.ParentSpanId, attempt.SpanId) {
			t.Fatalf("request %d: %v below %v", i, s, attempt)
		}
		if want := "00-" + hexOf(s.TraceId) + "-" + hexOf(s.SpanId) + "-01"; header != "" && header != want {
			t.Errorf("carried %s, the span is %s", header, want)
		}
	}
}

// TestAttemptOfALaterGeneration: the count of attempts that a node's end tells goes
// on over generations, the attempts' own numbers do not.
func TestAttemptOfALaterGeneration(t *testing.T) {
	c := collect(t)
	tell(t, func(tel *Telemetry) {
		tel.Begin("01RUN", 2)
		s := &story{tel: tel, run: "01RUN"}
		s.begins().starts(0, "a")
		p := Place{Run: "01RUN", Workflow: "report", Node: "a", Attempt: 1}
		tel.HTTP(p, "", HTTPExchange{TraceParent: tel.TraceParent(p), Method: "GET", Start: noon, End: noon.Add(time.Millisecond)})
		s.succeeds(0, 9, "a", 4)
	})
	if got := c.tree(t); !strings.Contains(got, "attempt http 1 0-9\n    GET 0-1\n") {
		t.Errorf("the request is not below the attempt:\n%s", got)
	}
}

func TestSampling(t *testing.T) {
	for _, x := range []struct {
		sampler, arg string
		least, most  int
	}{
		{"always_off", "", 0, 0},
		{"always_on", "", 400, 400},
		{"parentbased_traceidratio", "0.25", 60, 140},
		{"traceidratio", "", 400, 400},
	} {
		t.Run(x.sampler, func(t *testing.T) {
			c := collect(t)
			t.Setenv("OTEL_TRACES_SAMPLER", x.sampler)
			t.Setenv("OTEL_TRACES_SAMPLER_ARG", x.arg)
			marked := 0
			tell(t, func(tel *Telemetry) {
				for i := range 400 {
					id := "run-" + string(rune('a'+i%26)) + strings.Repeat("x", i/26)
					(&story{tel: tel, run: id}).begins().ends(1, event.Succeeded, nil)
					if strings.HasSuffix(tel.TraceParent(Place{Run: id, Node: "a", Attempt: 1}), "-01") {
						marked++
					}
				}
			})
			if n := len(c.spans); n < x.least || n > x.most || n != marked {
				t.Errorf("%d of 400 runs are traced, %d say so to others", n, marked)
			}
		})
	}
}
