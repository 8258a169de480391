package plugin

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"wasmhost/host/event"
)

// TestTimeoutsEnd runs every way a guest can refuse to stop under 200 ms; each
// must be over within 400 ms of wall time.
func TestTimeoutsEnd(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow-body" {
			w.Write([]byte("some"))
			w.(http.Flusher).Flush()
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)

	command := guest("command")
	command.Args = []string{"spin"}
	sleeper := guest("command")
	sleeper.Args = []string{"sleep"}
	files := guest("files")
	files.Allow.FS = []Mount{{Path: t.TempDir(), At: "/", Write: true}}
	probe := guest("probe")
	probe.Allow.HTTP = []string{server.URL}

	for _, c := range []struct {
		name, function, in string
		spec               Spec
	}{
		{"loop", "spin", "", guest("probe")},
		{"calls without a loop", "tree", "", guest("probe")},
		{"memory.fill", "fill", "", guest("probe")},
		{"poll for 200 years", "sleep", "", guest("probe")},
		{"log flood", "log_forever", "", guest("probe")},
		{"start function", "run", "", guest("start_loop")},
		{"initialiser", "run", "", guest("init_loop")},
		{"linked module", "spin", "", manifestOf(t, "lib", "linked")},
		{"command that loops", "run", "", command},
		{"command that sleeps", "run", "", sleeper},
		{"writes to a file", "fill", "/file", files},
		{"server that never answers", "http", `{"url":"` + server.URL + `/"}`, probe},
		{"body that never ends", "http", `{"url":"` + server.URL + `/slow-body"}`, probe},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := load(t, c.spec)
			runtime.GC()
			before := runtime.NumGoroutine()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			began := time.Now()
			_, err := p.Call(ctx, Call{Function: c.function, Input: []byte(c.in), Log: func(string, string) {}})
			took := time.Since(began)
			var e *event.Error
			if !errors.As(err, &e) || e.Code != codeTimeout || e.Class != event.Transient || !e.OutcomeUnknown || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("%+v", err)
			}
			if !strings.HasPrefix(e.Message, "timed out while the plugin ") {
				t.Error(e.Message)
			}
			if took > 400*time.Millisecond {
				t.Errorf("it took %v to end", took)
			}
			p.network.close()
			waitForGoroutines(t, before)
		})
	}
}

// waitForGoroutines waits until no more than want are there: net/http's own end
// a moment after their connection.
func waitForGoroutines(t *testing.T, want int) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Second); runtime.NumGoroutine() > want; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), want)
			return
		}
	}
}

func TestCancelledCall(t *testing.T) {
	p := load(t, guest("probe"))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("ctrl-C")
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	_, err := p.Call(ctx, Call{Function: "spin"})
	var e *event.Error
	if !errors.As(err, &e) || e.Code != codeCancelled || e.Class != event.Unknown || !e.OutcomeUnknown || !errors.Is(err, why) {
		t.Errorf("%+v", err)
	}
	// A context that is over already: nothing was done.
	_, err = p.Call(ctx, Call{Function: "echo"})
	if !errors.As(err, &e) || e.Code != codeCancelled || e.OutcomeUnknown {
		t.Errorf("%+v", err)
	}
}

type ownTimeout struct{}

func (ownTimeout) Error() string { return "attempt took too long" }
func (ownTimeout) Timeout() bool { return true }

// TestCauseIsATimeout: a policy cancels with a cause of its own.
func TestCauseIsATimeout(t *testing.T) {
	p := load(t, guest("probe"))
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(ownTimeout{}) })
	_, err := p.Call(ctx, Call{Function: "spin"})
	var e *event.Error
	if !errors.As(err, &e) || e.Code != codeTimeout {
		t.Errorf("%+v", err)
	}
}

// TestSpinningGuestsLetOthersRun: guest code is not preempted, so it must give
// way by itself, also to the collector.
func TestSpinningGuestsLetOthersRun(t *testing.T) {
	p := load(t, guest("probe"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	for range runtime.GOMAXPROCS(0) {
		go func() {
			p.Call(ctx, Call{Function: "tree"})
			ended <- struct{}{}
		}()
	}
	for range 5 {
		began := time.Now()
		runtime.GC()
		if took := time.Since(began); took > 500*time.Millisecond {
			t.Errorf("a collection took %v", took)
		}
	}
	cancel()
	for range runtime.GOMAXPROCS(0) {
		<-ended
	}
}

// TestManifestTimeout: a manifest's own timeout counts when it is shorter.
func TestManifestTimeout(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/m.json", `{"wasm":[{"path":"`+abs(t, guests+"/probe.wasm")+`"}],"timeout_ms":50}`)
	p := load(t, Spec{Source: "m.json", Dir: dir})
	if e := fails(t, p, Call{Function: "spin"}); e.Code != codeTimeout {
		t.Error(e)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
