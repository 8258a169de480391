package enginetest

import (
	"math"
	"slices"

	"wasmhost/host/event"
)

// startItems starts a node with items, or goes on where an earlier round left it.
func (f *modelFlow) startItems(i int) {
	n, s := &f.s.nodes[i], &f.nodes[i]
	if s.items == nil {
		s.items = &modelItems{results: make([]*event.NodeResult, n.items), attempts: make([]int, n.items), direct: make([]int, n.items), children: make([]*modelLadder, n.items)}
	}
	it := s.items
	it.todo, it.cut, it.late, it.first, it.timed = nil, false, false, nil, false
	it.round++
	for k, r := range it.results {
		if !r.Kept() {
			it.results[k] = nil
			it.todo = append(it.todo, k)
		}
	}
	s.running = true
	f.moreItems(i)
}

func (f *modelFlow) moreItems(i int) {
	n, it := &f.s.nodes[i], f.nodes[i].items
	for !it.cut && len(it.todo) > 0 && (n.parallel == 0 || it.inFlight < n.parallel) {
		k := it.todo[0]
		it.todo = it.todo[1:]
		it.inFlight++
		f.startOne(i, k)
	}
	if it.inFlight == 0 && len(it.todo) == 0 {
		f.endItems(i)
	}
}

func (f *modelFlow) allowed(i int) int {
	n := &f.s.nodes[i]
	return n.items - int(math.Ceil(n.minSuccess*float64(n.items)-1e-9))
}

func (f *modelFlow) failedItems(i int) int {
	count := 0
	for _, r := range f.nodes[i].items.results {
		if r != nil && r.Status == event.Failed {
			count++
		}
	}
	return count
}

// cutItems ends the items that have not begun, and cuts those in flight.
func (f *modelFlow) cutItems(i int, code string, late bool) {
	s := &f.nodes[i]
	it := s.items
	if it == nil || it.cut || !s.running {
		return
	}
	it.cut, it.late = true, late
	for _, k := range it.todo {
		r := &event.NodeResult{Status: event.Cancelled, Attempts: it.attempts[k]}
		if late {
			r.Status, r.Error = event.Failed, &event.Error{Code: code, Class: event.Transient}
			if it.first == nil {
				it.first = r.Error
			}
		}
		it.results[k] = r
	}
	it.todo = nil
	f.cutCalls(i, code)
	if it.inFlight == 0 {
		f.endItems(i)
	}
}

// cutCalls ends what is in flight of a node, sub-workflows too.
func (f *modelFlow) cutCalls(i int, code string) {
	s := &f.nodes[i]
	for _, j := range s.calls {
		j.stop()
	}
	if s.child != nil {
		s.child.kill(code, event.Cancelled)
	}
	if s.items != nil {
		for _, c := range s.items.children {
			if c != nil {
				c.kill(code, event.Cancelled)
			}
		}
	}
}

func (f *modelFlow) endItems(i int) {
	s := &f.nodes[i]
	if !s.running {
		return
	}
	it := s.items
	r := &event.NodeResult{Status: event.Succeeded, Items: slices.Clone(it.results)}
	var list []any
	cancelled := false
	for _, item := range it.results {
		if item.Status != event.Succeeded {
			r.Status = event.Degraded
		}
		cancelled = cancelled || item.Status == event.Cancelled
		if item.Kept() {
			list = append(list, item.Output.Any())
		} else {
			list = append(list, nil)
		}
	}
	switch {
	case f.failedItems(i) > f.allowed(i):
		r.Status, r.Error = event.Failed, &event.Error{Class: it.first.Class, Code: it.first.Code}
		if it.late { // this decided
			r.Error = &event.Error{Class: event.Transient, Code: "deadline"}
		}
	case cancelled:
		r.Status = event.Cancelled
	default:
		r.Output = event.Of(list)
		if list == nil {
			r.Output = event.Of([]any{})
		}
	}
	f.ended(i, r)
}
