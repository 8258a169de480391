package host_test

import (
	"strings"
	"testing"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
	"wasmhost/resilience"
)

// ahead is a clock that goes before the others.
type ahead struct{ resilience.Clock }

func (ahead) Now() time.Time { return time.Now().Add(time.Hour) }

// TestLostRun: a process gives no sign of life, so another goes on with its run.
// When it wakes up it stops working on it, also when nothing of it has an answer.
func TestLostRun(t *testing.T) {
	s, state := newService(t), t.TempDir()
	s.on("/a", hang)
	one := process(t, state, s)
	r := start(t, one, write(t, t.TempDir(), ask("a", ""), s), "r1")
	s.next(t, "/a")
	s.on("/a", nil)
	two, err := host.Open(t.Context(), host.Config{CacheDir: cache(), State: state, Clock: ahead{resilience.RealClock()},
		Getenv: func(name string) (string, bool) { return s.URL, name == "URL" }})
	if err != nil {
		t.Fatal(err)
	}
	defer closeHost(t, two)
	on, err := two.Resume(t.Context(), "r1", host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, wait(t, on), event.Succeeded)
	result, err := r.Wait(t.Context())
	wantCode(t, err, "journal")
	if result != nil || err == nil || !strings.Contains(err.Error(), "another owner") {
		t.Errorf("%+v, %v", result, err)
	}
}
