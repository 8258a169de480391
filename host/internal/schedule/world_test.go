package schedule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// world is what lies around a scheduler and outlives it: a journal with runs and
// states.
type world struct {
	t  *testing.T
	mu sync.Mutex

	states map[[2]string][]byte
	runs   map[string]*begunRun
	order  []string
	audits []event.Audit
	became map[string]int
	takes  func(Due) time.Duration // how long a run takes
	fails  func(Due) error

	alive  bool
	cancel func()
	fuse   int // the process dies at that call of the world; 0: it does not
	set    time.Duration
	again  int       // starts of runs that were there
	first  time.Time // when a state was saved first
}

type begunRun struct {
	due   Due
	begun time.Time
	done  chan struct{}
}

func newWorld(t *testing.T) *world {
	return &world{t: t, states: map[[2]string][]byte{}, runs: map[string]*begunRun{}, became: map[string]int{}, takes: func(Due) time.Duration { return 0 }}
}

// now is the clock on the wall: the real one and how far somebody has set it.
func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.set)
}

func (w *world) setClock(by time.Duration) {
	w.mu.Lock()
	w.set += by
	w.mu.Unlock()
}

// burns reports whether the process dies at this call. w.mu is held.
func (w *world) burns() bool {
	if w.fuse > 0 {
		if w.fuse--; w.fuse == 0 {
			w.alive = false
			w.cancel()
		}
	}
	return !w.alive
}

var errDead = errors.New("the process is dead")

func (w *world) config() Config {
	return Config{Now: w.now,
		Load: func(context.Context) (list []Saved, err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			for id, state := range w.states {
				list = append(list, Saved{id[0], id[1], state})
			}
			return list, nil
		},
		Save: func(_ context.Context, s Saved) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.burns() {
				return errDead
			}
			if len(s.State) == 0 {
				delete(w.states, [2]string{s.Workflow, s.Key})
			} else {
				w.states[[2]string{s.Workflow, s.Key}] = s.State
			}
			if w.first.IsZero() {
				w.first = time.Now()
			}
			if w.burns() { // after it was written
				return errDead
			}
			return nil
		},
		Start: func(_ context.Context, d Due) (string, <-chan struct{}, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.burns() {
				return "", nil, errDead
			}
			if w.fails != nil {
				if err := w.fails(d); err != nil {
					return "", nil, err
				}
			}
			if r := w.runs[d.RunID]; r != nil {
				w.again++
				return d.RunID, r.done, nil
			}
			r := &begunRun{d, time.Now().Add(w.set), make(chan struct{})}
			w.runs[d.RunID] = r
			w.order = append(w.order, d.RunID)
			time.AfterFunc(w.takes(d), func() { close(r.done) })
			if w.burns() { // after it was begun
				return "", nil, errDead
			}
			return d.RunID, r.done, nil
		},
		Follow: func(_ context.Context, id string) (<-chan struct{}, bool, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.burns() {
				return nil, false, errDead
			}
			if r := w.runs[id]; r != nil {
				return r.done, true, nil
			}
			return nil, false, nil
		},
		Audit: func(a event.Audit) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.audits = append(w.audits, a)
		},
		Count: func(_, outcome string, n int) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.became[outcome] += n
		},
	}
}

// process runs a scheduler until it is stopped.
func (w *world) process(list ...workflow.Schedule) (s *Scheduler, stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	s = New(w.config())
	w.mu.Lock()
	w.alive, w.cancel = true, cancel
	w.mu.Unlock()
	s.Set("flow", list)
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	}
}

// dues are the times of the runs that were begun, in that order.
func (w *world) dues() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range w.order {
		list = append(list, w.runs[id].due.Time.Format("02T15:04"))
	}
	return list
}

func (w *world) told() (text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.audits {
		text += fmt.Sprintln(a.Target, a.Detail)
	}
	return text
}

// kept is how many states there are.
func (w *world) kept() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.states)
}
