package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
)

// replay is what is open while a history is given again: what was asked for and
// not answered yet.
type replay struct {
	calls   map[string]int // places in run.ready, by key
	checks  map[string]*Flow
	pauses  map[string]*Flow
	waits   map[string]*note // of the pauses
	ladders map[string]*Ladder
	nodes   map[string]nodeKey
}

func newReplay() *replay {
	return &replay{calls: map[string]int{}, checks: map[string]*Flow{}, pauses: map[string]*Flow{},
		waits: map[string]*note{}, ladders: map[string]*Ladder{}, nodes: map[string]nodeKey{}}
}

// errHistory is the error of a history that does not fit the workflow.
var errHistory = errors.New("the run's history does not fit the workflow")

// goOn gives Progress the answers of a history, and makes ready what was not
// answered.
func (r *run) goOn(history []Entry) error {
	p := newReplay()
	r.replay, r.resumed = p, inFlight{}
	if err := p.all(r, history); err != nil {
		return err
	}
	r.replay = nil
	r.compact()
	r.cut = true // whatever must not begin any more
	if r.progress.Over() {
		return nil
	}
	done, all := r.progress.root.count()
	r.emit(&event.Event{Type: event.RunResumed, Workflow: r.start.Plan.Name,
		Reason: fmt.Sprintf("goes on with %d of %d nodes done", done, all)})
	r.rearm()
	r.settleUnknown()
	for key, f := range p.pauses {
		w := p.waits[key]
		if w == nil {
			w = &note{At: r.clock.Now().UnixNano()}
		}
		r.wait(f, min(w.Wait-r.clock.Now().Sub(w.at()), w.Wait))
	}
	for _, f := range p.checks {
		r.check(f)
	}
	return nil
}

// all gives Progress a whole history.
func (p *replay) all(r *run, history []Entry) error {
	r.obey()
	for i := range history {
		e := &history[i]
		var err error
		if e.Mark == MarkAnswer {
			err = p.answer(r, e)
		} else {
			err = p.see(r, e)
		}
		if err != nil {
			return err
		}
		r.obey()
	}
	return nil
}

// see takes an entry that is not an answer.
func (p *replay) see(r *run, e *Entry) error {
	if e.Mark == MarkNote {
		n, err := e.note()
		if err != nil {
			return err
		}
		if n.Kind == notePausing {
			p.waits[e.Key] = n
			if f := p.pauses[e.Key]; f != nil {
				f.lastPause = n.Wait
			}
			return nil
		}
	}
	return r.resumed.see(e)
}

// answer gives Progress one answer.
func (p *replay) answer(r *run, e *Entry) error {
	n, err := e.note()
	if err != nil {
		return err
	}
	m := &message{at: n.at(), kept: true}
	miss := func() error {
		return fmt.Errorf("%w: it answers %q (%s), which was not asked", errHistory, e.Key, n.Kind)
	}
	switch n.Kind {
	case noteCalled:
		at, ok := p.calls[e.Key]
		if !ok || n.Result == nil {
			return miss()
		}
		c := &r.ready[at]
		m.kind, m.flow, m.node, m.item, m.result = Call, c.Flow, c.Node, c.Item, n.Result
		if c.Prior != nil {
			m.result.Run = c.Prior.Run
		}
		if r.start.Ran != nil && n.Result.Digest != "" {
			r.start.Ran(n.Result.Plugin, n.Result.Digest)
		}
		r.ready[at] = Command{}
		delete(p.calls, e.Key)
		delete(r.resumed, e.Key)
	case noteChecked:
		if m.kind, m.flow, m.report = Check, p.checks[e.Key], n.Report; m.flow == nil || m.report == nil {
			return miss()
		}
		delete(p.checks, e.Key)
	case notePaused:
		if m.kind, m.flow = Pause, p.pauses[e.Key]; m.flow == nil {
			return miss()
		}
		delete(p.pauses, e.Key)
		delete(p.waits, e.Key)
	case noteExpired:
		l := p.ladders[e.Key]
		if l == nil {
			return miss()
		}
		m.kind, m.ladder, m.frame = expired, l, r.ladders[l]
	case noteNodeExpired:
		at, ok := p.nodes[e.Key]
		if !ok {
			return miss()
		}
		m.kind, m.flow, m.node, m.frame = expired, at.flow, at.node, r.nodes[at]
	case noteCancelled:
		m.kind = cancelled
		if n.Reason != "" {
			m.cause = errors.New(n.Reason)
		}
	case noteDecided:
		if m.kind, m.decision = decided, n.Decision; m.decision == nil {
			return miss()
		}
	default:
		return fmt.Errorf("%w: a newer version wrote it (%q)", errHistory, n.Kind)
	}
	r.apply(m)
	return nil
}

// asked remembers a call that has no answer yet.
func (p *replay) asked(r *run, c *Command) {
	p.calls[c.Key()] = len(r.ready) - 1
	if c.Node.ForEach != nil {
		r.ctx(c.Flow, c.Node) // its deadline began
	}
}

// compact drops the calls that were answered from the queue.
func (r *run) compact() {
	kept := r.ready[:0]
	for _, c := range r.ready {
		if c.Flow != nil {
			kept = append(kept, c)
		}
	}
	clear(r.ready[len(kept):])
	r.ready = kept
}

// rearm lets the deadlines run that began in an earlier process. Those that
// have passed come before anything else.
func (r *run) rearm() {
	for _, f := range r.ladders {
		r.arm(f)
	}
	for _, f := range r.nodes {
		r.arm(f)
	}
}

// settleUnknown answers for the calls that were under way and must not be made
// twice: also for those that a stop has reached since, for they are not calls
// that never began.
func (r *run) settleUnknown() {
	kept := r.ready[:0]
	for _, c := range r.ready {
		s := r.resumed[c.Key()]
		if s == nil || !s.began || c.Node.Idempotent {
			kept = append(kept, c)
			continue
		}
		r.busy++
		res := &event.NodeResult{Status: event.Failed, Plugin: c.Node.Primary.Plugin, Errors: s.Errors,
			Attempts: s.NextAttempt - 1 - c.Flow.Attempts(c.Node, c.Item), DurationMS: float64(max(r.clock.Now().Sub(s.Began), 0)) / float64(time.Millisecond),
			Error: &event.Error{Node: c.Path(), Plugin: c.Node.Primary.Plugin, Class: event.Unknown, Code: call.OutcomeUnknown, OutcomeUnknown: true,
				Attempt: s.NextAttempt - 1, Message: "nobody knows whether the work was done, and it must not be done twice: the process ended while the plugin was at work"}}
		if p := c.Prior; p != nil { // s.Errors begins with what p ended with
			res.Run, res.Errors = p.Run, append(slices.Clone(p.Errors), s.Errors[1:]...)
			res.Attempts += p.Attempts
			res.DurationMS += p.DurationMS
		}
		delete(r.resumed, c.Key())
		r.keep(message{kind: Call, flow: c.Flow, node: c.Node, item: c.Item, result: res})
	}
	clear(r.ready[len(kept):])
	r.ready = kept
}

// count is how many nodes of a workflow are done, of how many.
func (l *Ladder) count() (done, all int) {
	f := l.primary
	if l.child != nil {
		return l.child.count()
	}
	if f == nil {
		return 0, len(l.plan.Nodes)
	}
	for i := range f.nodes {
		if f.nodes[i].result != nil {
			done++
		}
	}
	return done, len(f.nodes)
}
