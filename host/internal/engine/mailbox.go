package engine

import (
	"sync"

	"wasmhost/host/event"
)

// mailbox brings messages to a run's loop, in order. Who puts one in never
// waits: the journal's goroutine serves many runs and must not be held up by
// one of them.
type mailbox struct {
	mu     sync.Mutex
	mail   []message
	spare  []message // the last batch, used again
	closed bool
	why    *event.Error  // it was closed; set before closed is
	full   chan struct{} // a token while mail may wait
}

func newMailbox() *mailbox { return &mailbox{full: make(chan struct{}, 1)} }

// put reports whether the loop will see m.
func (b *mailbox) put(m message) bool {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return false
	}
	b.mail = append(b.mail, m)
	first := len(b.mail) == 1
	b.mu.Unlock()
	if first {
		select {
		case b.full <- struct{}{}:
		default:
		}
	}
	return true
}

// take waits for messages and returns all that are there. They are valid until
// the next take.
func (b *mailbox) take() []message {
	for {
		<-b.full
		b.mu.Lock()
		mail := b.mail
		clear(b.spare)
		b.mail, b.spare = b.spare[:0], mail
		b.mu.Unlock()
		if len(mail) > 0 {
			return mail
		}
	}
}

// empty reports whether nothing waits to be taken.
func (b *mailbox) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mail) == 0
}

// close lets no further message in, says why, and returns those that nobody has
// seen.
func (b *mailbox) close(why *event.Error) []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.why = true, why
	return b.mail
}
