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
const schema = 2

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
	version, err := look(c)
	if err != nil || version == schema {
		return err
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

// look returns the version of the journal as it is at one moment: its number and
// its tables are read in one transaction, for another process may be migrating.
func look(c *conn) (int64, error) {
	if _, err := c.exec("BEGIN"); err != nil {
		return 0, err
	}
	version, err := c.known()
	if _, end := c.exec("COMMIT"); err == nil {
		err = end
	}
	return version, err
}

func advance(c *conn) error {
	// Another process may have been quicker.
	version, err := c.known()
	if err != nil {
		return err
	}
	for version < schema {
		version++
		if err := c.step(version); err != nil {
			return err
		}
	}
	_, err = c.exec(fmt.Sprintf("PRAGMA user_version = %d", schema))
	return err
}

// step does the migration to a version from the one before it.
func (c *conn) step(version int64) error {
	text, err := migrations.ReadFile(fmt.Sprintf("migrations/%04d.sql", version))
	if err != nil {
		return err
	}
	for statement := range strings.SplitSeq(uncommented(string(text)), ";") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := c.exec(statement); err != nil {
			return fmt.Errorf("migration %d: %w", version, err)
		}
	}
	return nil
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
