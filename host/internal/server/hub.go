package server

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"

	"wasmhost/host/event"
)

// hub follows each run that somebody watches once, and encodes each of its events
// once, however many watch. A run's last frames are kept in one place for all of
// them; a watcher is only a number, how far it is. So a slow one holds nothing: it
// finds what it missed in the journal.
type hub struct {
	service Service
	limits  Limits

	mu     sync.Mutex
	topics map[string]*topic // by run
	by     map[string]int    // streams of an identity
	all    int
	closed bool
	wait   sync.WaitGroup
}

func newHub(s Service, l Limits) *hub {
	return &hub{service: s, limits: l, topics: map[string]*topic{}, by: map[string]int{}}
}

const (
	keptFrames = 1024
	keptBytes  = 1 << 20
)

// frame is an event as a stream has it.
type frame struct {
	seq    uint64
	text   []byte
	urgent bool // the end of a run is not held back
}

func frameOf(e *event.Event) (frame, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return frame{}, err
	}
	text := make([]byte, 0, len(data)+64)
	text = append(text, "id: "...)
	text = strconv.AppendUint(text, e.Seq, 10)
	text = append(text, "\nevent: "...)
	text = append(text, e.Type...)
	text = append(text, "\ndata: "...)
	text = append(text, data...)
	text = append(text, "\n\n"...)
	return frame{e.Seq, text, e.Type == event.RunFinished}, nil
}

// topic is a run that is watched.
type topic struct {
	hub    *hub
	id     string
	cancel context.CancelFunc

	watchers int // under hub.mu

	mu sync.Mutex
	// floor is before the first frame that is kept: who is not there yet reads the
	// journal up to it.
	floor  uint64
	frames []frame
	bytes  int
	news   chan struct{} // closed when there is more, or the end
	urgent chan struct{} // closed at the first urgent frame, and at the end
	called bool
	ended  bool
	err    error
}

// admit takes a place for one more stream.
func (h *hub) admit(who Identity) (leave func(), err error) {
	key := who.Name
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, refusal("stopping", "the server is stopping")
	case h.all >= h.limits.Streams:
		return nil, refusal("too_many_streams", "the server has as many event streams open as it takes")
	case h.by[key] >= h.limits.StreamsEach:
		return nil, refusal("too_many_streams", "this token has as many event streams open as it may")
	}
	h.all++
	h.by[key]++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.all--
		if h.by[key]--; h.by[key] == 0 {
			delete(h.by, key)
		}
	}, nil
}

// join begins to watch a run that exists. from is where to begin to follow when
// nobody watches it yet.
func (h *hub) join(id string, from uint64) (t *topic, leave func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, nil, refusal("stopping", "the server is stopping")
	}
	t = h.topics[id]
	if t == nil || t.over() {
		ctx, cancel := context.WithCancel(context.Background())
		t = &topic{hub: h, id: id, cancel: cancel, floor: from, news: make(chan struct{}), urgent: make(chan struct{})}
		h.topics[id] = t
		h.wait.Go(func() { t.follow(ctx, from) })
	}
	t.watchers++
	return t, func() { h.leave(t) }, nil
}

func (h *hub) leave(t *topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.watchers--; t.watchers > 0 {
		return
	}
	t.cancel()
	if h.topics[t.id] == t {
		delete(h.topics, t.id)
	}
}

// close ends everything that is followed and waits for that.
func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	for _, t := range h.topics {
		t.cancel()
	}
	h.mu.Unlock()
	h.wait.Wait()
}

func (t *topic) follow(ctx context.Context, from uint64) {
	err := t.hub.service.Follow(ctx, t.id, from, t.add)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended, t.err = true, err
	t.call()
	close(t.news)
}

func (t *topic) over() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended
}

// call wakes those who hold back what they have.
func (t *topic) call() {
	if !t.called {
		t.called = true
		close(t.urgent)
	}
}

// add keeps an event for everybody. It waits for nobody.
func (t *topic) add(e *event.Event) error {
	f, err := frameOf(e)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.frames = append(t.frames, f)
	t.bytes += len(f.text)
	drop := 0
	for len(t.frames)-drop > 1 && (len(t.frames)-drop > keptFrames || t.bytes > keptBytes) {
		t.floor = t.frames[drop].seq
		t.bytes -= len(t.frames[drop].text)
		t.frames[drop] = frame{}
		drop++
	}
	t.frames = t.frames[drop:]
	if f.urgent {
		t.call()
	}
	close(t.news)
	t.news = make(chan struct{})
	return nil
}

// view is what a watcher finds who has seen all up to after.
type view struct {
	frames []frame
	behind bool   // the journal has what comes before the frames
	floor  uint64 // up to here
	ended  bool
	err    error
	news   <-chan struct{}
	urgent <-chan struct{}
}

func (t *topic) look(after uint64) view {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := view{floor: t.floor, ended: t.ended, err: t.err, news: t.news, urgent: t.urgent}
	if after < t.floor {
		v.behind = true
		return v
	}
	// Frames are in order, and most watchers want the last few.
	i := len(t.frames)
	for i > 0 && t.frames[i-1].seq > after {
		i--
	}
	v.frames = append(v.frames, t.frames[i:]...)
	return v
}
