package journal

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Finding is what Check found.
type Finding struct {
	What, Where string
	Next        string // what to do
	Bad         bool
}

// Check looks at the journal in dir without changing it: files and their modes,
// versions, SQLite's own check, checksums and gaps of records, digests of
// outputs, owners that died. The error is only that of ctx; everything else is a
// finding.
func Check(ctx context.Context, dir string) ([]Finding, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	c := &check{dir: dir, path: filepath.Join(dir, fileName)}
	if c.files() {
		c.database(ctx)
	}
	return c.found, ctx.Err()
}

type check struct {
	dir, path string
	conn      *conn
	found     []Finding
}

func (c *check) bad(where, next, format string, args ...any) {
	c.found = append(c.found, Finding{fmt.Sprintf(format, args...), where, next, true})
}

func (c *check) good(where, format string, args ...any) {
	c.found = append(c.found, Finding{What: fmt.Sprintf(format, args...), Where: where})
}

// files reports whether there is a database to look into.
func (c *check) files() bool {
	if info, err := os.Stat(c.dir); err == nil && info.Mode().Perm()&0o022 != 0 {
		c.bad(c.dir, "chmod 700 "+c.dir, "other users may write into the folder (mode %o)", info.Mode().Perm())
	}
	info, err := os.Stat(c.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.good(c.path, "there is no journal yet")
		return false
	case err != nil:
		c.bad(c.path, remedy(err), "%v", err)
		return false
	case info.Size() == 0:
		c.bad(c.path, damagedRemedy, "the file is empty")
		return false
	}
	for _, name := range []string{c.path, c.path + "-wal", c.path + "-shm"} {
		if info, err := os.Stat(name); err == nil && info.Mode().Perm()&0o077 != 0 {
			c.bad(name, "chmod 600 "+name, "the file is open to other users (mode %o)", info.Mode().Perm())
		}
	}
	return true
}

func (c *check) database(ctx context.Context) {
	err := sealed()
	if err == nil {
		c.conn, err = dial(ctx, dsn(c.path, sealedVFS, "busy_timeout(10000)", "query_only(1)", "trusted_schema(0)")+"&mode=ro")
	}
	if err == nil {
		defer c.conn.close()
		c.conn.ctx = ctx
		err = c.versions()
	}
	if err != nil {
		c.bad(c.path, remedy(err), "%v", err)
		return
	}
	for _, look := range []func() error{c.integrity, c.runs, c.outputs, c.owners} {
		if err := look(); err != nil {
			c.bad(c.path, remedy(err), "%v", err)
		}
	}
}

func (c *check) versions() error {
	var version string
	if err := c.conn.query(func(row []driver.Value) error { return assign(row, &version) }, "SELECT sqlite_version()"); err != nil {
		return err
	}
	app, err := c.conn.one("PRAGMA application_id")
	if err != nil {
		return err
	}
	if app != applicationID {
		return damaged("this is not a journal of host, or its first page was overwritten")
	}
	has, err := look(c.conn)
	if err != nil {
		return err
	}
	c.good(c.path, "schema version %d, SQLite %s", has, version)
	commits, err := c.conn.commits()
	if err != nil {
		return err
	}
	// Not made here where it is missing.
	f, err := os.Open(filepath.Join(c.dir, markName))
	if err != nil {
		return nil
	}
	defer f.Close()
	if full, normal := newMark(f).read(); uint64(commits) < max(full, normal) {
		c.bad(c.path, "Restore a copy; to go on with what is left, delete "+filepath.Join(c.dir, markName), "%d acknowledged writes are missing", max(full, normal)-uint64(commits))
	}
	return nil
}

// integrity is SQLite's own check.
func (c *check) integrity() error {
	whole := false
	err := c.conn.query(func(row []driver.Value) error {
		var text string
		err := assign(row, &text)
		if whole = text == "ok"; !whole {
			c.bad(c.path, damagedRemedy, "%s", text)
		}
		return err
	}, "PRAGMA integrity_check(20)")
	if err == nil && whole {
		c.good(c.path, "SQLite finds nothing wrong")
	}
	return err
}

// runs reads every record of every run.
func (c *check) runs() error {
	var runs, records, damagedRuns int64
	for last := int64(0); ; {
		var id string
		n := int64(0)
		if err := c.conn.query(func(row []driver.Value) error { return assign(row, &n, &id) },
			"SELECT n, id FROM runs WHERE n > ? ORDER BY n LIMIT 1", last); err != nil {
			return err
		}
		if n == 0 {
			break
		}
		last = n
		runs++
		for after := uint64(0); ; {
			list, err := c.conn.records(id, after, 1000, true)
			if err != nil && c.conn.ctx.Err() != nil {
				return err
			}
			if err != nil {
				damagedRuns++
				c.bad(c.path, "`host runs delete "+id+"` when nobody needs it; restore a copy when somebody does", "%v", err)
				break
			}
			records += int64(len(list))
			if len(list) < 1000 {
				break
			}
			after = list[len(list)-1].N
		}
	}
	if damagedRuns == 0 {
		c.good(c.path, "%d runs with %d records, all as written", runs, records)
	}
	return nil
}

func (c *check) outputs() error {
	kept, wrong := 0, 0
	err := c.conn.query(func(row []driver.Value) error {
		var v value
		if err := assign(row, &v.digest, &v.data); err != nil {
			return err
		}
		if kept++; string(v.digest) != string(digestOf(v.data)) {
			wrong++
		}
		return nil
	}, "SELECT digest, data FROM outputs")
	if err != nil {
		return err
	}
	if wrong > 0 {
		return damaged("%d of %d large values are not what was written", wrong, kept)
	}
	refs, err := c.conn.one("SELECT sum(refs) FROM outputs")
	if err != nil {
		return err
	}
	used, err := c.conn.one("SELECT (SELECT count(output_at) FROM records) + (SELECT count(iif(length(input_at) = 32, 1, NULL)) + count(iif(length(result_at) = 32, 1, NULL)) FROM runs)")
	if err == nil && refs != used {
		err = damaged("large values are said to be used %d times, but are %d times", refs, used)
	}
	if err == nil && kept > 0 {
		c.good(c.path, "%d large values, all as written", kept)
	}
	return err
}

// owners counts the runs that died with their process.
func (c *check) owners() error {
	interrupted, alive := 0, map[int64]bool{}
	err := c.conn.query(func(row []driver.Value) error {
		var id, beat int64
		if err := assign(row, &id, &beat); err != nil {
			return err
		}
		if _, ok := alive[id]; !ok && id != 0 {
			lives, err := lives(c.dir, id)
			if err != nil {
				return err
			}
			alive[id] = lives
			if lives && time.Since(time.Unix(0, beat)) > time.Minute {
				c.found = append(c.found, Finding{What: fmt.Sprintf("a process holds runs and gives no sign of life since %s", time.Unix(0, beat).Format(time.DateTime)),
					Where: ownerFile(c.dir, id), Next: "It may be stopped; its runs can be resumed elsewhere."})
			}
		}
		if !alive[id] {
			interrupted++
		}
		return nil
	}, "SELECT r.owner, o.beat FROM runs r LEFT JOIN owners o ON o.id = r.owner WHERE r.status = 'running'")
	if err == nil && interrupted > 0 {
		what := "1 run was interrupted"
		if interrupted > 1 {
			what = fmt.Sprintf("%d runs were interrupted", interrupted)
		}
		c.found = append(c.found, Finding{What: what, Where: c.path, Next: "`host runs resume ID` goes on with one, `host runs list --status interrupted` lists them"})
	}
	return err
}
