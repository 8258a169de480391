package plugin

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"wasmhost/host/event"
)

// version is one module of a plugin that changes. It is made once; what changes
// of it is its tally.
type version struct {
	plugin *Plugin
	from   string
	*tally
}

func newVersion(p *Plugin, from string) *version {
	if from == "" {
		from = FromSource
	}
	return &version{plugin: p, from: from, tally: &tally{}}
}

// tally counts the calls that a version answered. A call costs it two atomic
// additions and stores.
type tally struct {
	calls, failures atomic.Uint64
	recent          [256]atomic.Int64 // how long the last calls took
}

// count counts a call. One that its caller gave up is no failure.
func (t *tally) count(took time.Duration, err error) {
	n := t.calls.Add(1)
	t.recent[(n-1)%uint64(len(t.recent))].Store(int64(took))
	if err != nil && !gaveUp(err) {
		t.failures.Add(1)
	}
}

// latencies are those of the last calls, sorted.
func (t *tally) latencies() []time.Duration {
	n := min(t.calls.Load(), uint64(len(t.recent)))
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = time.Duration(t.recent[i].Load())
	}
	slices.Sort(all)
	return all
}

// quantile is the value below which a share of a sorted list lies; 0 of none.
func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

// gaveUp tells the calls that say nothing about the version: the caller ended
// them.
func gaveUp(err error) bool {
	var e *event.Error
	return errors.As(err, &e) && e.Code == codeCancelled
}

// info is the version as it is shown.
func (t *tally) info(digest, from string, state event.VersionState, since time.Time) event.PluginVersion {
	l := t.latencies()
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
	return event.PluginVersion{Digest: digest, From: from, State: state, Since: since, Calls: t.calls.Load(), Failures: t.failures.Load(),
		P50MS: ms(quantile(l, 0.5)), P99MS: ms(quantile(l, 0.99))}
}

// former is a version that calls no longer get, without anything compiled: what
// rollback needs.
type former struct {
	spec         Spec
	digest, from string
	since        time.Time
	*tally
}

func (v *version) former(now time.Time) *former {
	s := v.plugin.spec
	s.Module, s.Linked, s.kept = v.plugin.Module(), v.plugin.Linked(), v.plugin.program.image
	return &former{spec: s, digest: v.plugin.Digest(), from: v.from, since: now, tally: v.tally}
}
