package host

import (
	"context"
	"log/slog"
	"sync"

	"wasmhost/host/event"
)

// isStopping reports whether new runs are refused.
func (s *served) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

var errStopping = &event.Error{Class: event.Transient, Code: "stopping", Message: "the server is stopping and takes no new runs; what is recorded goes on when it has started again"}

// endRuns lets the runs of this process come to rest, and cuts what has not by
// the end of the grace.
func (s *served) endRuns(ctx context.Context, intake *sync.WaitGroup) {
	deadline := s.clock.NewTimer(s.o.Grace)
	defer deadline.Stop()
	s.drainAll()
	intake.Wait()
	left := s.drainAll() // with those that came in meanwhile
	for _, r := range left {
		select {
		case <-r.done:
			continue
		case <-deadline.C():
		}
		break
	}
	cut := 0
	for _, r := range left {
		select {
		case <-r.done:
		default:
			cut++
			r.Interrupt(errStopping)
		}
	}
	for _, r := range left {
		<-r.done
	}
	if len(left) > 0 {
		s.log.Info("runs have come to rest", slog.Int("runs", len(left)), slog.Int("cut", cut))
	}
}

// drainAll asks every run of this process to begin nothing new, and returns them.
func (s *served) drainAll() []*Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*Run
	for _, r := range s.runs {
		r.drain()
		all = append(all, r)
	}
	return all
}
