package engine

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"wasmhost/host/event"
)

// A run's history is what makes it survive its process: every answer that its
// Progress was given, in order, and the events of calls, from which follows how
// far the calls in flight had come. Given again to a new Progress, the same
// answers lead to the same state, for it is deterministic.

// Entry is a line of a run's history.
type Entry struct {
	// Event is what was told; nil: the entry is for the engine alone.
	Event *event.Event
	// Key is the node, item or ladder that the entry is about.
	Key string
	// Mark says what the entry is.
	Mark uint8
	// Note is the engine's own, as JSON.
	Note []byte
	// Output is the value that the answer carries, beside the note: it may be
	// large.
	Output event.Value
}

// The marks of entries.
const (
	// MarkCall is an event of a call.
	MarkCall uint8 = iota
	// MarkTold is an event that follows from the answers before it: whoever gives
	// the answers again would tell it again.
	MarkTold
	// MarkAnswer is an answer to Progress.
	MarkAnswer
	// MarkNote is not an answer, but must be known to go on.
	MarkNote
	// MarkSeed begins a new generation: what comes before it is over. It is
	// written and read by whoever starts the run; see Seed.
	MarkSeed
)

// Journal keeps the history of one run.
type Journal interface {
	// Keep adds an entry behind all that Keep and the run's events brought before.
	// kept, if it is not nil, is called once the entry and all before it will
	// survive, or with the error for which they may not. It must not block.
	Keep(e Entry, kept func(error))
}

// The kinds of notes.
const (
	noteCalled      = "called"
	noteChecked     = "checked"
	notePaused      = "paused"
	noteExpired     = "expired"
	noteNodeExpired = "node_expired"
	noteCancelled   = "cancelled"
	noteDecided     = "decided"

	noteAttempt = "attempt" // it begins
	notePausing = "pausing" // the wait that was chosen
)

// note is what an entry says to the engine.
type note struct {
	Kind     string            `json:"k"`
	At       int64             `json:"t"` // Unix nanoseconds
	Result   *event.NodeResult `json:"r,omitempty"`
	Report   *event.Report     `json:"h,omitempty"`
	Reason   string            `json:"why,omitempty"`
	Attempt  int               `json:"n,omitempty"`
	Wait     time.Duration     `json:"wait,omitempty"`
	Decision *Decision         `json:"d,omitempty"`
}

func (n *note) at() time.Time { return time.Unix(0, n.At) }

// entry makes n an entry. Outputs travel beside the note.
func (n note) entry(key string, mark uint8, at time.Time) (Entry, error) {
	n.At = at.UnixNano()
	e := Entry{Key: key, Mark: mark}
	if n.Result != nil {
		r := *n.Result
		e.Output, r.Output = r.Output, event.Null
		n.Result = &r
	}
	var err error
	e.Note, err = json.Marshal(&n)
	return e, err
}

// time is when the entry was made.
func (e *Entry) time(otherwise time.Time) time.Time {
	if e.Event != nil {
		return e.Event.Time
	}
	if n, err := e.note(); err == nil {
		return n.at()
	}
	return otherwise
}

// note reads what entry wrote.
func (e *Entry) note() (*note, error) {
	var n note
	if err := json.Unmarshal(e.Note, &n); err != nil {
		return nil, fmt.Errorf("an entry of the run's history cannot be read: %w", err)
	}
	if n.Result != nil {
		n.Result.Output = e.Output
	}
	return &n, nil
}

// answererNumber reads what call wrote as "fallback[1]": 2; "primary": 0.
func answererNumber(answeredBy string) int {
	inner, ok := strings.CutPrefix(answeredBy, "fallback[")
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSuffix(inner, "]"))
	if err != nil {
		return 0
	}
	return n + 1
}
