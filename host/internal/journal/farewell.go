package journal

import (
	"context"
	"database/sql/driver"
	"maps"
	"slices"
)

// farewell is the last thing that the committer does.
func (j *Journal) farewell() {
	c := &j.committer
	j.ownedMu.Lock()
	mine := slices.Collect(maps.Values(j.owned))
	j.ownedMu.Unlock()
	mine = append(mine, j.errands.orphans...)
	err := c.connect(context.Background())
	if err == nil {
		err = j.giveBack(mine)
	}
	if err == nil {
		// Others may still use the WAL; then it stays.
		err = c.conn.query(func([]driver.Value) error { return nil }, "PRAGMA wal_checkpoint(TRUNCATE)")
		if err != nil && isBusy(err) {
			err = nil
		}
	}
	if err != nil {
		j.failed = fail(j.path, "cannot be closed well", err)
	}
	for _, w := range mine {
		w.poison(ErrClosed)
	}
	j.abandon()
}

func (j *Journal) giveBack(mine []*Writer) error {
	c := j.committer.conn
	if err := c.begin(patience, j.o.Point); err != nil {
		return err
	}
	t := &tx{conn: c, j: j}
	var err error
	for _, w := range mine {
		if err == nil {
			err = t.release(w)
		}
	}
	if err == nil {
		_, err = c.exec("DELETE FROM owners WHERE id = ?", j.owner.id)
	}
	var commit int64
	if err == nil {
		commit, err = c.countCommit()
	}
	if err == nil {
		_, err = c.exec("COMMIT")
	}
	if err != nil {
		_, _ = c.exec("ROLLBACK")
		return err
	}
	j.mark.set(uint64(commit), j.o.Durability)
	return nil
}
