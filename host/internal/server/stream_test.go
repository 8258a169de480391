package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"wasmhost/host/event"
)

// watcher reads a stream.
type watcher struct {
	t    testing.TB
	res  *http.Response
	in   *bufio.Reader
	stop context.CancelFunc
}

func (s *served) watch(id string, headers ...string) *watcher {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	r, err := http.NewRequestWithContext(ctx, "GET", s.url+"/v1/runs/"+id+"/events", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.admin)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.client.Transport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	w := &watcher{s.t, res, bufio.NewReader(res.Body), cancel}
	s.t.Cleanup(w.close)
	return w
}

func (w *watcher) close() {
	w.stop()
	_ = w.res.Body.Close()
}

// next is the next message, as "SEQ TYPE", "end", or "" when the stream is over.
func (w *watcher) next() string {
	w.t.Helper()
	id, kind := "", ""
	for {
		line, err := w.in.ReadString('\n')
		if err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				w.t.Fatal("nothing came")
			}
			return ""
		}
		line = strings.TrimSuffix(line, "\n")
		name, text, _ := strings.Cut(line, ": ")
		switch {
		case name == "id":
			id = text + " "
		case name == "event":
			kind = text
		case line == "" && kind != "":
			return id + kind
		}
	}
}

func (w *watcher) want(all ...string) {
	w.t.Helper()
	for _, want := range all {
		if got := w.next(); got != want {
			w.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func (s *served) start(id, workflow string) {
	s.t.Helper()
	s.do("POST", "/v1/workflows/"+workflow+"/runs", `{"run_id": "`+id+`"}`).want(s.t, id, 201, "")
}

func TestStream(t *testing.T) {
	s := serve(t, nil)
	s.start("r1", "slow")
	w := s.watch("r1")
	if got := w.res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type %q", got)
	}
	w.want("1 run.started", "2 node.started")
	s.emit("r1", event.Event{Type: event.Log, Message: "two\nlines"})
	w.want("3 log")
	back := s.watch("r1", "Last-Event-ID", "2")
	back.want("3 log")
	s.finish("r1")
	w.want("4 run.finished", "end", "")
	back.want("4 run.finished", "end", "")

	again := s.watch("r1", "Last-Event-ID", "4")
	if again.res.StatusCode != http.StatusNoContent {
		t.Errorf("all of it is known: %d, want 204, at which browsers stop", again.res.StatusCode)
	}
	s.watch("r1").want("1 run.started", "2 node.started", "3 log", "4 run.finished", "end", "")
	s.watch("r1", "Last-Event-ID", "3").want("4 run.finished", "end", "")
	if w := s.watch("nothing"); w.res.StatusCode != 404 {
		t.Errorf("no such run: %d", w.res.StatusCode)
	}
	eventually(t, "nobody follows", func() bool { _, active := s.followed(); return active == 0 })
}

// However many watch, the run is followed once, and a watcher with a number that
// the run never had harms nobody else.
func TestManyWatchers(t *testing.T) {
	s := serve(t, nil)
	s.start("r1", "slow")
	odd := s.watch("r1", "Last-Event-ID", "123456789")
	first := s.watch("r1")
	first.want("1 run.started", "2 node.started")
	calls, _ := s.followed()
	var all sync.WaitGroup
	const many = 200
	ready := make(chan bool, many)
	for range many {
		w := s.watch("r1")
		all.Go(func() {
			w.want("1 run.started", "2 node.started")
			ready <- true
			last := uint64(2)
			for {
				got := w.next()
				if got == "end" {
					break
				}
				var seq uint64
				if _, err := fmt.Sscanf(got, "%d", &seq); err != nil || seq != last+1 {
					t.Errorf("after %d comes %q", last, got)
					return
				}
				last = seq
			}
			if last != 103 {
				t.Errorf("the last was %d", last)
			}
		})
	}
	for range many {
		<-ready
	}
	for range 100 {
		s.emit("r1", event.Event{Type: event.Log, Message: "x"})
	}
	s.finish("r1")
	all.Wait()
	odd.want("end")
	if now, _ := s.followed(); now != calls {
		t.Errorf("Follow was called %d times more for the same run", now-calls)
	}
}

// A watcher that falls behind what is kept finds the rest in the journal, and
// nothing comes twice or not at all.
func TestWatcherBehind(t *testing.T) {
	s := serve(t, nil)
	s.start("r1", "slow")
	first := s.watch("r1")
	first.want("1 run.started", "2 node.started")
	for range 5 * keptFrames {
		s.emit("r1", event.Event{Type: event.Log, Message: strings.Repeat("x", 200)})
	}
	late := s.watch("r1", "Last-Event-ID", "10")
	s.finish("r1")
	for _, w := range []struct {
		*watcher
		last int
	}{{first, 2}, {late, 10}} {
		for {
			got := w.next()
			if got == "end" {
				break
			}
			w.last++
			if !strings.HasPrefix(got, fmt.Sprintf("%d ", w.last)) {
				t.Fatalf("got %q, want number %d", got, w.last)
			}
		}
		if w.last != 5*keptFrames+3 {
			t.Errorf("the last was %d", w.last)
		}
	}
}

func TestStreamLimits(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.Streams, c.Limits.StreamsEach = 3, 2 })
	s.start("r1", "slow")
	one, two := s.watch("r1"), s.watch("r1")
	one.want("1 run.started")
	two.want("1 run.started")
	s.do("GET", "/v1/runs/r1/events", "").want(t, "one too many of a token", 429, "too_many_streams")
	secret, err := s.tokens.Add("other", Read)
	if err != nil {
		t.Fatal(err)
	}
	s.watch("r1", "Authorization", "Bearer "+secret).want("1 run.started")
	s.do("GET", "/v1/runs/r1/events", "", "Authorization", "Bearer "+secret).want(t, "one too many at all", 429, "too_many_streams")
	two.close()
	eventually(t, "the place is free", func() bool { s.hub.mu.Lock(); defer s.hub.mu.Unlock(); return s.hub.all == 2 })
}

// A token that is taken back ends the streams that it opened; so does the end of
// the server, at once.
func TestStreamEndsEarly(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.Heartbeat = 20 * time.Millisecond })
	s.start("r1", "slow")
	secret, err := s.tokens.Add("gone", Read)
	if err != nil {
		t.Fatal(err)
	}
	theirs := s.watch("r1", "Authorization", "Bearer "+secret)
	theirs.want("1 run.started", "2 node.started")
	mine := s.watch("r1")
	mine.want("1 run.started", "2 node.started")
	line, err := mine.in.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, ":") {
		t.Errorf("no sign of life: %q %v", line, err)
	}
	if err := s.tokens.Remove("gone"); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(theirs.in)
	if err != nil || !strings.Contains(string(rest), "taken back") {
		t.Errorf("the stream ended with %v: %s", err, rest)
	}
	began := time.Now()
	if err := s.end(); err != nil {
		t.Error(err)
	}
	rest, err = io.ReadAll(mine.in)
	if err != nil || !strings.Contains(string(rest), "stopping") || strings.Contains(string(rest), "event: end") {
		t.Errorf("the stream ended with %v: %s", err, rest)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the server waited %s for a stream", took)
	}
}

func logOf(size int) event.Event {
	return event.Event{Type: event.Log, Message: strings.Repeat("x", size)}
}
