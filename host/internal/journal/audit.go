package journal

import (
	"context"
	"database/sql/driver"

	"wasmhost/host/event"
)

// auditsKept, of all workflows together.
const auditsKept = 10_000

// Audit queues a change that somebody made or tried to make; the last 10,000 are
// kept. It is written with the next commit, after 50 ms at most. Time is now
// where it is zero.
func (j *Journal) Audit(a event.Audit) {
	if a.Time.IsZero() {
		a.Time = j.o.Now()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.closing {
		j.errands.audits = trimAudits(append(j.errands.audits, a))
		nudge(j.lazy)
	}
}

// trimAudits bounds what is queued while the disk does not take it.
func trimAudits(list []event.Audit) []event.Audit {
	if n := len(list) - auditsKept; n > 0 {
		return list[n:]
	}
	return list
}

func (t *tx) saveAudits(list []event.Audit) error {
	if len(list) == 0 {
		return nil
	}
	for _, a := range list {
		ok := 0
		if a.OK {
			ok = 1
		}
		if _, err := t.exec("INSERT INTO audits (time, sender, action, target, detail, ok) VALUES (?, ?, ?, ?, ?, ?)",
			nanos(a.Time), a.By, a.Action, a.Target, a.Detail, ok); err != nil {
			return err
		}
	}
	_, err := t.exec("DELETE FROM audits WHERE n <= (SELECT max(n) FROM audits) - ?", auditsKept)
	return err
}

// Audits returns the last n changes (0: all that are kept), the newest first.
func (j *Journal) Audits(ctx context.Context, n int) ([]event.Audit, error) {
	if n <= 0 {
		n = auditsKept
	}
	var list []event.Audit
	err := j.read(ctx, func(c *conn) error {
		return c.query(func(row []driver.Value) error {
			var a event.Audit
			var at, ok int64
			err := assign(row, &at, &a.By, &a.Action, &a.Target, &a.Detail, &ok)
			a.Time, a.OK = timeOf(at), ok != 0
			list = append(list, a)
			return err
		}, "SELECT time, sender, action, target, detail, ok FROM audits ORDER BY n DESC LIMIT ?", n)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
