// Package journal keeps what happened on disk: runs and their records, outputs,
// breakers, health reports, schedules, chosen versions of plugins, who changed
// what, and the words that processes send to each other, in one SQLite file that
// any number of processes share. It knows what a record is, not what it means:
// replaying is the engine's. It is the only door to SQLite.
package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Durability says what an acknowledged record survives.
type Durability string

// The durabilities.
const (
	// Normal survives the death of the process (kill -9), not a power cut.
	Normal Durability = "normal"
	// Full survives a power cut too: every commit is synced to the disk.
	Full Durability = "full"
)

// Options configure a Journal. The zero value is the one of production.
type Options struct {
	// Durability: "" is Full.
	Durability Durability
	// Role is what this process is, as others read it: "run", "serve". Only one
	// "serve" may use a folder.
	Role string
	// Lease is how long a run belongs to a process that gives no sign of life;
	// 0: 10 s. The heartbeat is a fifth of it.
	Lease time.Duration
	// Poll is how often commands and the breakers of other processes are looked
	// for; 0: 250 ms. A look that finds nothing costs microseconds.
	Poll time.Duration
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// OnCommand is told the commands for runs that this process owns, in order,
	// on one goroutine. A command is told again after the next Take of its run,
	// until Done is called for it.
	OnCommand func(Command)
	// OnBreaker is told breakers that another Journal wrote, on the same
	// goroutine. Neither may call Close.
	OnBreaker func(Breaker)
	// Point is called at every named point around a write, to inject faults, on
	// whatever goroutine that is: append, begin, busy (another process writes),
	// insert, commit, committed, told. nil in production.
	Point func(name string)

	vfs string // of tests: the VFS below SQLite
}

const (
	fileName      = "journal.db"
	applicationID = 0x486f7374 // "Host"
	readers       = 4
	// lazily is how long something that nobody waits for may lie about.
	lazily = 50 * time.Millisecond
	// patience is how long a write waits for other processes.
	patience = time.Minute
)

// Journal is one process's hold on a journal. It is safe for concurrent use.
type Journal struct {
	o     Options
	dir   string
	path  string // of the database
	owner *owner
	serve *os.File
	mark  *mark
	pool  chan *conn // that read; nil: not dialled yet

	mu      sync.Mutex
	queue   []op
	errands errands
	closing bool

	wake   chan struct{} // there is something in the queue that is waited for
	lazy   chan struct{} // there is something in the queue
	look   chan struct{} // for commands
	stop   chan struct{} // the poller
	polled sync.WaitGroup
	ended  chan struct{} // the committer has gone
	close  sync.Once
	failed error // of closing

	ownedMu sync.Mutex
	owned   map[int64]*Writer // by the run's n

	committer committer
	tally     tally
}

// Open opens the journal in the folder dir and makes it where it is missing,
// for its owner's eyes only.
func Open(ctx context.Context, dir string, o Options) (*Journal, error) {
	if o.Durability == "" {
		o.Durability = Full
	}
	if o.Durability != Full && o.Durability != Normal {
		return nil, fail(dir, "cannot be opened", fmt.Errorf("there is no durability %q", o.Durability))
	}
	if o.Lease <= 0 {
		o.Lease = 10 * time.Second
	}
	if o.Poll <= 0 {
		o.Poll = 250 * time.Millisecond
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Point == nil {
		o.Point = func(string) {}
	}
	if o.Role == "" {
		o.Role = "run"
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fail(dir, "cannot be opened", err)
	}
	if o.vfs == "" {
		o.vfs = sealedVFS
	}
	j := &Journal{
		o: o, dir: dir, path: filepath.Join(dir, fileName),
		owned: map[int64]*Writer{},
		wake:  make(chan struct{}, 1), lazy: make(chan struct{}, 1), look: make(chan struct{}, 1),
		stop: make(chan struct{}), ended: make(chan struct{}),
	}
	if err := j.open(ctx); err != nil {
		j.abandon()
		return nil, fail(j.path, "cannot be opened", err)
	}
	poll, err := j.poller()
	if err != nil {
		j.abandon()
		return nil, fail(j.path, "cannot be opened", err)
	}
	go j.commits()
	j.polled.Go(poll)
	return j, nil
}

func (j *Journal) open(ctx context.Context) error {
	if err := sealed(); err != nil {
		return err
	}
	if err := makeFiles(j.dir); err != nil {
		return err
	}
	var err error
	if j.owner, err = newOwner(j.dir); err != nil {
		return err
	}
	if j.o.Role == "serve" {
		if j.serve, err = serve(j.dir, j.owner); err != nil {
			return err
		}
	}
	if j.mark, err = openMark(filepath.Join(j.dir, markName)); err != nil {
		return err
	}
	// Before the database is looked at: what is acknowledged from now on is not
	// missed.
	full, normal := j.mark.read()
	c := &j.committer
	c.dsn = dsn(j.path, j.o.vfs, j.pragmas()...)
	if err := c.connect(ctx); err != nil {
		return err
	}
	if err := migrate(c.conn, j.o.Point); err != nil {
		return err
	}
	commits, err := c.conn.commits()
	if err != nil {
		return err
	}
	if acknowledged := max(full, normal); uint64(commits) < acknowledged {
		return damaged("%d acknowledged writes are missing: the file %s-wal was damaged or deleted, or journal.db replaced by an older one (to go on with what is left, delete %s)",
			acknowledged-uint64(commits), fileName, markName)
	}
	bury(j.dir)
	if err := j.announce(); err != nil {
		return err
	}
	j.pool = make(chan *conn, readers)
	for range readers {
		j.pool <- nil
	}
	return nil
}

func (j *Journal) pragmas() []string {
	synchronous := "synchronous(FULL)"
	if j.o.Durability == Normal {
		synchronous = "synchronous(NORMAL)"
	}
	return []string{"busy_timeout(10000)", synchronous, "wal_autocheckpoint(1000)", "journal_size_limit(16777216)",
		"cache_size(-8000)", "temp_store(MEMORY)", "trusted_schema(0)"}
}

// announce adds this owner to the journal, and forgets those that are gone and
// own nothing.
func (j *Journal) announce() error {
	c := j.committer.conn
	if err := c.begin(patience, j.o.Point); err != nil {
		return err
	}
	now := j.o.Now().UnixNano()
	_, err := c.exec("INSERT INTO owners (id, role, pid, since, beat) VALUES (?, ?, ?, ?, ?)", j.owner.id, j.o.Role, os.Getpid(), now, now)
	if err == nil {
		_, err = c.exec("DELETE FROM owners WHERE beat < ? AND id NOT IN (SELECT owner FROM runs WHERE status IN ('running', 'waiting'))", now-int64(24*time.Hour))
	}
	if err == nil {
		_, err = c.countCommit()
	}
	if err == nil {
		_, err = c.exec("COMMIT")
	}
	return err
}

// abandon lets go of a journal that did not open.
func (j *Journal) abandon() {
	for range cap(j.pool) {
		if c := <-j.pool; c != nil {
			_ = c.close()
		}
	}
	j.committer.disconnect()
	if j.owner != nil {
		j.owner.release()
	}
	if j.mark != nil {
		j.mark.file.Close()
	}
	if j.serve != nil {
		j.serve.Close()
	}
}

// Close writes what is queued and lets go. The runs that it owns stay as they
// are; somebody may Take them. Closing twice is harmless.
func (j *Journal) Close(ctx context.Context) error {
	j.close.Do(func() {
		close(j.stop)
		j.polled.Wait()
		j.mu.Lock()
		j.closing = true
		j.mu.Unlock()
		nudge(j.wake)
	})
	select {
	case <-j.ended:
		return j.failed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Flush returns when everything queued before is kept.
func (j *Journal) Flush(ctx context.Context) error {
	return j.do(ctx, "cannot be written", func(*tx) error { return nil })
}

// nudge wakes who listens, once.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

var errEnded = errors.New("the run was given back: nothing more can be recorded by this writer")
