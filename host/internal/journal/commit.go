package journal

import (
	"context"
	"runtime"
	"time"

	"wasmhost/host/event"
)

// op is one thing to write.
type op struct {
	w    *Writer
	rec  *row            // a record of w
	act  func(*tx) error // or anything else, of w or of nobody
	done func(error)
	size int64
}

// errands are what the committer writes although nobody waits for it, and tries
// again when it could not.
type errands struct {
	breakers map[[2]string]Breaker
	reports  []namedReport
	audits   []event.Audit
	orphans  []*Writer // whose write failed: their runs are given back
}

func (e *errands) none() bool {
	return len(e.breakers) == 0 && len(e.reports) == 0 && len(e.audits) == 0 && len(e.orphans) == 0
}

// The most that one transaction takes; what is behind waits for the next.
const (
	mostOps   = 2048
	mostBytes = 16 << 20
)

// committer is the one goroutine of this process that writes. It takes whatever
// is queued, commits it as one transaction and tells everybody: that is what
// makes many runs share the price of a sync.
type committer struct {
	dsn      string
	conn     *conn
	version  int64 // of the data: grows when another connection has written
	commits  int64 // the journal's, as far as seen
	foreign  int64 // the first of ours after the last of somebody else
	lastBeat time.Time
}

func (c *committer) connect(ctx context.Context) (err error) {
	if c.conn != nil {
		return nil
	}
	c.version = -1
	c.conn, err = dial(ctx, c.dsn)
	return err
}

func (c *committer) disconnect() {
	if c.conn != nil {
		_ = c.conn.close()
		c.conn = nil
	}
}

// put queues something; it reports whether the journal still takes it.
func (j *Journal) put(o op, urgent bool) bool {
	j.mu.Lock()
	if j.closing {
		j.mu.Unlock()
		return false
	}
	j.queue = append(j.queue, o)
	j.mu.Unlock()
	if urgent {
		nudge(j.wake)
	} else {
		nudge(j.lazy)
	}
	return true
}

// do runs act in the next transaction and waits for it. When ctx ends before the
// transaction has begun, act is not run.
func (j *Journal) do(ctx context.Context, what string, act func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	told := make(chan error, 1)
	begun := make(chan struct{}, 1)
	begun <- struct{}{}
	ok := j.put(op{
		act: func(t *tx) error {
			select {
			case <-begun:
				return act(t)
			default:
				return ctx.Err()
			}
		},
		done: func(err error) { told <- err },
	}, true)
	if !ok {
		return ErrClosed
	}
	select {
	case err := <-told:
		return fail(j.path, what, err)
	case <-ctx.Done():
	}
	select {
	case <-begun:
		return ctx.Err() // it will not run any more
	case err := <-told:
		return fail(j.path, what, err)
	default:
	}
	return fail(j.path, what, <-told)
}

// commits is the committer's goroutine.
func (j *Journal) commits() {
	defer close(j.ended)
	heart := time.NewTicker(j.o.Lease / 5)
	defer heart.Stop()
	var spare []op
	for {
		beat := false
		select {
		case <-j.wake:
		case <-j.lazy:
			wait := time.NewTimer(lazily)
			select {
			case <-j.wake:
			case <-wait.C:
			}
			wait.Stop()
		case <-heart.C:
			beat = j.due()
		}
		for ok := true; ; beat = false {
			j.mu.Lock()
			batch := j.queue
			j.queue = spare[:0]
			closing := j.closing
			var e errands
			if ok || len(batch) > 0 {
				e, j.errands = j.errands, errands{}
			}
			j.mu.Unlock()
			spare = batch
			if len(batch) == 0 && e.none() && !beat {
				if closing {
					j.farewell()
					return
				}
				break // errands that failed wait for the next batch or heartbeat
			}
			for first := true; first || len(batch) > 0; first = false {
				n, size := 0, int64(0)
				for n < len(batch) && n < mostOps && (n == 0 || size+batch[n].size <= mostBytes) {
					size += batch[n].size
					n++
				}
				ok = j.write(batch[:n], e)
				batch, e = batch[n:], errands{}
				if n > 1 {
					// Those who were told go on first: what they record next shares
					// the next commit.
					runtime.Gosched()
				}
			}
			clear(spare)
			if cap(spare) > 4*mostOps {
				spare = nil
			}
		}
	}
}

// write commits one batch and tells how it went.
func (j *Journal) write(batch []op, e errands) bool {
	results := make([]error, len(batch))
	err := j.transact(batch, results, e)
	j.tally.count(batch, err)
	if err != nil {
		err = fail(j.path, "cannot be written", err)
		// SQLite's own state after a failure is the one thing that need not be
		// trusted here: the next batch begins with a new connection.
		j.committer.disconnect()
		j.requeue(e)
	}
	for i := range batch {
		o := &batch[i]
		if err != nil {
			results[i] = err
		}
		if o.w != nil {
			if results[i] != nil && o.w.poison(results[i]) {
				j.orphan(o.w)
			}
		}
	}
	for i := range batch {
		if done := batch[i].done; done != nil {
			done(results[i])
		}
	}
	if err == nil {
		j.o.Point("told")
	}
	return err == nil
}

// due reports whether the heartbeat is: the lease of what is owned runs.
func (j *Journal) due() bool {
	j.ownedMu.Lock()
	defer j.ownedMu.Unlock()
	return len(j.owned) > 0
}

// requeue keeps errands until they can be done.
func (j *Journal) requeue(e errands) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for key, b := range e.breakers {
		if _, newer := j.errands.breakers[key]; !newer {
			j.saveBreaker(b)
		}
	}
	j.errands.reports = trimReports(append(e.reports, j.errands.reports...))
	j.errands.audits = trimAudits(append(e.audits, j.errands.audits...))
	j.errands.orphans = append(e.orphans, j.errands.orphans...)
}

// orphan gives a run back that can no longer be written by w.
func (j *Journal) orphan(w *Writer) {
	j.disown(w)
	j.mu.Lock()
	j.errands.orphans = append(j.errands.orphans, w)
	j.mu.Unlock()
	nudge(j.lazy)
}

// disown ends the ownership through w; the run may have a later writer already.
func (j *Journal) disown(w *Writer) {
	j.ownedMu.Lock()
	defer j.ownedMu.Unlock()
	if j.owned[w.n] == w {
		delete(j.owned, w.n)
	}
}
