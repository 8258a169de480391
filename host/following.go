package host

import (
	"context"
	"sync"
	"time"

	"wasmhost/host/event"
)

// A run is followed through all that may become of it: while it is at work in
// this process, while it waits, while another process works on it.

// arrivals tells who waits for a run to be at work in this process.
type arrivals struct {
	mu   sync.Mutex
	byID map[string]*arrival
}

type arrival struct {
	here    chan struct{} // closed when it is
	waiting int
}

func (a *arrivals) wait(id string) *arrival {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byID == nil {
		a.byID = map[string]*arrival{}
	}
	one := a.byID[id]
	if one == nil {
		one = &arrival{here: make(chan struct{})}
		a.byID[id] = one
	}
	one.waiting++
	return one
}

func (a *arrivals) leave(id string, one *arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if one.waiting--; one.waiting == 0 && a.byID[id] == one {
		delete(a.byID, id)
	}
}

func (a *arrivals) tell(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if one := a.byID[id]; one != nil {
		close(one.here)
		delete(a.byID, id)
	}
}

// followEvery is how often the journal is asked for a run that another process may
// work on; what begins here is told at once.
const followEvery = 250 * time.Millisecond

// position is how far somebody who follows a run has come.
type position struct {
	seq      uint64       // of the last event that was told
	n        uint64       // of the last record that was read
	finished *event.Event // run.finished, as long as nothing has come after it
}

// Follow tells the events of a run whose Seq is more than after, recorded ones
// first, until the run has ended or ctx has.
func (s *served) Follow(ctx context.Context, id string, after uint64, tell func(*event.Event) error) error {
	if s.here(id) == nil {
		info, err := s.find(ctx, id)
		if err != nil {
			return err
		}
		id = info.ID
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for p := (position{seq: after}); ; {
		arrival := s.arrivals.wait(id) // before it is looked for: so nothing is missed
		over, err := s.followOn(ctx, id, &p, tell)
		if !over && err == nil {
			select {
			case <-arrival.here:
			case <-tick.C:
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
		}
		s.arrivals.leave(id, arrival)
		if over || err != nil {
			return err
		}
	}
}

// followOn tells what there is to tell until the run has ended, or nobody here
// works on it.
func (s *served) followOn(ctx context.Context, id string, p *position, tell func(*event.Event) error) (over bool, err error) {
	if r := s.here(id); r != nil {
		if err := s.followHere(ctx, r, p, tell); err != nil {
			return false, err
		}
	}
	// First how it stands, then what has happened.
	info, err := s.journal.Run(ctx, id)
	if err != nil {
		return false, s.recorded(err)
	}
	if err := s.tellRecorded(ctx, id, p, 0, tell); err != nil || !info.Status.Ended() {
		return false, err
	}
	if e := p.finished; e != nil {
		if e.Result, err = s.RunResult(ctx, id); err != nil {
			return false, err
		}
		return true, tell(e)
	}
	return true, nil
}

// followHere tells the events of a run that is at work in this process, until it
// is not any more.
func (s *served) followHere(ctx context.Context, r *Run, p *position, tell func(*event.Event) error) error {
	for {
		if p.seq >= farAhead { // only its end is waited for
			select {
			case <-r.done:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		watch := r.feed.Watch(p.seq, 1024)
		err := s.tellWatched(ctx, r, watch, p, tell)
		dropped := watch.Dropped()
		watch.Close()
		if err != nil || !dropped {
			return err
		}
	}
}

// farAhead is after all events that a run can have.
const farAhead = 1 << 60

func (s *served) tellWatched(ctx context.Context, r *Run, watch *event.Watch, p *position, tell func(*event.Event) error) error {
	for {
		select {
		case e, ok := <-watch.Events():
			if !ok {
				return nil
			}
			if e.Seq > p.seq+1 { // what is not kept any more is recorded
				if err := s.journal.Flush(ctx); err != nil {
					return s.recorded(err)
				}
				if err := s.tellRecorded(ctx, r.id, p, e.Seq, tell); err != nil {
					return err
				}
			}
			if err := tell(e); err != nil {
				return err
			}
			p.seq, p.finished = e.Seq, nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// tellRecorded tells what the journal has from p on, up to the event number before
// (0: all). The end of a generation that another one has followed is left out; one
// that may be the last is kept in p instead of told.
func (s *served) tellRecorded(ctx context.Context, id string, p *position, before uint64, tell func(*event.Event) error) error {
	if p.seq >= farAhead {
		return nil
	}
	if p.seq > 0 { // an event's record has its number, or a higher one
		p.n = max(p.n, p.seq-1)
	}
	for {
		records, err := s.journal.Records(ctx, id, p.n, chunk)
		if err != nil {
			return s.recorded(err)
		}
		for i := range records {
			e := records[i].Event
			switch {
			case e == nil || e.Seq <= p.seq:
			case before > 0 && e.Seq >= before:
				return nil
			case e.Type == event.RunFinished:
				p.finished = e
			default:
				p.finished = nil
				if err := tell(e); err != nil {
					return err
				}
				p.seq = e.Seq
			}
			p.n = records[i].N
		}
		if len(records) < chunk {
			return nil
		}
	}
}
