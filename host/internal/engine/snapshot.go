package engine

import (
	"time"

	"wasmhost/host/event"
)

// A snapshot is a result of what has not ended: what is done so far, what runs,
// and what waits.

// unfinished is the result of a run that has not ended.
func (p *Progress) unfinished(id string, began, now time.Time) *event.Result {
	at := p.root.snapshot(p.liveStatus())
	r := &event.Result{RunID: id, Workflow: p.root.plan.Name, Status: at.Status, Level: len(p.root.levels), Nodes: at.Nodes,
		Levels: append(p.root.levels[:len(p.root.levels):len(p.root.levels)], p.root.now(at.Status)), Health: at.Health,
		StartedAt: began, DurationMS: max(float64(now.Sub(began).Microseconds())/1e3, 0)}
	r.LevelName = r.Levels[r.Level].Workflow
	return r
}

// liveStatus is waiting when there is nothing to do but wait for a person.
func (p *Progress) liveStatus() event.Status {
	if p.waiting {
		return event.Waiting
	}
	return event.Running
}

func (l *Ladder) snapshot(status event.Status) event.Level {
	if l.ended {
		return l.Level()
	}
	now := l.now(status)
	r := event.Level{Workflow: l.plan.Name, Status: status, Nodes: now.Nodes, Health: now.Health}
	if len(l.plan.Levels) > 0 {
		r.Levels = append(append(r.Levels, l.levels...), now)
	}
	return r
}

// now is the level that is tried.
func (l *Ladder) now(status event.Status) event.Level {
	switch {
	case l.child != nil:
		return l.child.snapshot(status)
	case l.primary != nil && len(l.levels) == 0:
		return l.primary.snapshot(status)
	}
	return event.Level{Workflow: l.plan.Name, Status: status}
}

func (f *Flow) snapshot(status event.Status) event.Level {
	l := event.Level{Workflow: f.plan.Name, Status: status, Health: f.report, Nodes: event.NodeMap{}, DurationMS: f.p.since(f.started)}
	for i := range f.nodes {
		s, n := &f.nodes[i], &f.plan.Nodes[i]
		switch {
		case s.result != nil:
			l.Nodes[n.ID] = s.result
		case s.running:
			l.Nodes[n.ID] = f.unfinished(i, status)
		}
	}
	for _, k := range f.p.parked {
		if k.flow != f {
			continue
		}
		r := l.Nodes[k.node.ID]
		r.Status = event.Waiting
		if k.item >= 0 {
			r = r.Items[k.item]
			r.Status = event.Waiting
		}
		r.Reason = k.why()
		if k.result != nil {
			r.Error, r.Plugin, r.Digest = k.result.Error, k.result.Plugin, k.result.Digest
		}
	}
	return l
}

// unfinished is the result so far of a node that has begun.
func (f *Flow) unfinished(i int, status event.Status) *event.NodeResult {
	s, n := &f.nodes[i], &f.plan.Nodes[i]
	r := &event.NodeResult{Status: event.Running, Attempts: s.tally.all, Plugin: n.Primary.Plugin}
	if s.child != nil {
		run := s.child.snapshot(status)
		r.Run = &run
	}
	if s.items != nil {
		for j, item := range s.items.results {
			if item == nil {
				item = &event.NodeResult{Status: event.Running, Attempts: s.items.tallies[j].all}
				if s.items.children != nil && s.items.children[j] != nil {
					run := s.items.children[j].snapshot(status)
					item.Run = &run
				}
			}
			r.Items = append(r.Items, item)
		}
	}
	return r
}
