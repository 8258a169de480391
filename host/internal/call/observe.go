package call

import (
	"time"

	"wasmhost/host/event"
	"wasmhost/resilience"
)

// attempts is the observer of its own stacks: it counts, and tells.

// AttemptStarted counts the call.
func (k *attempts) AttemptStarted(a resilience.Attempt) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !a.Hedge {
		k.inWait = false
		k.result.Attempts++
		k.next = a.Number + 1
	}
}

// AttemptEnded tells of a failed attempt.
func (k *attempts) AttemptEnded(a resilience.Attempt, f *resilience.Failure, d time.Duration) {
	k.mu.Lock()
	if !a.Hedge {
		k.result.Stats.LatencyMS = append(k.result.Stats.LatencyMS, ms(d))
	}
	plugin, digest, used := k.current.Plugin, k.digest, k.used
	k.mu.Unlock()
	if f == nil || f.Code == resilience.CodeHedgeLost {
		return
	}
	e := k.placed(toEvent(f), k.current)
	e.Attempt = a.Number
	k.emit(&event.Event{Type: event.NodeAttemptFailed, Attempt: a.Number, Plugin: plugin, Function: k.current.Function, Digest: digest, Error: e, DurationMS: ms(d),
		Steps: used.steps, MemoryBytes: used.memory, HostCalls: used.hostCalls()})
}

// Retrying tells of the wait before another attempt.
func (k *attempts) Retrying(next int, wait time.Duration, cause *resilience.Failure) {
	e := &event.Event{Type: event.NodeRetrying, Attempt: next, Plugin: k.current.Plugin, Function: k.current.Function,
		RetryInMS: ms(wait), Error: k.placed(toEvent(cause), k.current)}
	if k.inWait { // told when the wait began
		k.inWait, e.Reason = false, GoesOn
	} else {
		k.mu.Lock()
		k.result.Stats.Retries++
		k.mu.Unlock()
	}
	k.req.Slot.Release() // waits hold no slot
	k.emit(e)
}

// Rejected counts a refusal by a breaker or a limiter: no attempt.
func (k *attempts) Rejected(*resilience.Failure) {
	k.mu.Lock()
	k.result.Stats.Rejections++
	k.mu.Unlock()
}

// logged takes a line that the plugin logs. A hedge has the number of the attempt
// beside which it runs.
func (k *attempts) logged(level, message string) {
	k.mu.Lock()
	attempt := k.next - 1
	k.mu.Unlock()
	k.emit(&event.Event{Type: event.Log, Attempt: attempt, Plugin: k.current.Plugin, LogLevel: level, Message: message})
}

func (k *attempts) emit(e *event.Event) {
	if k.req.Emit == nil {
		return
	}
	e.Workflow, e.Level, e.Node, e.Key = k.req.Plan.Name, k.req.Level, k.req.Path, k.req.Key
	k.req.Emit(e)
}
