package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"wasmhost/host/event"
)

// TestBatch holds the first commit until more is queued: all of that shares the
// next one, and everybody is told in order.
func TestBatch(t *testing.T) {
	var begun atomic.Int64
	var hold atomic.Bool
	holding, release := make(chan struct{}), make(chan struct{})
	j := open(t, t.TempDir(), Options{Point: func(name string) {
		if name == "commit" {
			begun.Add(1)
			if hold.CompareAndSwap(true, false) {
				close(holding)
				<-release
			}
		}
	}})
	var writers []*Writer
	for i := range 20 {
		writers = append(writers, begin(t, j, fmt.Sprint("r", i)))
	}
	hold.Store(true)
	before := begun.Load()
	first := make(chan error, 1)
	writers[0].Append(step("r0", 1), func(err error) { first <- err })
	<-holding
	var mu sync.Mutex
	told := map[string][]int{}
	var wg sync.WaitGroup
	for i, w := range writers {
		id := w.ID()
		from := 1
		if i == 0 {
			from = 2
		}
		for n := from; n <= 30; n++ {
			wg.Add(1)
			w.Append(step(id, n), func(err error) {
				defer wg.Done()
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				told[id] = append(told[id], n)
				mu.Unlock()
			})
		}
		if j.Stats().Backlog == 0 {
			t.Error("nothing waits")
		}
	}
	close(release)
	must(t, <-first)
	wg.Wait()
	if commits := begun.Load() - before; commits != 2 {
		t.Errorf("%d commits", commits)
	}
	for id, list := range told {
		for i := 1; i < len(list); i++ {
			if list[i] != list[i-1]+1 {
				t.Fatalf("%s was told %v", id, list)
			}
		}
	}
}

// TestNobodyWaits: what has no done is committed all the same, soon.
func TestNobodyWaits(t *testing.T) {
	committed := make(chan struct{}, 100)
	j := open(t, t.TempDir(), Options{Point: func(name string) {
		if name == "committed" {
			committed <- struct{}{}
		}
	}})
	w := begin(t, j, "r")
	<-committed
	w.Append(step("r", 1), nil)
	w.Append(step("r", 2), nil)
	<-committed
	list, err := j.Records(t.Context(), "r", 0, 0)
	must(t, err)
	sameRecords(t, "r", list, 1, 2)
}

// TestConcurrently is for the race detector: everything at once.
func TestConcurrently(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	o := Options{Durability: Normal, OnCommand: func(Command) {}, OnBreaker: func(Breaker) {}}
	a, b := open(t, dir, o), open(t, dir, o)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			j := []*Journal{a, b}[i%2]
			id := fmt.Sprint("r", i)
			w := begin(t, j, id)
			for n := 1; n <= 60; n++ {
				if n%3 == 0 {
					w.Append(step(id, n), nil)
				} else if err := append1(w, step(id, n)); err != nil {
					t.Error(err)
					return
				}
				switch n % 10 {
				case 1:
					j.SaveBreaker(Breaker{Root: "w", Key: fmt.Sprint(n), State: []byte(id)})
				case 4:
					j.SaveReport("w", &event.Report{})
				case 7:
					if _, err := j.Send(ctx, Command{Run: id, Kind: "x"}); err != nil {
						t.Error(err)
					}
				}
			}
			if err := wait(func(done func(error)) { w.End(End{Status: event.Succeeded, Result: []byte("1")}, done) }); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			j := []*Journal{b, a}[i%2]
			for range 20 {
				if _, err := j.Runs(ctx, Filter{}); err != nil {
					t.Error(err)
				}
				if _, err := j.Records(ctx, fmt.Sprint("r", i), 0, 0); err != nil && !errors.Is(err, ErrNotFound) {
					t.Error(err)
				}
				_, _ = j.Run(ctx, fmt.Sprint("r", i))
			}
		})
	}
	wg.Wait()
	for i := range 16 {
		id := fmt.Sprint("r", i)
		list, err := a.Records(ctx, id, 0, 0)
		must(t, err)
		sameRecords(t, id, list, 1, 60)
	}
}

// TestContexts: who does not want to wait is let go.
func TestContexts(t *testing.T) {
	var hold atomic.Bool
	holding, release := make(chan struct{}), make(chan struct{})
	j := open(t, t.TempDir(), Options{Point: func(name string) {
		if name == "begin" && hold.CompareAndSwap(true, false) {
			close(holding)
			<-release
		}
	}})
	w := begin(t, j, "r")
	hold.Store(true)
	w.Append(step("r", 1), func(error) {})
	<-holding
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := j.Begin(ctx, NewRun{ID: "unwanted"})
		gone <- err
	}()
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(release)
	must(t, j.Flush(t.Context()))
	if _, err := j.Run(t.Context(), "unwanted"); !errors.Is(err, ErrNotFound) {
		t.Errorf("begun for nobody: %v", err)
	}
	if _, err := j.Run(ctx, "r"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := Open(ctx, t.TempDir(), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if list, err := j.Records(t.Context(), "r", 0, 0); err != nil || len(list) != 1 {
		t.Errorf("%d %v", len(list), err)
	}
}
