package resilience

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestManualClockFiresInOrder(t *testing.T) {
	c := NewManualClock(epoch)
	late, early := c.NewTimer(2*time.Second), c.NewTimer(time.Second)
	stopped := c.NewTimer(time.Second)
	if !stopped.Stop() || stopped.Stop() {
		t.Error("a timer can be stopped once")
	}
	var ran sync.WaitGroup
	ran.Add(1)
	c.AfterFunc(3*time.Second, ran.Done)
	if at := <-c.NewTimer(0).C(); !at.Equal(epoch) {
		t.Errorf("a timer of no time fired at %v", at)
	}
	if c.Pending() != 3 {
		t.Errorf("%d are pending, want 3", c.Pending())
	}
	c.Advance(10 * time.Second)
	ran.Wait()
	if at := <-early.C(); !at.Equal(epoch.Add(time.Second)) {
		t.Errorf("early fired at %v", at)
	}
	if at := <-late.C(); !at.Equal(epoch.Add(2 * time.Second)) {
		t.Errorf("late fired at %v", at)
	}
	select {
	case <-stopped.C():
		t.Error("a stopped timer fired")
	default:
	}
	if late.Stop() {
		t.Error("a timer that fired was stopped")
	}
	if now := c.Now(); !now.Equal(epoch.Add(10 * time.Second)) {
		t.Errorf("it is %v", now)
	}
}

// A whole stack runs on a clock that is moved by hand, with no real time.
func TestStackOnManualClock(t *testing.T) {
	c := NewManualClock(epoch)
	p := fullPolicy(c)
	p.Timeout = 2 * time.Second
	p.Hedge = nil
	s := NewStack[int](p, c)
	seen := newTrace(c)
	done := make(chan error)
	go func() {
		n := 0
		_, err := s.Do(t.Context(), Options{Idempotent: true, Observer: seen, Random: func() float64 { return 0 }}, func(ctx context.Context, a Attempt) (int, error) {
			if n++; n == 2 {
				return 7, nil
			}
			if _, ok := ctx.Deadline(); ok {
				t.Error("a context cannot have a deadline in made-up time")
			}
			<-ctx.Done()
			return 0, ctx.Err()
		})
		done <- err
	}()
	c.BlockUntil(2) // timeout and deadline
	c.Advance(2 * time.Second)
	c.BlockUntil(2) // retry and deadline
	c.Advance(time.Second)
	if err := <-done; err != nil {
		t.Error(err)
	}
	wantTrace(t, seen, `
		0s start 1 until 2s
		2s end 1 transient/timeout/true after 2s
		2s retry 2 in 1s: transient/timeout/true
		3s start 2 until 5s
		3s end 2 ok after 0s`)
	if c.Pending() != 0 {
		t.Errorf("%d timers were left", c.Pending())
	}
}

func TestDeadlineOnManualClock(t *testing.T) {
	c := NewManualClock(epoch)
	s := NewStack[int](Policy{Deadline: time.Hour}, c)
	done := make(chan error)
	go func() {
		_, err := s.Do(t.Context(), Options{Idempotent: true}, func(ctx context.Context, a Attempt) (int, error) {
			<-ctx.Done()
			return 0, fmt.Errorf("stopped: %w", ctx.Err())
		})
		done <- err
	}()
	c.BlockUntil(1)
	c.Advance(time.Hour)
	if err := <-done; !errors.Is(err, ErrDeadline) {
		t.Error(err)
	}
}
