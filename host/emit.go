package host

import (
	"wasmhost/host/event"
)

// emit numbers an event of the run, records it and hands it on. What happens
// elsewhere (a breaker opens, a plugin is swapped) when the run has just ended is
// no part of it any more: whoever resumes or reads it takes its end for the last
// event.
func (r *Run) emit(e *event.Event) {
	r.put(e)
	// Not under the lock: to look at a breaker may change it, and that is told to
	// every run.
	if e.Type == event.NodeAttemptFailed && r.writer != nil {
		r.host.saveBreakers(r.workflow.plan.Name)
	}
}

func (r *Run) put(e *event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return
	}
	if w := r.otherDigest(e); w != nil {
		r.number(w)
		r.record(w)
		r.hand(w)
	}
	r.number(e)
	if r.writer != nil {
		r.record(e)
	}
	r.hand(e)
}

// tell is emit for what was recorded already.
func (r *Run) tell(e *event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Seq == 0 {
		r.number(e)
	}
	r.over = r.over || e.Type == event.RunFinished
	r.hand(e)
}

func (r *Run) number(e *event.Event) {
	r.seq++
	e.V, e.Seq, e.Run, e.Time = event.Version, r.seq, r.id, r.host.clock.Now()
}

func (r *Run) hand(e *event.Event) {
	if r.sink != nil {
		r.sink.Emit(e)
	}
	if s := r.host.config.Sink; s != nil {
		s.Emit(e)
	}
	if r.workflow != nil { // a run that is followed is counted where it is at work
		r.host.observer.Load().event(e)
	}
	r.feed.Emit(e)
}
