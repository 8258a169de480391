//go:build unix

package torture

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
)

// shape is a workflow of the campaign.
type shape struct {
	name  string
	calls int
	once  []string // nodes that are not idempotent
}

var shapes = []shape{
	{"chain", 3, []string{"once"}},
	{"items", 8, []string{"pays[0]", "pays[1]"}},
	{"naps", 3, []string{"once"}},
}

func (s *shape) idempotent(node string) bool {
	for _, one := range s.once {
		if one == node {
			return false
		}
	}
	return true
}

// answer is what the journal says of a node: which version answered it, and when
// that attempt was.
type answer struct {
	digest   string
	from, to time.Time
	approved bool // by a person, after a kill
}

// ran is a run that was started.
type ran struct {
	id      string
	shape   *shape
	began   time.Time // the first request for it
	started time.Time // its acknowledgement
	answers map[string]answer
	resumed int
	asked   int // times that a person was
	ended   bool
}

// load starts runs at a steady rate, and reads of each what became of it.
type load struct {
	serving *serving
	wrong   *wrongs
	// killing: processes die meanwhile. Runs may be resumed, and wait for persons.
	killing bool
	kills   []time.Time

	mu      sync.Mutex
	runs    []*ran // all
	open    []*ran // those that have not been read
	next    int
	held    int // runs that were not started in time: too many were open
	late    int // starts that had to be repeated, because the process died
	calls   int
	working time.Duration
}

// killed is how often the process was killed between two times. A run whose start
// was all that was recorded begins anew then, and is not told to be resumed.
func (l *load) killed(from, to time.Time) int {
	n := 0
	for _, at := range l.kills {
		if at.After(from) && at.Before(to) {
			n++
		}
	}
	return n
}

// mostOpen is how many runs may be under way.
const mostOpen = 400

// drive starts runs until ctx ends, at so many calls a second.
func (l *load) drive(ctx context.Context, rate float64) {
	calls := 0
	for _, s := range shapes {
		calls += s.calls
	}
	began := time.Now()
	defer func() { l.working += time.Since(began) }()
	ticks := time.NewTicker(time.Duration(float64(calls) / float64(len(shapes)) / rate * float64(time.Second)))
	defer ticks.Stop()
	var starts sync.WaitGroup
	defer starts.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		l.mu.Lock()
		if len(l.open) >= mostOpen {
			l.held++
			l.mu.Unlock()
			continue
		}
		r := &ran{id: fmt.Sprintf("swaps-%06d", l.next), shape: &shapes[l.next%len(shapes)], began: time.Now(), answers: map[string]answer{}}
		l.next++
		l.runs, l.open = append(l.runs, r), append(l.open, r)
		l.calls += r.shape.calls
		l.mu.Unlock()
		starts.Go(func() { l.start(context.WithoutCancel(ctx), r) })
	}
}

// start starts a run, again and again while nobody answers and the process may be
// dead.
func (l *load) start(ctx context.Context, r *ran) {
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		_, _, err := l.serving.client.Load().Start(ctx, host.StartRequest{Workflow: r.shape.name, RunID: r.id})
		switch {
		case err == nil:
			l.mu.Lock()
			r.started = time.Now()
			l.mu.Unlock()
			return
		case l.killing && time.Since(began) < patience:
			l.mu.Lock()
			l.late++
			l.mu.Unlock()
		default:
			l.wrong.add("run %s was not started: %v", r.id, err)
			l.mu.Lock()
			r.started = time.Now()
			l.mu.Unlock()
			return
		}
	}
}

// read reads the runs that have ended, until ctx ends.
func (l *load) read(ctx context.Context) {
	for ctx.Err() == nil {
		l.round(ctx, 500*time.Millisecond)
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// drain reads until no run is open.
func (l *load) drain(ctx context.Context) {
	for began := time.Now(); ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		l.round(ctx, 0)
		l.mu.Lock()
		left := len(l.open)
		l.mu.Unlock()
		if left == 0 || time.Since(began) > 2*patience {
			return
		}
	}
}

// round looks once at every run that is old enough.
func (l *load) round(ctx context.Context, age time.Duration) {
	l.mu.Lock()
	open := append([]*ran(nil), l.open...)
	l.mu.Unlock()
	done := map[*ran]bool{}
	for _, r := range open {
		l.mu.Lock()
		started := r.started
		l.mu.Unlock()
		if ctx.Err() != nil {
			break
		}
		if started.IsZero() || time.Since(started) < age {
			continue
		}
		events, err := l.serving.client.Load().RunEvents(ctx, r.id, 0, 5000)
		switch {
		case err != nil && l.killing && time.Since(started) < 2*patience:
		case ctx.Err() != nil:
		case err != nil:
			l.wrong.add("run %s, whose start was acknowledged, cannot be read: %v", r.id, err)
			done[r] = true
		case l.ended(ctx, r, events):
			done[r] = true
		case time.Since(started) > patience && !l.killing || time.Since(started) > 2*patience:
			l.wrong.add("run %s has not ended after %v: %s", r.id, time.Since(started).Round(time.Second), tail(events))
			done[r] = true
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := l.open[:0]
	for _, r := range l.open {
		if !done[r] {
			rest = append(rest, r)
		}
	}
	clear(l.open[len(rest):])
	l.open = rest
}

func tail(events []*event.Event) string {
	var words []string
	for _, e := range events[max(0, len(events)-3):] {
		words = append(words, fmt.Sprintf("%s %s", e.Type, e.Node))
	}
	return "its last events are " + strings.Join(words, ", ")
}

// ended reports whether a run has ended, and keeps what its events tell.
func (l *load) ended(ctx context.Context, r *ran, events []*event.Event) bool {
	if len(events) == 0 {
		return false
	}
	last := events[len(events)-1]
	finished := slices.IndexFunc(events, func(e *event.Event) bool { return e.Type == event.RunFinished })
	switch {
	case finished >= 0:
		for _, e := range events[finished+1:] {
			l.wrong.add("run %s: its end is followed by an event %s %s", r.id, e.Type, e.Node)
		}
	case last.Type == event.NodeWaiting:
		if l.killing {
			l.approve(ctx, r)
		}
		return false
	default:
		if l.killing && time.Since(last.Time) > time.Second {
			l.approve(ctx, r) // what it waits for may not be last
		}
		return false
	}
	begun, started := 0, map[string]time.Time{}
	waited := map[string]bool{}
	var again time.Time
	for _, e := range events {
		switch e.Type {
		case event.RunStarted:
			begun++
		case event.RunResumed:
			r.resumed++
			again = e.Time
		case event.NodeStarted, event.NodeRetrying:
			if e.Function != "" { // else it is of all items together
				started[e.Node] = e.Time
			}
		case event.NodeWaiting:
			waited[e.Node] = true
		case event.NodeAttemptFailed, event.NodeFailed:
			if !l.killing {
				l.wrong.add("run %s: %s failed, attempt %d: %v", r.id, e.Node, e.Attempt, e.Error)
			}
		case event.NodeSucceeded:
			if started[e.Node].IsZero() {
				continue
			}
			if _, twice := r.answers[e.Node]; twice {
				l.wrong.add("run %s: %s succeeded twice", r.id, e.Node)
			}
			from := started[e.Node]
			if again.After(from) {
				from = again
			}
			r.answers[e.Node] = answer{e.Digest, from, e.Time, waited[e.Node] && e.Digest == ""}
			if e.Attempt != 1 && !l.killing {
				l.wrong.add("run %s: %s took %d attempts", r.id, e.Node, e.Attempt)
			}
		case event.RunFinished:
			if e.Status != event.Succeeded {
				l.wrong.add("run %s is %s: %v", r.id, e.Status, e.Error)
			}
		}
	}
	if begun != 1 || r.resumed > 0 && !l.killing {
		l.wrong.add("run %s began %d times and was resumed %d times", r.id, begun, r.resumed)
	}
	if len(r.answers) != r.shape.calls {
		l.wrong.add("run %s: the journal has answers of %d nodes and items, not of %d", r.id, len(r.answers), r.shape.calls)
	}
	r.ended = true
	return true
}

// approve answers for what a killed process may have done or not.
func (l *load) approve(ctx context.Context, r *ran) {
	info, err := l.serving.client.Load().RunInfo(ctx, r.id)
	if err != nil || info.Status != event.Waiting {
		return
	}
	waits, err := l.serving.client.Load().Why(ctx, r.id)
	if err != nil {
		return
	}
	for _, w := range waits {
		if w.Kind != "outcome_unknown" {
			continue
		}
		if r.shape.idempotent(w.Node) {
			l.wrong.add("run %s waits for a person at %s, which is idempotent", r.id, w.Node)
		}
		if _, err := l.serving.client.Load().ApproveRun(ctx, r.id, event.Approval{Node: w.Node, Output: event.Text("approved"), HasOutput: true}); err == nil {
			r.asked++
		}
	}
}
