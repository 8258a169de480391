package schedule

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

const (
	// nap is how long the loop sleeps at most: so soon it notices that somebody has
	// set the clock.
	nap = 15 * time.Second
	// saving is how long keeping one state may take.
	saving = 30 * time.Second
	// shown are the next times that List returns.
	shown = 3
)

// Scheduler keeps the schedules of all served workflows. It is safe for
// concurrent use.
type Scheduler struct {
	c    Config
	wake chan struct{}
	work sync.WaitGroup // starts, follows, and those who wait for runs

	mu     sync.Mutex
	tables []*timetable
	loaded bool
	saved  map[[2]string][]byte // by workflow and key, of schedules that nobody has set yet
}

// New makes a Scheduler without schedules.
func New(c Config) *Scheduler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Scheduler{c: c, wake: make(chan struct{}, 1), saved: map[[2]string][]byte{}}
}

// now is the wall clock, without what Go measures beside it: that stands still
// while a machine sleeps.
func (s *Scheduler) now() time.Time { return s.c.Now().Round(0).UTC() }

// Set replaces the schedules of a workflow: before Run, and whenever its file has
// changed. None removes them. A schedule whose cron expression and time zone stay
// is the same one, wherever it stands.
func (s *Scheduler) Set(name string, list []workflow.Schedule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	names := keys(list)
	for _, t := range s.tables {
		if t.name == name && !slices.Contains(names, t.key) && !t.removed {
			t.remove()
		}
	}
	for i, key := range names {
		at := slices.IndexFunc(s.tables, func(t *timetable) bool { return t.name == name && t.key == key })
		if at < 0 {
			at = len(s.tables)
			s.tables = append(s.tables, newTimetable(name, key, now))
			s.restore(s.tables[at])
		}
		s.tables[at].change(i, list[i], now)
	}
	if s.loaded {
		s.forget(name)
	}
	s.nudge()
}

// restore gives a timetable what an earlier process left, as far as that is
// loaded. s.mu is held.
func (s *Scheduler) restore(t *timetable) {
	id := [2]string{t.name, t.key}
	if saved, ok := s.saved[id]; ok {
		delete(s.saved, id)
		if err := t.restore(saved); err != nil {
			s.c.Log.Warn("what became of a schedule cannot be read: it begins anew", "workflow", t.name, "schedule", t.key, "error", err)
		}
	}
}

// forget drops what was saved of schedules that a workflow has no more. s.mu is
// held.
func (s *Scheduler) forget(name string) {
	for id := range s.saved {
		if id[0] == name {
			delete(s.saved, id)
			t := newTimetable(id[0], id[1], s.now())
			t.removed = true
			s.tables = append(s.tables, t)
		}
	}
}

func (s *Scheduler) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run starts what is due until ctx ends, and returns when no Start is under way
// any more. The error is that of Load. It is called once.
func (s *Scheduler) Run(ctx context.Context) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	for ctx.Err() == nil {
		wait := s.round(ctx)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	s.work.Wait()
	s.mu.Lock()
	todo := s.collect()
	s.mu.Unlock()
	s.keep(context.WithoutCancel(ctx), todo)
	return nil
}

func (s *Scheduler) load(ctx context.Context) error {
	var list []Saved
	if s.c.Load != nil {
		var err error
		if list, err = s.c.Load(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range list {
		s.saved[[2]string{l.Workflow, l.Key}] = l.State
	}
	s.loaded = true
	for _, t := range s.tables {
		s.restore(t)
	}
	for _, t := range slices.Clone(s.tables) {
		s.forget(t.name)
	}
	return nil
}

// todo is what a round leaves to be done without the lock.
type todo struct {
	states []Saved
	tables []*timetable // of states
	audits []event.Audit
	counts []count
}

// count is what became of n times of a workflow.
type count struct {
	workflow, outcome string
	n                 int
}

type job struct {
	t   *timetable
	due Due
}

// round does what is due and returns how long nothing will be.
func (s *Scheduler) round(ctx context.Context) time.Duration {
	s.mu.Lock()
	now := s.now()
	var starts, follows []job
	for _, t := range s.tables {
		t.advance(now)
		for d, ok := t.follow(now); ok; d, ok = t.follow(now) {
			follows = append(follows, job{t, d})
		}
		for d, ok := t.start(now); ok; d, ok = t.start(now) {
			starts = append(starts, job{t, d})
		}
	}
	todo := s.collect()
	wait := nap
	for _, t := range s.tables {
		if at := t.wake(); !at.IsZero() {
			wait = min(wait, max(at.Sub(now), time.Millisecond))
		}
	}
	s.mu.Unlock()

	// First what is to be started is kept, then it is started: a process that dies
	// in between leaves a time that the next one looks for.
	s.keep(ctx, todo)
	for _, j := range follows {
		s.work.Go(func() { s.follow(ctx, j) })
	}
	for _, j := range starts {
		s.work.Go(func() { s.start(ctx, j) })
	}
	return wait
}

// collect takes what is to be saved and told. s.mu is held.
func (s *Scheduler) collect() (todo todo) {
	for _, t := range s.tables {
		todo.audits = append(todo.audits, t.notes...)
		for outcome, n := range t.became {
			todo.counts = append(todo.counts, count{t.name, outcome, n})
		}
		t.notes, t.became = nil, nil
		if !t.dirty {
			continue
		}
		saved := Saved{Workflow: t.name, Key: t.key}
		if !t.over() {
			saved.State, _ = json.Marshal(t.state) // times and text
		}
		todo.states, todo.tables = append(todo.states, saved), append(todo.tables, t)
		t.dirty = false
	}
	s.tables = slices.DeleteFunc(s.tables, func(t *timetable) bool { return t.over() })
	return todo
}

// keep saves and tells. What could not be saved is saved in a later round; what
// is started before has an id that nobody starts twice.
func (s *Scheduler) keep(ctx context.Context, todo todo) {
	if s.c.Save != nil && len(todo.states) > 0 {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saving)
		defer cancel()
		for i, saved := range todo.states {
			if err := s.c.Save(ctx, saved); err != nil {
				s.c.Log.Error("what became of a schedule was not saved", "workflow", saved.Workflow, "schedule", saved.Key, "error", err)
				s.mu.Lock()
				todo.tables[i].dirty = true
				s.mu.Unlock()
			}
		}
	}
	now := s.now()
	for _, a := range todo.audits {
		a.Time = now
		s.c.Log.Warn("a schedule started nothing", "run", a.Target, "why", a.Detail)
		if s.c.Audit != nil {
			s.c.Audit(a)
		}
	}
	if s.c.Count != nil {
		for _, c := range todo.counts {
			s.c.Count(c.workflow, c.outcome, c.n)
		}
	}
}

// start starts a run and waits for its end.
func (s *Scheduler) start(ctx context.Context, j job) {
	run, done, err := s.c.Start(ctx, j.due)
	s.mu.Lock()
	switch {
	case err == nil:
		j.t.started(j.due, run)
	case errors.Is(err, ErrClosing) || ctx.Err() != nil:
		// The time stays open: the next process looks whether there is a run.
		s.mu.Unlock()
		return
	default:
		j.t.failed(j.due, err, s.now())
	}
	s.mu.Unlock()
	s.nudge()
	if err == nil {
		s.wait(ctx, j, done)
	}
}

// follow looks for the run of a time that an earlier process was about to start.
func (s *Scheduler) follow(ctx context.Context, j job) {
	var done <-chan struct{}
	var found bool
	var err error
	if s.c.Follow != nil {
		done, found, err = s.c.Follow(ctx, j.due.RunID)
	}
	if ctx.Err() != nil || errors.Is(err, ErrClosing) {
		return
	}
	s.mu.Lock()
	switch {
	case err != nil:
		s.c.Log.Warn("whether a schedule's run is there cannot be found out yet", "run", j.due.RunID, "error", err)
		j.t.unknown(j.due, s.now())
	case !found:
		j.t.absent(j.due, s.now())
	}
	s.mu.Unlock()
	s.nudge()
	if err == nil && found {
		s.wait(ctx, j, done)
	}
}

// wait waits for the end of a run; nil is one that has ended.
func (s *Scheduler) wait(ctx context.Context, j job, done <-chan struct{}) {
	if done != nil {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
	s.mu.Lock()
	j.t.close(j.due.Time)
	s.mu.Unlock()
	s.nudge()
}

// List returns every schedule with its next three times, by workflow and index.
func (s *Scheduler) List() []event.ScheduleInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	list := []event.ScheduleInfo{}
	for _, t := range s.tables {
		if t.removed {
			continue
		}
		i := event.ScheduleInfo{Workflow: t.name, Index: t.index, Cron: t.spec.Cron, Timezone: cmp.Or(t.spec.Timezone, "UTC"),
			Overlap: cmp.Or(t.spec.Overlap, "skip"), CatchUp: duration(t.spec.CatchUp), Next: []time.Time{},
			Last: t.state.Due, LastRun: t.state.Run, LastText: t.state.Text, Queued: len(t.state.Queue)}
		at := now
		if t.state.Last.After(now) && !now.Before(t.state.Last.Add(-farBack)) {
			at = t.state.Last // the clock was put back: what was decided is not decided again
		}
		for range shown {
			if at = t.spec.Next(at); at.IsZero() {
				break
			}
			i.Next = append(i.Next, at)
		}
		list = append(list, i)
	}
	slices.SortFunc(list, func(a, b event.ScheduleInfo) int {
		return cmp.Or(cmp.Compare(a.Workflow, b.Workflow), cmp.Compare(a.Index, b.Index))
	})
	return list
}
