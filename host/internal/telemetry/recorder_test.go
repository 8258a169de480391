package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"wasmhost/host/event"
)

func TestLog(t *testing.T) {
	var log bytes.Buffer
	l := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	tel, err := New(Config{Log: l})
	if err != nil {
		t.Fatal(err)
	}
	s := &story{tel: tel, run: "01RUN"}
	s.begins().starts(0, "a").attemptFails(0, 2, "a", 1).retries(2, 10, "a", 2).at(3, event.Event{Type: event.FallbackUsed, Node: "a", Plugin: "cache", AnsweredBy: "fallback[0]", Error: unavailable}).
		fails(0, 4, "a", 2).at(4, event.Event{Type: event.NodeWaiting, Node: "ask", Status: event.Waiting}).
		at(4, event.Event{Type: event.BreakerChanged, Breaker: "shop", From: "closed", To: "open"}).ends(5, event.Failed, unavailable)
	tel.Breaker("report", "closed", "open", event.BreakerState{Key: "shop", State: "open", LastError: unavailable})
	tel.Swap("report", &event.SwapReport{Plugin: "http", From: "sha256:1", To: "sha256:2", Mode: event.SwapNow})
	tel.Swap("report", &event.SwapReport{Plugin: "http", Unchanged: true})
	tel.Swap("report", &event.SwapReport{Plugin: "http", Refused: &event.Error{Class: event.Permanent, Code: "permissions", Message: "it wants more"}})
	tel.TrialEnded("report", "http", &event.TrialResult{Mode: event.SwapCanary, Digest: "sha256:3", Outcome: "rolled_back", Reason: "2 of 9 calls failed", Calls: 9, Failures: 2})
	tel.RolledBack("report", "http")
	tel.Alert("report", "success_rate", true)
	shut(t, tel)
	want := `level=INFO msg="run started" run=01RUN workflow=report
level=WARN msg="attempt failed" run=01RUN workflow=report node=a attempt=1 plugin=http duration_ms=2 class=transient code=unavailable error="503 from the shop"
level=WARN msg="fallback used" run=01RUN workflow=report node=a plugin=cache answered_by=fallback[0] class=transient code=unavailable error="503 from the shop"
level=WARN msg="node failed" run=01RUN workflow=report node=a attempt=2 plugin=http duration_ms=4 class=transient code=unavailable error="503 from the shop"
level=INFO msg="node waits" run=01RUN workflow=report node=ask
level=ERROR msg="run failed" run=01RUN workflow=report duration_ms=5 class=transient code=unavailable error="503 from the shop"
level=WARN msg="breaker open" workflow=report breaker=shop from=closed class=transient code=unavailable error="503 from the shop"
level=INFO msg="plugin swapped" workflow=report plugin=http mode=now from=sha256:1 to=sha256:2
level=ERROR msg="swap refused" workflow=report plugin=http class=permanent code=permissions error="it wants more"
level=WARN msg="trial rolled back" workflow=report plugin=http mode=canary digest=sha256:3 calls=9 why="2 of 9 calls failed" failures=2
level=WARN msg="plugin rolled back" workflow=report plugin=http
level=ERROR msg="alert firing" workflow=report alert=success_rate
`
	if got := log.String(); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// stuck is a log that nobody reads.
type stuck struct {
	slog.Handler
	began, free chan struct{}
}

func (s *stuck) Handle(context.Context, slog.Record) error {
	select {
	case s.began <- struct{}{}:
	default:
	}
	<-s.free
	return nil
}

func TestLogThatNobodyReads(t *testing.T) {
	s := &stuck{slog.NewTextHandler(&strings.Builder{}, nil), make(chan struct{}, 1), make(chan struct{})}
	tel, err := New(Config{Log: slog.New(s)})
	if err != nil {
		t.Fatal(err)
	}
	x := &story{tel: tel, run: "01RUN"}
	x.begins()
	<-s.began
	for range waitingRecords + 7 {
		x.attemptFails(0, 1, "a", 1)
	}
	families, _ := scrape(t, tel)
	if got := samples(families)["log_records_dropped_total"]; got != "7" {
		t.Errorf("%s records are counted as lost, not 7", got)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := tel.Close(ended); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(s.free)
	<-tel.records.done
}
