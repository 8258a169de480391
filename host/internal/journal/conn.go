package journal

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// dsn names the database for one connection.
func dsn(file, vfs string, pragmas ...string) string {
	q := url.Values{"_pragma": pragmas, "_error_rc": {"1"}, "_dqs": {"0"}}
	if vfs != "" {
		q.Set("vfs", vfs)
	}
	path := filepath.ToSlash(file)
	if len(path) > 0 && path[0] != '/' {
		path = "/" + path // C:/… on Windows
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// conn is one connection with its prepared statements, for one goroutine. It
// stands below database/sql, which would cost more than the statements.
type conn struct {
	c     driver.Conn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue
	row   []driver.Value
	quick bool // a lock that somebody has is reported at once
	ctx   context.Context
}

func dial(ctx context.Context, dsn string) (*conn, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	c, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{c: c, stmts: map[string]driver.Stmt{}, ctx: context.Background()}, nil
}

func (c *conn) prepare(query string, args []any) (driver.Stmt, error) {
	s := c.stmts[query]
	if s == nil {
		var err error
		if s, err = c.c.Prepare(query); err != nil {
			return nil, &sqlError{err}
		}
		c.stmts[query] = s
	}
	c.args = c.args[:0]
	for i, a := range args {
		switch v := a.(type) {
		case int:
			a = int64(v)
		case uint64:
			a = int64(v)
		case []byte:
			if v == nil {
				a = nil
			}
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return s, nil
}

// exec runs a statement and returns how many rows it changed.
func (c *conn) exec(query string, args ...any) (int64, error) {
	s, err := c.prepare(query, args)
	if err != nil {
		return 0, err
	}
	r, err := s.(driver.StmtExecContext).ExecContext(c.ctx, c.args)
	clear(c.args)
	if err != nil {
		return 0, &sqlError{err}
	}
	n, _ := r.RowsAffected()
	return n, nil
}

// query runs a statement and gives each row to read, which must not keep the
// slice and not use the connection.
func (c *conn) query(read func(row []driver.Value) error, query string, args ...any) error {
	s, err := c.prepare(query, args)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(c.ctx, c.args)
	clear(c.args)
	if err != nil {
		return &sqlError{err}
	}
	width := len(rows.Columns())
	for {
		if cap(c.row) < width {
			c.row = make([]driver.Value, width)
		}
		row := c.row[:width]
		switch err := rows.Next(row); {
		case err == io.EOF:
			if err := rows.Close(); err != nil {
				return &sqlError{err}
			}
			return nil
		case err != nil:
			_ = rows.Close()
			return &sqlError{err}
		}
		if err := read(row); err != nil {
			_ = rows.Close()
			return err
		}
	}
}

// one reads a single number; none is there: 0.
func (c *conn) one(query string, args ...any) (n int64, err error) {
	err = c.query(func(row []driver.Value) error {
		var ok bool
		if n, ok = row[0].(int64); !ok && row[0] != nil {
			return damaged("%q gives %T", query, row[0])
		}
		return nil
	}, query, args...)
	return n, err
}

// bytes reads a single blob; none is there: nil.
func (c *conn) bytes(query string, args ...any) (b []byte, err error) {
	err = c.query(func(row []driver.Value) error {
		b, _ = row[0].([]byte)
		return nil
	}, query, args...)
	return b, err
}

func (c *conn) close() error {
	for _, s := range c.stmts {
		_ = s.Close()
	}
	return c.c.Close()
}

// begin takes the write lock. SQLite's own way of waiting sleeps up to 100 ms
// between looks and loses every race with a busy process that lets go for
// microseconds; so this looks often.
func (c *conn) begin(patience time.Duration, point func(string)) error {
	if !c.quick {
		if err := c.query(func([]driver.Value) error { return nil }, "PRAGMA busy_timeout = 0"); err != nil {
			return err
		}
		c.quick = true
	}
	for start, wait := time.Now(), 200*time.Microsecond; ; {
		_, err := c.exec("BEGIN IMMEDIATE")
		if err == nil || !isBusy(err) || time.Since(start) > patience {
			return err
		}
		point("busy")
		time.Sleep(wait)
		wait = min(wait*5/4, 5*time.Millisecond)
	}
}

// sqlError is what SQLite said, in contrast to what a transaction decided.
type sqlError struct{ err error }

func (e *sqlError) Error() string { return e.err.Error() }
func (e *sqlError) Unwrap() error { return e.err }

func code(err error) int {
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

func isBusy(err error) bool {
	c := code(err) & 0xff
	return c == sqlite3.SQLITE_BUSY || c == sqlite3.SQLITE_LOCKED
}

// newEnough compares a version of SQLite with the oldest that is safe: before
// 3.51.3 two processes could damage a WAL that starts over.
func newEnough(version string) error {
	var got [3]int
	for i, part := range strings.SplitN(version, ".", 3) {
		n, err := strconv.Atoi(part)
		if err != nil {
			return fmt.Errorf("cannot read the version of SQLite %q", version)
		}
		got[i] = n
	}
	for i, least := range [3]int{3, 51, 3} {
		if got[i] != least {
			if got[i] < least {
				return fmt.Errorf("this host was built with SQLite %s, which can damage a journal that several processes share; at least 3.51.3 is needed", version)
			}
			return nil
		}
	}
	return nil
}
