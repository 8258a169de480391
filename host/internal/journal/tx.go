package journal

import (
	"context"
	"errors"
	"os"
)

// tx is the transaction that a batch shares.
type tx struct {
	*conn
	j      *Journal
	commit int64 // the number that it will have
}

// transact does a batch in one transaction.
func (j *Journal) transact(batch []op, results []error, e errands) error {
	c := &j.committer
	j.o.Point("begin")
	if err := c.connect(context.Background()); err != nil {
		return err
	}
	if err := c.conn.begin(patience, j.o.Point); err != nil {
		return err
	}
	t := &tx{conn: c.conn, j: j}
	err := t.run(batch, results, e)
	if err == nil {
		j.o.Point("commit")
		_, err = c.conn.exec("COMMIT")
	}
	if err != nil {
		_, _ = c.conn.exec("ROLLBACK")
		return err
	}
	c.commits = t.commit
	j.mark.set(uint64(t.commit), j.o.Durability)
	j.o.Point("committed")
	return nil
}

// run does everything of a batch. What an act decides (ErrLost, not found)
// concerns it alone and has written nothing; what SQLite says ends the batch.
func (t *tx) run(batch []op, results []error, e errands) error {
	c := &t.j.committer
	version, err := t.one("PRAGMA data_version")
	if err != nil {
		return err
	}
	if version != c.version {
		if c.commits, err = t.conn.commits(); err != nil {
			return err
		}
		c.version, c.foreign = version, c.commits+1
	}
	t.commit = c.commits + 1
	for _, w := range e.orphans {
		if err := t.release(w); err != nil {
			return err
		}
	}
	t.j.o.Point("insert")
	records, others := 0, !e.none()
	for i := range batch {
		o := &batch[i]
		if o.w != nil {
			results[i] = t.owns(o.w)
		}
		if results[i] == nil {
			if o.rec != nil {
				results[i] = t.insert(o.w, o.rec)
				records++
			} else {
				others = true
				results[i] = o.act(t)
			}
		}
		if errors.As(results[i], new(*sqlError)) || errors.As(results[i], new(*damage)) {
			return results[i]
		}
	}
	for _, b := range e.breakers {
		if err := t.saveBreaker(b); err != nil {
			return err
		}
	}
	for _, r := range e.reports {
		if err := t.saveReport(r); err != nil {
			return err
		}
	}
	if err := t.saveAudits(e.audits); err != nil {
		return err
	}
	if records == 0 || others {
		if _, err := t.exec("UPDATE meta SET commits = ?", t.commit); err != nil {
			return err
		}
	}
	return t.beat()
}

// commits is the number of the last commit: in meta, or in the last record where
// that is newer. So a commit of records, which are most, writes no page for its
// number.
func (c *conn) commits() (int64, error) {
	return c.one("SELECT max((SELECT commits FROM meta), coalesce((SELECT commits FROM records ORDER BY seq DESC LIMIT 1), 0))")
}

// countCommit numbers a transaction that is no batch.
func (c *conn) countCommit() (int64, error) {
	n, err := c.commits()
	if err == nil {
		n++
		_, err = c.exec("UPDATE meta SET commits = ?", n)
	}
	return n, err
}

// owns makes sure that the run is still this writer's. Nobody can have taken it
// unless somebody else has written at all since this was looked at.
func (t *tx) owns(w *Writer) error {
	if err := w.Err(); err != nil {
		return err
	}
	if w.checked >= t.j.committer.foreign {
		return nil
	}
	fence, err := t.one("SELECT fence FROM runs WHERE n = ? AND owner = ?", w.n, t.j.owner.id)
	if err == nil && fence != w.fence {
		return ErrLost
	}
	w.checked = t.commit // of a lost run nothing is: what is behind in the batch must not pass
	return err
}

func (t *tx) beat() error {
	c := &t.j.committer
	now := t.j.o.Now()
	if d := now.Sub(c.lastBeat); d >= 0 && d < t.j.o.Lease/6 {
		return nil
	}
	id, at := t.j.owner.id, now.UnixNano()
	_, err := t.exec("INSERT INTO owners (id, role, pid, since, beat) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET beat = excluded.beat",
		id, t.j.o.Role, os.Getpid(), at, at)
	if err == nil {
		c.lastBeat = now
	}
	return err
}

// release makes w's run nobody's, if it still is w's.
func (t *tx) release(w *Writer) error {
	_, err := t.exec("UPDATE runs SET owner = 0, fence = 0 WHERE n = ? AND owner = ? AND fence = ?", w.n, t.j.owner.id, w.fence)
	return err
}
