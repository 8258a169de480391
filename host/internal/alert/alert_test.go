package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// inbox is a receiver on the loopback, as well behaved as answer is.
type inbox struct {
	*httptest.Server
	mu     sync.Mutex
	got    []Alert
	tries  int
	come   chan Alert
	header http.Header
}

// receive starts an inbox. answer, when not nil, answers the n-th try (from 1) and
// reports whether that counts as received.
func receive(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request) bool) *inbox {
	in := &inbox{come: make(chan Alert, 1000)}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in.mu.Lock()
		in.tries++
		n := in.tries
		in.header = r.Header.Clone()
		in.mu.Unlock()
		if answer != nil && !answer(n, w, r) {
			return
		}
		var a Alert
		if err := json.Unmarshal(body, &a); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		in.mu.Lock()
		in.got = append(in.got, a)
		in.mu.Unlock()
		in.come <- a
	}))
	t.Cleanup(in.Close)
	return in
}

func (in *inbox) next(t *testing.T) Alert {
	t.Helper()
	select {
	case a := <-in.come:
		return a
	case <-time.After(30 * time.Second):
		t.Fatal("no alert comes")
		return Alert{}
	}
}

func (in *inbox) counts() (tries, got int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.tries, len(in.got)
}

// lines is a log that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// started runs Alerts that do not wait between tries; waits are noted.
func started(t *testing.T, c Config) (a *Alerts, waits chan time.Duration, stop func()) {
	waits = make(chan time.Duration, 1000)
	if c.pause == nil {
		c.pause = func(ctx context.Context, d time.Duration) error { waits <- d; return ctx.Err() }
	}
	a = New(c)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan bool)
	go func() { a.Run(ctx); close(done) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return a, waits, stop
}

func all(url string) []workflow.Alert {
	return []workflow.Alert{{URL: url, On: []workflow.AlertOn{{What: "health"}, {What: "breaker"}, {What: "success_rate", Below: 90}}}}
}

func report(at int, checks map[string]bool) *event.Report {
	r := &event.Report{Timestamp: time.Unix(int64(at), 0), Checks: map[string]event.Check{}}
	for name, healthy := range checks {
		r.Checks[name] = event.Check{Healthy: healthy, Critical: !strings.HasPrefix(name, "soft"), Timestamp: time.Unix(int64(at), 0),
			Error: &event.Error{Message: "the password is hunter2"}}
	}
	return r
}

func TestHealthIsToldOnceAndWhenItLasts(t *testing.T) {
	in := receive(t, nil)
	a, _, stop := started(t, Config{BaseURL: "https://host.example.com/", Version: "1.2"})
	a.Set("flow", all(in.URL), nil)
	now := 0
	say := func(checks map[string]bool) { now++; a.Health("flow", report(now, checks)) }
	say(map[string]bool{"db": true, "soft": false})
	say(map[string]bool{"db": false}) // once is no change
	say(map[string]bool{"db": true})
	say(map[string]bool{"db": false})
	a.Health("flow", report(now, map[string]bool{"db": false})) // the same result again is none
	say(map[string]bool{"mail": true})                          // of another check
	say(map[string]bool{"db": false})
	got := in.next(t)
	if got.Type != "health" || got.Workflow != "flow" || got.What != "overall" || got.From != "healthy" || got.To != "unhealthy" ||
		!slices.Equal(got.Failing, []string{"db"}) || got.Text != "flow is unhealthy: db" || got.Links.Workflow != "https://host.example.com/workflows/flow" || got.V != 1 {
		t.Errorf("%+v", got)
	}
	for range 20 { // to and fro
		say(map[string]bool{"db": true})
		say(map[string]bool{"db": false})
	}
	say(map[string]bool{"db": true})
	say(map[string]bool{"db": true})
	if got := in.next(t); got.From != "unhealthy" || got.To != "healthy" || got.Text != "flow is healthy again" {
		t.Errorf("%+v", got)
	}
	a.Health("other", report(1, map[string]bool{"db": false}))
	a.Set("flow", nil, nil)
	say(map[string]bool{"db": false})
	say(map[string]bool{"db": false})
	stop()
	if tries, n := in.counts(); tries != 2 || n != 2 {
		t.Errorf("%d tries, %d alerts", tries, n)
	}
	if h := in.header; h.Get("Content-Type") != "application/json" || h.Get("User-Agent") != "host/1.2" || h.Get("Idempotency-Key") == "" {
		t.Errorf("%v", h)
	}
}

func TestBreakers(t *testing.T) {
	var mu sync.Mutex
	now := time.Unix(1000, 0)
	pass := func(d time.Duration) { mu.Lock(); now = now.Add(d); mu.Unlock() }
	in := receive(t, nil)
	a, _, stop := started(t, Config{now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	a.Set("flow", all(in.URL), nil)
	a.Breaker("flow", "llm", "closed")
	a.Breaker("flow", "llm", "open")
	if got := in.next(t); got.Type != "breaker" || got.What != "llm" || got.From != "closed" || got.To != "open" || got.Links != nil {
		t.Errorf("%+v", got)
	}
	for range 10 { // it tries, closes, and opens again
		a.Breaker("flow", "llm", "half_open")
		a.Breaker("flow", "llm", "closed")
		pass(settling - time.Second)
		a.settle()
		a.Breaker("flow", "llm", "open")
	}
	a.Breaker("flow", "llm", "half_open")
	a.Breaker("flow", "llm", "closed")
	pass(settling)
	nudge(a.wake)
	if got := in.next(t); got.From != "open" || got.To != "closed" {
		t.Errorf("%+v", got)
	}
	a.Breaker("flow", "llm", "open")
	in.next(t)
	stop()
	if _, n := in.counts(); n != 3 {
		t.Errorf("%d alerts", n)
	}
}

func TestSuccessRate(t *testing.T) {
	in := receive(t, nil)
	a, _, stop := started(t, Config{})
	a.Set("flow", all(in.URL), nil)
	runs := func(n int, s event.Status) {
		for i := range n {
			a.Ended("flow", fmt.Sprintf("%s%d", s, i), s)
		}
	}
	runs(fewest-1, event.Failed) // too few to say anything
	runs(5, event.Cancelled)
	runs(5, event.Refused)
	if tries, _ := in.counts(); tries != 0 {
		t.Errorf("%d alerts of %d runs", tries, fewest-1)
	}
	runs(1, event.Failed)
	got := in.next(t)
	if got.Type != "success_rate" || got.To != "below" || *got.Value != 0 || got.Threshold != 90 || got.Runs != fewest || got.Run != "failed0" ||
		got.Text != "flow: 0 % of the last 10 runs succeeded, less than 90 %" {
		t.Errorf("%+v %v", got, *got.Value)
	}
	// 90 % are not enough to be above again, 95 are: 2 failures of 50.
	runs(47, event.Succeeded) // 3 failures are left
	a.Set("flow", all(in.URL), nil)
	runs(1, event.Degraded)
	if got := in.next(t); got.From != "below" || got.To != "above" || *got.Value != 96 || got.Runs != window {
		t.Errorf("%+v %v", got, *got.Value)
	}
	for range 30 { // about 10 % fail: around the threshold is not over it
		runs(9, event.Succeeded)
		runs(1, event.Failed)
	}
	stop()
	if _, n := in.counts(); n > 3 {
		t.Errorf("%d alerts", n)
	}
}

// TestMisbehaving: what receivers do, and how often they are asked.
func TestMisbehaving(t *testing.T) {
	elsewhere := receive(t, nil)
	status := func(codes ...int) func(int, http.ResponseWriter, *http.Request) bool {
		return func(n int, w http.ResponseWriter, _ *http.Request) bool {
			code := codes[min(n, len(codes))-1]
			w.Header().Set("Retry-After", "7")
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(code)
			return code/100 == 2
		}
	}
	for name, c := range map[string]struct {
		answer func(int, http.ResponseWriter, *http.Request) bool
		tries  int
		got    int
		log    string
	}{
		"well":           {status(204), 1, 1, ""},
		"down, then up":  {status(503, 500, 200), 3, 1, ""},
		"too many, then": {status(429, 202), 2, 1, ""},
		"always down":    {status(500), 1 + len(pauses), 0, "it answers 500"},
		"not found":      {status(404), 1, 0, "it answers 404"},
		"moved":          {status(http.StatusTemporaryRedirect), 1, 0, "leads elsewhere"},
		"moved for good": {status(301), 1, 0, "leads elsewhere"},
		"cut, then well": {func(n int, w http.ResponseWriter, _ *http.Request) bool { return n > 1 || !hangUp(w) }, 2, 1, ""},
		"a flood":        {func(n int, w http.ResponseWriter, r *http.Request) bool { return flood(w, r) }, 1, 1, ""},
		"in circles": {func(n int, w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "/again", http.StatusTemporaryRedirect)
			return false
		}, 4, 0, "leads elsewhere"},
		"moved, same host": {func(n int, w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Path == "/new" || !to(w, r, "/new")
		}, 2, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			log := &lines{}
			in := receive(t, c.answer)
			after := receive(t, nil) // another one hears of it all the same
			a, waits, stop := started(t, Config{Log: slog.New(slog.NewTextHandler(log, nil))})
			a.Set("flow", append(all(in.URL+"/SECRET-PATH?key=SECRET"), all(after.URL)...), nil)
			a.Breaker("flow", "llm", "open")
			after.next(t)
			deadline := time.Now().Add(30 * time.Second)
			for {
				tries, got := in.counts()
				if tries == c.tries && got == c.got && (c.log == "" || strings.Contains(log.String(), c.log)) {
					break
				}
				if time.Now().After(deadline) || tries > c.tries {
					t.Fatalf("%d tries, %d alerts, log %s", tries, got, log)
				}
				time.Sleep(time.Millisecond)
			}
			stop()
			if strings.Contains(log.String(), "SECRET") {
				t.Errorf("the address is in the log: %s", log)
			}
			if name == "too many, then" {
				if d := <-waits; d != 7*time.Second {
					t.Errorf("waits %s", d)
				}
			}
			ids := map[string]bool{}
			for _, g := range in.got {
				ids[g.ID] = true
			}
			if len(ids) != c.got {
				t.Errorf("%d ids", len(ids))
			}
		})
	}
	if tries, _ := elsewhere.counts(); tries != 0 {
		t.Errorf("%d requests to another host", tries)
	}
}

func hangUp(w http.ResponseWriter) bool {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		c.Close()
	}
	return true
}

func flood(w http.ResponseWriter, r *http.Request) bool {
	for range 1000 {
		if _, err := w.Write(make([]byte, 64<<10)); err != nil || r.Context().Err() != nil {
			break
		}
	}
	return true
}

func to(w http.ResponseWriter, r *http.Request, path string) bool {
	http.Redirect(w, r, path, http.StatusPermanentRedirect)
	return true
}

// TestNobodyAnswers: a receiver that takes connections and says nothing holds up
// nobody, and what waits for it is bounded; at the end it is not waited for long.
func TestNobodyAnswers(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	in := receive(t, nil)
	log := &lines{}
	a, _, stop := started(t, Config{Log: slog.New(slog.NewTextHandler(log, nil))})
	a.Set("flow", append(all("http://"+silent.Addr().String()), all(in.URL)...), nil)
	const many = mostWaiting + 50
	for n := range many {
		a.Breaker("flow", fmt.Sprint(n), "open")
	}
	for range min(many, mostWaiting) {
		in.next(t)
	}
	a.mu.Lock()
	for _, r := range a.receivers {
		if len(r.waiting) > mostWaiting {
			t.Errorf("%d alerts wait", len(r.waiting))
		}
	}
	a.mu.Unlock()
	begun := time.Now()
	stop()
	if took := time.Since(begun); took > parting+10*time.Second {
		t.Errorf("the end took %s", took)
	}
	if !strings.Contains(log.String(), "later ones wait") || !strings.Contains(log.String(), "the host stops") {
		t.Errorf("%s", log)
	}
}

// TestTheEnd: what was told right before the end is delivered.
func TestTheEnd(t *testing.T) {
	in := receive(t, func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n == 1 {
			w.WriteHeader(500)
		}
		return n > 1
	})
	waiting := make(chan bool)
	a, _, stop := started(t, Config{pause: func(ctx context.Context, d time.Duration) error {
		close(waiting)
		<-ctx.Done()
		return ctx.Err()
	}})
	a.Set("flow", all(in.URL), nil)
	a.Breaker("flow", "llm", "open")
	<-waiting
	stop()
	if got := in.next(t); got.What != "llm" {
		t.Errorf("%+v", got)
	}
}

// TestNoSecrets: messages of errors are not in an alert.
func TestNoSecrets(t *testing.T) {
	in := receive(t, nil)
	a, _, stop := started(t, Config{})
	a.Set("flow", all(in.URL), nil)
	a.Health("flow", report(1, map[string]bool{"db": false}))
	a.Health("flow", report(2, map[string]bool{"db": false}))
	in.next(t)
	stop()
	if text, _ := json.Marshal(in.got); strings.Contains(string(text), "hunter2") {
		t.Errorf("%s", text)
	}
}
