package journal

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"sync"

	"wasmhost/host/event"
)

// Record is one line of a run's history.
type Record struct {
	// N counts from 1 without gaps; the journal sets it.
	N uint64
	// Event is what happened; nil: a record for the engine alone. Its Output is
	// kept in Output, not twice, and there again when the record is read.
	Event *event.Event
	// Key is the node's or item's: like Event.Node, but different for every
	// fallback level.
	Key string
	// Mark and Note are the engine's: what it does with the record in a replay.
	Mark uint8
	Note []byte
	// Output is a value's JSON. Large ones lie in a table of their own, by
	// digest, once. Note and Output must not be changed after Append.
	Output []byte

	raw    []byte // the event, not read yet
	output bool   // it had the output
}

// Read reads the event of a record of History, if it has one.
func (r *Record) Read() (*event.Event, error) {
	if r.Event != nil || r.raw == nil {
		return r.Event, nil
	}
	r.Event = new(event.Event)
	if err := json.Unmarshal(r.raw, r.Event); err != nil {
		return nil, err
	}
	r.raw = nil
	if r.output {
		v := event.Raw(r.Output)
		r.Event.Output = &v
	}
	return r.Event, nil
}

const (
	// large values lie in the table of outputs.
	large = 4 << 10
	// tooLarge is more than SQLite takes with room to spare.
	tooLarge = 512 << 20
	// recordBits of a record's key are its N, those above its run.
	recordBits = 28
	mostN      = 1<<recordBits - 1
	// eventOutput flags that the event had the output.
	eventOutput = 1
)

// row is a record as it lies in the table.
type row struct {
	n           uint64
	time        int64
	chain       uint32
	flags, mark uint8
	key         string
	event, note []byte
	value
}

// value is JSON as it lies in a table: in place, or by digest.
type value struct{ data, digest []byte }

func valueOf(data []byte) value {
	if len(data) <= large {
		return value{data: data}
	}
	return value{data, digestOf(data)}
}

func digestOf(data []byte) []byte {
	d := sha256.Sum256(data)
	return d[:]
}

// inline is what lies in place.
func (v value) inline() []byte {
	if v.digest != nil {
		return nil
	}
	return v.data
}

// ref is what lies beside a value that no chain covers: its digest, or in place a
// checksum.
func (v value) ref() []byte {
	if v.digest != nil || v.data == nil {
		return v.digest
	}
	return binary.LittleEndian.AppendUint32(nil, crc32.Checksum(v.data, castagnoli))
}

// encode is everything of a row that does not depend on its place.
func (r *Record) encode() (*row, error) {
	o := &row{mark: r.Mark, key: r.Key, note: r.Note}
	output := r.Output
	if e := r.Event; e != nil {
		if e.Output != nil {
			o.flags |= eventOutput
			if output == nil {
				output = e.Output.JSON()
			}
			bare := *e
			bare.Output = nil
			e = &bare
		}
		text, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		o.event = text
	}
	if size := len(output) + len(o.event) + len(o.note); size > tooLarge {
		return nil, fmt.Errorf("a record of %d bytes is more than a journal takes: let plugins hand on large data as files", size)
	}
	o.value = valueOf(output)
	return o, nil
}

// sum is a checksum of what encode made.
func (r *row) sum() uint32 {
	var b [32]byte
	b[0], b[1] = r.mark, r.flags
	binary.LittleEndian.PutUint64(b[2:], uint64(r.time))
	binary.LittleEndian.PutUint32(b[10:], uint32(len(r.key)))
	binary.LittleEndian.PutUint32(b[14:], uint32(len(r.event)))
	binary.LittleEndian.PutUint32(b[18:], uint32(len(r.note)))
	s := crc32.Checksum(b[:], castagnoli)
	s = crc32.Update(s, castagnoli, []byte(r.key))
	s = crc32.Update(s, castagnoli, r.event)
	s = crc32.Update(s, castagnoli, r.note)
	if r.digest != nil {
		return crc32.Update(s, castagnoli, r.digest)
	}
	return crc32.Update(s, castagnoli, r.data)
}

// link is the chain's value at a record: of its place, its content and the chain
// before it. It notices a record that was changed, moved or left out, whatever
// SQLite or a person with the sqlite3 tool thinks of the pages.
func link(before uint32, n uint64, sum uint32) uint32 {
	var b [16]byte
	binary.LittleEndian.PutUint32(b[:], before)
	binary.LittleEndian.PutUint64(b[4:], n)
	binary.LittleEndian.PutUint32(b[12:], sum)
	return crc32.Checksum(b[:], castagnoli)
}

// anchor is the chain before the first record of a run.
func anchor(run string) uint32 { return crc32.Checksum([]byte(run), castagnoli) }

func recordKey(run int64, n uint64) int64 { return run<<recordBits | int64(n) }

// insert adds a record of w, the next one.
func (t *tx) insert(w *Writer, r *row) error {
	if err := t.keep(r.value); err != nil {
		return err
	}
	_, err := t.exec("INSERT INTO records (at, time, chain, flags, mark, key, event, note, output, output_at, commits) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		recordKey(w.n, r.n), r.time, int64(r.chain), int64(r.flags), int64(r.mark), r.key, r.event, r.note, r.inline(), r.digest, t.commit)
	return err
}

// keep stores a large value, or counts one more use of it.
func (t *tx) keep(v value) error {
	if v.digest == nil {
		return nil
	}
	n, err := t.exec("UPDATE outputs SET refs = refs + 1 WHERE digest = ?", v.digest)
	if err == nil && n == 0 {
		_, err = t.exec("INSERT INTO outputs (digest, refs, data) VALUES (?, 1, ?)", v.digest, v.data)
	}
	return err
}

// forget is keep's opposite.
func (t *tx) forget(digest []byte) error {
	if len(digest) != sha256.Size {
		return nil
	}
	n, err := t.exec("UPDATE outputs SET refs = refs - 1 WHERE digest = ?", digest)
	if err == nil && n > 0 {
		_, err = t.exec("DELETE FROM outputs WHERE digest = ? AND refs <= 0", digest)
	}
	return err
}

// Records returns a run's records whose N is more than after, in order, at most
// limit of them (0: all).
func (j *Journal) Records(ctx context.Context, run string, after uint64, limit int) ([]Record, error) {
	return j.records(ctx, run, after, limit, true)
}

// History is Records without reading the events, which is most of the work: see
// Record.Read.
func (j *Journal) History(ctx context.Context, run string, after uint64, limit int) ([]Record, error) {
	return j.records(ctx, run, after, limit, false)
}

func (j *Journal) records(ctx context.Context, run string, after uint64, limit int, events bool) ([]Record, error) {
	var list []Record
	err := j.read(ctx, func(c *conn) (err error) {
		list, err = c.records(run, after, limit, events)
		return err
	})
	return list, err
}

func (c *conn) records(run string, after uint64, limit int, events bool) ([]Record, error) {
	var n, kept, ended int64
	err := c.query(func(row []driver.Value) error {
		return assign(row, &n, &kept, &ended)
	}, "SELECT n, records, finished > 0 FROM runs WHERE id = ?", run)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, ErrNotFound
	}
	if after > mostN {
		return nil, nil
	}
	// The record before the first that is wanted begins the chain.
	next, most := max(after, 1), -1
	if limit > 0 {
		most = limit
		if after > 0 {
			most++
		}
	}
	d := decoding{run: run, events: events}
	defer d.wg.Wait()
	chain := anchor(run)
	err = c.query(func(values []driver.Value) error {
		var at, chained, flags, mark int64
		var r row
		var data []byte
		if err := assign(values, &at, &r.time, &chained, &flags, &mark, &r.key, &r.event, &r.note, &r.data, &r.digest, &data); err != nil {
			return damaged("run %s: record %d: %v", run, next, err)
		}
		r.n, r.flags, r.mark = uint64(at)&mostN, uint8(flags), uint8(mark)
		if r.n != next {
			return damaged("run %s: record %d is missing", run, next)
		}
		next++
		if r.digest != nil {
			if string(digestOf(data)) != string(r.digest) {
				return damaged("run %s: the output of record %d is not what was written", run, r.n)
			}
			r.data = data
		}
		if r.n == after {
			chain = uint32(chained)
			return nil
		}
		if chain = link(chain, r.n, r.sum()); int64(chain) != chained {
			return damaged("run %s: record %d is not what was written", run, r.n)
		}
		d.add(r)
		return nil
	}, `SELECT at, time, chain, flags, mark, key, event, note, output, output_at, data
		FROM records LEFT JOIN outputs ON digest = output_at WHERE at BETWEEN ? AND ? ORDER BY at LIMIT ?`,
		recordKey(n, next), recordKey(n, mostN), most)
	if err != nil {
		return nil, err
	}
	list, err := d.records()
	if err != nil {
		return nil, err
	}
	if last := next - 1; ended != 0 && limit <= 0 && last < uint64(kept) && after < uint64(kept) {
		return nil, damaged("run %s: record %d is missing, it has %d", run, last+1, kept)
	}
	return list, nil
}

// decoding turns rows into records while further rows are read: JSON takes as
// long as SQLite.
type decoding struct {
	run    string
	events bool
	rows   []row
	chunks []*chunk
	wg     sync.WaitGroup
}

type chunk struct {
	records []Record
	err     error
}

func (d *decoding) add(r row) {
	if d.rows = append(d.rows, r); len(d.rows) == 512 {
		d.start()
	}
}

func (d *decoding) start() {
	rows, c := d.rows, new(chunk)
	d.rows, d.chunks = nil, append(d.chunks, c)
	d.wg.Go(func() {
		c.records = make([]Record, len(rows))
		for i := range rows {
			if c.records[i], c.err = rows[i].decode(d.events); c.err != nil {
				c.err = damaged("run %s: record %d: %v", d.run, rows[i].n, c.err)
				return
			}
		}
	})
}

func (d *decoding) records() ([]Record, error) {
	d.start()
	d.wg.Wait()
	var list []Record
	for _, c := range d.chunks {
		if c.err != nil {
			return nil, c.err
		}
		list = append(list, c.records...)
	}
	return list, nil
}

func (r *row) decode(events bool) (Record, error) {
	record := Record{N: r.n, Key: r.key, Mark: r.mark, Note: r.note, Output: r.data, raw: r.event, output: r.flags&eventOutput != 0}
	if !events {
		return record, nil
	}
	_, err := record.Read()
	return record, err
}
