package host

import (
	"context"
	"encoding/json"
	"fmt"

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
	if e.Type == event.NodeAttemptFailed {
		r.host.saveBreakers(r.workflow.plan.Name)
	}
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
	if last != nil {
		r.mu.Lock()
		if e := r.ended; e != nil && e.Seq == r.seq {
			last.V, last.Seq, last.Run, last.Time = e.V, e.Seq, e.Run, e.Time
		} else {
			r.number(last)
			r.record(last)
		}
		r.mu.Unlock()
	}
	text, err := json.Marshal(o.Result)
	if err != nil {
		r.writer.Leave(nil)
		return err
	}
	r.writer.End(journal.End{Status: o.Result.Status, Reason: o.Reason, Wake: o.Wake, Error: o.Result.Error, Result: text,
		Plugins: r.digests, DurationMS: o.Result.DurationMS}, tell)
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
	seq     uint64            // of the last event
	digests map[string]string // of the plugins that ran
	ended   *event.Event      // run.finished, when it is the last event
}

// seedNote is what a generation's first record says.
type seedNote struct {
	From string `json:"from,omitempty"`
}

// chunk is how many records are read at once.
const chunk = 4096

// past reads a run's records.
func (h *Host) past(ctx context.Context, id string) (*past, error) {
	p := &past{digests: map[string]string{}}
	for after := uint64(0); ; {
		records, err := h.journal.Records(ctx, id, after, chunk)
		if err != nil {
			return nil, err
		}
		for i := range records {
			if err := p.add(&records[i]); err != nil {
				return nil, fmt.Errorf("run %s, record %d: %w", id, records[i].N, err)
			}
		}
		if len(records) < chunk {
			return p, nil
		}
		after = records[len(records)-1].N
	}
}

func (p *past) add(r *journal.Record) error {
	if r.Mark == engine.MarkSeed {
		var n seedNote
		var result event.Result
		if err := json.Unmarshal(r.Note, &n); err != nil {
			return err
		}
		if err := json.Unmarshal(r.Output, &result); err != nil {
			return err
		}
		p.history, p.seed = nil, &engine.Seed{Result: &result, From: n.From}
		return nil
	}
	e := engine.Entry{Event: r.Event, Key: r.Key, Mark: r.Mark, Note: r.Note}
	if r.Output != nil && r.Event == nil {
		e.Output = event.Raw(r.Output)
	}
	if ev := r.Event; ev != nil {
		if p.seq = max(p.seq, ev.Seq); ev.Type == event.RunFinished {
			p.ended = ev
		} else {
			p.ended = nil
		}
		if ev.Plugin != "" && ev.Digest != "" {
			p.digests[ev.Plugin] = ev.Digest
		}
	}
	p.history = append(p.history, e)
	return nil
}
