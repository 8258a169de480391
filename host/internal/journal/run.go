package journal

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"wasmhost/host/event"
)

// Run is a run as the journal knows it.
type Run struct {
	ID, Workflow string
	File         string // absolute path of the workflow file
	Digest       string // of the plan
	// Input is left null by Runs where it is large (more than 4 KiB).
	Input      event.Value
	Status     event.Status // running or waiting while it lives
	Alive      bool         // somebody owns it now
	Owner      string       // who, where Alive: "host serve, pid 4711"
	Generation int          // from 1; a retry by a person begins the next
	Reason     string       // waiting: for what, in words
	Wake       time.Time    // waiting: when its next deadline passes; zero: none

	CreatedAt, UpdatedAt, FinishedAt time.Time

	DurationMS float64
	Error      *event.Error      // of a run that has ended
	Plugins    map[string]string // name → digest that ran, the last one
	Records    uint64            // how many

	n       int64
	ownerID int64
}

// NewRun is what a run begins with.
type NewRun struct {
	ID, Workflow, File, Digest string
	Input                      event.Value
}

// The errors to compare with.
var (
	ErrNotFound = errors.New("no such run in the journal")
	// ErrLost: the run has another owner now, its writer must stop.
	ErrLost   = errors.New("the run has another owner now")
	ErrServed = errors.New("another host serve uses this state folder")
	ErrClosed = errors.New("the journal is closed")
)

// ExistsError is Begin's answer for an id that is taken.
type ExistsError struct{ Run *Run }

func (e *ExistsError) Error() string { return fmt.Sprintf("run %s exists already", e.Run.ID) }

// AliveError is the answer of Take and Delete for a run that somebody owns.
type AliveError struct{ Run *Run }

func (e *AliveError) Error() string {
	return fmt.Sprintf("run %s is alive: %s works on it", e.Run.ID, e.Run.Owner)
}

// Begin records a new run, owned by this process.
func (j *Journal) Begin(ctx context.Context, n NewRun) (*Writer, error) {
	w := newWriter(j, n.ID)
	data := n.Input.JSON()
	if len(data) > tooLarge {
		return nil, fail(j.path, "cannot be written", fmt.Errorf("an input of %d bytes is more than a journal takes", len(data)))
	}
	input := valueOf(data)
	err := j.do(ctx, "cannot be written", func(t *tx) error {
		if there, err := t.run1(j, n.ID); err == nil {
			return &ExistsError{there}
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
		if err := t.keep(input); err != nil {
			return err
		}
		last, err := t.one("SELECT max(n) FROM runs")
		if err != nil {
			return err
		}
		w.n, w.fence, w.checked = last+1, t.commit, t.commit
		now := j.now()
		_, err = t.exec(`INSERT INTO runs (n, id, workflow, file, digest, status, generation, owner, fence, created, updated, finished, wake, duration, records, reason, input, input_at)
			VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, 0, 0, 0, 0, '', ?, ?)`,
			w.n, n.ID, n.Workflow, n.File, n.Digest, string(event.Running), j.owner.id, w.fence, now, now, input.inline(), input.ref())
		return err
	})
	if err != nil {
		return nil, err
	}
	j.own(w)
	return w, nil
}

// Take takes a run that nobody owns and returns it as it was found; its status
// becomes running. One that has ended can be taken too: it stays as it is until
// Writer.Reopen begins its next generation, or Writer.Leave.
func (j *Journal) Take(ctx context.Context, id string) (*Writer, *Run, error) {
	w := newWriter(j, id)
	var found *Run
	err := j.do(ctx, "cannot be written", func(t *tx) error {
		r, err := t.run1(j, id)
		if err != nil {
			return err
		}
		if r.Alive {
			return &AliveError{r}
		}
		found, w.n, w.fence, w.checked = r, r.n, t.commit, t.commit
		w.last = 0
		if err := t.query(func(row []driver.Value) error {
			var at, chain int64
			err := assign(row, &at, &chain)
			w.last, w.chain = uint64(at)&mostN, uint32(chain)
			return err
		}, "SELECT at, chain FROM records WHERE at BETWEEN ? AND ? ORDER BY at DESC LIMIT 1", recordKey(r.n, 1), recordKey(r.n, mostN)); err != nil {
			return err
		}
		status, reason, wake := event.Running, "", int64(0)
		if r.Status.Ended() {
			if w.last != r.Records {
				return damaged("run %s: it has %d records, not %d", id, w.last, r.Records)
			}
			status, reason = r.Status, r.Reason
		}
		_, err = t.exec("UPDATE runs SET owner = ?, fence = ?, status = ?, reason = ?, wake = ?, updated = ? WHERE n = ?",
			j.owner.id, w.fence, string(status), reason, wake, j.now(), r.n)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	j.own(w)
	nudge(j.look) // for what was said while nobody owned it
	return w, found, nil
}

// own counts a run as this process's, from now on.
func (j *Journal) own(w *Writer) {
	j.ownedMu.Lock()
	j.owned[w.n] = w
	j.ownedMu.Unlock()
}

// Run returns one run.
func (j *Journal) Run(ctx context.Context, id string) (*Run, error) {
	var r *Run
	err := j.read(ctx, func(c *conn) (err error) {
		r, err = c.run1(j, id)
		return err
	})
	return r, err
}

// Find returns the ids that begin with prefix, at most 10, sorted.
func (j *Journal) Find(ctx context.Context, prefix string) ([]string, error) {
	var ids []string
	err := j.read(ctx, func(c *conn) error {
		return c.query(func(row []driver.Value) error {
			var id string
			err := assign(row, &id)
			ids = append(ids, id)
			return err
		}, "SELECT id FROM runs WHERE id >= ?1 AND id < ?1 || char(0x10FFFF) ORDER BY id LIMIT 10", prefix)
	})
	return ids, err
}

// Result returns the result that End recorded, as JSON; nil when there is none.
func (j *Journal) Result(ctx context.Context, run string) ([]byte, error) {
	var result []byte
	found := false
	err := j.read(ctx, func(c *conn) error {
		return c.query(func(row []driver.Value) (err error) {
			found = true
			result, err = whole(row, "result of run "+run)
			return err
		}, "SELECT result, result_at, data FROM runs LEFT JOIN outputs ON outputs.digest = result_at WHERE id = ?", run)
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return result, err
}

// the columns of a run, in the order of scanRun.
const runColumns = `r.n, r.id, r.workflow, r.file, r.digest, r.status, r.generation, r.owner, r.created, r.updated, r.finished, r.wake,
	r.duration, r.records, r.reason, r.error, r.plugins, o.role, o.pid, o.beat, r.input, r.input_at`

// run1 reads one run.
func (c *conn) run1(j *Journal, id string) (*Run, error) {
	var r *Run
	known := owners{j: j}
	err := c.query(func(row []driver.Value) (err error) {
		if r, err = known.scan(row[:22]); err != nil {
			return err
		}
		input, err := whole(row[20:], "input of run "+id)
		r.setInput(input)
		return err
	}, "SELECT "+runColumns+", u.data FROM runs r LEFT JOIN owners o ON o.id = r.owner LEFT JOIN outputs u ON u.digest = r.input_at WHERE r.id = ?", id)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, ErrNotFound
	}
	return r, c.lastRecord(r)
}

func (r *Run) setInput(text []byte) {
	if text != nil {
		r.Input = event.Raw(text)
	}
}

// lastRecord completes a run that has not ended: its row is older than its last
// record.
func (c *conn) lastRecord(r *Run) error {
	if r.Status.Ended() {
		return nil
	}
	return c.query(func(row []driver.Value) error {
		var at, t int64
		err := assign(row, &at, &t)
		r.Records = uint64(at) & mostN
		if t := timeOf(t); t.After(r.UpdatedAt) {
			r.UpdatedAt = t
		}
		return err
	}, "SELECT at, time FROM records WHERE at BETWEEN ? AND ? ORDER BY at DESC LIMIT 1", recordKey(r.n, 1), recordKey(r.n, mostN))
}

// owners remembers, for one look, who lives.
type owners struct {
	j     *Journal
	known map[int64]bool
}

// alive reports whether an owner other than this one works on its runs: its
// process lives and has given a sign of it.
func (o *owners) alive(id, beat int64) (bool, error) {
	if id == 0 || id == o.j.owner.id {
		return id != 0, nil
	}
	if o.j.o.Now().Sub(time.Unix(0, beat)) > o.j.o.Lease {
		return false, nil
	}
	if alive, ok := o.known[id]; ok {
		return alive, nil
	}
	alive, err := lives(o.j.dir, id)
	if o.known == nil {
		o.known = map[int64]bool{}
	}
	o.known[id] = alive
	return alive, err
}

// scan reads the columns of runColumns.
func (o *owners) scan(row []driver.Value) (*Run, error) {
	r := new(Run)
	var status, role string
	var generation, created, updated, finished, wake, records, pid, beat int64
	var failure, plugins []byte
	if err := assign(row, &r.n, &r.ID, &r.Workflow, &r.File, &r.Digest, &status, &generation, &r.ownerID, &created, &updated, &finished, &wake,
		&r.DurationMS, &records, &r.Reason, &failure, &plugins, &role, &pid, &beat); err != nil {
		return nil, err
	}
	r.Status, r.Generation, r.Records = event.Status(status), int(generation), uint64(records)
	r.CreatedAt, r.UpdatedAt, r.FinishedAt, r.Wake = timeOf(created), timeOf(updated), timeOf(finished), timeOf(wake)
	if failure != nil {
		if err := json.Unmarshal(failure, &r.Error); err != nil {
			return nil, damaged("run %s: its error: %v", r.ID, err)
		}
	}
	if plugins != nil {
		if err := json.Unmarshal(plugins, &r.Plugins); err != nil {
			return nil, damaged("run %s: its plugins: %v", r.ID, err)
		}
	}
	var err error
	if r.Alive, err = o.alive(r.ownerID, beat); err != nil {
		return nil, err
	}
	if r.Alive {
		if r.Owner = OwnerName(role, pid); role == "" {
			r.Owner = "host"
		}
	}
	return r, nil
}

// whole is a value from its three columns: in place, beside it, data by digest.
func whole(row []driver.Value, what string) ([]byte, error) {
	var inline, ref, data []byte
	if err := assign(row, &inline, &ref, &data); err != nil {
		return nil, err
	}
	v := value{data: inline}
	if len(ref) == sha256.Size {
		v = value{data: data, digest: digestOf(data)}
	}
	if string(v.ref()) != string(ref) {
		return nil, damaged("the %s is not what was written", what)
	}
	return v.data, nil
}
