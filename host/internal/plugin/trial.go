package plugin

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"wasmhost/host/event"
)

// Trial says how a version is tried out.
type Trial struct {
	// Mode is canary (it gets every tenth idempotent call, and answers it) or
	// shadow (it runs beside, without permissions, and never answers).
	Mode event.SwapMode
	// Good is how many calls a canary must answer well before it is promoted, or a
	// shadow must see before it ends; 0: 20.
	Good int
	// OnEnd is told how it ended, once, under the same terms as
	// VersionOptions.OnChange. nil: nobody wants to know.
	OnEnd func(TrialEnd)
}

const defaultGood = 20

// TrialEnd is what became of a trial.
type TrialEnd struct {
	Mode     event.SwapMode
	Digest   string // of the version that was tried
	Promoted bool   // it is current now
	Judged   bool   // its own calls have ended it, not a person or another swap
	Reason   string // in words
	// Calls are those that it answered or, as a shadow, that were compared;
	// Failures those of a canary that the current version then answered well.
	Calls, Failures int
	// Of a shadow: calls that were answered otherwise, with the first ten; calls
	// that could not be compared; calls that were left out because it was busy.
	Differ, Skipped, Dropped int
	Differences              []event.Difference
}

// trial is a version on trial.
type trial struct {
	Trial
	version *version
	began   time.Time
	turns   atomic.Uint64 // idempotent calls since it began

	// Of a shadow.
	replica *Plugin
	free    chan struct{} // one for each call that it may be busy with
	ctx     context.Context
	cancel  context.CancelFunc

	mu     sync.Mutex
	over   bool  // there is a verdict: what comes after it does not count
	judge  judge // of a canary
	report TrialEnd
}

// Try begins a trial of next. The error has the code busy while there is another
// one; next is closed when there is an error.
func (v *Versions) Try(next *Plugin, from string, how Trial) error {
	how.Good = cmp.Or(max(how.Good, 0), defaultGood)
	t := &trial{Trial: how, version: newVersion(next, from), began: time.Now()}
	t.report = TrialEnd{Mode: how.Mode, Digest: next.Digest()}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	if err := v.begin(t); err != nil {
		t.cancel()
		next.pool.end()
		if t.replica != nil {
			t.replica.pool.end()
		}
		return err
	}
	return nil
}

func (v *Versions) begin(t *trial) error {
	switch t.Mode {
	case event.SwapCanary:
	case event.SwapShadow:
		var failed *event.Error
		if t.replica, failed = t.version.plugin.replica(t.ctx); failed != nil {
			failed.Plugin = v.name
			return failed
		}
		t.free = make(chan struct{}, shadowsAtOnce)
	default:
		return v.fault(codeBadSpec, "a trial is canary or shadow, not %q", t.Mode)
	}
	v.own(t.version.plugin)
	v.mu.Lock()
	was := v.now.Load()
	switch {
	case v.closed:
		v.mu.Unlock()
		return v.fault(codeClosed, "plugin %q is closed", v.name)
	case was.trial != nil:
		v.mu.Unlock()
		return v.fault(codeBusy, "plugin %q has a version on trial already (%s, %s): promote it or end it first", v.name, was.trial.Mode, was.trial.version.plugin.Digest())
	}
	change := v.changed(ChangeTrial, t.Mode, was.current, t.version, "")
	v.put(was, &lineup{current: was.current, trial: t})
	v.mu.Unlock()
	v.tell(change)
	return nil
}

// Promote makes the version on trial current, whatever was seen of it. The error
// has the code no_version when there is none.
func (v *Versions) Promote() error { return v.endTrial(true, "by hand") }

// EndTrial ends the trial; calls go on with the current version. The error has
// the code no_version when there is none.
func (v *Versions) EndTrial() error { return v.endTrial(false, "it was ended") }

func (v *Versions) endTrial(promote bool, reason string) error {
	t := v.now.Load().trial
	if t == nil || !v.end(t, promote, reason) {
		return v.fault(codeNoVersion, "plugin %q has no version on trial", v.name)
	}
	return nil
}

// end ends a trial; false: it had ended already.
func (v *Versions) end(t *trial, promote bool, reason string) bool {
	v.mu.Lock()
	was := v.now.Load()
	if was.trial != t {
		v.mu.Unlock()
		return false
	}
	what, now, over := ChangeEndTrial, &lineup{current: was.current}, t.version
	if promote {
		what, now, over = ChangePromote, &lineup{current: t.version}, was.current
	}
	change := v.changed(what, t.Mode, was.current, t.version, reason)
	v.put(was, now)
	v.mu.Unlock()
	over.plugin.pool.end()
	v.finish(t, promote, reason)
	v.tell(change)
	return true
}

// finish ends what belongs to the trial alone, and tells how it went.
func (v *Versions) finish(t *trial, promoted bool, reason string) {
	t.mu.Lock()
	t.over = true
	report := t.report
	if t.Mode == event.SwapCanary {
		report.Calls, report.Failures = t.judge.good+t.judge.failures, t.judge.failures
	}
	t.mu.Unlock()
	t.cancel()
	if t.replica != nil {
		t.replica.pool.end()
	}
	if !promoted {
		t.version.plugin.pool.end()
	}
	report.Promoted, report.Reason = promoted, reason
	if t.OnEnd != nil {
		t.OnEnd(report)
	}
}

// show writes what the trial knows into what is shown of its version.
func (t *trial) show(i *event.PluginVersion) {
	if t.Mode != event.SwapShadow {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i.Calls, i.Differ = uint64(t.report.Calls), uint64(t.report.Differ)
}

// decide ends a trial that has come to a verdict.
func (v *Versions) decide(t *trial, d verdict) {
	if d.over {
		t.mu.Lock()
		t.report.Judged = true
		t.mu.Unlock()
		v.end(t, d.promote, d.reason)
	}
}

// verdict is whether a trial is over, and why.
type verdict struct {
	over, promote bool
	reason        string
}

func promoted(format string, a ...any) verdict {
	return verdict{over: true, promote: true, reason: fmt.Sprintf(format, a...)}
}

func rolledBack(format string, a ...any) verdict {
	return verdict{over: true, reason: fmt.Sprintf(format, a...)}
}
