//go:build unix

package torture

import (
	"slices"
	"sync"
)

// step is one fate of a process that works on one kind of workflow.
type step struct {
	kind string
	fate fate
}

// sweep goes through every point of every kind of workflow: the first passing of
// each, then the second, as far as processes get.
type sweep struct {
	mu    sync.Mutex
	steps []step
	under int // steps that somebody tries now
	tried int
}

// rare are the events that only some kinds of workflows have.
var rare = map[string][]string{
	":node.attempt_failed": {"retries", "rounds", "levels", "mend"},
	":node.retrying":       {"retries", "rounds"},
	":fallback.used":       {"retries", "levels"},
	":node.waiting":        {"approval"},
	":run.resumed":         {},
}

func newSweep() *sweep {
	s := &sweep{}
	for _, p := range append([]string{"call", "answer"}, points...) {
		for _, k := range Kinds {
			if kinds, ok := rare[p]; ok && !slices.Contains(kinds, k.Name) {
				continue
			}
			f := fate{point: p, n: 1}
			if p == "call" || p == "answer" {
				f = fate{call: 1, after: p == "answer"}
			}
			s.steps = append(s.steps, step{k.Name, f})
		}
	}
	return s
}

// next is a step that nobody has tried; nil: there is none, at the moment or at
// all.
func (s *sweep) next() *step {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.steps) == 0 {
		return nil
	}
	next := s.steps[0]
	s.steps = s.steps[1:]
	s.under++
	return &next
}

// tell says how a step ended: one that killed has one behind it.
func (s *sweep) tell(t *step, killed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.under--
	if !killed {
		return
	}
	s.tried++
	behind := *t
	if behind.fate.point != "" {
		behind.fate.n++
	} else {
		behind.fate.call++
	}
	s.steps = append(s.steps, behind)
}

// over reports whether every point was passed, and how many there were.
func (s *sweep) over() (bool, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.steps)+s.under == 0, s.tried
}
