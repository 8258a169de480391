package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"wasmhost/host/event"

	sqlite3 "modernc.org/sqlite/lib"
)

// damage is what was read and cannot be what was written.
type damage struct{ text string }

func (e *damage) Error() string { return e.text }

func damaged(format string, args ...any) error { return &damage{fmt.Sprintf(format, args...)} }

// fail makes of an error what a user reads: what failed, where, why, and what to
// do next. What a transaction decided (not found, alive, lost) passes as it is.
func fail(path, what string, err error) error {
	var told *event.Error
	var exists *ExistsError
	var alive *AliveError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &told), errors.As(err, &exists), errors.As(err, &alive),
		errors.Is(err, ErrNotFound), errors.Is(err, ErrLost), errors.Is(err, ErrClosed), errors.Is(err, errEnded),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return &event.Error{Class: event.System, Code: "journal", Cause: err,
		Message: fmt.Sprintf("the journal %s: %s: %v. %s", path, what, err, remedy(err))}
}

func remedy(err error) string {
	if errors.As(err, new(*damage)) {
		return damagedRemedy
	}
	if errors.As(err, new(*layoutError)) {
		return layoutRemedy
	}
	if errors.Is(err, ErrServed) {
		return "Give it the workflows too, stop it, or choose another folder with --state."
	}
	switch c := code(err); c & 0xff {
	case sqlite3.SQLITE_FULL:
		return "The disk is full: free some space; what was acknowledged is kept, and interrupted runs can be resumed."
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return damagedRemedy
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH:
		return "Look at the folder and its permissions: this user must be able to write there; or choose another with --state."
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "Another program has held the journal for a long time: look for a stopped host process or an open sqlite3 tool."
	case sqlite3.SQLITE_IOERR:
		if c == sqlite3.SQLITE_IOERR_DATA || c == sqlite3.SQLITE_IOERR_CORRUPTFS || c == sqlite3.SQLITE_IOERR_SHORT_READ {
			return damagedRemedy
		}
		return "The disk or its file system reported an error: look at the system's log; what was acknowledged is kept, and interrupted runs can be resumed."
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return "Look at the folder and its permissions: this user must be able to write there; or choose another with --state."
	}
	return "`host doctor` looks closer."
}

const damagedRemedy = "The file is damaged: `host doctor` says where; restore a copy, or move the folder away to begin with an empty journal."
