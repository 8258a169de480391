package engine

import (
	"time"

	"wasmhost/host/event"
)

// Outcome is how Run ended.
type Outcome struct {
	// Result is that of the run. Its status is waiting when there is nothing to do
	// but wait for a person, running when the run was suspended: both go on with
	// their history.
	Result *event.Result
	// Reason says what a waiting run waits for, Wake when its next deadline passes
	// (zero: it has none).
	Reason string
	Wake   time.Time
}

// outcome is the end of the run, or where it stands.
func (r *run) outcome() Outcome {
	if r.progress.Over() {
		return Outcome{Result: r.result()}
	}
	o := Outcome{Result: r.progress.unfinished(r.start.ID, r.began, r.clock.Now())}
	for _, k := range r.progress.parked {
		if o.Reason != "" {
			o.Reason += "; "
		}
		o.Reason += k.path() + ": " + k.why()
	}
	due := func(f *frame) {
		if !f.due.IsZero() && (o.Wake.IsZero() || f.due.Before(o.Wake)) {
			o.Wake = f.due
		}
	}
	for _, f := range r.ladders {
		due(f)
	}
	for _, f := range r.nodes {
		due(f)
	}
	return o
}

func (r *run) result() *event.Result {
	root := r.progress.Root()
	level := root.Level()
	now := r.clock.Now()
	res := &event.Result{
		RunID: r.start.ID, Workflow: r.start.Plan.Name, Status: level.Status, Output: level.Output, Error: level.Error,
		Level: root.answer, LevelName: root.levels[root.answer].Workflow,
		Nodes: level.Nodes, Levels: root.levels, Health: level.Health,
		StartedAt: r.began, FinishedAt: now, DurationMS: float64(now.Sub(r.began).Microseconds()) / 1e3,
	}
	if res.Nodes == nil { // a level that did not take the input
		res.Nodes = event.NodeMap{}
	}
	return res
}
