package journal

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"
)

// Swap is the version of a plugin that somebody chose, in place of what the
// workflow file names. Where its bytes lie is not the journal's concern.
type Swap struct {
	Root, Plugin string // the root workflow, and the plugin as it is addressed in it
	Digest       string
	Previous     string // what a rollback goes back to, "" for nothing
	From         string // where its bytes are from: source, upload
	Source       string // digest of what the workflow file named at that time
	At           time.Time
	By           string
}

// SaveSwap keeps a choice; the last one of a plugin wins. At is now where it is
// zero.
func (j *Journal) SaveSwap(ctx context.Context, s Swap) error {
	if s.At.IsZero() {
		s.At = j.o.Now()
	}
	return j.do(ctx, "cannot be written", func(t *tx) error {
		_, err := t.exec(`INSERT INTO swaps (root, plugin, digest, previous, origin, source, at, sender) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (root, plugin) DO UPDATE SET digest = excluded.digest, previous = excluded.previous, origin = excluded.origin,
				source = excluded.source, at = excluded.at, sender = excluded.sender`,
			s.Root, s.Plugin, s.Digest, s.Previous, s.From, s.Source, nanos(s.At), s.By)
		return err
	})
}

// DeleteSwap forgets a choice: the workflow file decides again. None is there:
// nothing happens.
func (j *Journal) DeleteSwap(ctx context.Context, root, plugin string) error {
	return j.do(ctx, "cannot be written", func(t *tx) error {
		_, err := t.exec("DELETE FROM swaps WHERE root = ? AND plugin = ?", root, plugin)
		return err
	})
}

// Swaps returns every choice, by root and plugin.
func (j *Journal) Swaps(ctx context.Context) ([]Swap, error) {
	var list []Swap
	err := j.read(ctx, func(c *conn) error {
		return c.query(func(row []driver.Value) error {
			var s Swap
			var at int64
			err := assign(row, &s.Root, &s.Plugin, &s.Digest, &s.Previous, &s.From, &s.Source, &at, &s.By)
			s.At = timeOf(at)
			list = append(list, s)
			return err
		}, "SELECT root, plugin, digest, previous, origin, source, at, sender FROM swaps ORDER BY root, plugin")
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// SaveRecordings keeps the recorded calls of a plugin in place of those before;
// empty data forgets them. What is in it is the caller's.
func (j *Journal) SaveRecordings(ctx context.Context, root, plugin string, data []byte) error {
	if len(data) > tooLarge {
		return fail(j.path, "cannot be written", fmt.Errorf("recordings of %d bytes are more than a journal takes", len(data)))
	}
	return j.do(ctx, "cannot be written", func(t *tx) error {
		if len(data) == 0 {
			_, err := t.exec("DELETE FROM recordings WHERE root = ? AND plugin = ?", root, plugin)
			return err
		}
		_, err := t.exec(`INSERT INTO recordings (root, plugin, data, at) VALUES (?, ?, ?, ?)
			ON CONFLICT (root, plugin) DO UPDATE SET data = excluded.data, at = excluded.at`, root, plugin, data, t.j.now())
		return err
	})
}

// Recordings returns the recorded calls of a plugin, nil when there are none.
func (j *Journal) Recordings(ctx context.Context, root, plugin string) ([]byte, error) {
	var data []byte
	err := j.read(ctx, func(c *conn) (err error) {
		data, err = c.bytes("SELECT data FROM recordings WHERE root = ? AND plugin = ?", root, plugin)
		return err
	})
	return data, err
}
