package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"wasmhost/host/event"
)

// asService are the methods that the client shares with the service.
type asService interface {
	Workflows(ctx context.Context) ([]event.WorkflowInfo, error)
	Workflow(ctx context.Context, name string) (*event.WorkflowInfo, []byte, error)
	Graph(ctx context.Context, workflow, run string) ([]byte, error)
	Start(ctx context.Context, s StartRequest) (*event.RunInfo, bool, error)
	Runs(ctx context.Context, f event.RunFilter) ([]event.RunInfo, error)
	Follow(ctx context.Context, id string, after uint64, tell func(*event.Event) error) error
	Swap(ctx context.Context, r event.SwapRequest) (*event.SwapReport, error)
}

var _, _ asService = (*Client)(nil), Service(nil)

func (s *served) dial() *Client {
	c := Dial(s.url, s.admin)
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestClient(t *testing.T) {
	s := serve(t, nil)
	c := s.dial()
	ctx := t.Context()
	check := func(what string, err error, want string) {
		t.Helper()
		if code(err) != want || want == "" && err != nil {
			t.Errorf("%s: %v, want code %q", what, err, want)
		}
	}
	info, fresh, err := c.Start(ctx, StartRequest{Workflow: "hello", RunID: "r1", Input: event.Text("x"), HasInput: true})
	if check("start", err, ""); err == nil && (!fresh || info.ID != "r1" || info.Input.String() != "x") {
		t.Errorf("started %+v, fresh %t", info, fresh)
	}
	_, fresh, err = c.Start(ctx, StartRequest{Workflow: "hello", RunID: "r1", Input: event.Text("x"), HasInput: true})
	if check("start again", err, ""); fresh {
		t.Error("fresh twice")
	}
	_, _, err = c.Start(ctx, StartRequest{Workflow: "hello", RunID: "r1", Input: event.Text("y"), HasInput: true})
	check("conflict", err, "run_conflict")
	_, _, err = c.Start(ctx, StartRequest{Workflow: "nope"})
	check("no workflow", err, "not_found")
	_, _, err = c.Start(ctx, StartRequest{Workflow: "../tokens"})
	check("a path for a name", err, "bad_id")
	s.start("w1", "ask")
	s.start("s1", "slow")

	runs, err := c.Runs(ctx, event.RunFilter{Status: []event.Status{event.Succeeded, event.Waiting}, Limit: 5})
	if check("runs", err, ""); len(runs) != 2 {
		t.Errorf("%d runs", len(runs))
	}
	counts, err := c.RunCounts(ctx, "hello")
	if check("counts", err, ""); counts[event.Succeeded] != 1 {
		t.Errorf("counts %v", counts)
	}
	result, err := c.RunResult(ctx, "r1")
	if check("result", err, ""); err == nil && result.Output.String() != "x" {
		t.Errorf("result %+v", result)
	}
	events, err := c.RunEvents(ctx, "r1", 1, 2)
	if check("events", err, ""); len(events) != 2 {
		t.Errorf("events %v", events)
	}
	waits, err := c.Why(ctx, "w1")
	if check("why", err, ""); len(waits) != 1 {
		t.Errorf("waits %v", waits)
	}
	var export bytes.Buffer
	check("export", c.Export(ctx, "r1", &export), "")
	if !strings.Contains(export.String(), "r1") {
		t.Error("the export is empty")
	}
	check("cancel", c.CancelRun(ctx, "s1", "enough"), "")
	check("cancel again", c.CancelRun(ctx, "s1", ""), "run_ended")
	_, err = c.RetryRun(ctx, "s1", "nope")
	check("retry", err, "unknown_node")
	_, err = c.ResumeRun(ctx, "s1")
	check("resume", err, "run_ended")
	_, err = c.ApproveRun(ctx, "w1", event.Approval{Node: "a", Output: event.Text("yes"), HasOutput: true, Comment: "c"})
	check("approve", err, "")
	check("delete", c.DeleteRun(ctx, "w1"), "")
	_, err = c.RunInfo(ctx, "w1")
	check("deleted", err, "not_found")

	all, err := c.Workflows(ctx)
	if check("workflows", err, ""); len(all) != 3 {
		t.Errorf("workflows %v", all)
	}
	_, text, err := c.Workflow(ctx, "hello")
	if check("workflow", err, ""); len(text) == 0 {
		t.Error("no text")
	}
	svg, err := c.Graph(ctx, "hello", "r1")
	if check("graph", err, ""); !bytes.HasPrefix(svg, []byte("<svg")) {
		t.Errorf("graph %s", svg)
	}
	plugins, err := c.Plugins(ctx)
	if check("plugins", err, ""); len(plugins) != 1 {
		t.Errorf("plugins %v", plugins)
	}
	report, err := c.Swap(ctx, event.SwapRequest{Plugin: "up", Module: []byte("\x00asm"), Mode: event.SwapCanary, Good: 3})
	if check("swap", err, ""); err == nil && (report.Mode != event.SwapCanary || s.swaps[0].Good != 3) {
		t.Errorf("report %+v", report)
	}
	report, err = c.Swap(ctx, event.SwapRequest{Plugin: "up", Module: []byte("rubbish")})
	if check("refused swap", err, ""); err == nil && (report.Refused == nil || report.Refused.Code != "bad_module") {
		t.Errorf("report %+v", report)
	}
	_, err = c.Swap(ctx, event.SwapRequest{Plugin: "up"})
	check("reload", err, "")
	_, err = c.Rollback(ctx, "up", "")
	check("rollback", err, "")
	_, err = c.Promote(ctx, "up", "")
	check("promote", err, "no_version")
	b, err := c.ResetBreaker(ctx, "hello.api")
	if check("reset", err, ""); err == nil && b.State != "closed" {
		t.Errorf("breaker %+v", b)
	}
	_, err = c.OpenBreaker(ctx, "nope")
	check("open", err, "not_found")
	breakers, err := c.AllBreakers(ctx)
	if check("breakers", err, ""); len(breakers) != 1 {
		t.Errorf("breakers %v", breakers)
	}
	healths, err := c.Health(ctx)
	if check("health", err, ""); len(healths) != 1 {
		t.Errorf("health %v", healths)
	}
	_, err = c.Check(ctx, "hello")
	check("check", err, "")
	schedules, err := c.Schedules(ctx)
	if check("schedules", err, ""); len(schedules) != 1 {
		t.Errorf("schedules %v", schedules)
	}
	if reasons := c.Ready(ctx); reasons != nil {
		t.Errorf("not ready: %v", reasons)
	}
	secret, err := c.AddToken(ctx, "viewer", Read)
	check("add token", err, "")
	viewer := Dial(s.url, secret)
	defer func() { _ = viewer.Close() }()
	check("wrong scope", viewer.DeleteRun(ctx, "r1"), "forbidden")
	tokens, err := c.Tokens(ctx)
	if check("tokens", err, ""); len(tokens) != 1 {
		t.Errorf("tokens %v", tokens)
	}
	check("remove token", c.RemoveToken(ctx, "viewer"), "")
	_, err = viewer.Runs(ctx, event.RunFilter{})
	check("no token", err, "unauthorized")
	link, err := c.LoginLink(ctx)
	if check("link", err, ""); !strings.HasPrefix(link, s.url+"/login?token=") {
		t.Errorf("link %q", link)
	}
	audits, err := c.Audits(ctx, 3)
	if check("audits", err, ""); len(audits) != 3 {
		t.Errorf("audits %v", audits)
	}
}

// Follow goes on where it was when the server comes back on the same address.
func TestClientComesBack(t *testing.T) {
	m := newMemory()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	begin := func(l net.Listener) (stop func()) {
		s := New(Config{Service: m, NoAuth: true})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Serve(ctx, l) }()
		return func() { cancel(); <-done }
	}
	stop := begin(l)
	c := Dial("http://"+l.Addr().String(), "")
	defer func() { _ = c.Close() }()
	if _, _, err := c.Start(t.Context(), StartRequest{Workflow: "slow", RunID: "r1"}); err != nil {
		t.Fatal(err)
	}
	seen := make(chan uint64, 10)
	followed := make(chan error, 1)
	go func() {
		followed <- c.Follow(t.Context(), "r1", 0, func(e *event.Event) error { seen <- e.Seq; return nil })
	}()
	if a, b := <-seen, <-seen; a != 1 || b != 2 {
		t.Fatalf("saw %d, %d", a, b)
	}
	stop()
	m.emit("r1", event.Event{Type: event.Log, Message: "while nobody served"})
	again, err := net.Listen("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	stop = begin(again)
	defer stop()
	if got := <-seen; got != 3 {
		t.Errorf("after the server came back: %d, want 3", got)
	}
	m.finish("r1")
	if err := <-followed; err != nil {
		t.Error(err)
	}
	if got := <-seen; got != 4 {
		t.Errorf("the last is %d", got)
	}
	mine := errors.New("mine")
	if err := c.Follow(t.Context(), "r1", 0, func(*event.Event) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("an error of tell: %v", err)
	}
	if err := c.Follow(t.Context(), "r1", 4, func(*event.Event) error { return mine }); err != nil {
		t.Errorf("nothing left: %v", err)
	}
	if err := c.Follow(t.Context(), "zz", 0, func(*event.Event) error { return nil }); code(err) != "not_found" {
		t.Errorf("no such run: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := c.Start(t.Context(), StartRequest{Workflow: "slow", RunID: "r2"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Follow(ctx, "r2", 0, func(*event.Event) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("given up: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }))
	defer other.Close()
	for _, c := range []struct{ address, code, says string }{
		{"http://" + l.Addr().String(), "unreachable", "is host serve running"},
		{"http://nothing.invalid:1", "unreachable", "nothing.invalid"},
		{"127.0.0.1:7070", "bad_request", "http://127.0.0.1:7070"},
		{"ftp://x", "bad_request", "no address"},
		{"http://user:pass@localhost", "bad_request", "user or password"},
		{other.URL, "bad_answer", "302"},
		{strings.Replace(other.URL, "http:", "https:", 1), "unreachable", "http"},
	} {
		client := Dial(c.address, "a token")
		_, err := client.Runs(t.Context(), event.RunFilter{})
		if code(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %s and %q", c.address, err, c.code, c.says)
		}
		if err := client.Follow(t.Context(), "r", 0, nil); code(err) != c.code {
			t.Errorf("follow %s: %v", c.address, err)
		}
		_ = client.Close()
	}
}

// A server that takes connections and says nothing, at once or in the middle of
// what it says, does not hold its clients for ever. One whose reader takes its time
// is not silent.
func TestSilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	half := make(chan string, 1) // what it says before it goes silent
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			says := <-half
			open.Go(func() {
				defer func() { _ = c.Close() }()
				in := bufio.NewReader(c)
				if _, err := http.ReadRequest(in); err == nil {
					_, _ = io.WriteString(c, says)
				}
				_, _ = io.Copy(io.Discard, in)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); open.Wait() }) // after the clients have gone
	dial := func(answer, between time.Duration) *Client {
		c := Dial("http://"+l.Addr().String(), "")
		c.silences = silences{answer, answer, between}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	const stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
	for what, c := range map[string]struct {
		says string
		ask  func(c *Client) error
	}{
		"at once":                {"", func(c *Client) error { _, err := c.Plugins(t.Context()); return err }},
		"in the headers":         {"HTTP/1.1 200 OK\r\nContent-", func(c *Client) error { _, err := c.Runs(t.Context(), event.RunFilter{}); return err }},
		"in the body":            {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", func(c *Client) error { _, err := c.RunInfo(t.Context(), "r"); return err }},
		"in what is copied":      {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", func(c *Client) error { return c.Export(t.Context(), "r", io.Discard) }},
		"to who begins to watch": {"", func(c *Client) error { return c.Follow(t.Context(), "r", 0, nil) }},
		"when asked to be ready": {"", func(c *Client) error { return errors.New(strings.Join(c.Ready(t.Context()), "; ")) }},
	} {
		half <- c.says
		if err := c.ask(dial(30*time.Millisecond, 30*time.Millisecond)); err == nil || !strings.Contains(err.Error(), "said nothing for 30ms") {
			t.Errorf("silent %s: %v", what, err)
		}
	}

	// A stream in which nothing comes, not even a sign of life, is taken up again.
	client := dial(20*time.Second, 500*time.Millisecond)
	half <- stream + "id: 1\nevent: log\ndata: {\"seq\": 1}\n\n"
	var seen []uint64
	go func() { half <- stream + "id: 2\nevent: log\ndata: {\"seq\": 2}\n\nevent: end\ndata: {}\n\n" }()
	if err := client.Follow(t.Context(), "r", 0, func(e *event.Event) error { seen = append(seen, e.Seq); return nil }); err != nil || len(seen) != 2 {
		t.Fatalf("followed %v, %v", seen, err)
	}

	// The time of who reads does not count.
	half <- "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
	answer, err := client.send(t.Context(), ask{method: "GET", path: "/v1/runs/r/export"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	for range 3 {
		if answer.Body.(*heard).silence.timer.Stop() {
			t.Error("the time runs while nobody reads")
		}
		_, _ = answer.Body.Read(make([]byte, 1))
	}
}
