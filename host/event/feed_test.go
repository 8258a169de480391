package event

import (
	"sync"
	"testing"
)

func numbered(n uint64) *Event { return &Event{Seq: n} }

// drain reads what is there of a watch whose feed, or which itself, has ended.
func drain(w *Watch) []uint64 {
	var all []uint64
	for e := range w.Events() {
		all = append(all, e.Seq)
	}
	return all
}

func same(t *testing.T, what string, got []uint64, want ...uint64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
}

func TestFeed(t *testing.T) {
	f := NewFeed(3)
	early := f.Watch(0, 10)
	for n := uint64(1); n <= 5; n++ {
		f.Emit(numbered(n))
	}
	late := f.Watch(0, 10)
	back := f.Watch(4, 10)
	f.Emit(numbered(6))
	gone := f.Watch(0, 1)
	gone.Close()
	gone.Close()
	f.Emit(numbered(7))
	f.Close()
	f.Close()
	f.Emit(numbered(8))
	after := f.Watch(5, 1)

	same(t, "from the beginning", drain(early), 1, 2, 3, 4, 5, 6, 7)
	same(t, "late: the kept ones, then what comes", drain(late), 3, 4, 5, 6, 7)
	same(t, "back after 4", drain(back), 5, 6, 7)
	same(t, "gone", drain(gone), 4, 5, 6)
	same(t, "after the end", drain(after), 6, 7)
	for _, w := range []*Watch{early, late, back, gone, after} {
		if w.Dropped() {
			t.Error("nobody was too slow")
		}
		w.Close()
	}
}

func TestSlowWatcher(t *testing.T) {
	f := NewFeed(1)
	slow, quick := f.Watch(0, 2), f.Watch(0, 100)
	for n := uint64(1); n <= 5; n++ {
		f.Emit(numbered(n))
	}
	f.Close()
	same(t, "the slow one", drain(slow), 1, 2)
	same(t, "the quick one", drain(quick), 1, 2, 3, 4, 5)
	if !slow.Dropped() || quick.Dropped() {
		t.Errorf("dropped: slow %v, quick %v", slow.Dropped(), quick.Dropped())
	}
}

func TestFeedConcurrency(t *testing.T) {
	f := NewFeed(16)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := range uint64(200) {
				f.Emit(numbered(n))
			}
		})
		wg.Go(func() {
			for range 50 {
				w := f.Watch(0, 4)
				select {
				case <-w.Events():
				default:
				}
				w.Close()
				_ = w.Dropped()
			}
		})
	}
	wg.Wait()
	f.Close()
}
