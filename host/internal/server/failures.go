package server

import (
	"sync"
	"time"
)

// failures counts requests that did not prove who makes them, by address. Over
// the limit they are told to wait, and neither logged nor audited: whoever has a
// right token is never refused because of a neighbour, and nobody fills the audit
// from outside.
type failures struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[string]*tally
}

type tally struct {
	left float64
	at   time.Time
}

const (
	failBurst = 20
	failEvery = 3 * time.Second // one more is forgiven
	failKept  = 4096
)

// allow notes a failure and reports whether it is one of the first.
func (f *failures) allow(address string) bool {
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.by[address]
	if t == nil {
		if f.by == nil || len(f.by) >= failKept {
			f.by = map[string]*tally{}
		}
		t = &tally{left: failBurst, at: now}
		f.by[address] = t
	}
	if passed := now.Sub(t.at); passed > 0 {
		t.left = min(failBurst, t.left+float64(passed)/float64(failEvery))
	}
	t.at = now
	if t.left < 1 {
		return false
	}
	t.left--
	return true
}
