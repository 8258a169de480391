package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wasmhost/host/event"
)

// TestConcurrentCalls: every call has an instance to itself, and there are
// never more than the limit.
func TestConcurrentCalls(t *testing.T) {
	for _, reset := range []string{ResetCall, ResetNever} {
		p := load(t, Spec{Source: "probe.wasm", Dir: guests, Reset: reset, Limits: Limits{Instances: 3}})
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 40 {
					text := fmt.Sprintf("%d of %d %s", j, i, strings.Repeat("x", j))
					a, err := p.Call(t.Context(), Call{Function: "echo", Input: []byte(text), Meta: Meta{Node: text}})
					if err != nil || string(a.Output) != text {
						t.Errorf("%q: %q, %v", text, a.Output, err)
					}
					a, err = p.Call(t.Context(), Call{Function: "config", Input: []byte("host.node"), Meta: Meta{Node: text}})
					if err != nil || string(a.Output) != text {
						t.Errorf("%q: %q, %v", text, a.Output, err)
					}
					if n := p.pool.inUse(); n > 3 {
						t.Errorf("%d instances", n)
					}
				}
			})
		}
		wg.Wait()
		if reset == ResetNever && (p.pool.size() == 0 || p.pool.size() > 3) {
			t.Errorf("%d instances are kept", p.pool.size())
		}
	}
}

func TestWaitingForAnInstance(t *testing.T) {
	p := load(t, Spec{Source: "probe.wasm", Dir: guests, Limits: Limits{Instances: 1}})
	long, stop := context.WithCancel(t.Context())
	began, ended := make(chan struct{}), make(chan struct{})
	var once sync.Once
	go func() {
		p.Call(long, Call{Function: "log_forever", Log: func(string, string) { once.Do(func() { close(began) }) }})
		close(ended)
	}()
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := p.Call(ctx, Call{Function: "echo"})
	var e *event.Error
	if !errors.As(err, &e) || e.Code != codeInstances || e.OutcomeUnknown || e.Message != "timed out while waiting for one of 1 instances of the plugin (limits.instances)" {
		t.Errorf("%+v", err)
	}
	stop()
	<-ended
	succeeds(t, p, "echo", "x", "x")
}

// TestTurnThatNobodyTakes: who gives up just as his turn comes hands it on, and
// who gives up before is passed over.
func TestTurnThatNobodyTakes(t *testing.T) {
	p := load(t, Spec{Source: "probe.wasm", Dir: guests, Limits: Limits{Instances: 1}})
	if _, failed := p.pool.enter(t.Context(), true); failed != nil {
		t.Fatal(failed)
	}
	turns := [4]chan struct{}{}
	for i := range turns {
		turns[i] = make(chan struct{})
	}
	p.pool.waiting = slices.Clone(turns[:])
	p.pool.giveUp(turns[1])
	p.pool.leave(nil, 0)
	<-turns[0]
	p.pool.giveUp(turns[0])
	<-turns[2]
	select {
	case <-turns[1]:
		t.Error("one that had given up was let in")
	case <-turns[3]:
		t.Error("two were let in")
	default:
	}
	p.pool.leave(nil, 0)
	<-turns[3]
	p.pool.leave(nil, 0)
	if n := p.pool.inUse(); n != 0 {
		t.Errorf("%d calls at work", n)
	}
	succeeds(t, p, "echo", "x", "x")
}

// TestCloseWaitsForCalls: a call in flight ends properly, later ones are
// refused.
func TestCloseWaitsForCalls(t *testing.T) {
	for range 20 {
		p := load(t, Spec{Source: "probe.wasm", Dir: guests})
		began, goOn, inFlight := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			a, err := p.Call(context.Background(), Call{Function: "log", Input: []byte("x"), Log: func(level, _ string) {
				if level == levelDebug { // the first line of four
					close(began)
					<-goOn
				}
			}})
			if err == nil && a.HostCalls.Logs != 4 {
				err = fmt.Errorf("%+v", a)
			}
			inFlight <- err
		}()
		<-began
		over, cancel := context.WithCancel(context.Background())
		cancel()
		if err := p.Close(over); err == nil || !strings.Contains(err.Error(), "still has calls in flight") {
			t.Error(err)
		}
		if e := fails(t, p, Call{Function: "echo"}); e.Code != codeClosed || e.Message != `plugin "guest" is closed` {
			t.Error(e)
		}
		close(goOn)
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-inFlight; err != nil {
			t.Errorf("the call in flight: %v", err)
		}
		if err := p.Close(over); err != nil {
			t.Error(err)
		}
	}
}

func TestClosedRuntime(t *testing.T) {
	r := NewRuntime(Config{CacheDir: compiledCode()})
	p, err := r.Load(t.Context(), guest("probe"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if e := fails(t, p, Call{Function: "echo"}); e.Code != codeClosed {
		t.Error(e)
	}
	refusedBy(t, r, guest("probe"), codeClosed, "the plugin runtime is closed")
	if len(r.programs) != 0 {
		t.Error("a refused plugin kept its code")
	}
}

// TestConcurrentLoads: loads, calls and closes of the same content at once.
func TestConcurrentLoads(t *testing.T) {
	r := newTestRuntime(t, Config{})
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 10 {
				p, err := r.Load(t.Context(), guest("probe"))
				if err != nil {
					t.Error(err)
					return
				}
				if a, err := p.Call(t.Context(), Call{Function: "echo", Input: []byte("x")}); err != nil || string(a.Output) != "x" {
					t.Error(a, err)
				}
				p.Close(context.Background())
			}
		})
	}
	wg.Wait()
}
