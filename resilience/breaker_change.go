package resilience

// change is a change of state that the listeners have to hear of.
type change struct {
	from, to State
	snapshot BreakerSnapshot
}

// OnChange calls f after every change of state, with the snapshot of the moment.
// Calls come one at a time and in the order of the changes, on the goroutine of
// one of those who use the breaker; f may use the breaker, but must not block.
// It cannot be taken back.
func (b *Breaker) OnChange(f func(from, to State, snapshot BreakerSnapshot)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listeners = append(b.listeners, f)
}

// unlock ends a critical section and tells the listeners what happened in it.
func (b *Breaker) unlock() {
	if len(b.changes) == 0 || b.delivering {
		b.mu.Unlock()
		return
	}
	b.delivering = true
	// Also when a listener panics: the next change must find somebody to tell it.
	defer func() {
		b.delivering = false
		b.mu.Unlock()
	}()
	for len(b.changes) > 0 {
		c := b.changes[0]
		b.changes = b.changes[1:]
		b.tell(c, b.listeners)
	}
}

// tell is called and returns with the lock held, and lets go of it meanwhile.
func (b *Breaker) tell(c change, listeners []func(from, to State, snapshot BreakerSnapshot)) {
	b.mu.Unlock()
	defer b.mu.Lock()
	for _, f := range listeners {
		f(c.from, c.to, c.snapshot)
	}
}
