package resilience

import "time"

// windowSlots is how finely a window forgets: outcomes that lie less than this
// part of it apart are kept as one. It bounds the memory of a busy breaker.
const windowSlots = 256

// window counts outcomes of the recent past. The zero window is always empty.
type window struct {
	length time.Duration
	slots  []slot // oldest first
}

type slot struct {
	at         time.Duration // of the first outcome in it
	ok, failed int
}

func newWindow(cfg BreakerConfig) window { return window{length: cfg.Window} }

func (w *window) add(now time.Duration, o outcome) {
	w.forget(now)
	if n := len(w.slots); n == 0 || now-w.slots[n-1].at > w.length/windowSlots {
		w.slots = append(w.slots, slot{at: now})
	}
	last := &w.slots[len(w.slots)-1]
	if o == success {
		last.ok++
	} else {
		last.failed++
	}
}

func (w *window) sum(now time.Duration) (ok, failed int) {
	w.forget(now)
	for _, s := range w.slots {
		ok += s.ok
		failed += s.failed
	}
	return ok, failed
}

func (w *window) forget(now time.Duration) {
	n := 0
	for n < len(w.slots) && now-w.slots[n].at > w.length {
		n++
	}
	if n > 0 {
		w.slots = append(w.slots[:0], w.slots[n:]...)
	}
}
