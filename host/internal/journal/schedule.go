package journal

import (
	"context"
	"database/sql/driver"
)

// Schedule is what became of a schedule so far. State is opaque here.
type Schedule struct {
	Workflow, Key string
	State         []byte
}

// SaveSchedule keeps a state before it returns, so that what is started next is
// not started again by the process after this one. Empty state forgets it.
func (j *Journal) SaveSchedule(ctx context.Context, s Schedule) error {
	return j.do(ctx, "cannot be written", func(t *tx) error {
		if len(s.State) == 0 {
			_, err := t.exec("DELETE FROM schedules WHERE workflow = ? AND key = ?", s.Workflow, s.Key)
			return err
		}
		_, err := t.exec(`INSERT INTO schedules (workflow, key, state, at) VALUES (?, ?, ?, ?)
			ON CONFLICT (workflow, key) DO UPDATE SET state = excluded.state, at = excluded.at`, s.Workflow, s.Key, s.State, t.j.now())
		return err
	})
}

// Schedules returns every state, by workflow and key.
func (j *Journal) Schedules(ctx context.Context) ([]Schedule, error) {
	var list []Schedule
	err := j.read(ctx, func(c *conn) error {
		return c.query(func(row []driver.Value) error {
			var s Schedule
			err := assign(row, &s.Workflow, &s.Key, &s.State)
			list = append(list, s)
			return err
		}, "SELECT workflow, key, state FROM schedules ORDER BY workflow, key")
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
