package host

import (
	"sync"

	"wasmhost/host/event"
)

// slots bound the runs that have an engine at the same time. The next ones queue,
// recorded and in order. The zero value has no bound.
type slots struct {
	mu     sync.Mutex
	free   chan struct{} // nil: no bound
	queued int
	most   int // in the queue; 0: any number
}

// enter waits for r's turn. It is false when r is to be left before that; a run
// that is cancelled has its turn at once, for there is little to do.
func (s *slots) enter(r *Run) bool {
	s.mu.Lock()
	free := s.free
	s.mu.Unlock()
	if free == nil {
		return true
	}
	select {
	case free <- struct{}{}:
		r.slot = free
		return true
	default:
	}
	s.add(1)
	defer s.add(-1)
	select {
	case free <- struct{}{}:
		r.slot = free
		return true
	case <-r.ctx.Done():
		return true
	case <-r.hurry:
		return false
	}
}

func (s *slots) leave(r *Run) {
	if r.slot != nil {
		<-r.slot
	}
}

func (s *slots) add(n int) {
	s.mu.Lock()
	s.queued += n
	s.mu.Unlock()
}

// full reports whether nobody may join the queue.
func (s *slots) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most > 0 && s.queued >= s.most
}

// waiting is how many queue.
func (s *slots) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queued
}

// bound sets the bounds, for the runs that come.
func (s *slots) bound(runs, queued int) {
	s.mu.Lock()
	s.free, s.most = make(chan struct{}, runs), queued
	s.mu.Unlock()
}

// suspend ends the work on a recorded run, whether it has begun or queues.
func (r *Run) suspend() {
	r.hurried.Do(func() { close(r.hurry) })
	r.control.Suspend()
}

// drain lets the calls of a run end and begins no other; one that queues is left.
func (r *Run) drain() {
	r.hurried.Do(func() { close(r.hurry) })
	r.control.Drain()
}

// leaveQueue gives a run back whose turn never came: it is as it was recorded.
func (r *Run) leaveQueue() {
	err := giveBack(r.writer)
	r.host.remove(r)
	if err != nil {
		r.end(nil, r.host.recorded(err))
		return
	}
	r.end(&event.Result{RunID: r.id, Workflow: r.workflow.plan.Name, LevelName: r.workflow.plan.Name, Status: event.Running, Nodes: event.NodeMap{},
		StartedAt: r.host.clock.Now(), Metrics: event.Metrics{SuccessRatePercent: 100, CircuitBreakerState: map[string]string{}}}, nil)
}
