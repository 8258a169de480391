package journal

import (
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
)

// A version number says which tables there are only as long as everybody who
// writes it has the same ones. A host that was built between two releases may
// have had others, and the first statement that misses a column would fail with
// words that help nobody. So the tables themselves are looked at: layouts[v] is
// the digest of what sqlite_schema holds in a journal of version v, and a
// journal with another one is not touched.
var layouts = [...]string{
	0: "e3b0c44298fc1c14", // nothing
	1: "b19b0375a4024e7e",
	2: "3203e2de5a2668ee",
}

// layout is the digest of the tables and indexes of a database, without those
// that SQLite makes for itself.
func (c *conn) layout() (string, error) {
	sum := sha256.New()
	err := c.query(func(row []driver.Value) error {
		var kind, name, text string
		if err := assign(row, &kind, &name, &text); err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %s %s\n", kind, name, text)
		return nil
	}, `SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY type, name`)
	return hex.EncodeToString(sum.Sum(nil)[:8]), err
}

// known returns the version of a journal whose tables are those of that version.
// Whoever calls it holds a transaction, so that nobody changes them meanwhile.
func (c *conn) known() (int64, error) {
	version, err := c.one("PRAGMA user_version")
	if err != nil {
		return 0, err
	}
	if version > schema || version < 0 {
		return version, newerError(version)
	}
	layout, err := c.layout()
	if err == nil && layout != layouts[version] {
		err = &layoutError{version}
	}
	return version, err
}

// layoutError is a journal whose tables are not those of its version.
type layoutError struct{ version int64 }

func (e *layoutError) Error() string {
	return fmt.Sprintf("it says that it has schema version %d, but its tables are others: a development build of host wrote it, or another program changed it", e.version)
}

const layoutRemedy = "Its runs cannot be read by this version: move the folder away, or name another one with --state."
