package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/journal"
)

// RunInfo is a run as the journal knows it, RunFilter chooses runs.
type (
	RunInfo   = event.RunInfo
	RunFilter = event.RunFilter
)

func infoOf(r *journal.Run) RunInfo {
	return RunInfo{ID: r.ID, Workflow: r.Workflow, File: r.File, Digest: r.Digest, Status: r.Status, Alive: r.Alive, Owner: r.Owner,
		Generation: r.Generation, Reason: r.Reason, WakeAt: r.Wake, Input: r.Input, Error: r.Error, Plugins: r.Plugins,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, FinishedAt: r.FinishedAt, DurationMS: r.DurationMS}
}

// Runs lists the runs of the journal, newest first.
func (h *Host) Runs(ctx context.Context, f RunFilter) ([]RunInfo, error) {
	if h.journal == nil {
		return nil, errNoJournal
	}
	if f.Limit == 0 {
		f.Limit = 100
	}
	all, err := h.journal.Runs(ctx, journal.Filter{Status: f.Status, Workflow: f.Workflow, Before: f.Before, Since: f.Since, Limit: f.Limit})
	if err != nil {
		return nil, h.recorded(err)
	}
	infos := make([]RunInfo, len(all))
	for i, r := range all {
		infos[i] = infoOf(r)
	}
	return infos, nil
}

// RunCounts counts the runs of a workflow ("": of all) by status.
func (h *Host) RunCounts(ctx context.Context, workflow string) (map[event.Status]int, error) {
	if h.journal == nil {
		return nil, errNoJournal
	}
	counts, err := h.journal.Counts(ctx, workflow)
	return counts, h.recorded(err)
}

// RunInfo is one run. id may be the beginning of one, of six characters or more.
// Code not_found when there is none, ambiguous when there are several.
func (h *Host) RunInfo(ctx context.Context, id string) (*RunInfo, error) {
	r, err := h.find(ctx, id)
	if err != nil {
		return nil, err
	}
	info := infoOf(r)
	return &info, nil
}

// shortest is how many characters of an id are enough to name a run.
const shortest = 6

// find is the run of an id, or of the beginning of one.
func (h *Host) find(ctx context.Context, id string) (*journal.Run, error) {
	if h.journal == nil {
		return nil, errNoJournal
	}
	r, err := h.journal.Run(ctx, id)
	if !errors.Is(err, journal.ErrNotFound) {
		return r, h.recorded(err)
	}
	if len(id) >= shortest {
		ids, err := h.journal.Find(ctx, id)
		switch {
		case err != nil:
			return nil, h.recorded(err)
		case len(ids) == 1:
			r, err := h.journal.Run(ctx, ids[0])
			return r, h.recorded(err)
		case len(ids) > 1:
			return nil, refusal("ambiguous", fmt.Sprintf("several runs begin with %q: %s", id, strings.Join(ids, ", ")))
		}
	}
	return nil, refusal("not_found", fmt.Sprintf("the journal in %s has no run %q; host runs list shows what it has", h.config.State, id))
}

// recorded is an error of the journal as an *event.Error.
func (h *Host) recorded(err error) error {
	var e *event.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, journal.ErrServed):
		why := err
		if errors.As(err, &e) && e.Cause != nil {
			why = e.Cause // without the advice that comes here
		}
		return &event.Error{Class: event.Permanent, Code: "served", Cause: err, Message: fmt.Sprintf(
			"%v: %s; stop it, or give this one a folder of its own with --state", why, h.config.State)}
	case errors.As(err, &e):
		return err
	case errors.Is(err, journal.ErrNotFound): // it was there a moment ago
		return &event.Error{Class: event.Permanent, Code: "not_found", Cause: err, Message: fmt.Sprintf(
			"the journal in %s does not have the run any more; host runs list shows what it has", h.config.State)}
	case errors.Is(err, journal.ErrLost):
		return &event.Error{Class: event.System, Code: "journal", Cause: err, Message: fmt.Sprintf(
			"the journal in %s: %v, for this process gave no sign of life for too long; host runs watch follows it", h.config.State, err)}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrClosed):
		return err
	}
	var alive *journal.AliveError
	if errors.As(err, &alive) {
		return refusal("run_alive", alive.Error())
	}
	return &event.Error{Class: event.System, Code: "journal", Message: fmt.Sprintf("the journal in %s: %v", h.config.State, err), Cause: err}
}

// before is a record that no event after seq comes before, and not far from the
// first one that does: it halves what lies in between, for in a long run the
// number of a record is far ahead of that of its event.
func (h *Host) before(ctx context.Context, id string, seq uint64) (uint64, error) {
	const near = 64
	low, high := seq, seq+near // the events up to seq have no fewer records
	for step := uint64(near); seq > 0; step *= 4 {
		past, last, err := h.recordPast(ctx, id, high, seq)
		if err != nil {
			return 0, err
		}
		if past {
			break
		}
		low, high = max(low, last), high+step
	}
	for seq > 0 && high-low > near {
		middle := low + (high-low)/2
		past, last, err := h.recordPast(ctx, id, middle, seq)
		if err != nil {
			return 0, err
		}
		if past {
			high = middle
		} else {
			low = max(middle, last)
		}
	}
	return low, nil
}

// recordPast reports whether the first event behind record n comes after seq, or there
// is none; else last is its record.
func (h *Host) recordPast(ctx context.Context, id string, n, seq uint64) (past bool, last uint64, err error) {
	for {
		records, err := h.journal.Records(ctx, id, n, 8)
		if err != nil {
			return false, 0, err
		}
		for i := range records {
			if e := records[i].Event; e != nil {
				return e.Seq > seq, records[i].N, nil
			}
		}
		if len(records) < 8 {
			return true, 0, nil
		}
		n = records[len(records)-1].N
	}
}

// RunEvents are the recorded events of a run whose Seq is more than after, at
// most limit of them (0: all).
func (h *Host) RunEvents(ctx context.Context, id string, after uint64, limit int) ([]*event.Event, error) {
	info, err := h.find(ctx, id)
	if err != nil {
		return nil, err
	}
	// An event's record has its number, or a higher one: those up to after have
	// nothing to tell. Who asks for few is not made to wait for many.
	most := chunk
	if limit > 0 {
		most = min(chunk, max(limit, 64))
	}
	n, err := h.before(ctx, info.ID, after)
	if err != nil {
		return nil, h.recorded(err)
	}
	var events []*event.Event
	for {
		records, err := h.journal.Records(ctx, info.ID, n, most)
		if err != nil {
			return nil, h.recorded(err)
		}
		for i := range records {
			if e := records[i].Event; e != nil && e.Seq > after {
				events = append(events, e)
				if len(events) == limit {
					return events, nil
				}
			}
		}
		if len(records) < most {
			return events, nil
		}
		n = records[len(records)-1].N
	}
}

// DeleteRun forgets a run that nobody works on. Codes: not_found, run_alive.
func (h *Host) DeleteRun(ctx context.Context, id string) error {
	info, err := h.find(ctx, id)
	if err != nil {
		return err
	}
	return h.recorded(h.journal.Delete(ctx, info.ID))
}

// Retain deletes ended runs that are older than age (0: any age) and all but
// the newest count (0: any number); it returns how many.
func (h *Host) Retain(ctx context.Context, age time.Duration, count int) (int, error) {
	if h.journal == nil {
		return 0, errNoJournal
	}
	ids, err := h.journal.Retain(ctx, age, count)
	return len(ids), h.recorded(err)
}

// HealthHistory are the last reports of a workflow, oldest first, of all
// processes that share the journal.
func (h *Host) HealthHistory(ctx context.Context, workflow string, n int) ([]*event.Report, error) {
	if h.journal == nil {
		return nil, errNoJournal
	}
	reports, err := h.journal.Reports(ctx, workflow, n)
	return reports, h.recorded(err)
}

var errNoJournal = refusal("no_journal", "there is no journal: this host was opened without a state folder")
