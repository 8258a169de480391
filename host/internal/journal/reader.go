package journal

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// read lends one of a few connections that only read. They see what is
// committed and never wait for who writes.
func (j *Journal) read(ctx context.Context, look func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var c *conn
	select {
	case <-j.ended:
		return ErrClosed
	default:
	}
	select {
	case c = <-j.pool:
	case <-j.ended:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	err := j.borrow(ctx, &c, look)
	j.pool <- c
	return fail(j.path, "cannot be read", err)
}

// borrow dials where needed, and hangs up after a failure of SQLite.
func (j *Journal) borrow(ctx context.Context, c **conn, look func(*conn) error) (err error) {
	if *c == nil {
		if *c, err = j.dialReader(ctx); err != nil {
			return err
		}
	}
	(*c).ctx = ctx
	err = look(*c)
	if code(err) != 0 || ctx.Err() != nil {
		_ = (*c).close()
		*c = nil
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return err
}

func (j *Journal) dialReader(ctx context.Context) (*conn, error) {
	return dial(ctx, dsn(j.path, j.o.vfs, "busy_timeout(10000)", "query_only(1)", "trusted_schema(0)"))
}

// assign gives the columns of a row to variables: NULL is the zero value, any
// other type than the variable's is damage.
func assign(row []driver.Value, to ...any) error {
	for i, p := range to {
		ok := true
		switch p := p.(type) {
		case *int64:
			if row[i] == nil {
				*p = 0
			} else {
				*p, ok = row[i].(int64)
			}
		case *float64:
			switch v := row[i].(type) {
			case nil:
				*p = 0
			case int64:
				*p = float64(v)
			default:
				*p, ok = row[i].(float64)
			}
		case *string:
			if row[i] == nil {
				*p = ""
			} else {
				*p, ok = row[i].(string)
			}
		case *[]byte:
			if row[i] == nil {
				*p = nil
			} else {
				*p, ok = row[i].([]byte)
			}
		default:
			panic(fmt.Sprintf("journal: a column for %T", p))
		}
		if !ok {
			return damaged("column %d is of type %T", i+1, row[i])
		}
	}
	return nil
}
