package journal

import (
	"database/sql/driver"
	"embed"
	"fmt"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schema is the version that this program writes: how many migrations there are.
// A released migration is never changed; testdata/journals keeps a journal of
// every version.
const schema = 1

// migrate brings the database to the present schema, all or nothing.
func migrate(c *conn, point func(string)) error {
	var sqliteVersion string
	if err := c.query(func(row []driver.Value) error {
		sqliteVersion, _ = row[0].(string)
		return nil
	}, "SELECT sqlite_version()"); err != nil {
		return err
	}
	if err := newEnough(sqliteVersion); err != nil {
		return err
	}
	if app, err := c.one("PRAGMA application_id"); err != nil {
		return err
	} else if app != applicationID {
		return damaged("this is not a journal of host, or its first page was overwritten")
	}
	version, err := c.one("PRAGMA user_version")
	if err != nil || version == schema {
		return err
	}
	if version > schema || version < 0 {
		return newerError(version)
	}
	if err := c.begin(patience, point); err != nil {
		return err
	}
	err = advance(c)
	if err == nil {
		_, err = c.exec("COMMIT")
	}
	if err != nil {
		_, _ = c.exec("ROLLBACK")
	}
	return err
}

func advance(c *conn) error {
	// Another process may have been quicker.
	version, err := c.one("PRAGMA user_version")
	if err != nil {
		return err
	}
	if version > schema {
		return newerError(version)
	}
	for version < schema {
		version++
		text, err := migrations.ReadFile(fmt.Sprintf("migrations/%04d.sql", version))
		if err != nil {
			return err
		}
		for _, statement := range strings.Split(uncommented(string(text)), ";") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := c.exec(statement); err != nil {
				return fmt.Errorf("migration %d: %w", version, err)
			}
		}
	}
	_, err = c.exec(fmt.Sprintf("PRAGMA user_version = %d", schema))
	return err
}

func uncommented(script string) string {
	var b strings.Builder
	for line := range strings.Lines(script) {
		code, _, _ := strings.Cut(line, "--")
		b.WriteString(strings.TrimRight(code, " \n") + "\n")
	}
	return b.String()
}

func newerError(version int64) error {
	return fmt.Errorf("it has schema version %d, this host knows versions up to %d: use a newer host, or another state folder", version, schema)
}
