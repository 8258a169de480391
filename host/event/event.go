// Package event says what happened: events as they happen, results when it is
// over, and the values, errors and reports inside both. It holds data and its
// JSON shapes; it decides nothing and imports nothing of the module.
package event

import "time"

// Version is the version of the event shape, in every event as "v".
const Version = 1

// Type names what an event tells.
type Type string

const (
	RunStarted    Type = "run.started"
	RunResumed    Type = "run.resumed" // by another process; a person's retry starts it again
	RunFinished   Type = "run.finished"
	HealthChecked Type = "health.checked"

	NodeStarted       Type = "node.started"
	NodeAttemptFailed Type = "node.attempt_failed"
	NodeRetrying      Type = "node.retrying"
	NodeSucceeded     Type = "node.succeeded"
	NodeFailed        Type = "node.failed"
	NodeSkipped       Type = "node.skipped"
	NodeWaiting       Type = "node.waiting"

	BreakerChanged Type = "breaker.changed"
	FallbackUsed   Type = "fallback.used"
	PluginSwapped  Type = "plugin.swapped"
	Log            Type = "log"
)

// Event is one thing that happened in a run. One flat shape serves every type;
// a field that a type does not use is left out of the JSON.
type Event struct {
	V    int       `json:"v"`
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	Run  string    `json:"run"`
	Type Type      `json:"type"`

	// Workflow is the name of the workflow that the event belongs to, and Level
	// its place among the fallback levels (0 is the primary).
	Workflow string `json:"workflow,omitempty"`
	Level    int    `json:"level,omitempty"`
	// Node is the path of node ids from the root workflow, joined by "/", with
	// an item's index in brackets: "report/each[3]".
	Node    string `json:"node,omitempty"`
	Attempt int    `json:"attempt,omitempty"`

	Plugin     string  `json:"plugin,omitempty"`
	Function   string  `json:"function,omitempty"`
	Digest     string  `json:"digest,omitempty"`
	Status     Status  `json:"status,omitempty"`
	Reason     string  `json:"reason,omitempty"`
	AnsweredBy string  `json:"answered_by,omitempty"`
	Error      *Error  `json:"error,omitempty"`
	Output     *Value  `json:"output,omitempty"`
	DurationMS float64 `json:"duration_ms,omitempty"`
	// RetryInMS is the wait before the next attempt, of node.retrying.
	RetryInMS float64 `json:"retry_in_ms,omitempty"`
	// Steps and MemoryBytes are what the call used, where they are measured.
	Steps       uint64     `json:"steps,omitempty"`
	MemoryBytes uint64     `json:"memory_bytes,omitempty"`
	HostCalls   *HostCalls `json:"host_calls,omitempty"`

	// Breaker is the key of a breaker.changed, From and To its states.
	Breaker string `json:"breaker,omitempty"`
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`

	// LogLevel and Message are a log line: debug, info, warn or error.
	LogLevel string `json:"log_level,omitempty"`
	Message  string `json:"message,omitempty"`

	Health *Report `json:"health,omitempty"`
	Result *Result `json:"result,omitempty"`

	// Key names the node or item like Node, but different for every fallback
	// level, and Mark is what the engine wants to know of the event when a run
	// goes on: both are the journal's, beside the event.
	Key  string `json:"-"`
	Mark uint8  `json:"-"`
}

// Sink takes events as they happen. Emit is called from many goroutines, one event
// of a run after the other, and must not block for long: the run waits for it, and
// so does whoever has something to tell of it. So Emit may cancel or interrupt the
// run, and start another one; but it must not wait for this one, answer it, swap a
// plugin or set a breaker, which are told by an event of their own.
type Sink interface {
	Emit(*Event)
}

// SinkFunc is a function as a Sink.
type SinkFunc func(*Event)

// Emit calls f.
func (f SinkFunc) Emit(e *Event) { f(e) }
