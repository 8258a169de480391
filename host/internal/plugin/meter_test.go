package plugin

import (
	"context"
	"strings"
	"testing"
	"time"

	"wasmhost/host/event"
)

// TestStepLimitIsExact: with as many steps as it takes a call succeeds, with one
// fewer it fails, wherever its slices fell and however many modules share them.
func TestStepLimitIsExact(t *testing.T) {
	for _, c := range []struct {
		name, function string
		spec           Spec
		sizes          []int
	}{
		{"one module", "echo", guest("probe"), []int{0, 9, 40_000, 1 << 20}},
		{"two modules", "run", manifestOf(t, "lib", "linked"), []int{1, 9, 40_000, 1 << 20}},
	} {
		for _, n := range c.sizes {
			call := Call{Function: c.function, Input: []byte(strings.Repeat("x", n))}
			free := load(t, c.spec)
			a, err := free.Call(t.Context(), call)
			if err != nil || a.Steps == 0 {
				t.Fatal(a, err)
			}
			for spare, want := range map[int64]string{0: "", 1: "", -1: codeSteps} {
				s := c.spec
				s.Limits.Steps = int64(a.Steps) + spare
				p := load(t, s)
				for range 3 {
					limited, err := p.Call(t.Context(), call)
					got := ""
					if e, ok := err.(*event.Error); ok {
						got = e.Code
					}
					if got != want || err == nil && limited.Steps != a.Steps {
						t.Errorf("%s, %d bytes, %d steps of %d: %v, %d used", c.name, n, s.Limits.Steps, a.Steps, err, limited.Steps)
					}
				}
			}
		}
	}
}

// TestSlices follow the time that they take, and begin anew with each call.
func TestSlices(t *testing.T) {
	var m meter
	m.begin(0)
	at := int64(1)
	run := func(took time.Duration, want int64) {
		t.Helper()
		m.resumed = at
		at += int64(took)
		if m.measure(at); m.slice != want {
			t.Errorf("after %v, %d steps", took, m.slice)
		}
	}
	run(10*time.Microsecond, 200_000)
	run(500*time.Microsecond, 200_000)
	run(199*time.Microsecond, 400_000)
	run(0, 800_000)
	run(0, 800_000)
	run(2*time.Millisecond, 400_000)
	m.paused() // what a host function took is not the guest's
	if m.measure(at + int64(time.Hour)); m.slice != 400_000 {
		t.Errorf("after a pause, %d steps", m.slice)
	}
	for range 5 {
		run(time.Second, max(m.slice/2, 100_000))
	}
	run(0, 200_000)
	m.begin(0)
	run(time.Millisecond, 100_000)
}

// late is a context that says it ends before it does.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Now().Add(-time.Hour), true }

// TestDeadlineOfAnotherClock: what ends a call is its context, whatever deadline
// it shows.
func TestDeadlineOfAnotherClock(t *testing.T) {
	p := load(t, guest("probe"))
	text := strings.Repeat("x", 1<<20) // some slices
	if a, err := p.Call(late{t.Context()}, Call{Function: "echo", Input: []byte(text)}); err != nil || string(a.Output) != text {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := time.AfterFunc(20*time.Millisecond, cancel)
	defer cancelled.Stop()
	if e, ok := func() (*event.Error, bool) {
		_, err := p.Call(late{ctx}, Call{Function: "spin"})
		e, ok := err.(*event.Error)
		return e, ok
	}(); !ok || e.Code != codeCancelled {
		t.Error(e)
	}
}
