package journal

import (
	"context"
	"time"
)

// Command is a word to whoever owns a run, from this process or another.
type Command struct {
	ID        int64
	Run, Kind string
	Data      []byte
	By        string
	At        time.Time
}

// Send records a command; whoever owns the run, now or later, is told.
func (j *Journal) Send(ctx context.Context, c Command) (int64, error) { return 0, errNotOpen }

// Done records that a command was taken, and the answer.
func (j *Journal) Done(ctx context.Context, id int64, answer string) error { return errNotOpen }

// Answer returns what became of a command.
func (j *Journal) Answer(ctx context.Context, id int64) (answer string, taken bool, err error) {
	return "", false, errNotOpen
}
