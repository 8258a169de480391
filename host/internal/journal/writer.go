package journal

import (
	"time"

	"wasmhost/host/event"
)

// Writer is the pen of one run that this process owns. It is safe for
// concurrent use; the order of the calls is the order of the records.
//
// Every done is called when what it belongs to, and everything before it of the
// same run, is kept as durably as promised, or cannot be: in order, on the
// journal's goroutine, which waits for it, so it must not block. nil: nobody
// waits.
type Writer struct{}

// ID is the run's.
func (w *Writer) ID() string { return "" }

// Append adds a record and never blocks. Records without done are committed with
// the next one that has it, after 50 ms at most.
func (w *Writer) Append(r Record, done func(error)) {}

// Backlog is how many bytes, roughly, wait to be written.
func (w *Writer) Backlog() int64 { return 0 }

// Lost is closed when the run cannot be written any more: another process owns
// it, or a write failed. Err tells which.
func (w *Writer) Lost() <-chan struct{} { return nil }

// Err is why nothing more can be written: ErrLost, the failure of a write, or
// nil.
func (w *Writer) Err() error { return nil }

// Reopen begins another generation of a run that had ended: its status is
// running, its result cleared.
func (w *Writer) Reopen(generation int, digest, file string, done func(error)) {}

// End is how a run ends, or begins to wait.
type End struct {
	Status     event.Status
	Reason     string
	Wake       time.Time
	Error      *event.Error
	Result     []byte // JSON; nil keeps none
	Plugins    map[string]string
	DurationMS float64
}

// End is the last word: it records how the run ended and gives it back.
func (w *Writer) End(e End, done func(error)) {}

// Leave gives the run back as it stands; somebody may Take it.
func (w *Writer) Leave(done func(error)) {}
