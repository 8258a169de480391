package host

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"wasmhost/host/event"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/journal"
)

// A recorded run: its events and answers on their way into the journal.

// records reports whether runs are recorded.
func (h *Host) records() bool {
	return h.journal != nil && h.config.Durable != DurableNone
}

// record appends an event to the run's history.
func (r *Run) record(e *event.Event) {
	rec := journal.Record{Event: e, Key: e.Key, Mark: e.Mark}
	if e.Output != nil {
		rec.Output = e.Output.JSON()
	}
	if e.Result != nil { // the run has it
		bare := *e
		bare.Result = nil
		rec.Event = &bare
	}
	if e.Plugin != "" && e.Digest != "" {
		r.digests[e.Plugin] = e.Digest
	}
	r.writer.Append(rec, nil)
}

// otherDigest is the warning that a plugin is not what it was before the run was
// resumed; nil: it is, or that was said already.
func (r *Run) otherDigest(e *event.Event) *event.Event {
	was := r.before[e.Plugin]
	if was == "" || e.Digest == "" || was == e.Digest {
		return nil
	}
	delete(r.before, e.Plugin)
	return &event.Event{Type: event.Log, Workflow: e.Workflow, Node: e.Node, Plugin: e.Plugin, Digest: e.Digest, LogLevel: "warn",
		Message: fmt.Sprintf("plugin %s is not what it was before the run was resumed: %s then, %s now", e.Plugin, was, e.Digest)}
}

// Keep is the engine's journal: the run's own writer.
func (r *Run) Keep(e engine.Entry, kept func(error)) {
	rec := journal.Record{Key: e.Key, Mark: e.Mark, Note: e.Note}
	if !e.Output.IsNull() {
		rec.Output = e.Output.JSON()
	}
	r.writer.Append(rec, kept)
}

// conclude writes how the engine ended, and returns when that is kept. An event
// that goes with it is numbered and recorded, and not told yet.
func (r *Run) conclude(o engine.Outcome, last *event.Event) error {
	done := make(chan error, 1)
	tell := func(err error) { done <- err }
	if o.Result.Status == event.Running { // suspended
		r.writer.Leave(tell)
		return <-done
	}
	r.mu.Lock()
	r.over = true
	plugins := maps.Clone(r.digests)
	if last != nil {
		if e := r.ended; e != nil && e.Seq == r.seq {
			last.V, last.Seq, last.Run, last.Time = e.V, e.Seq, e.Run, e.Time
		} else {
			r.number(last)
			r.record(last)
		}
	}
	r.mu.Unlock()
	text, err := json.Marshal(o.Result)
	if err != nil {
		r.writer.Leave(nil)
		return err
	}
	r.writer.End(journal.End{Status: o.Result.Status, Reason: o.Reason, Wake: o.Wake, Error: o.Result.Error, Result: text,
		Plugins: plugins, DurationMS: o.Result.DurationMS}, tell)
	return <-done
}

// leaveBehind gives back a run that cannot be written any more, as far as that
// still works.
func (r *Run) leaveBehind() {
	if r.writer != nil {
		r.writer.Leave(nil)
	}
}

// past is what the journal knows of a run.
type past struct {
	history []engine.Entry // since the generation began
	seed    *engine.Seed
	seq     uint64       // of the last event
	ended   *event.Event // run.finished, when it is the last event
}

// seedNote is what a generation's first record says.
type seedNote struct {
	From string `json:"from,omitempty"`
}

// chunk is how many records are read at once.
const chunk = 4096

// past reads a run's records. Of the events it reads only those that the engine
// looks at: what was told of a call that has an answer is of no use any more.
func (h *Host) past(ctx context.Context, id string) (*past, error) {
	var records []journal.Record
	for after := uint64(0); ; after = records[len(records)-1].N {
		more, err := h.journal.History(ctx, id, after, chunk)
		if err != nil {
			return nil, err
		}
		records = append(records, more...)
		if len(more) < chunk {
			break
		}
	}
	p := &past{}
	begin := 0
	answered := map[string]int{}
	for i := range records {
		switch r := &records[i]; r.Mark {
		case engine.MarkSeed:
			seed, err := seedOf(r)
			if err != nil {
				return nil, damagedRecord(id, r, err)
			}
			begin, p.seed = i+1, seed
		case engine.MarkAnswer:
			answered[r.Key] = i
		}
	}
	p.history = make([]engine.Entry, 0, len(records)-begin)
	for i := begin; i < len(records); i++ {
		r := &records[i]
		e := engine.Entry{Key: r.Key, Mark: r.Mark, Note: r.Note}
		at, done := answered[r.Key]
		open := r.Mark == engine.MarkCall && r.Key != "" && (!done || at < i)
		if open || i == begin {
			var err error
			if e.Event, err = r.Read(); err != nil {
				return nil, damagedRecord(id, r, err)
			}
		}
		if r.Output != nil && (r.Mark == engine.MarkAnswer || r.Mark == engine.MarkNote) {
			e.Output = event.Raw(r.Output)
		}
		p.history = append(p.history, e)
	}
	for i := len(records) - 1; i >= 0; i-- {
		last, err := records[i].Read()
		if err != nil {
			return nil, damagedRecord(id, &records[i], err)
		}
		if last == nil {
			continue
		}
		if p.seq = last.Seq; last.Type == event.RunFinished {
			p.ended = last
		}
		break
	}
	return p, nil
}

func damagedRecord(id string, r *journal.Record, err error) error {
	return fmt.Errorf("run %s, record %d: %w", id, r.N, err)
}

func seedOf(r *journal.Record) (*engine.Seed, error) {
	var n seedNote
	if err := json.Unmarshal(r.Note, &n); err != nil {
		return nil, err
	}
	var result event.Result
	if err := json.Unmarshal(r.Output, &result); err != nil {
		return nil, err
	}
	return &engine.Seed{Result: &result, From: n.From}, nil
}

// ran learns from a run's history which version of a plugin it had.
func (r *Run) ran(plugin, digest string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before[plugin], r.digests[plugin] = digest, digest
}
