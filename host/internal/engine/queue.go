package engine

// dispatch starts the calls for which there is a slot. It reports whether there
// are new commands to obey.
func (r *run) dispatch() bool {
	if r.replay != nil || r.hold > 0 || r.broken != nil || r.suspended || r.draining {
		return false
	}
	if r.cut {
		r.cut = false
		if r.abandon() {
			return true
		}
	}
	for r.head < len(r.ready) {
		if !r.slots.reserve() {
			return false
		}
		r.call(&r.ready[r.head])
		r.pop()
	}
	return false
}

// abandon answers for the calls in the queue that must not begin any more: at
// once, not when a slot would have been free for them.
func (r *run) abandon() bool {
	var gone []Command
	kept := r.ready[:r.head]
	for _, c := range r.ready[r.head:] {
		if c.Flow.Abandons(c.Node) || c.Flow.itemCut(c.Node, c.Item) {
			gone = append(gone, c)
		} else {
			kept = append(kept, c)
		}
	}
	clear(r.ready[len(kept):])
	r.ready = kept
	for i := range gone {
		c := &gone[i]
		r.busy++
		m := message{kind: Call, flow: c.Flow, node: c.Node, item: c.Item, result: c.abandoned()}
		if r.start.Journal != nil {
			r.keep(m)
			continue
		}
		m.at = r.clock.Now()
		r.take(&m)
	}
	return len(gone) > 0 && r.start.Journal == nil
}

func (r *run) pop() {
	r.ready[r.head] = Command{}
	r.head++
	if r.head == len(r.ready) {
		r.ready, r.head = r.ready[:0], 0
	}
}
