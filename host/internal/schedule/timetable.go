package schedule

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

const (
	// mostQueued times wait; then the oldest gives way. So no more are made up for
	// after a downtime either.
	mostQueued = 100
	// late is how much later than due a start may be without being made up for: a
	// machine may be busy, a clock may be set by some seconds.
	late = time.Minute
	// farBack is how far a clock is put back before what was decided for the time
	// to come is forgotten. Less is waited for, as cron does.
	farBack = 3 * time.Hour
	// mostOpen runs are looked for after a crash (overlap = "allow").
	mostOpen = 1000
	// mostCounted missed times are counted one by one.
	mostCounted = 1000
)

// timetable is one schedule: which times are due, and what became of them. It has
// no clock and starts nothing: it is told the time and what happened, and says
// what is to be done. Its times only go forward: a time that it has decided about
// does not come back, unless the clock was put back far.
type timetable struct {
	name, key string
	index     int
	spec      workflow.Schedule
	state     state
	begun     time.Time      // since when it is kept without a pause
	following map[int64]bool // open times of an earlier process, not looked for yet
	notBefore time.Time      // after a start that failed
	failures  int            // in a row
	removed   bool           // from the file; its runs may still go on
	dirty     bool           // the state must be saved
	notes     []event.Audit  // to be told
	became    map[string]int // to be told: how many times were started, skipped, missed, failed
	skipping  string         // the reason of the last skip, when it was the last that happened
}

// state is what outlives the process.
type state struct {
	// Last is until when the times were decided about.
	Last  time.Time   `json:"last"`
	Queue []time.Time `json:"queue,omitempty"` // to be started, oldest first
	Open  []time.Time `json:"open,omitempty"`  // being started or going on
	// Due, Run and Text tell people what happened last.
	Due  time.Time `json:"due,omitzero"`
	Run  string    `json:"run,omitempty"`
	Text string    `json:"text,omitempty"`
}

func newTimetable(name, key string, now time.Time) *timetable {
	return &timetable{name: name, key: key, begun: now, state: state{Last: now}, dirty: true,
		following: map[int64]bool{}}
}

// restore takes over what an earlier process left.
func (t *timetable) restore(saved []byte) error {
	var s state
	if err := json.Unmarshal(saved, &s); err != nil {
		return err
	}
	if s.Last.IsZero() {
		return errors.New("it has no time")
	}
	t.state, t.dirty = s, false
	for _, d := range s.Open {
		t.following[d.Unix()] = true
	}
	return nil
}

func (t *timetable) id(due time.Time) string { return runID(t.name, t.key, due) }

func (t *timetable) due(at, now time.Time) Due {
	return Due{Workflow: t.name, Index: t.index, Time: at, RunID: t.id(at), Late: now.Sub(at) > late}
}

// young reports whether a time may still be started.
func (t *timetable) young(at, now time.Time) bool {
	age := now.Sub(at)
	if at.Before(t.begun) {
		return age < t.spec.CatchUp
	}
	return age < max(t.spec.CatchUp, late)
}

// advance decides about the times until now.
func (t *timetable) advance(now time.Time) {
	if t.removed {
		return
	}
	if now.Before(t.state.Last.Add(-farBack)) {
		// What starts twice for this has the same id twice, and so is one run.
		t.state.Last, t.dirty = now, true
	}
	if t.begun.After(now) {
		t.begun = now
	}
	if first := t.spec.Next(t.state.Last); first.IsZero() || first.After(now) {
		return
	}
	missed, over, list := t.passed(now)
	t.tally("missed", missed.n+over.n)
	if missed.n > 0 {
		t.note(missed.last, "", "missed: no host ran at "+missed.String()+t.whyMissed())
	}
	if over.n > 0 {
		t.note(over.last, "", fmt.Sprintf("missed: no host ran at %s, and no more than %d times are made up for", over.String(), mostQueued))
	}
	t.state.Last, t.dirty = now, true
	if len(list) > 0 {
		t.take(list)
	}
}

func (t *timetable) whyMissed() string {
	if t.spec.CatchUp > 0 {
		return fmt.Sprintf(", longer ago than catch_up (%s)", duration(t.spec.CatchUp))
	}
	return ", and there is no catch_up"
}

// passed returns the times until now that may still be started, the newest
// mostQueued at most; those that are too old; and those that are too many.
func (t *timetable) passed(now time.Time) (missed, over span, list []time.Time) {
	floor := now.Add(-max(t.spec.CatchUp, late))
	if floor.Before(t.state.Last) {
		floor = t.state.Last
	}
	// A dense schedule has more times in a long catch_up than are made up for: look
	// no further back than need be.
	from := floor
	for back := time.Hour; now.Add(-back).After(floor); back *= 4 {
		if at := now.Add(-back); t.count(at, now, mostQueued) == mostQueued {
			from = at
			break
		}
	}
	t.counted(&missed, t.state.Last, floor)
	t.counted(&over, floor, from)
	for at := t.spec.Next(from); !at.After(now) && !at.IsZero(); at = t.spec.Next(at) {
		if t.young(at, now) {
			list = append(list, at)
		} else {
			missed.add(at)
		}
	}
	for len(list) > mostQueued {
		over.add(list[0])
		list = list[1:]
	}
	return missed, over, list
}

// counted adds the times after from until to; there may be more than it counts.
func (t *timetable) counted(s *span, from, to time.Time) {
	for at := t.spec.Next(from); s.n < mostCounted && !at.After(to) && !at.IsZero(); at = t.spec.Next(at) {
		s.add(at)
	}
}

// count counts the times after from until to, at most most.
func (t *timetable) count(from, to time.Time, most int) (n int) {
	for at := t.spec.Next(from); n < most && !at.After(to) && !at.IsZero(); at = t.spec.Next(at) {
		n++
	}
	return n
}

// take queues times that are due, as overlap says.
func (t *timetable) take(list []time.Time) {
	newest := list[len(list)-1]
	if t.spec.Overlap != "queue" && t.spec.Overlap != "allow" {
		if len(t.state.Open) > 0 {
			t.skip(newest, len(list), "skipped: the run before still goes on ("+t.id(t.state.Open[0])+")")
			return
		}
		// One start makes up for all.
		for _, at := range append(t.state.Queue, list[:len(list)-1]...) {
			t.skip(at, 1, "skipped: the next time came before it was started")
		}
		t.state.Queue = []time.Time{newest}
		return
	}
	t.state.Queue = append(t.state.Queue, list...)
	if n := len(t.state.Queue) - mostQueued; n > 0 {
		for _, at := range t.state.Queue[:n] {
			t.skip(at, 1, fmt.Sprintf("skipped: %d later times wait already", mostQueued))
		}
		t.state.Queue = slices.Clone(t.state.Queue[n:])
	}
}

// start returns what is to be started now; it is to be called until it says no.
func (t *timetable) start(now time.Time) (Due, bool) {
	if t.removed || len(t.state.Queue) == 0 || now.Before(t.notBefore) && !now.Before(t.notBefore.Add(-longestPause)) {
		return Due{}, false
	}
	if len(t.state.Open) > 0 && t.spec.Overlap != "allow" {
		return Due{}, false
	}
	at := t.state.Queue[0]
	t.state.Queue = t.state.Queue[1:]
	t.state.Open = append(t.state.Open, at)
	if n := len(t.state.Open) - mostOpen; n > 0 { // only their ends are not seen
		t.state.Open = slices.Clone(t.state.Open[n:])
	}
	t.dirty = true
	return t.due(at, now), true
}

// follow returns an open time of an earlier process whose run is to be looked for.
func (t *timetable) follow(now time.Time) (Due, bool) {
	if now.Before(t.notBefore) && !now.Before(t.notBefore.Add(-longestPause)) {
		return Due{}, false
	}
	for _, at := range t.state.Open {
		if t.following[at.Unix()] {
			delete(t.following, at.Unix())
			return t.due(at, now), true
		}
	}
	return Due{}, false
}

// started: the run of a time was accepted.
func (t *timetable) started(d Due, run string) {
	t.failures, t.notBefore, t.skipping, t.dirty = 0, time.Time{}, "", true
	t.tally("started", 1)
	text := "started"
	if d.Late {
		text = "started late, to make up for it"
	}
	if !d.Time.Before(t.state.Due) {
		t.state.Due, t.state.Run, t.state.Text = d.Time, run, text
	}
}

// absent: there is no run of an open time of an earlier process, which died
// before it was there.
func (t *timetable) absent(d Due, now time.Time) {
	t.close(d.Time)
	if !t.removed && now.Sub(d.Time) < max(t.spec.CatchUp, late) {
		t.state.Queue = slices.Insert(t.state.Queue, 0, d.Time)
		return
	}
	t.tally("missed", 1)
	t.note(d.Time, "", "missed: the host stopped before it was started"+t.whyMissed())
}

// unknown: nobody could say whether there is a run of an open time.
func (t *timetable) unknown(d Due, now time.Time) {
	t.following[d.Time.Unix()] = true
	t.pause(now)
}

// failed: a time could not be started. It is tried again while it is young, unless
// the error says that it cannot go well.
func (t *timetable) failed(d Due, err error, now time.Time) {
	t.close(d.Time)
	told := (*event.Error)(nil)
	permanent := errors.As(err, &told) && told.Class == event.Permanent
	if t.removed || permanent || now.Sub(d.Time) >= max(t.spec.CatchUp, late) {
		t.tally("failed", 1)
		t.note(d.Time, d.RunID, "not started: "+err.Error())
		return
	}
	t.state.Queue = slices.Insert(t.state.Queue, 0, d.Time)
	t.pause(now)
}

// longestPause between two tries to start.
const longestPause = 5 * time.Minute

func (t *timetable) pause(now time.Time) {
	t.notBefore = now.Add(min(longestPause, 5*time.Second<<min(t.failures, 10)))
	t.failures++
}

// close: the run of a time has ended, or there is none.
func (t *timetable) close(at time.Time) {
	t.state.Open = slices.DeleteFunc(t.state.Open, at.Equal)
	t.dirty = true
}

// change takes over what the file says now.
func (t *timetable) change(index int, spec workflow.Schedule, now time.Time) {
	t.index, t.spec = index, spec
	if n := len(t.state.Queue); n > 1 && spec.Overlap != "queue" && spec.Overlap != "allow" {
		t.state.Queue, t.dirty = t.state.Queue[n-1:], true // it was "queue" before
		t.tally("skipped", n-1)
	}
	if t.removed { // and is back: what was due meanwhile is not
		t.removed, t.begun, t.state.Last, t.dirty = false, now, now, true
	}
}

// remove: the file has it no more.
func (t *timetable) remove() {
	t.tally("skipped", len(t.state.Queue))
	for _, at := range t.state.Queue {
		t.note(at, "", "skipped: the schedule was removed")
	}
	t.removed, t.state.Queue, t.dirty = true, nil, true
}

// over reports whether nothing is left of a removed one.
func (t *timetable) over() bool { return t.removed && len(t.state.Open) == 0 }

// wake is when there is something to do next; zero: when somebody says so.
func (t *timetable) wake() time.Time {
	if t.removed {
		return time.Time{}
	}
	at := t.spec.Next(t.state.Last)
	waits := len(t.following) > 0 || len(t.state.Queue) > 0 && (len(t.state.Open) == 0 || t.spec.Overlap == "allow")
	if waits && (at.IsZero() || t.notBefore.Before(at)) {
		at = t.notBefore
	}
	return at
}

// skip notes that n times until at are left out; of several in a row for the same
// reason only the first is told.
func (t *timetable) skip(at time.Time, n int, text string) {
	t.tally("skipped", n)
	before, notes := t.skipping, len(t.notes)
	t.note(at, "", text)
	if before == text {
		t.notes = t.notes[:notes]
	}
	t.skipping = text
}

// note tells that nothing was started at a time.
func (t *timetable) note(at time.Time, run, text string) {
	t.skipping, t.dirty = "", true
	if !at.Before(t.state.Due) {
		t.state.Due, t.state.Run, t.state.Text = at, run, text
	}
	t.notes = append(t.notes, event.Audit{By: "schedule", Action: "run.start", Target: t.id(at),
		Detail: fmt.Sprintf("%s, due %s (%s): %s", t.name, at.Format(time.RFC3339), t.key, text)})
}

// tally counts n times of which it is known what became of them.
func (t *timetable) tally(outcome string, n int) {
	if n == 0 {
		return
	}
	if t.became == nil {
		t.became = map[string]int{}
	}
	t.became[outcome] += n
}
