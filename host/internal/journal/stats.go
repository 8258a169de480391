package journal

import (
	"os"
	"sync/atomic"
)

// Stats are figures of a Journal at one moment.
type Stats struct {
	// Backlog is how much is queued for the next commits, in records and other
	// writes.
	Backlog int
	// Bytes is the size of the database, LogBytes that of the log beside it.
	Bytes, LogBytes int64
	// Commits and Records are this process's, since the journal was opened.
	Commits, Records uint64
	// Failed is true when the last commit could not be made.
	Failed bool
}

// tally counts what the committer does.
type tally struct {
	commits, records atomic.Uint64
	failed           atomic.Bool
}

func (t *tally) count(batch []op, err error) {
	t.failed.Store(err != nil)
	if err != nil {
		return
	}
	t.commits.Add(1)
	n := uint64(0)
	for i := range batch {
		if batch[i].rec != nil {
			n++
		}
	}
	t.records.Add(n)
}

// Stats counts what is there now.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	s := Stats{Backlog: len(j.queue)}
	j.mu.Unlock()
	s.Commits, s.Records, s.Failed = j.tally.commits.Load(), j.tally.records.Load(), j.tally.failed.Load()
	for name, size := range map[string]*int64{j.path: &s.Bytes, j.path + "-wal": &s.LogBytes} {
		if info, err := os.Stat(name); err == nil {
			*size = info.Size()
		}
	}
	return s
}
