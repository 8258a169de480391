package journal

import (
	"context"
	"database/sql/driver"
	"errors"
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

// ErrNoCommand is the answer for a command that never was, or whose run was
// deleted.
var ErrNoCommand = errors.New("no such command in the journal")

// Send records a command; whoever owns the run, now or later, is told.
func (j *Journal) Send(ctx context.Context, c Command) (int64, error) {
	var id int64
	err := j.do(ctx, "cannot be written", func(t *tx) error {
		run, err := t.one("SELECT n FROM runs WHERE id = ?", c.Run)
		if err != nil {
			return err
		}
		if run == 0 {
			return ErrNotFound
		}
		if _, err := t.exec("INSERT INTO commands (run, kind, data, sender, at, taken, answer) VALUES (?, ?, ?, ?, ?, 0, '')",
			run, c.Kind, c.Data, c.By, j.now()); err != nil {
			return err
		}
		id, err = t.one("SELECT last_insert_rowid()")
		return err
	})
	if err == nil {
		nudge(j.look)
	}
	return id, err
}

// Done records that a command was taken, and the answer.
func (j *Journal) Done(ctx context.Context, id int64, answer string) error {
	return j.do(ctx, "cannot be written", func(t *tx) error {
		n, err := t.exec("UPDATE commands SET taken = ?, answer = ? WHERE id = ?", j.now(), answer, id)
		if err == nil && n == 0 {
			err = ErrNoCommand
		}
		return err
	})
}

// Answer returns what became of a command.
func (j *Journal) Answer(ctx context.Context, id int64) (answer string, taken bool, err error) {
	found := false
	err = j.read(ctx, func(c *conn) error {
		return c.query(func(row []driver.Value) error {
			var at int64
			err := assign(row, &at, &answer)
			found, taken = true, at != 0
			return err
		}, "SELECT taken, answer FROM commands WHERE id = ?", id)
	})
	if err == nil && !found {
		err = ErrNoCommand
	}
	return answer, taken, err
}
