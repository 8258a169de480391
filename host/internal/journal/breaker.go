package journal

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"time"

	"wasmhost/host/event"
)

// Breaker is the state of a breaker of a root workflow. State is opaque here.
type Breaker struct {
	Root, Key string
	State     []byte
	At        time.Time // when it was saved
	By        string    // who saved it
	Version   int64     // grows from commit to commit
}

// SaveBreaker queues a state; the last one of a key wins. At is now where it is
// zero.
func (j *Journal) SaveBreaker(b Breaker) {
	if b.At.IsZero() {
		b.At = j.o.Now()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.closing {
		j.saveBreaker(b)
		nudge(j.lazy)
	}
}

// saveBreaker is SaveBreaker under the lock.
func (j *Journal) saveBreaker(b Breaker) {
	if j.errands.breakers == nil {
		j.errands.breakers = map[[2]string]Breaker{}
	}
	j.errands.breakers[[2]string{b.Root, b.Key}] = b
}

func (t *tx) saveBreaker(b Breaker) error {
	_, err := t.exec(`INSERT INTO breakers (root, key, state, at, sender, version, owner) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (root, key) DO UPDATE SET state = excluded.state, at = excluded.at, sender = excluded.sender, version = excluded.version, owner = excluded.owner`,
		b.Root, b.Key, append([]byte{}, b.State...), nanos(b.At), b.By, t.commit, t.j.owner.id)
	return err
}

const breakerColumns = "SELECT root, key, state, at, sender, version FROM breakers "

func readBreaker(row []driver.Value) (Breaker, error) {
	var b Breaker
	var at int64
	err := assign(row, &b.Root, &b.Key, &b.State, &at, &b.By, &b.Version)
	b.At = timeOf(at)
	return b, err
}

// Breakers returns the states of one root workflow, "" of all, by root and key.
func (j *Journal) Breakers(ctx context.Context, root string) ([]Breaker, error) {
	var list []Breaker
	err := j.read(ctx, func(c *conn) error {
		return c.query(func(row []driver.Value) error {
			b, err := readBreaker(row)
			list = append(list, b)
			return err
		}, breakerColumns+"WHERE ?1 = '' OR root = ?1 ORDER BY root, key", root)
	})
	return list, err
}

// reportsKept of a workflow.
const reportsKept = 100

type namedReport struct {
	workflow string
	report   []byte
}

// SaveReport queues a round of health checks; the last 100 of a workflow are
// kept.
func (j *Journal) SaveReport(workflow string, r *event.Report) {
	text, err := json.Marshal(r)
	if err != nil {
		return // a report is data; it has no value that JSON has not
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.closing {
		j.errands.reports = trimReports(append(j.errands.reports, namedReport{workflow, text}))
		nudge(j.lazy)
	}
}

// trimReports bounds what is queued while the disk does not take it.
func trimReports(list []namedReport) []namedReport {
	if n := len(list) - 10*reportsKept; n > 0 {
		return list[n:]
	}
	return list
}

func (t *tx) saveReport(r namedReport) error {
	if _, err := t.exec("INSERT INTO reports (workflow, report) VALUES (?, ?)", r.workflow, r.report); err != nil {
		return err
	}
	_, err := t.exec("DELETE FROM reports WHERE workflow = ?1 AND n <= (SELECT n FROM reports WHERE workflow = ?1 ORDER BY n DESC LIMIT 1 OFFSET ?2)", r.workflow, reportsKept)
	return err
}

// Reports returns the last n reports of a workflow (0: all that are kept),
// oldest first.
func (j *Journal) Reports(ctx context.Context, workflow string, n int) ([]*event.Report, error) {
	if n <= 0 {
		n = reportsKept
	}
	var list []*event.Report
	err := j.read(ctx, func(c *conn) error {
		return c.query(func(row []driver.Value) error {
			var text []byte
			if err := assign(row, &text); err != nil {
				return err
			}
			r := new(event.Report)
			if err := json.Unmarshal(text, r); err != nil {
				return damaged("a health report of %s: %v", workflow, err)
			}
			list = append(list, r)
			return nil
		}, "SELECT report FROM (SELECT n, report FROM reports WHERE workflow = ? ORDER BY n DESC LIMIT ?) ORDER BY n", workflow, n)
	})
	return list, err
}
