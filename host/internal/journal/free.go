package journal

import (
	"context"
	"database/sql/driver"
)

// Free returns the ids of runs that nobody works on and that can go on: those that
// were interrupted, those that wait and whose deadline has passed, and those that
// wait and were told something that nobody has taken. The oldest come first.
func (j *Journal) Free(ctx context.Context) ([]string, error) {
	var ids []string
	err := j.read(ctx, func(c *conn) error {
		known := owners{j: j}
		return c.query(func(row []driver.Value) error {
			var id string
			var owner, beat int64
			if err := assign(row, &id, &owner, &beat); err != nil {
				return err
			}
			alive, err := known.alive(owner, beat)
			if err == nil && !alive {
				ids = append(ids, id)
			}
			return err
		}, `SELECT r.id, r.owner, ifnull(o.beat, 0) FROM runs r LEFT JOIN owners o ON o.id = r.owner
			WHERE r.status IN ('running', 'waiting') AND r.owner <> ?1 AND (r.status = 'running' OR
				(r.wake > 0 AND r.wake <= ?2 OR EXISTS (SELECT 1 FROM commands c INDEXED BY commands_open WHERE c.run = r.n AND c.taken = 0)))
			ORDER BY r.n`, j.owner.id, j.now())
	})
	return ids, err
}
