package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"wasmhost/host/event"
)

// Writer is the pen of one run that this process owns. It is safe for
// concurrent use; the order of the calls is the order of the records.
//
// Every done is called when what it belongs to, and everything before it of the
// same run, is kept as durably as promised, or cannot be: in order, on the
// journal's goroutine, which waits for it, so it must not block. nil: nobody
// waits.
type Writer struct {
	j     *Journal
	id    string
	n     int64 // of the run
	fence int64

	mu    sync.Mutex
	last  uint64
	chain uint32
	ended bool

	failed atomic.Pointer[error]
	lost   chan struct{}

	checked int64 // the committer's: the transaction that made sure
	told    int64 // the poller's: the last command
}

func newWriter(j *Journal, id string) *Writer {
	return &Writer{j: j, id: id, chain: anchor(id), lost: make(chan struct{})}
}

// ID is the run's.
func (w *Writer) ID() string { return w.id }

// Append adds a record and never blocks. Records without done are committed with
// the next one that has it, after 50 ms at most.
func (w *Writer) Append(r Record, done func(error)) {
	w.j.o.Point("append")
	o, err := r.encode()
	if err != nil {
		w.put(op{act: func(*tx) error { return err }, done: done}, false)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.place(o); err != nil {
		w.hand(op{act: func(*tx) error { return err }, done: done})
		return
	}
	w.hand(op{rec: o, done: done, size: o.size()})
}

// place makes o the run's next record. w.mu is held.
func (w *Writer) place(o *row) error {
	if w.last >= mostN {
		return errors.New("the run has more records than a journal takes")
	}
	o.time = w.j.o.Now().UnixNano()
	w.last++
	w.chain = link(w.chain, w.last, o.sum())
	o.n, o.chain = w.last, w.chain
	return nil
}

func (r *row) size() int64 {
	return int64(len(r.key)+len(r.event)+len(r.note)+len(r.data)) + 64
}

func (w *Writer) put(o op, last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hand(o)
	w.ended = w.ended || last
}

// hand gives an op to the committer. w.mu is held, which keeps the order.
func (w *Writer) hand(o op) {
	o.w = w
	if w.ended {
		o.rec, o.act = nil, func(*tx) error { return errEnded }
	}
	if !w.j.put(o, o.done != nil) && o.done != nil {
		go o.done(ErrClosed) // the goroutine that would call it has gone
	}
}

// Lost is closed when the run cannot be written any more: another process owns
// it, a write failed, or the journal was closed. Err tells which. After a write
// that failed the run is given back as soon as the disk allows.
func (w *Writer) Lost() <-chan struct{} { return w.lost }

// Err is why nothing more can be written: ErrLost, the failure of a write,
// ErrClosed, or nil.
func (w *Writer) Err() error {
	if e := w.failed.Load(); e != nil {
		return *e
	}
	return nil
}

// poison makes everything from now on fail; it reports whether it is new.
func (w *Writer) poison(err error) bool {
	if errors.Is(err, errEnded) || !w.failed.CompareAndSwap(nil, &err) {
		return false
	}
	close(w.lost)
	return true
}

// runEnded is the answer to commands that a run did not live to take.
const runEnded = `{"class":"permanent","code":"run_ended","message":"the run has ended before it could be told"}`

// Reopen begins another generation of a run, with its first record: its status is
// running, its result cleared. Both are kept, or neither.
func (w *Writer) Reopen(generation int, digest, file string, first Record, done func(error)) {
	o, err := first.encode()
	w.mu.Lock()
	defer w.mu.Unlock()
	size := int64(0)
	if err == nil {
		if err = w.place(o); err == nil {
			size = o.size()
		}
	}
	w.hand(op{done: done, size: size, act: func(t *tx) error {
		if err != nil {
			return err
		}
		if err := t.forgetResult(w.n); err != nil {
			return err
		}
		if err := t.insert(w, o); err != nil {
			return err
		}
		// What was asked of the generation before is not for this one.
		if _, err := t.exec("UPDATE commands SET taken = ?, answer = ? WHERE run = ? AND taken = 0", t.j.now(), runEnded, w.n); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE runs SET status = ?, generation = ?, digest = ?, file = ?, updated = ?, finished = 0, wake = 0, duration = 0,
			reason = '', error = NULL, result = NULL, result_at = NULL WHERE n = ?`,
			string(event.Running), generation, digest, file, t.j.now(), w.n)
		return err
	}})
}

// End is how a run ends, or begins to wait.
type End struct {
	Status     event.Status
	Reason     string
	Wake       time.Time
	Error      *event.Error
	Result     []byte // JSON; nil keeps none
	Plugins    map[string]string
	DurationMS float64
}

// End is the last word: it records how the run ended and gives it back.
func (w *Writer) End(e End, done func(error)) {
	var failure, plugins []byte
	var err error
	if e.Error != nil {
		failure, err = json.Marshal(e.Error)
	}
	if err == nil && e.Plugins != nil {
		plugins, err = json.Marshal(e.Plugins)
	}
	if err == nil && len(e.Result) > tooLarge {
		err = fmt.Errorf("a result of %d bytes is more than a journal takes", len(e.Result))
	}
	var result value
	if err == nil {
		result = valueOf(e.Result)
	}
	w.mu.Lock()
	records := w.last
	w.hand(op{done: w.givenBack(done), size: int64(len(e.Result)), act: func(t *tx) error {
		if err != nil {
			return err
		}
		now := t.j.now()
		finished := int64(0)
		if e.Status.Ended() {
			finished = now
		}
		if err := t.forgetResult(w.n); err != nil {
			return err
		}
		if err := t.keep(result); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE runs SET status = ?, owner = 0, fence = 0, updated = ?, finished = ?, wake = ?, duration = ?, records = ?,
			reason = ?, error = ?, plugins = ?, result = ?, result_at = ? WHERE n = ?`,
			string(e.Status), now, finished, nanos(e.Wake), e.DurationMS, records,
			e.Reason, failure, plugins, result.inline(), result.ref(), w.n)
		return err
	}})
	w.ended = true
	w.mu.Unlock()
}

// Leave gives the run back as it stands; somebody may Take it.
func (w *Writer) Leave(done func(error)) {
	w.put(op{done: w.givenBack(done), act: func(t *tx) error { return t.release(w) }}, true)
}

// givenBack is a done that also ends the ownership in this process.
func (w *Writer) givenBack(done func(error)) func(error) {
	return func(err error) {
		if err == nil {
			w.j.disown(w)
		}
		if done != nil {
			done(err)
		}
	}
}

func (t *tx) forgetResult(n int64) error {
	digest, err := t.bytes("SELECT result_at FROM runs WHERE n = ?", n)
	if err != nil {
		return err
	}
	return t.forget(digest)
}

func (j *Journal) now() int64 { return j.o.Now().UnixNano() }

// nanos is a time as it lies in a column; none: 0.
func nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.Year() < 1700:
		return math.MinInt64
	case t.Year() > 2200: // the range of nanoseconds is not much longer
		return math.MaxInt64
	}
	return t.UnixNano()
}

func timeOf(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
