package telemetry

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"wasmhost/host/event"
)

// mostRuns is how many runs are remembered at once. Of a run that is forgotten too
// early only details are lost: when its calls began, which retries they had.
const mostRuns = 20_000

// runs are those that this process works on, as far as their next events need
// something of the ones before.
type runs struct {
	mu sync.RWMutex
	by map[string]*run
}

func newRuns() *runs { return &runs{by: map[string]*run{}} }

// of is the run of an event. One that nobody has begun is not kept.
func (s *runs) of(e *event.Event) *run {
	r := s.known(e.Run)
	switch {
	case e.Type == event.RunStarted || e.Type == event.RunResumed:
		if r == nil {
			r = s.begin(e.Run, 1)
		}
		root := e.Workflow
		r.root.Store(&root)
	case r == nil:
		r = &run{id: e.Run, generation: 1}
		r.root.Store(&e.Workflow)
	}
	r.seen.Store(e.Time.UnixNano())
	return r
}

// known is a run, nil when nothing is known of it.
func (s *runs) known(id string) *run {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.by[id]
}

func (s *runs) begin(id string, generation int) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.by) >= mostRuns {
		s.shrink()
	}
	r := &run{id: strings.Clone(id), generation: max(generation, 1)}
	r.seen.Store(time.Now().UnixNano())
	s.by[r.id] = r
	return r
}

// shrink forgets the quarter of the runs that was heard of least lately.
func (s *runs) shrink() {
	times := make([]int64, 0, len(s.by))
	for _, r := range s.by {
		times = append(times, r.seen.Load())
	}
	slices.Sort(times)
	limit := times[len(times)/4]
	for id, r := range s.by {
		if r.seen.Load() <= limit {
			delete(s.by, id)
		}
	}
}

func (s *runs) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.by, id)
}

// run is what is remembered of one run.
type run struct {
	id         string
	generation int
	root       atomic.Pointer[string] // the workflow that was started; nil: not known yet
	seen       atomic.Int64

	mu     sync.Mutex
	rounds map[string]int // by the path of the ladder: how often it began again
	nodes  map[string]*node
	notes  notes
}

// node is what is remembered of a node or item while it goes on: nothing, for most
// that succeed at once.
type node struct {
	workflow string
	start    time.Time // the earliest that is known; zero: none is
	call     time.Time // when the attempt that is under way began, at the latest
	attempt  int       // its number, 0: unknown
	notes    notes
}

// workflow is the workflow that was started, or the one that is named where that
// is not known, of a run that may be nil.
func (r *run) workflow(named string) string {
	if r != nil {
		if root := r.root.Load(); root != nil {
			return *root
		}
	}
	return named
}

func (r *run) generationNow() int {
	if r == nil {
		return 1
	}
	return r.generation
}

// attempt notes which attempt of a node is under way, of a run that may be nil.
func (r *run) attempt(p Place) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at(p.Node, p.Workflow).attempt = p.Attempt
}

// at is what is remembered of a node from now on. The fallback levels of a run may
// have nodes of the same path; workflow is "" where it is not the node's own that
// tells. r.mu is held.
func (r *run) at(path, workflow string) *node {
	n := r.nodes[path]
	if n == nil || !n.of(workflow) {
		if r.nodes == nil {
			r.nodes = map[string]*node{}
		}
		n = &node{}
		r.nodes[path] = n
	}
	if workflow != "" {
		n.workflow = workflow
	}
	return n
}

func (n *node) of(workflow string) bool {
	return n.workflow == "" || workflow == "" || n.workflow == workflow
}

// call is how long the attempt took that answered, of node.succeeded: all of the
// node's time, or what is left of it after the last failure and its wait.
func (r *run) call(e *event.Event) time.Duration {
	if e.Type != event.NodeSucceeded {
		return 0
	}
	whole := milliseconds(e.DurationMS)
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := r.nodes[e.Node]; n != nil && n.of(e.Workflow) && !n.call.IsZero() {
		return min(max(e.Time.Sub(n.call), 0), whole)
	}
	return whole
}

// follow remembers what an event means for those after it.
func (r *run) follow(e *event.Event, traced bool) {
	switch e.Type {
	case event.NodeAttemptFailed, event.NodeRetrying, event.FallbackUsed, event.NodeWaiting, event.BreakerChanged:
	case event.NodeSucceeded, event.NodeFailed, event.NodeSkipped:
		r.mu.Lock()
		delete(r.nodes, e.Node)
		r.mu.Unlock()
		return
	default:
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	workflow := e.Workflow
	if ofLadder(e) {
		if r.rounds == nil {
			r.rounds = map[string]int{}
		}
		r.rounds[e.Node]++
		workflow = "" // e's is the ladder's, not that of the node around it
	}
	notes := &r.notes
	if e.Node != "" && e.Type != event.BreakerChanged {
		n := r.at(e.Node, workflow)
		n.follow(e)
		notes = &n.notes
	}
	if traced && e.Type != event.NodeAttemptFailed { // which is a span of its own
		notes.add(e)
	}
}

// ofLadder reports whether a run, or a sub-workflow, begins again: in another round,
// or with its next fallback level. Its nodes have not run in this one.
func ofLadder(e *event.Event) bool {
	return e.Type == event.NodeRetrying && e.Plugin == "" || e.Type == event.FallbackUsed && e.AnsweredBy == ""
}

func (n *node) follow(e *event.Event) {
	switch {
	case e.Type == event.NodeAttemptFailed:
		n.call, n.attempt = e.Time, e.Attempt+1
		if n.start.IsZero() {
			n.start = e.Time.Add(-milliseconds(e.DurationMS))
		}
	case ofLadder(e):
	case e.Type == event.NodeRetrying:
		n.call, n.attempt = e.Time.Add(milliseconds(e.RetryInMS)), e.Attempt
	case e.Type == event.FallbackUsed:
		n.call = e.Time
	}
}

// round is how often the ladders around a node have begun again. r.mu is held.
func (r *run) round(path string) int {
	n := 0
	for ladder, times := range r.rounds {
		if ladder == "" || strings.HasPrefix(path, ladder) && len(path) > len(ladder) && path[len(ladder)] == '/' {
			n += times
		}
	}
	return n
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
