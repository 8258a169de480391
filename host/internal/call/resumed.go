package call

import (
	"time"

	"wasmhost/host/event"
	"wasmhost/resilience"
)

// GoesOn is the reason of node.started and node.retrying for what another
// process had begun, and told, already.
const GoesOn = "goes on"

// Resumed is where a process that died left a call: what its events told.
type Resumed struct {
	// Who is the answerer that was asked: 0 is the node's own, then its fallbacks.
	Who int
	// NextAttempt is the number of the attempt to come.
	NextAttempt int
	// Began is when the present answerer was first asked, Retries how many of its
	// retries were used.
	Began   time.Time
	Retries int
	// RetryAt is when the retry that was waited for is due, after a wait of
	// Waited and the failure Last; zero: none was waited for.
	RetryAt time.Time
	Waited  time.Duration
	Last    *event.Error
	// Errors are what the answerers before the present one failed with.
	Errors []*event.Error
}

// resume makes k stand where the call was left, and returns the answerer to ask
// first.
func (k *attempts) resume(r *Resumed) (who int) {
	first := k.next
	k.next = max(r.NextAttempt, first)
	k.result.Attempts += k.next - first
	before := r.Errors
	if k.req.Prior != nil && len(before) > 0 {
		before = before[1:] // the first is what Prior ended with
	}
	k.result.Errors = append(k.result.Errors, before...)
	s := &resilience.Resumed{Began: r.Began, Retries: r.Retries, Previous: r.Waited}
	if !r.RetryAt.IsZero() && r.Last != nil {
		s.Cause, k.inWait = k.set.failure(r.Last), true
		// A clock that went backwards makes nobody wait longer than he was told to.
		s.Wait = min(r.RetryAt.Sub(k.start), r.Waited)
	}
	k.resumed = s
	return r.Who
}
