// Package journal keeps what happened on disk: runs and their records, outputs,
// breakers, health reports and the words that processes send to each other, in
// one SQLite file that any number of processes share. It knows what a record
// is, not what it means: replaying is the engine's. It is the only door to
// SQLite.
package journal

import (
	"context"
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
	// "serve" may use a directory.
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
	// on one goroutine. A command is told again after a new Open or Take until
	// Done is called for it.
	OnCommand func(Command)
	// OnBreaker is told breakers that another process wrote, on the same
	// goroutine.
	OnBreaker func(Breaker)
	// Point is called at every named point around a write, to inject faults; nil
	// in production.
	Point func(name string)
}

// Open opens the journal in the folder dir and makes it where it is missing,
// for its owner's eyes only.
func Open(ctx context.Context, dir string, o Options) (*Journal, error) {
	return nil, errNotOpen
}

// Journal is one process's hold on a journal. It is safe for concurrent use.
type Journal struct{}

// Close writes what is queued and lets go. The runs that it owns stay as they
// are; somebody may Take them.
func (j *Journal) Close(ctx context.Context) error { return errNotOpen }

// Flush returns when everything queued before is kept.
func (j *Journal) Flush(ctx context.Context) error { return errNotOpen }
