package pages

import (
	"context"
	"sort"

	"wasmhost/host/event"
	"wasmhost/host/internal/server"
)

const (
	batch     = 200     // events that are asked for at once: each may hold a large output
	scanMost  = 20_000  // events that one page looks through
	galloping = 10_000  // first step of the search for a run's last event
	endless   = 1 << 50 // more events than a run can have
)

// entry is an event without what may be large.
type entry struct {
	*event.Event
	OutputBytes int
	HasOutput   bool
	Text        shown // of a log line
}

func slim(e *event.Event) entry {
	c := *e
	x := entry{Event: &c}
	if c.Output != nil {
		x.HasOutput, x.OutputBytes = true, len(c.Output.Bytes())
		c.Output = nil
	}
	if c.Result != nil {
		if c.Error == nil {
			c.Error = c.Result.Error
		}
		c.Result = nil
	}
	if c.Type == event.Log {
		x.Text = showText(c.Message, "", logShown)
		c.Message = ""
	}
	return x
}

// lastSeq is the number of a run's last event, 0 when it has none. It asks for
// one event at a time, few times, however many there are.
func lastSeq(ctx context.Context, s server.Service, run string) (uint64, error) {
	var failed error
	past := func(n uint64) bool { // nothing comes after n
		if failed != nil {
			return true
		}
		e, err := s.RunEvents(ctx, run, n, 1)
		failed = err
		return len(e) == 0
	}
	high := uint64(galloping)
	for !past(high) && high < endless {
		high *= 4
	}
	n := sort.Search(int(high), func(n int) bool { return past(uint64(n)) })
	return uint64(n), failed
}

// stretch is a part of a run's events in the order in which they happened.
type stretch struct {
	Entries []entry
	Older   uint64 // what comes before has a smaller number; 0: nothing does
	Last    uint64 // the number of the run's last event
}

// ended reports whether the last of them is the end of the run.
func (s *stretch) ended() bool {
	n := len(s.Entries)
	return n > 0 && s.Entries[n-1].Type == event.RunFinished
}

// back reads a run's events backwards from before (0: the last) until it has want
// of those that keep chooses, or has seen enough for one page.
func back(ctx context.Context, s server.Service, run string, before uint64, want int, keep func(*event.Event) bool) (stretch, error) {
	var out stretch
	if before == 0 { // most runs are short
		events, err := s.RunEvents(ctx, run, 0, batch)
		if err != nil {
			return out, err
		}
		if len(events) < batch {
			for _, e := range events {
				out.Last = e.Seq
				if keep(e) {
					out.Entries = append(out.Entries, slim(e))
				}
			}
			if n := len(out.Entries); n > want {
				out.Entries = out.Entries[n-want:]
				out.Older = out.Entries[0].Seq
			}
			return out, nil
		}
		if out.Last, err = lastSeq(ctx, s, run); err != nil {
			return out, err
		}
		before = out.Last + 1
	}
	seen := 0
	for before > 1 && len(out.Entries) < want && seen < scanMost {
		after := uint64(0)
		if before > batch+1 {
			after = before - 1 - batch
		}
		events, err := s.RunEvents(ctx, run, after, batch)
		if err != nil {
			return out, err
		}
		var part []entry
		for _, e := range events {
			if e.Seq < before && keep(e) {
				part = append(part, slim(e))
			}
		}
		out.Entries = append(part, out.Entries...)
		seen += batch
		before = after + 1
	}
	if n := len(out.Entries); n > want {
		out.Entries = out.Entries[n-want:]
		before = out.Entries[0].Seq
	}
	if before > 1 {
		out.Older = before
	}
	return out, nil
}

func everything(*event.Event) bool { return true }

func isLog(e *event.Event) bool { return e.Type == event.Log }
