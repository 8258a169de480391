package host_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
)

// Two who want something of the same run at the same moment.

// meeting lets a number of goroutines go on when all of them have come.
type meeting struct {
	left atomic.Int64
	all  chan struct{}
}

func newMeeting(n int64) *meeting {
	m := &meeting{all: make(chan struct{})}
	m.left.Store(n)
	return m
}

func (m *meeting) come() {
	switch left := m.left.Add(-1); {
	case left == 0:
		close(m.all)
	case left > 0:
		<-m.all
	}
}

// reading is a process that calls hook whenever a workflow's environment is read:
// in the middle of a Load.
func reading(t *testing.T, state string, s *service, hook *atomic.Pointer[func()]) *host.Host {
	t.Helper()
	h, err := host.Open(t.Context(), host.Config{CacheDir: cache(), State: state, Getenv: func(name string) (string, bool) {
		if f := hook.Load(); f != nil && name == "URL" {
			(*f)()
		}
		return s.URL, name == "URL"
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeHost(t, h) })
	return h
}

// once runs f the first time.
func once(f func()) *func() {
	var o sync.Once
	g := func() { o.Do(f) }
	return &g
}

const gates = `
[nodes.one]
approval = "First?"
[nodes.two]
approval = "Second?"
`

// TestTwoApproveAtOnce: both find that nobody works on the run; one of them goes
// on with it, and the other's answer counts as well.
func TestTwoApproveAtOnce(t *testing.T) {
	s := newService(t)
	var hook atomic.Pointer[func()]
	h := reading(t, t.TempDir(), s, &hook)
	file := write(t, t.TempDir(), gates+ask("a", `needs = ["one", "two"]`), s)
	wantStatus(t, wait(t, start(t, h, file, "r1")), event.Waiting)
	m := newMeeting(2)
	come := m.come
	hook.Store(&come)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var both sync.WaitGroup
	for _, node := range []string{"one", "two"} {
		both.Go(func() {
			r, err := h.Approve(ctx, "r1", host.Approval{Node: node}, host.Options{})
			if err != nil {
				t.Errorf("%s: %v", node, err)
				return
			}
			_, _ = r.Wait(ctx)
		})
	}
	both.Wait()
	result, err := h.RunResult(t.Context(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, result, event.Succeeded)
}

// TestTwoRetryAtOnce: while one looks at what a run came to, another process does
// all that was left; it is not done again.
func TestTwoRetryAtOnce(t *testing.T) {
	s, state := newService(t), t.TempDir()
	var hook atomic.Pointer[func()]
	one, two := reading(t, state, s, &hook), process(t, state, s)
	file := write(t, t.TempDir(), ask("a", ""), s)
	s.on("/a", broken)
	wantStatus(t, wait(t, start(t, two, file, "r1")), event.Failed)
	s.on("/a", nil)
	hook.Store(once(func() {
		r, err := two.Retry(t.Context(), "r1", host.RetryOptions{})
		if err != nil {
			t.Error(err)
			return
		}
		wantStatus(t, wait(t, r), event.Succeeded)
	}))
	_, err := one.Retry(t.Context(), "r1", host.RetryOptions{})
	wantCode(t, err, "run_succeeded")
	if n := s.count("/a"); n != 2 {
		t.Errorf("a was asked %d times, want 2", n)
	}
}

// TestCancelOfWhatHasEnded: while somebody makes ready to cancel a run that
// nobody works on, another process ends it; its result stands.
func TestCancelOfWhatHasEnded(t *testing.T) {
	s, state := newService(t), t.TempDir()
	var hook atomic.Pointer[func()]
	one := process(t, state, s)
	file := write(t, t.TempDir(), ask("a", ""), s)
	s.on("/a", hang)
	start(t, one, file, "r1")
	s.next(t, "/a")
	closeHost(t, one)
	s.on("/a", nil)
	two, three := process(t, state, s), reading(t, state, s, &hook)
	hook.Store(once(func() {
		r, err := two.Resume(t.Context(), "r1", host.Options{})
		if err != nil {
			t.Error(err)
			return
		}
		wantStatus(t, wait(t, r), event.Succeeded)
	}))
	wantCode(t, three.CancelRun(t.Context(), "r1", ""), "run_ended")
	info, err := two.RunInfo(t.Context(), "r1")
	if err != nil || info.Status != event.Succeeded {
		t.Errorf("%v, %+v", err, info)
	}
}

// TestCancelAsItBeginsToWait: the wish comes when the engine has ended and the
// journal does not know yet that the run waits.
func TestCancelAsItBeginsToWait(t *testing.T) {
	s := newService(t)
	var asked, cancelled atomic.Bool
	var h *host.Host
	h, err := host.OpenAt(t.Context(), host.Config{CacheDir: cache(), State: t.TempDir(), Getenv: func(name string) (string, bool) { return s.URL, name == "URL" },
		Sink: event.SinkFunc(func(e *event.Event) { asked.CompareAndSwap(false, e.Type == event.NodeWaiting) })},
		func(point string) {
			if point == "begin" && asked.Load() && cancelled.CompareAndSwap(false, true) {
				if err := h.CancelRun(context.Background(), "r1", "enough"); err != nil {
					t.Error(err)
				}
			}
		})
	if err != nil {
		t.Fatal(err)
	}
	defer closeHost(t, h)
	r := start(t, h, write(t, t.TempDir(), gates, s), "r1")
	wantStatus(t, wait(t, r), event.Cancelled)
	if info, err := h.RunInfo(t.Context(), "r1"); err != nil || info.Status != event.Cancelled {
		t.Errorf("%v, %+v", err, info)
	}
}

// TestCloseWhileItStarts: a run that is just being recorded, or taken, when its
// process ends is kept as it stands.
func TestCloseWhileItStarts(t *testing.T) {
	for _, resume := range []bool{false, true} {
		s, state := newService(t), t.TempDir()
		file := write(t, t.TempDir(), ask("a", ""), s)
		s.on("/a", hang)
		if resume {
			before := process(t, state, s)
			start(t, before, file, "r1")
			s.next(t, "/a")
			closeHost(t, before)
		}
		var armed atomic.Bool
		closed := make(chan struct{})
		var h *host.Host
		h, err := host.OpenAt(t.Context(), host.Config{CacheDir: cache(), State: state, Getenv: func(name string) (string, bool) { return s.URL, name == "URL" }},
			func(point string) {
				if point == "begin" && armed.CompareAndSwap(true, false) {
					ctx, cancel := context.WithCancel(context.Background())
					cancel()
					_ = h.Close(ctx) // it begins to close, and is waited for below
					close(closed)
				}
			})
		if err != nil {
			t.Fatal(err)
		}
		w := loaded(t, h, file)
		armed.Store(true)
		var r *host.Run
		if resume {
			r, err = h.Resume(t.Context(), "r1", host.Options{})
		} else {
			r, err = h.Start(t.Context(), w, host.Options{RunID: "r1"})
		}
		if err != nil {
			t.Fatal(err)
		}
		<-closed
		if got := wait(t, r); got.Status != event.Running {
			t.Errorf("resume %v: the run %s: %v", resume, got.Status, got.Error)
		}
		closeHost(t, h)
	}
}

// TestInterruptOfAFollower: who only follows a run does not end it.
func TestInterruptOfAFollower(t *testing.T) {
	s, state := newService(t), t.TempDir()
	one, two := process(t, state, s), process(t, state, s)
	s.on("/a", hang)
	file := write(t, t.TempDir(), ask("a", ""), s)
	r := start(t, one, file, "r1")
	s.next(t, "/a")
	f := start(t, two, file, "r1")
	f.Interrupt(context.Canceled)
	if _, err := f.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("the follower: %v", err)
	}
	if info, err := two.RunInfo(t.Context(), "r1"); err != nil || info.Status != event.Running || !info.Alive {
		t.Errorf("%v, %+v", err, info)
	}
	r.Cancel(nil)
	wantStatus(t, wait(t, r), event.Cancelled)
}

// TestTwoStartAtOnce: an id that the journal knows gives everybody the result
// that is recorded, also who asks while another is still being told.
func TestTwoStartAtOnce(t *testing.T) {
	s, state := newService(t), t.TempDir()
	file := write(t, t.TempDir(), ask("a", ""), s)
	before := process(t, state, s)
	want := wait(t, start(t, before, file, "r1")).Output.String()
	var w *host.Workflow
	var h *host.Host
	var armed atomic.Bool
	second := make(chan *host.Run, 1)
	begin := func() {
		r, err := h.Start(context.Background(), w, host.Options{RunID: "r1"})
		if err != nil {
			t.Error(err)
		}
		second <- r
	}
	h, err := host.OpenAt(t.Context(), host.Config{CacheDir: cache(), State: state, Getenv: func(name string) (string, bool) { return s.URL, name == "URL" }},
		func(point string) {
			if point == "begin" && armed.CompareAndSwap(true, false) {
				begin()
			}
		})
	if err != nil {
		t.Fatal(err)
	}
	defer closeHost(t, h)
	w = loaded(t, h, file)
	armed.Store(true)
	first, err := h.Start(t.Context(), w, host.Options{RunID: "r1"})
	if err != nil {
		t.Fatal(err)
	}
	if armed.CompareAndSwap(true, false) { // nothing was written for the first
		begin()
	}
	for _, r := range []*host.Run{first, <-second} {
		if got := wait(t, r); got.Output.String() != want {
			t.Errorf("%s: %v", got.Status, got.Error)
		}
	}
	if n := s.count("/a"); n != 1 {
		t.Errorf("a was asked %d times", n)
	}
}

// TestPluginsOfARunThatWentOn: those that ran in an earlier process are told, too.
func TestPluginsOfARunThatWentOn(t *testing.T) {
	s, state := newService(t), t.TempDir()
	file := write(t, t.TempDir(), ask("a", "")+"[nodes.ok]\napproval = \"Well?\"\nneeds = [\"a\"]\n", s)
	one, two := process(t, state, s), process(t, state, s)
	wantStatus(t, wait(t, start(t, one, file, "r1")), event.Waiting)
	r, err := two.Approve(t.Context(), "r1", host.Approval{}, host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, wait(t, r), event.Succeeded)
	if info, err := two.RunInfo(t.Context(), "r1"); err != nil || info.Plugins["ask"] == "" {
		t.Errorf("%v, %+v", err, info.Plugins)
	}
}

// TestCancelAsTheProcessEnds: who wanted a run to end, and was told that it will,
// need not say so again because the process ended first.
func TestCancelAsTheProcessEnds(t *testing.T) {
	s, state := newService(t), t.TempDir()
	s.on("/a", hang)
	one := process(t, state, s)
	r := start(t, one, write(t, t.TempDir(), ask("a", ""), s), "r1")
	s.next(t, "/a")
	r.Interrupt(nil)
	if err := one.CancelRun(t.Context(), "r1", "enough"); err != nil {
		t.Fatal(err)
	}
	if got := wait(t, r); got.Status == event.Running {
		two := process(t, state, s)
		again, err := two.Resume(t.Context(), "r1", host.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got = wait(t, again)
		wantStatus(t, got, event.Cancelled)
	} else {
		wantStatus(t, got, event.Cancelled)
	}
}
