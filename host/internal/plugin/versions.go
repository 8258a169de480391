package plugin

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"wasmhost/host/event"
)

// Versions is a plugin whose module may change while it is called. It is safe
// for concurrent use. A call takes the version that is current when it begins
// and ends on it; calls that begin later take the next one.
//
// A call finds the line-up behind one pointer. It holds its version by having
// been let into its pool: a swap changes the pointer first and ends the old
// pool then, so that who came too late for that finds another pointer.
type Versions struct {
	runtime *Runtime
	name    string
	change  func(VersionChange)
	ring    *recordings // nil: nothing is recorded

	now     atomic.Pointer[lineup]
	shadows sync.WaitGroup

	mu       sync.Mutex
	seq      uint64
	closed   bool
	since    time.Time // of the current version
	previous *former
	draining []draining
}

// draining is a version that has calls in flight and gets no new ones.
type draining struct {
	*version
	since time.Time
}

// VersionOptions are what NewVersions wants to know besides the first version.
type VersionOptions struct {
	// Record is how many of the last calls are kept for replay; 0: what the first
	// version's Spec says.
	Record int
	// From says where the first version's bytes are from: source (the default) or
	// upload.
	From string
	// OnChange is told of every change, after it took place, on the goroutine that
	// made it: of a canary that is the goroutine of a call, which waits for it.
	// Seq gives the order. nil: nobody wants to know.
	OnChange func(VersionChange)
}

// Where the bytes of a version are from.
const (
	FromSource = "source"
	FromUpload = "upload"
)

// What a VersionChange is.
const (
	ChangeSwap     = "swap"    // To is current, From was
	ChangeTrial    = "trial"   // To is on trial beside From
	ChangePromote  = "promote" // To was on trial and is current, From was
	ChangeEndTrial = "end"     // the trial of To beside From has ended
)

// VersionChange is one change of what calls get.
type VersionChange struct {
	Seq    uint64 // from 1
	Plugin string
	What   string
	Mode   event.SwapMode
	From   string // digests
	To     string
	// Source is where To's bytes are from.
	Source string
	// Reason says why, where nobody asked for it.
	Reason string
	At     time.Time
}

// lineup is what calls find: it is never changed, only replaced.
type lineup struct {
	current *version
	trial   *trial // nil: there is none
}

// NewVersions makes a plugin with one version. It owns first from now on, and
// every plugin that Swap and Try are given: they are closed when nobody calls
// them any more.
func (r *Runtime) NewVersions(first *Plugin, o VersionOptions) *Versions {
	v := &Versions{runtime: r, name: first.Name(), change: o.OnChange, since: time.Now()}
	if n := max(o.Record, 0); n > 0 || first.spec.Record > 0 {
		if n == 0 {
			n = first.spec.Record
		}
		v.ring = newRecordings(n)
	}
	v.now.Store(&lineup{current: newVersion(first, o.From)})
	v.own(first)
	return v
}

// Name is the plugin's.
func (v *Versions) Name() string { return v.name }

// Current is the version that new calls get. It may be closed by a swap at any
// time: who wants to call it uses Call.
func (v *Versions) Current() *Plugin { return v.now.Load().current.plugin }

// Call calls the plugin in its current version, or in one on trial.
// Answer.Digest is the version that answered.
func (v *Versions) Call(ctx context.Context, c Call) (Answer, error) {
	for {
		now := v.now.Load()
		if now.trial != nil || v.ring != nil {
			if a, err, late := v.observed(ctx, c, now); !late {
				return a, err
			}
			continue
		}
		a, err := now.current.plugin.answer(ctx, &c)
		if err != nil && tooLate(err) && v.now.Load() != now {
			continue
		}
		now.current.count(a.Duration, err)
		return a, err
	}
}

// tooLate tells a call that was not let in because its version was closed.
func tooLate(err error) bool { return errors.Is(err, errClosed) }

// observed is Call where somebody looks on: a trial, or those who record. late
// is true when the line-up had changed before the call began.
func (v *Versions) observed(ctx context.Context, c Call, now *lineup) (a Answer, err error, late bool) {
	var failed error // of a canary
	t := now.trial
	if t != nil && t.Mode == event.SwapCanary && c.Idempotent {
		var answered bool
		if a, failed, answered = v.canary(ctx, c, now); answered {
			return a, failed, false
		}
	}
	shadow := t != nil && t.Mode == event.SwapShadow && t.enter()
	if shadow || v.ring != nil {
		c.tape = &tape{}
	}
	a, err = now.current.plugin.Call(ctx, c)
	if err != nil && tooLate(err) && v.now.Load() != now {
		if shadow {
			t.leave()
		}
		return a, err, true
	}
	now.current.count(a.Duration, err)
	if v.ring != nil {
		v.ring.add(now.current.plugin, &c, &a, err)
	}
	if shadow {
		v.shadow(t, now.current.plugin, c, a, err)
	}
	if t != nil && t.Mode == event.SwapCanary && c.Idempotent {
		v.decide(t, t.other(a.Duration, err, failed))
	}
	return a, err, false
}

// Swap makes next current. A trial that is under way ends. The old version ends
// its calls and is closed; Rollback can bring it back. The error has the code
// closed when v is: next is closed then too.
func (v *Versions) Swap(next *Plugin, from string) error {
	v.own(next)
	v.mu.Lock()
	if v.closed {
		v.mu.Unlock()
		next.pool.end()
		return v.fault(codeClosed, "plugin %q is closed", v.name)
	}
	was := v.now.Load()
	to := newVersion(next, from)
	var changes []VersionChange
	if was.trial != nil {
		changes = append(changes, v.changed(ChangeEndTrial, was.trial.Mode, was.current, was.trial.version, endedBySwap))
	}
	changes = append(changes, v.changed(ChangeSwap, event.SwapNow, was.current, to, ""))
	v.put(was, &lineup{current: to})
	v.mu.Unlock()
	if was.trial != nil {
		v.finish(was.trial, false, endedBySwap)
	}
	was.current.plugin.pool.end()
	v.tell(changes...)
	return nil
}

const endedBySwap = "another version was swapped in"

// put replaces the line-up. Who held v.mu ends the pools of what is not in it any
// more, afterwards.
func (v *Versions) put(was, now *lineup) {
	at := time.Now()
	v.now.Store(now)
	if was.trial != nil && was.trial.version != now.current && now.trial == nil {
		v.draining = append(v.draining, draining{was.trial.version, at})
	}
	if was.current != now.current {
		v.draining = append(v.draining, draining{was.current, at})
		v.previous, v.since = was.current.former(at), at
	}
}

// own lets v know when p is closed.
func (v *Versions) own(p *Plugin) {
	p.pool.mu.Lock()
	p.disposed = func() {
		v.mu.Lock()
		v.draining = slices.DeleteFunc(v.draining, func(d draining) bool { return d.plugin == p })
		v.mu.Unlock()
	}
	p.pool.mu.Unlock()
}

// changed is a change under v.mu, to be told when it is free.
func (v *Versions) changed(what string, mode event.SwapMode, from, to *version, reason string) VersionChange {
	v.seq++
	return VersionChange{Seq: v.seq, Plugin: v.name, What: what, Mode: mode, From: from.plugin.Digest(), To: to.plugin.Digest(),
		Source: to.from, Reason: reason, At: time.Now()}
}

func (v *Versions) tell(changes ...VersionChange) {
	if v.change == nil {
		return
	}
	for _, c := range changes {
		v.change(c)
	}
}

// Previous is what the version before the current one was loaded from, with its
// bytes, and its digest; false: there is none.
func (v *Versions) Previous() (s Spec, digest string, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.previous == nil {
		return Spec{}, "", false
	}
	return v.previous.spec, v.previous.digest, true
}

// Rollback ends the trial, if there is one; else it loads the version before the
// current one again and swaps to it. It passes no gates: it has been current.
// The report's To is what is current then, or its Refused says why the version
// cannot be loaded. The error has the code no_version when there is nothing to
// go back to, closed when v is closed.
func (v *Versions) Rollback(ctx context.Context) (*event.SwapReport, error) {
	now := v.now.Load()
	report := &event.SwapReport{Plugin: v.name, From: now.current.plugin.Digest(), To: now.current.plugin.Digest(), Mode: event.SwapNow}
	if t := now.trial; t != nil {
		report.From, report.Mode = t.version.plugin.Digest(), t.Mode
		if v.end(t, false, "it was rolled back") {
			return report, nil
		}
	}
	v.mu.Lock()
	before := v.previous
	v.mu.Unlock()
	if before == nil {
		return nil, v.fault(codeNoVersion, "plugin %q has no version to go back to", v.name)
	}
	next, steps := v.runtime.Candidate(ctx, before.spec, nil, Gate{ungated: true})
	steps.From, steps.Mode = now.current.plugin.Digest(), event.SwapNow
	if next != nil {
		if err := v.Swap(next, before.from); err != nil {
			return nil, err
		}
	}
	return steps, nil
}

func (v *Versions) fault(code, format string, a ...any) *event.Error {
	e := fault(event.Permanent, code, format, a...)
	e.Plugin = v.name
	return e
}

// List are the versions, the newest first: the one on trial, the current one,
// those that still have calls, and the previous one.
func (v *Versions) List() []event.PluginVersion {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now.Load()
	var list []event.PluginVersion
	add := func(x *version, state event.VersionState, since time.Time) *event.PluginVersion {
		i := x.info(x.plugin.Digest(), x.from, state, since)
		working, waiting, _ := x.plugin.pool.load()
		i.InFlight = working + waiting
		list = append(list, i)
		return &list[len(list)-1]
	}
	if t := now.trial; t != nil {
		state := event.VersionCanary
		if t.Mode == event.SwapShadow {
			state = event.VersionShadow
		}
		t.show(add(t.version, state, t.began))
	}
	add(now.current, event.VersionCurrent, v.since)
	shown := v.previous == nil
	for _, d := range slices.Backward(v.draining) {
		if p := v.previous; p != nil && d.tally == p.tally {
			shown = true
		}
		add(d.version, event.VersionDraining, d.since)
	}
	if p := v.previous; !shown {
		list = append(list, p.info(p.digest, p.from, event.VersionPrevious, p.since))
	}
	return list
}

// Recordings are the calls that are kept for replay, the oldest first. They are
// shared: nobody may change them.
func (v *Versions) Recordings() []Recording {
	if v.ring == nil {
		return nil
	}
	return v.ring.list()
}

// Restore puts recordings of an earlier process before those of this one, as far
// as there is room.
func (v *Versions) Restore(earlier []Recording) {
	if v.ring != nil {
		v.ring.restore(earlier)
	}
}

// Close refuses new calls, ends a trial, and waits for the calls in flight until
// ctx is done. Closing twice is harmless.
func (v *Versions) Close(ctx context.Context) error {
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	if t := v.now.Load().trial; t != nil {
		v.end(t, false, "the plugin was closed")
	}
	v.shadows.Wait() // they were told to end, and soon have
	v.mu.Lock()
	open := []*Plugin{v.Current()}
	for _, d := range v.draining {
		open = append(open, d.plugin)
	}
	v.mu.Unlock()
	var errs []error
	for _, p := range open {
		p.pool.end()
	}
	for _, p := range open {
		errs = append(errs, p.Close(ctx))
	}
	return errors.Join(errs...)
}
