package plugin

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wasmhost/host/event"
)

// try begins a trial of a version with a plan, and returns how it ends.
func try(t *testing.T, r *Runtime, v *Versions, s Spec, how Trial) (*Plugin, <-chan TrialEnd) {
	t.Helper()
	ended := make(chan TrialEnd, 2)
	how.OnEnd = func(e TrialEnd) { ended <- e }
	next := loadVersion(t, r, s)
	if err := v.Try(next, FromUpload, how); err != nil {
		t.Fatal(err)
	}
	return next, ended
}

func TestCanaryIsPromoted(t *testing.T) {
	r := newTestRuntime(t, Config{})
	v, told := newVersions(t, r, versionSpec(t, "ehold"), VersionOptions{})
	next, ended := try(t, r, v, versionSpec(t, "ehnew"), Trial{Mode: event.SwapCanary, Good: 5})
	if states(v) != "canary current" {
		t.Error(states(v))
	}
	if err := v.Try(loadVersion(t, r, versionSpec(t, "ehmore")), FromUpload, Trial{Mode: event.SwapShadow}); code(err) != codeBusy {
		t.Error(err)
	}
	new := 0
	for range 50 {
		a, err := v.Call(t.Context(), Call{Input: []byte("x"), Idempotent: true})
		if err != nil {
			t.Fatal(err)
		}
		if a.Digest == next.Digest() {
			new++
		}
	}
	if e := <-ended; new != 5 || !e.Promoted || e.Calls != 5 || e.Failures != 0 || e.Digest != next.Digest() || e.Mode != event.SwapCanary {
		t.Errorf("%d calls, %+v", new, e)
	}
	says(t, v, "x", "new x")
	if states(v) != "current previous" || v.Current() != next || told.String() != "trial canary, promote canary" || len(r.Stats().Plugins) != 1 {
		t.Error(states(v), told, r.Stats())
	}
	if err := v.Promote(); code(err) != codeNoVersion {
		t.Error(err)
	}
	if err := v.EndTrial(); code(err) != codeNoVersion {
		t.Error(err)
	}
}

// TestBadCanary: no call fails because of it, and soon it gets none.
func TestBadCanary(t *testing.T) {
	for plan, c := range map[string]struct {
		says  string
		limit time.Duration
	}{
		"fh": {"2 of its 2 calls failed and were answered by the current version, of which 0 of 20 failed; the last: it always fails", time.Minute},
		"th": {"the last: trap: the plugin trapped", time.Minute},
		"sh": {"the last: timeout: timed out while the plugin ran run", 300 * time.Millisecond},
	} {
		r := newTestRuntime(t, Config{})
		v, told := newVersions(t, r, versionSpec(t, "ehold"), VersionOptions{})
		old := v.Current()
		_, ended := try(t, r, v, versionSpec(t, plan), Trial{Mode: event.SwapCanary})
		var log lines
		n := 0
		for ; v.now.Load().trial != nil && n < 100; n++ {
			ctx, cancel := context.WithTimeout(t.Context(), c.limit)
			a, err := v.Call(ctx, Call{Input: []byte("x"), Idempotent: true, Log: log.log})
			cancel()
			if err != nil || string(a.Output) != "old x" || a.Digest != old.Digest() {
				t.Fatalf("%s: %q, %v", plan, a.Output, err)
			}
		}
		e := <-ended
		if e.Promoted || n != 20 || e.Failures != 2 || !strings.Contains(e.Reason, c.says) {
			t.Errorf("%s: after %d calls: %+v", plan, n, e)
		}
		if len(log) != 2 || !strings.HasPrefix(log[0], "warn the version on trial, sha256:") {
			t.Errorf("%s: %q", plan, log)
		}
		if told.String() != "trial canary, end canary" || states(v) != "current" || v.Current() != old || len(r.Stats().Plugins) != 1 {
			t.Error(told, states(v))
		}
	}
}

// TestCanaryFailsLikeTheCurrentVersion: what both fail at is held against
// neither, and the error is that of the current one.
func TestCanaryFailsLikeTheCurrentVersion(t *testing.T) {
	r := newTestRuntime(t, Config{})
	v, _ := newVersions(t, r, versionSpec(t, "xhold"), VersionOptions{})
	old := v.Current().Digest()
	_, ended := try(t, r, v, versionSpec(t, "xhnew"), Trial{Mode: event.SwapCanary, Good: 1})
	for range 60 {
		a, err := v.Call(t.Context(), Call{Input: []byte("x"), Idempotent: true})
		if err == nil || a.Digest != old {
			t.Fatal(a, err)
		}
	}
	if states(v) != "canary current" {
		t.Error(states(v))
	}
	for range 10 {
		if _, err := v.Call(t.Context(), Call{Input: []byte("y"), Idempotent: true}); err != nil {
			t.Fatal(err)
		}
	}
	if e := <-ended; !e.Promoted || e.Failures != 0 {
		t.Errorf("%+v", e)
	}
}

func TestSlowCanary(t *testing.T) {
	r := newTestRuntime(t, Config{})
	v, _ := newVersions(t, r, versionSpec(t, "ehold"), VersionOptions{})
	_, ended := try(t, r, v, versionSpec(t, "nhnew"), Trial{Mode: event.SwapCanary})
	for range 150 {
		if _, err := v.Call(t.Context(), Call{Input: []byte("x"), Idempotent: true}); err != nil {
			t.Fatal(err)
		}
	}
	if e := <-ended; e.Promoted || e.Calls != 8 || !strings.HasPrefix(e.Reason, "it is slower: half of its last 8 calls took more than ") {
		t.Errorf("%+v", e)
	}
}

// TestWhoMayNotMeetTheCanary: work that must not be repeated, and calls without
// the time for two versions.
func TestWhoMayNotMeetTheCanary(t *testing.T) {
	r := newTestRuntime(t, Config{})
	v, _ := newVersions(t, r, versionSpec(t, "nhold"), VersionOptions{})
	next, _ := try(t, r, v, versionSpec(t, "ehnew"), Trial{Mode: event.SwapCanary, Good: 1})
	old := v.Current().Digest()
	for range 40 {
		if a, err := v.Call(t.Context(), Call{Input: []byte("x")}); err != nil || a.Digest != old {
			t.Fatal(a, err)
		}
	}
	for range 20 {
		slow := v.now.Load().current.latencies()
		ctx, cancel := context.WithTimeout(t.Context(), 2*slow[len(slow)-1])
		if a, err := v.Call(ctx, Call{Input: []byte("x"), Idempotent: true}); err == nil && a.Digest != old {
			t.Fatal(a, err)
		}
		cancel()
	}
	if n := next.pool.size(); n != 0 || v.List()[0].Calls != 0 {
		t.Errorf("it has %d instances: %+v", n, v.List()[0])
	}
	// Who gives up is no evidence.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 30 {
		if _, err := v.Call(ctx, Call{Idempotent: true}); code(err) != codeCancelled {
			t.Fatal(err)
		}
	}
	if states(v) != "canary current" {
		t.Error(states(v))
	}
	if err := v.EndTrial(); err != nil || states(v) != "current" {
		t.Error(err, states(v))
	}
}

func TestPromotedAndRolledBackByHand(t *testing.T) {
	r := newTestRuntime(t, Config{})
	v, told := newVersions(t, r, versionSpec(t, "ehold"), VersionOptions{})
	for _, mode := range []event.SwapMode{event.SwapCanary, event.SwapShadow} {
		_, ended := try(t, r, v, versionSpec(t, "ehnew"), Trial{Mode: mode})
		report, err := v.Rollback(t.Context())
		if e := <-ended; err != nil || e.Promoted || report.Mode != mode || report.To != v.Current().Digest() || !strings.HasPrefix(states(v), "current") {
			t.Error(report, err, e)
		}
		_, ended = try(t, r, v, versionSpec(t, "ehnew"), Trial{Mode: mode})
		if err := v.Promote(); err != nil || !(<-ended).Promoted {
			t.Error(err)
		}
		says(t, v, "x", "new x")
		_, ended = try(t, r, v, versionSpec(t, "ehmore"), Trial{Mode: mode})
		v.Swap(loadVersion(t, r, versionSpec(t, "ehold")), FromUpload)
		if e := <-ended; e.Promoted || e.Reason != endedBySwap {
			t.Errorf("%+v", e)
		}
		says(t, v, "x", "old x")
	}
	if n := strings.Count(told.String(), "swap now"); n != 2 || len(r.Stats().Plugins) != 1 {
		t.Error(told, r.Stats())
	}
	if err := v.Try(loadVersion(t, r, versionSpec(t, "ehnew")), "", Trial{Mode: "half"}); code(err) != codeBadSpec {
		t.Error(err)
	}
}

// TestShadow: it sees what the current version saw, asks nobody, and answers
// nobody.
func TestShadow(t *testing.T) {
	var asked atomic.Int64
	server, _ := twoServers(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "answer %d", asked.Add(1)) })
	request := `{"url":"` + server.URL + `/"}`
	for _, c := range []struct {
		old, new, input, says string
		differ                int
	}{
		{"ehsame", "ehsame", "x", "4 of 4 identical", 0},
		{"jh", "kh", "x", "4 of 4 identical", 0},
		{"ehold", "ehnew", "x", `0 of 4 identical, 4 differ: node n of run r: new x instead of old x`, 4},
		{"ehold", "fh", "x", `0 of 4 identical, 4 differ: node n of run r: error it always fails instead of old x`, 4},
		{"ehold", "sh", "x", `0 of 2 identical, 2 differ: node n of run r: error timeout: timed out while the plugin ran run instead of old x`, 2},
		{"fh", "fh", "x", "4 of 4 identical", 0},
		{"hhsame", "hhsame", request, "4 of 4 identical", 0},
		{"ehsame", "hhsame", request, "0 of 4 identical, 4 cannot be compared", 0},
	} {
		want := 4
		if c.new[0] == 's' { // each takes its second, two at once
			want = 2
		}
		r := newTestRuntime(t, Config{})
		s := versionSpec(t, c.old)
		s.Allow.HTTP = []string{server.URL}
		v, _ := newVersions(t, r, s, VersionOptions{})
		old := v.Current().Digest()
		s.Module = versionGuest(t, c.new+".shadow")
		_, ended := try(t, r, v, s, Trial{Mode: event.SwapShadow, Good: want})
		before := asked.Load()
		calls := int64(0)
		for ; v.now.Load().trial != nil && t.Context().Err() == nil; calls++ {
			input := []byte(c.input)
			a, _ := v.Call(t.Context(), Call{Input: input, Meta: Meta{RunID: "r", Node: "n"}})
			clear(input) // the caller's again
			if a.Digest != old {
				t.Fatal(a)
			}
			runtime.Gosched()
		}
		e := <-ended
		if e.Promoted || e.Reason != c.says || e.Differ != c.differ || e.Calls+e.Skipped != want || len(e.Differences) != c.differ {
			t.Errorf("%s %s: %+v", c.old, c.new, e)
		}
		if n := asked.Load() - before; c.old[0] == 'h' && n != calls || c.old[0] != 'h' && n != 0 {
			t.Errorf("%s %s: %d requests for %d calls", c.old, c.new, n, calls)
		}
		if states(v) != "current" || len(r.Stats().Plugins) != 1 {
			t.Error(states(v))
		}
	}
}

// TestBusyShadow: calls do not wait for it.
func TestBusyShadow(t *testing.T) {
	r := newTestRuntime(t, Config{})
	v, _ := newVersions(t, r, versionSpec(t, "ehold"), VersionOptions{})
	_, ended := try(t, r, v, versionSpec(t, "sh"), Trial{Mode: event.SwapShadow})
	for range 50 {
		says(t, v, "x", "old x")
	}
	if list := v.List(); list[0].State != event.VersionShadow || list[1].Calls != 50 {
		t.Errorf("%+v", list)
	}
	if err := v.EndTrial(); err != nil {
		t.Fatal(err)
	}
	if e := <-ended; e.Dropped < 40 || e.Calls != 0 {
		t.Errorf("%+v", e)
	}
}

func TestJudge(t *testing.T) {
	ms := func(from, step float64, n int) sample {
		var s sample
		for i := range n {
			s.add(time.Duration((from + step*float64(i)) * float64(time.Millisecond)))
		}
		return s
	}
	for name, c := range map[string]struct {
		judge
		over, promote bool
	}{
		"nothing yet":                   {judge{}, false, false},
		"one failure is no rate":        {judge{failures: 1, others: 9}, false, false},
		"two at once":                   {judge{failures: 2, others: 20}, true, false},
		"two of twenty":                 {judge{good: 18, failures: 2, others: 200}, true, false},
		"as bad as the other":           {judge{good: 18, failures: 2, others: 200, othersFailed: 20}, false, false},
		"worse than a bad one":          {judge{good: 10, failures: 10, others: 200, othersFailed: 20}, true, false},
		"good enough":                   {judge{good: 20, others: 200}, true, true},
		"good enough, one failure":      {judge{good: 20, failures: 1, others: 200}, true, true},
		"twice as slow":                 {judge{good: 20, others: 99, mine: ms(20, 0.1, 20), theirs: ms(10, 0.1, 90)}, true, false},
		"a little slower":               {judge{good: 20, others: 99, mine: ms(11, 0.1, 20), theirs: ms(10, 0.01, 90)}, true, true},
		"slower by less than it counts": {judge{good: 20, others: 99, mine: ms(0.5, 0.01, 20), theirs: ms(0.1, 0.001, 90)}, true, true},
		"wide, but not slower":          {judge{good: 16, mine: ms(1, 10, 10), theirs: ms(1, 1.1, 90)}, false, false},
		"too few to be slow":            {judge{good: 7, mine: ms(90, 0, 7), theirs: ms(10, 0, 90)}, false, false},
	} {
		if got := c.verdict(20); got.over != c.over || got.promote != c.promote {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// Against the table of the distribution.
	for _, c := range []struct {
		f, n int
		rate float64
		want float64
	}{{0, 10, 0.5, 1}, {1, 10, 0.1, 1 - math.Pow(0.9, 10)}, {10, 10, 0.5, math.Pow(0.5, 10)}, {2, 4, 0.5, 11.0 / 16}} {
		if got := atLeast(c.f, c.n, c.rate); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%+v: %v", c, got)
		}
	}
	// Mann and Whitney's own measure: all of one above all of the other, all tied.
	a, b := ms(10, 1, 10), ms(1, 0.5, 10)
	if z := slower(a.sorted(), b.sorted()); math.Abs(z-50/math.Sqrt(175)) > 1e-9 {
		t.Error(z)
	}
	if z := slower(b.sorted(), a.sorted()); math.Abs(z+50/math.Sqrt(175)) > 1e-9 {
		t.Error(z)
	}
	same := ms(1, 0, 10)
	if z := slower(same.sorted(), same.sorted()); z != 0 {
		t.Error(z)
	}
}
