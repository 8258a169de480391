package event

import "sync"

// Feed hands a run's events to whoever watches. The run never waits: a watcher
// that is too slow is dropped and finds its channel closed. The last events are
// kept, so that a watcher who comes late, or comes back, misses nothing recent.
// A Feed is safe for concurrent use.
type Feed struct {
	mu     sync.Mutex
	recent []*Event // a ring once it is full
	next   int
	keep   int
	watch  map[*Watch]bool
	closed bool
}

// NewFeed makes a feed that keeps the last n events.
func NewFeed(n int) *Feed { return &Feed{keep: max(n, 1), watch: map[*Watch]bool{}} }

// Watch is one watcher of a feed.
type Watch struct {
	feed    *Feed
	events  chan *Event
	dropped bool
}

// Emit tells every watcher.
func (f *Feed) Emit(e *Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	if len(f.recent) < f.keep {
		f.recent = append(f.recent, e)
	} else {
		f.recent[f.next] = e
		f.next = (f.next + 1) % f.keep
	}
	for w := range f.watch {
		select {
		case w.events <- e:
		default:
			w.dropped = true
			f.drop(w)
		}
	}
}

// Watch starts watching with the kept events whose Seq is more than after. Slack
// is how many further events the watcher may be behind before it is dropped.
func (f *Feed) Watch(after uint64, slack int) *Watch {
	f.mu.Lock()
	defer f.mu.Unlock()
	var kept []*Event
	for i := range f.recent {
		if e := f.recent[(f.next+i)%len(f.recent)]; e.Seq > after {
			kept = append(kept, e)
		}
	}
	w := &Watch{feed: f, events: make(chan *Event, len(kept)+max(slack, 1))}
	for _, e := range kept {
		w.events <- e
	}
	if f.closed {
		close(w.events)
		return w
	}
	f.watch[w] = true
	return w
}

// Close ends the feed: watchers get what is left and then a closed channel.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.closed = true
	for w := range f.watch {
		f.drop(w)
	}
}

func (f *Feed) drop(w *Watch) {
	if f.watch[w] {
		delete(f.watch, w)
		close(w.events)
	}
}

// Events is closed when the feed ends, when Close is called, or when the watcher
// was too slow.
func (w *Watch) Events() <-chan *Event { return w.events }

// Dropped reports whether the watcher was too slow.
func (w *Watch) Dropped() bool {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	return w.dropped
}

// Close stops watching. Closing twice is harmless.
func (w *Watch) Close() {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	w.feed.drop(w)
}
