package host_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
)

// service is a server that counts what it is asked, by path.
type service struct {
	*httptest.Server
	mu    sync.Mutex
	calls map[string]int
	keys  map[string]map[string]bool
	does  map[string]http.HandlerFunc
	asked chan string
}

func newService(t *testing.T) *service {
	s := &service{calls: map[string]int{}, keys: map[string]map[string]bool{}, does: map[string]http.HandlerFunc{}, asked: make(chan string, 1024)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.calls[r.URL.Path]++
		do := s.does[r.URL.Path]
		s.mu.Unlock()
		s.asked <- r.URL.Path
		if do != nil {
			do(w, r)
			return
		}
		fmt.Fprintf(w, "%q", "from "+r.URL.Path)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) on(path string, do http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.does[path] = do
}

func (s *service) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[path]
}

// next waits until a path is asked for.
func (s *service) next(t *testing.T, path string) {
	t.Helper()
	late := time.After(3 * time.Minute) // a builtin takes half a minute to compile with -race
	for {
		select {
		case p := <-s.asked:
			if p == path {
				return
			}
		case <-late:
			t.Fatalf("nobody asked for %s", path)
		}
	}
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func broken(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }

// process is a host with a journal, as one process has it.
func process(t *testing.T, state string, s *service) *host.Host {
	t.Helper()
	h, err := host.Open(t.Context(), host.Config{CacheDir: cache(), State: state, Getenv: func(name string) (string, bool) {
		return s.URL, name == "URL"
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeHost(t, h) })
	return h
}

func closeHost(t *testing.T, h *host.Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := h.Close(ctx); err != nil {
		t.Error(err)
	}
}

// ask is the table of a node that asks the service for /id.
func ask(id, more string) string {
	return fmt.Sprintf("[nodes.%s]\nplugin = \"ask\"\nwith = { url = \"{{ run.base }}\", path = \"/%s\" }\n%s\n", id, id, more)
}

const asks = `version = 1
name = "w"
[plugins.ask]
source = "builtin:http"
config = { url = { env = "URL" } }
allow  = { http = [{ env = "URL" }] }
`

// write writes a workflow file; URL stands for the service's.
func write(t *testing.T, dir, text string, s *service) string {
	t.Helper()
	file := filepath.Join(dir, "workflow.toml")
	text = strings.ReplaceAll(text, "{{ run.base }}\", path = \"", s.URL)
	if err := os.WriteFile(file, []byte(asks+text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func loaded(t *testing.T, h *host.Host, file string) *host.Workflow {
	t.Helper()
	w, findings, err := h.Load(t.Context(), file)
	if err != nil {
		t.Fatalf("%v: %+v", err, findings)
	}
	return w
}

func start(t *testing.T, h *host.Host, file, id string) *host.Run {
	t.Helper()
	r, err := h.Start(t.Context(), loaded(t, h, file), host.Options{RunID: id})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e *event.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("got %v, want code %s", err, code)
	}
}

func wantStatus(t *testing.T, r *event.Result, want event.Status) {
	t.Helper()
	if r.Status != want {
		t.Errorf("the run %s, want %s: %v", r.Status, want, r.Error)
	}
}

func TestRunIDOfAFinishedRun(t *testing.T) {
	s, state := newService(t), t.TempDir()
	file := write(t, t.TempDir(), ask("a", ""), s)
	first := wait(t, start(t, process(t, state, s), file, "r1"))
	h := process(t, state, s)
	again := wait(t, start(t, h, file, "r1"))
	if s.count("/a") != 1 || again.Output.String() != first.Output.String() || again.Status != event.Succeeded {
		t.Errorf("%d calls; %s %s, want %s", s.count("/a"), again.Status, again.Output, first.Output)
	}
	_, err := h.Start(t.Context(), loaded(t, h, file), host.Options{RunID: "r1", Input: event.Text("other"), HasInput: true})
	wantCode(t, err, "run_conflict")
	if all, err := h.Runs(t.Context(), host.RunFilter{}); err != nil || len(all) != 1 || all[0].ID != "r1" || all[0].Status != event.Succeeded || all[0].Alive {
		t.Errorf("%v, %+v", err, all)
	}
}

// TestResume: a process goes away in the middle; the next one goes on.
func TestResume(t *testing.T) {
	s, state := newService(t), t.TempDir()
	file := write(t, t.TempDir(), ask("a", "")+ask("b", `needs = ["a"]`)+ask("c", `needs = ["b"]`), s)
	s.on("/b", hang)
	one := process(t, state, s)
	r := start(t, one, file, "r1")
	s.next(t, "/b")
	closeHost(t, one)
	if left := wait(t, r); left.Status != event.Running || left.Nodes["a"].Status != event.Succeeded || left.Nodes["b"].Status != event.Running ||
		left.Metrics.CircuitBreakerState == nil || left.Metrics.TotalExecutions != 0 || len(left.Levels) != 1 {
		t.Errorf("left behind: %s, %+v, %+v", left.Status, left.Nodes, left.Metrics)
	}

	s.on("/b", nil)
	two := process(t, state, s)
	info, err := two.RunInfo(t.Context(), "r1")
	if err != nil || info.Status != event.Running || info.Alive {
		t.Fatalf("%v, %+v", err, info)
	}
	var seen []string
	resumed, err := two.Resume(t.Context(), "r1", host.Options{Sink: event.SinkFunc(func(e *event.Event) { seen = append(seen, string(e.Type)+":"+e.Node) })})
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, wait(t, resumed), event.Succeeded)
	if s.count("/a") != 1 || s.count("/b") != 2 || s.count("/c") != 1 {
		t.Errorf("calls: %v", s.calls)
	}
	if got := strings.Join(seen, " "); got != "run.resumed: node.started:b node.succeeded:b node.started:c node.succeeded:c run.finished:" {
		t.Errorf("told %s", got)
	}
	if n := wait(t, resumed).Nodes["b"].Attempts; n != 2 {
		t.Errorf("b had %d attempts, want 2: the one that was cut counts", n)
	}
	events, err := two.RunEvents(t.Context(), "r1", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		if e.Seq != uint64(i+1) || e.Run != "r1" {
			t.Errorf("event %d: seq %d of %s", i, e.Seq, e.Run)
		}
		if one, err := two.RunEvents(t.Context(), "r1", uint64(i), 1); err != nil || len(one) != 1 || one[0].Seq != e.Seq {
			t.Errorf("the event after %d: %v, %v", i, one, err)
		}
	}
	for _, after := range []uint64{uint64(len(events)), 1_000, 1 << 60} {
		if rest, err := two.RunEvents(t.Context(), "r1", after, 0); err != nil || len(rest) != 0 {
			t.Errorf("events after %d: %v, %v", after, rest, err)
		}
	}
}

func TestResumeOfAChangedWorkflow(t *testing.T) {
	s, state, dir := newService(t), t.TempDir(), t.TempDir()
	file := write(t, dir, ask("a", "")+ask("b", `needs = ["a"]`), s)
	s.on("/b", hang)
	one := process(t, state, s)
	start(t, one, file, "r1")
	s.next(t, "/b")
	closeHost(t, one)
	write(t, dir, ask("a", "")+ask("b", `needs = ["a"]`)+ask("z", ""), s)
	two := process(t, state, s)
	_, err := two.Resume(t.Context(), "r1", host.Options{})
	wantCode(t, err, "workflow_changed")

	// With the new content it is a retry, which keeps what was done.
	s.on("/b", nil)
	r, err := two.Retry(t.Context(), "r1", host.RetryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, wait(t, r), event.Succeeded)
	if s.count("/a") != 1 || s.count("/b") != 2 || s.count("/z") != 1 {
		t.Errorf("calls: %v", s.calls)
	}
}

// TestChangedWorkflowAndUnknownOutcome: the retry with a changed file does not do
// by the way what must not be done twice.
func TestChangedWorkflowAndUnknownOutcome(t *testing.T) {
	s, state, dir := newService(t), t.TempDir(), t.TempDir()
	pay := ask("a", "") + ask("pay", "needs = [\"a\"]\nidempotent = false")
	file := write(t, dir, pay, s)
	s.on("/pay", hang)
	one := process(t, state, s)
	start(t, one, file, "r1")
	s.next(t, "/pay")
	closeHost(t, one)
	s.on("/pay", nil)
	write(t, dir, pay+ask("z", ""), s)
	two := process(t, state, s)
	_, err := two.Retry(t.Context(), "r1", host.RetryOptions{})
	wantCode(t, err, "outcome_unknown")
	if info, err := two.RunInfo(t.Context(), "r1"); err != nil || info.Alive || s.count("/pay") != 1 {
		t.Errorf("%v, %+v, %d calls", err, info, s.count("/pay"))
	}
	r, err := two.Retry(t.Context(), "r1", host.RetryOptions{From: "pay"})
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, wait(t, r), event.Succeeded)
	if s.count("/a") != 1 || s.count("/pay") != 2 {
		t.Errorf("calls: %v", s.calls)
	}
}

func TestCancelWithoutTheFile(t *testing.T) {
	s, state, dir := newService(t), t.TempDir(), t.TempDir()
	file := write(t, dir, ask("a", "")+ask("b", `needs = ["a"]`), s)
	s.on("/b", hang)
	one := process(t, state, s)
	start(t, one, file, "r1")
	s.next(t, "/b")
	closeHost(t, one)
	two := process(t, state, s)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := two.CancelRun(t.Context(), "r1", "it is lost"); err != nil {
		t.Fatal(err)
	}
	if info, err := two.RunInfo(t.Context(), "r1"); err != nil || info.Status != event.Cancelled {
		t.Errorf("%v, %+v", err, info)
	}
}

func TestApproval(t *testing.T) {
	const gate = `
[nodes.ok]
approval = "Publish this?"
needs = ["a"]
`
	for name, c := range map[string]struct {
		approval host.Approval
		status   event.Status
		node     event.Status
		asked    int // whether c ran
	}{
		"approved":       {host.Approval{Comment: "fine", By: "ann"}, event.Succeeded, event.Succeeded, 1},
		"other output":   {host.Approval{Node: "ok", Output: event.Text("mine"), HasOutput: true}, event.Succeeded, event.Succeeded, 1},
		"rejected":       {host.Approval{Reject: true, By: "ann", Comment: "no"}, event.Failed, event.Failed, 0},
		"from elsewhere": {host.Approval{}, event.Succeeded, event.Succeeded, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, state := newService(t), t.TempDir()
			h := process(t, state, s)
			r := start(t, h, write(t, t.TempDir(), ask("a", "")+gate+ask("c", `needs = ["ok"]`), s), "r1")
			waiting := wait(t, r)
			if waiting.Status != event.Waiting || waiting.Nodes["ok"].Status != event.Waiting || waiting.Nodes["ok"].Reason != "Publish this?" || s.count("/c") != 0 {
				t.Fatalf("%s: %+v", waiting.Status, waiting.Nodes["ok"])
			}
			if _, err := h.Approve(t.Context(), "r1", host.Approval{Node: "a"}, host.Options{}); err == nil {
				t.Error("a was approved")
			} else {
				wantCode(t, err, "unknown_node")
			}
			if name == "from elsewhere" {
				closeHost(t, h)
				h = process(t, state, s)
			}
			on, err := h.Approve(t.Context(), "r1", c.approval, host.Options{})
			if err != nil {
				t.Fatal(err)
			}
			result := wait(t, on)
			wantStatus(t, result, c.status)
			ok := result.Nodes["ok"]
			if ok.Status != c.node || s.count("/c") != c.asked || s.count("/a") != 1 {
				t.Errorf("%+v; calls %v", ok, s.calls)
			}
			switch {
			case c.approval.Reject:
				if ok.Error.Code != "rejected" || ok.Error.Message != "rejected by ann: no" {
					t.Errorf("%v", ok.Error)
				}
			case c.approval.HasOutput:
				if ok.Output.String() != "mine" {
					t.Errorf("output %s", ok.Output)
				}
			default:
				if ok.Output.String() != result.Nodes["a"].Output.String() || ok.AnsweredBy != "person" {
					t.Errorf("output %s by %s", ok.Output, ok.AnsweredBy)
				}
			}
			_, err = h.Approve(t.Context(), "r1", host.Approval{}, host.Options{})
			wantCode(t, err, "run_ended")
		})
	}
}

// TestApprovalDeadline: it goes on while nobody works on the run.
func TestApprovalDeadline(t *testing.T) {
	s := newService(t)
	h := process(t, t.TempDir(), s)
	file := write(t, t.TempDir(), "[nodes.ok]\napproval = \"Well?\"\ndeadline = \"50ms\"\n", s)
	r := start(t, h, file, "r1")
	result := wait(t, r)
	for result.Status == event.Waiting {
		info, err := h.RunInfo(t.Context(), "r1")
		if err != nil || info.WakeAt.IsZero() {
			t.Fatalf("%v, wakes %s", err, info.WakeAt)
		}
		if r, err = h.Resume(t.Context(), "r1", host.Options{}); err != nil {
			t.Fatal(err)
		}
		result = wait(t, r)
	}
	wantStatus(t, result, event.Failed)
	if result.Error.Code != "deadline" || !strings.Contains(result.Error.Message, "nobody has approved") {
		t.Errorf("%v", result.Error)
	}
}

// TestOutcomeUnknown: what must not be done twice waits for a person.
func TestOutcomeUnknown(t *testing.T) {
	pay := ask("a", "") + ask("pay", "needs = [\"a\"]\nidempotent = false\ntimeout = \"100ms\"") + ask("c", `needs = ["pay"]`)
	for name, settle := range map[string]func(t *testing.T, h *host.Host) (*host.Run, error){
		"again": func(t *testing.T, h *host.Host) (*host.Run, error) {
			_, err := h.Retry(t.Context(), "r1", host.RetryOptions{From: "c"})
			wantCode(t, err, "not_waiting")
			return h.Retry(t.Context(), "r1", host.RetryOptions{})
		},
		"it was done": func(t *testing.T, h *host.Host) (*host.Run, error) {
			return h.Approve(t.Context(), "r1", host.Approval{Output: event.Text("paid"), HasOutput: true}, host.Options{})
		},
		"give up": func(t *testing.T, h *host.Host) (*host.Run, error) {
			return h.Approve(t.Context(), "r1", host.Approval{Reject: true}, host.Options{})
		},
	} {
		for _, how := range []string{"timed out", "the process ended"} {
			t.Run(name+", "+how, func(t *testing.T) {
				s, state := newService(t), t.TempDir()
				s.on("/pay", hang)
				text := pay
				if how == "the process ended" {
					text = strings.ReplaceAll(text, "100ms", "1m")
				}
				file := write(t, t.TempDir(), text, s)
				h := process(t, state, s)
				r := start(t, h, file, "r1")
				s.next(t, "/pay")
				if how == "the process ended" {
					closeHost(t, h)
					h = process(t, state, s)
					var err error
					if r, err = h.Resume(t.Context(), "r1", host.Options{}); err != nil {
						t.Fatal(err)
					}
				}
				waiting := wait(t, r)
				if waiting.Status != event.Waiting || waiting.Nodes["pay"].Error.Code != "outcome_unknown" || s.count("/pay") != 1 {
					t.Fatalf("%s: %+v, %d calls", waiting.Status, waiting.Nodes["pay"], s.count("/pay"))
				}
				s.on("/pay", nil)
				on, err := settle(t, h)
				if err != nil {
					t.Fatal(err)
				}
				result := wait(t, on)
				want, calls := event.Succeeded, 1
				switch name {
				case "again":
					calls = 2
				case "give up":
					want = event.Failed
				}
				wantStatus(t, result, want)
				if s.count("/pay") != calls || s.count("/a") != 1 {
					t.Errorf("calls: %v", s.calls)
				}
			})
		}
	}
}

func TestRetryByAPerson(t *testing.T) {
	s, state, dir := newService(t), t.TempDir(), t.TempDir()
	text := ask("a", "") + ask("b", `needs = ["a"]`) + ask("c", `needs = ["b"]`) + ask("side", "")
	file := write(t, dir, text, s)
	s.on("/b", broken)
	h := process(t, state, s)
	first := wait(t, start(t, h, file, "r1"))
	wantStatus(t, first, event.Failed)
	_, err := h.Retry(t.Context(), "r1", host.RetryOptions{From: "nobody"})
	wantCode(t, err, "unknown_node")

	// The file is mended, in another process: b asks for something else.
	write(t, dir, strings.ReplaceAll(text, "/b\"", "/good\""), s)
	two := process(t, state, s)
	r, err := two.Retry(t.Context(), "r1", host.RetryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, wait(t, r), event.Succeeded)
	if s.count("/a") != 1 || s.count("/good") != 1 || s.count("/c") != 1 || s.count("/side") != 1 {
		t.Errorf("calls: %v", s.calls)
	}
	if info, err := two.RunInfo(t.Context(), "r1"); err != nil || info.Generation != 2 || info.Status != event.Succeeded {
		t.Errorf("%v, %+v", err, info)
	}
	_, err = two.Retry(t.Context(), "r1", host.RetryOptions{})
	wantCode(t, err, "run_succeeded")

	// From b on: a and side are kept.
	if r, err = two.Retry(t.Context(), "r1", host.RetryOptions{From: "b"}); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, wait(t, r), event.Succeeded)
	if s.count("/a") != 1 || s.count("/good") != 2 || s.count("/c") != 2 || s.count("/side") != 1 {
		t.Errorf("calls: %v", s.calls)
	}
}

// TestRetryIsResumed: a retry survives its process like any run.
func TestRetryIsResumed(t *testing.T) {
	s, state := newService(t), t.TempDir()
	file := write(t, t.TempDir(), ask("a", "")+ask("b", `needs = ["a"]`)+ask("c", `needs = ["b"]`), s)
	s.on("/b", broken)
	one := process(t, state, s)
	wantStatus(t, wait(t, start(t, one, file, "r1")), event.Failed)
	s.on("/b", nil)
	s.on("/c", hang)
	if _, err := one.Retry(t.Context(), "r1", host.RetryOptions{}); err != nil {
		t.Fatal(err)
	}
	s.next(t, "/c")
	closeHost(t, one)
	s.on("/c", nil)
	two := process(t, state, s)
	r, err := two.Resume(t.Context(), "r1", host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	result := wait(t, r)
	wantStatus(t, result, event.Succeeded)
	if s.count("/a") != 1 || s.count("/b") != 2 || s.count("/c") != 2 || !strings.HasPrefix(result.Nodes["a"].Reason, "kept") {
		t.Errorf("calls: %v; a: %+v", s.calls, result.Nodes["a"])
	}
}

// TestItemsAndSubWorkflowsAreKept, by a retry and by a resume.
func TestItemsAndSubWorkflowsAreKept(t *testing.T) {
	for _, how := range []string{"retry", "resume"} {
		t.Run(how, func(t *testing.T) {
			s, state, dir := newService(t), t.TempDir(), t.TempDir()
			sub := asks + strings.ReplaceAll(ask("x", "")+ask("y", `needs = ["x"]`), "{{ run.base }}\", path = \"", s.URL)
			if err := os.WriteFile(filepath.Join(dir, "sub.toml"), []byte(strings.Replace(sub, `"w"`, `"sub"`, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			file := write(t, dir, `
[run]
on_failure = "continue"
[nodes.each]
plugin = "ask"
for_each = ["0", "1", "2", "3"]
with = { url = "`+s.URL+`/item{{ item }}" }
max_parallel = 1
[nodes.sub]
workflow = "sub.toml"
`, s)
			bad := broken
			if how == "resume" {
				bad = hang
			}
			s.on("/item2", bad)
			s.on("/y", bad)
			one := process(t, state, s)
			r := start(t, one, file, "r1")
			if how == "resume" {
				for s.count("/item2") == 0 || s.count("/y") == 0 {
					<-s.asked
				}
				closeHost(t, one)
			} else {
				wantStatus(t, wait(t, r), event.Failed)
			}
			s.on("/item2", nil)
			s.on("/y", nil)
			two := process(t, state, s)
			var err error
			if how == "resume" {
				r, err = two.Resume(t.Context(), "r1", host.Options{})
			} else {
				r, err = two.Retry(t.Context(), "r1", host.RetryOptions{})
			}
			if err != nil {
				t.Fatal(err)
			}
			wantStatus(t, wait(t, r), event.Succeeded)
			for _, path := range []string{"/item0", "/item1", "/item3", "/x"} {
				if s.count(path) != 1 {
					t.Errorf("%s was asked %d times", path, s.count(path))
				}
			}
		})
	}
}

// TestFromElsewhere: one process watches and cancels what another runs.
func TestFromElsewhere(t *testing.T) {
	s, state := newService(t), t.TempDir()
	file := write(t, t.TempDir(), ask("a", "")+ask("b", `needs = ["a"]`), s)
	s.on("/b", hang)
	one, two := process(t, state, s), process(t, state, s)
	r := start(t, one, file, "r1")
	s.next(t, "/b")

	_, err := two.Retry(t.Context(), "r1", host.RetryOptions{})
	wantCode(t, err, "run_alive")
	wantCode(t, two.DeleteRun(t.Context(), "r1"), "run_alive")
	var mu sync.Mutex
	var seen []string
	followed := start(t, two, file, "r1") // the same id: it is followed
	again, err := two.Follow(t.Context(), "r1", host.Options{Sink: event.SinkFunc(func(e *event.Event) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, string(e.Type)+":"+e.Node)
	})})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "b to be what it waits for", func() bool {
		why, err := two.Why(t.Context(), "r1")
		return err == nil && len(why) == 1 && why[0].Node == "b" && why[0].Kind == "running"
	})
	if err := two.CancelRun(t.Context(), "r1", "enough"); err != nil {
		t.Fatal(err)
	}
	for _, one := range []*host.Run{r, followed, again} {
		result := wait(t, one)
		if result.Status != event.Cancelled || result.Error.Message != "enough" {
			t.Errorf("%s: %v", result.Status, result.Error)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(seen, " "); !strings.HasPrefix(got, "run.started: node.started:a node.succeeded:a node.started:b") || !strings.HasSuffix(got, "run.finished:") {
		t.Errorf("followed %s", got)
	}
	wantCode(t, two.CancelRun(t.Context(), "r1", ""), "run_ended")
	if s.count("/a") != 1 || s.count("/b") != 1 {
		t.Errorf("calls: %v", s.calls)
	}
}

func TestCancelOfARunNobodyWorksOn(t *testing.T) {
	s, state := newService(t), t.TempDir()
	file := write(t, t.TempDir(), ask("a", "")+ask("b", `needs = ["a"]`), s)
	s.on("/b", hang)
	one := process(t, state, s)
	start(t, one, file, "r1")
	s.next(t, "/b")
	closeHost(t, one)
	two := process(t, state, s)
	if err := two.CancelRun(t.Context(), "r1", "no more"); err != nil {
		t.Fatal(err)
	}
	result, err := two.RunResult(t.Context(), "r1")
	if err != nil || result.Status != event.Cancelled || result.Nodes["a"].Status != event.Succeeded || s.count("/b") != 1 {
		t.Errorf("%v, %+v", err, result)
	}
}

const tripping = `
[breakers.svc]
failure_threshold = 2
recovery_timeout = "1h"
`

// TestBreakersAcrossProcesses: a second process finds a breaker as the first
// left it, and a person's word reaches both.
func TestBreakersAcrossProcesses(t *testing.T) {
	s, state := newService(t), t.TempDir()
	file := write(t, t.TempDir(), tripping+ask("a", `breaker = "svc"`), s)
	s.on("/a", broken)
	one := process(t, state, s)
	wantStatus(t, wait(t, start(t, one, file, "")), event.Failed)
	closeHost(t, one)

	two := process(t, state, s) // the count goes on: the second failure opens it
	wantStatus(t, wait(t, start(t, two, file, "")), event.Failed)
	three := process(t, state, s)
	refused := wait(t, start(t, three, file, ""))
	if refused.Error == nil || refused.Error.Code != "breaker_open" || s.count("/a") != 2 {
		t.Errorf("%v after %d calls", refused.Error, s.count("/a"))
	}
	all, err := three.AllBreakers(t.Context())
	if err != nil || len(all) != 1 || all[0].Workflow != "w" || all[0].State != "open" || all[0].OpenForMS < 3_500_000 || all[0].OpenForMS > 3_600_000 {
		t.Errorf("%v, %+v", err, all)
	}

	s.on("/a", nil)
	w := loaded(t, two, file)
	if _, err := three.ResetBreaker(t.Context(), "svc"); err != nil {
		t.Fatal(err)
	}
	until(t, "the other process to see the reset", func() bool { return two.Breakers(w)[0].State == "closed" })
	wantStatus(t, wait(t, start(t, two, file, "")), event.Succeeded)
	if _, err := two.OpenBreaker(t.Context(), "w.svc"); err != nil {
		t.Fatal(err)
	}
	w = loaded(t, three, file)
	until(t, "the other process to see it open", func() bool { return three.Breakers(w)[0].State == "open" })
	_, err = three.OpenBreaker(t.Context(), "nothing")
	wantCode(t, err, "not_found")
}

// until polls for what another process does.
func until(t *testing.T, what string, yes func() bool) {
	t.Helper()
	late := time.Now().Add(3 * time.Minute)
	for !yes() {
		if time.Now().After(late) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestDurableNone(t *testing.T) {
	s, state := newService(t), t.TempDir()
	h, err := host.Open(t.Context(), host.Config{CacheDir: cache(), State: state, Durable: host.DurableNone, Getenv: func(name string) (string, bool) { return s.URL, name == "URL" }})
	if err != nil {
		t.Fatal(err)
	}
	defer closeHost(t, h)
	wantStatus(t, wait(t, start(t, h, write(t, t.TempDir(), ask("a", ""), s), "r1")), event.Succeeded)
	if all, err := h.Runs(t.Context(), host.RunFilter{}); err != nil || len(all) != 0 {
		t.Errorf("%v, %+v", err, all)
	}
	_, err = h.Start(t.Context(), loaded(t, h, write(t, t.TempDir(), "[nodes.ok]\napproval = \"Well?\"\n", s)), host.Options{})
	wantCode(t, err, "unsupported")
}

func TestStateThatIsNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := host.Open(t.Context(), host.Config{CacheDir: cache(), State: file})
	wantCode(t, err, "journal")
	_, err = host.Open(t.Context(), host.Config{CacheDir: cache(), State: t.TempDir(), Durable: "very"})
	wantCode(t, err, "bad_setting")
}

func TestRunsThatAreNotThere(t *testing.T) {
	s := newService(t)
	h := process(t, t.TempDir(), s)
	_, err := h.RunInfo(t.Context(), "nothing")
	wantCode(t, err, "not_found")
	file := write(t, t.TempDir(), ask("a", ""), s)
	for _, id := range []string{"shared-1", "shared-2"} {
		wait(t, start(t, h, file, id))
	}
	_, err = h.RunInfo(t.Context(), "shared")
	wantCode(t, err, "ambiguous")
	if info, err := h.RunInfo(t.Context(), "shared-1"); err != nil || info.ID != "shared-1" {
		t.Errorf("%v, %+v", err, info)
	}
	if n, err := h.Retain(t.Context(), 0, 1); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := h.RunInfo(t.Context(), "shared-1"); err == nil {
		t.Error("the older one is still there")
	}
	none := open(t, nil)
	_, err = none.Runs(t.Context(), host.RunFilter{})
	wantCode(t, err, "no_journal")
}

// TestExport is what a bug report carries.
func TestExport(t *testing.T) {
	s, state := newService(t), t.TempDir()
	h := process(t, state, s)
	s.on("/a", broken)
	wait(t, start(t, h, write(t, t.TempDir(), tripping+ask("a", `breaker = "svc"`), s), "r1"))
	var out strings.Builder
	if err := h.Export(t.Context(), "r1", &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"run_id": "r1"`, `"type": "node.attempt_failed"`, `"type": "run.finished"`, `"key": "svc"`, `"status": "failed"`, `"format": 1`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the export lacks %s", want)
		}
	}
}
