package host

import (
	"context"
	"sync"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/journal"
)

// lastRead keeps the events of the run that was read last, while it goes on: its page
// asks for them twice, and again at every look, and only the new ones are read then.
type lastRead struct {
	mu sync.Mutex
	is *events // nil: there is none, or somebody reads on
}

// events are those of a run since its generation began, as far as they were read.
type events struct {
	run     string
	created time.Time // another run may have the id of one that was deleted
	n       uint64    // the last record
	all     []*event.Event
	bytes   int // of all, roughly
}

// keptBytes is how large the events may be that are kept.
const keptBytes = 32 << 20

// take gives what is there of a run to the one who reads on.
func (l *lastRead) take(r *journal.Run) *events {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.is
	if e == nil || e.run != r.ID || !e.created.Equal(r.CreatedAt) {
		return &events{run: r.ID, created: r.CreatedAt}
	}
	l.is = nil
	return e
}

func (l *lastRead) put(e *events) {
	if e.bytes > keptBytes {
		return
	}
	l.mu.Lock()
	l.is = e
	l.mu.Unlock()
}

// forget gives up what is kept of a run that is not at work here any more.
func (l *lastRead) forget(run string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.is != nil && l.is.run == run {
		l.is = nil
	}
}

func (e *events) add(r *journal.Record) {
	const frame = 512 // an event without its longest parts
	e.n = r.N
	if r.Mark == engine.MarkSeed {
		e.all, e.bytes = nil, 0
	} else if r.Event != nil {
		e.all = append(e.all, r.Event)
		e.bytes += frame + len(r.Output) + len(r.Event.Message)
	}
}

// eventsOf are the events of a run since its generation began. They are others', too:
// nobody changes them.
func (h *Host) eventsOf(ctx context.Context, r *journal.Run) ([]*event.Event, error) {
	e := h.read.take(r)
	for {
		records, err := h.journal.Records(ctx, r.ID, e.n, chunk)
		if err != nil {
			return nil, err
		}
		for i := range records {
			e.add(&records[i])
		}
		if len(records) < chunk {
			all := e.all[:len(e.all):len(e.all)]
			h.read.put(e)
			return all, nil
		}
	}
}
