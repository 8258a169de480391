package journal

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"errors"
	"strings"
	"time"

	"wasmhost/host/event"
)

// Filter chooses runs.
type Filter struct {
	Status   []event.Status // none: all
	Workflow string
	Before   string    // id of the last run of the page before
	Since    time.Time // created then or later
	Limit    int       // 0: no limit
}

// Runs lists runs, newest first.
func (j *Journal) Runs(ctx context.Context, f Filter) ([]*Run, error) {
	var where []string
	var args []any
	add := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if len(f.Status) > 0 {
		var values []any
		for _, s := range f.Status {
			values = append(values, string(s))
		}
		add("r.status IN ("+strings.TrimSuffix(strings.Repeat("?,", len(values)), ",")+")", values...)
	}
	if f.Workflow != "" {
		add("r.workflow = ?", f.Workflow)
	}
	if f.Before != "" {
		add("r.n < (SELECT n FROM runs WHERE id = ?)", f.Before)
	}
	if !f.Since.IsZero() {
		add("r.created >= ?", nanos(f.Since))
	}
	query := "SELECT " + runColumns + " FROM runs r LEFT JOIN owners o ON o.id = r.owner"
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	limit := f.Limit
	if limit <= 0 {
		limit = -1
	}
	var list []*Run
	err := j.read(ctx, func(c *conn) error {
		known := owners{j: j}
		if err := c.query(func(row []driver.Value) error {
			r, err := known.scan(row)
			if err != nil {
				return err
			}
			if ref, _ := row[21].([]byte); len(ref) != sha256.Size {
				input, err := whole(append(row[20:22:22], nil), "input of run "+r.ID)
				if err != nil {
					return err
				}
				r.setInput(input)
			}
			list = append(list, r)
			return nil
		}, query+" ORDER BY r.n DESC LIMIT ?", append(args, limit)...); err != nil {
			return err
		}
		for _, r := range list {
			if err := c.lastRecord(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// Counts counts the runs of a workflow ("": of all) by status.
func (j *Journal) Counts(ctx context.Context, workflow string) (map[event.Status]int, error) {
	counts := map[event.Status]int{}
	query, args := "SELECT status, count(*) FROM runs GROUP BY status", []any(nil)
	if workflow != "" {
		query, args = "SELECT status, count(*) FROM runs WHERE workflow = ? GROUP BY status", []any{workflow}
	}
	err := j.read(ctx, func(c *conn) error {
		return c.query(func(row []driver.Value) error {
			var status string
			var n int64
			err := assign(row, &status, &n)
			counts[event.Status(status)] = int(n)
			return err
		}, query, args...)
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

// Delete forgets a run that nobody owns.
func (j *Journal) Delete(ctx context.Context, id string) error {
	return j.do(ctx, "cannot be written", func(t *tx) error { return t.delete(id) })
}

func (t *tx) delete(id string) error {
	r, err := t.run1(t.j, id)
	if err != nil {
		return err
	}
	if r.Alive {
		return &AliveError{r}
	}
	var digests [][]byte
	collect := func(row []driver.Value) error {
		var d []byte
		err := assign(row, &d)
		digests = append(digests, d)
		return err
	}
	from, to := recordKey(r.n, 0), recordKey(r.n, mostN)
	if err := t.query(collect, "SELECT output_at FROM records WHERE at BETWEEN ? AND ? AND output_at NOTNULL", from, to); err != nil {
		return err
	}
	if err := t.query(collect, "SELECT input_at FROM runs WHERE n = ?1 UNION ALL SELECT result_at FROM runs WHERE n = ?1", r.n); err != nil {
		return err
	}
	for _, d := range digests {
		if err := t.forget(d); err != nil {
			return err
		}
	}
	if _, err := t.exec("DELETE FROM records WHERE at BETWEEN ? AND ?", from, to); err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM commands WHERE run = ?", r.n); err != nil {
		return err
	}
	_, err = t.exec("DELETE FROM runs WHERE n = ?", r.n)
	return err
}

// Retain deletes runs that have ended: those older than age (0: none for their
// age) and all but the newest count (0: any number). It returns their ids. It
// works in small transactions, between which others get their turn.
func (j *Journal) Retain(ctx context.Context, age time.Duration, count int) ([]string, error) {
	var ids []string
	read := func(row []driver.Value) error {
		var id string
		err := assign(row, &id)
		ids = append(ids, id)
		return err
	}
	err := j.read(ctx, func(c *conn) error {
		if age > 0 {
			if err := c.query(read, "SELECT id FROM runs WHERE finished > 0 AND finished < ?", j.o.Now().Add(-age).UnixNano()); err != nil {
				return err
			}
		}
		if count > 0 {
			return c.query(read, "SELECT id FROM runs WHERE finished > 0 ORDER BY n DESC LIMIT -1 OFFSET ?", count)
		}
		return nil
	})
	var deleted []string
	for len(ids) > 0 && err == nil {
		n := min(len(ids), 32)
		var gone []string
		err = j.do(ctx, "cannot be written", func(t *tx) error {
			for _, id := range ids[:n] {
				err := t.delete(id)
				var alive *AliveError
				switch {
				case err == nil:
					gone = append(gone, id)
				case !errors.As(err, &alive) && !errors.Is(err, ErrNotFound):
					return err
				}
			}
			return nil
		})
		if err == nil {
			deleted = append(deleted, gone...)
		}
		ids = ids[n:]
	}
	return deleted, err
}
