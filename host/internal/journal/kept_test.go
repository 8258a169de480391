//go:build unix

package journal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"wasmhost/host/event"
)

func init() { parts["keep"] = keepUntilKilled }

// keepUntilKilled goes on, round after round, with what a server keeps beside
// runs, and says on stdout what was acknowledged. An audit goes before each.
func keepUntilKilled(dir string) error {
	o, err := deadly()
	if err != nil {
		return err
	}
	ctx := context.Background()
	j, err := Open(ctx, dir, o)
	if err != nil {
		return err
	}
	n, err := lastAudit(ctx, j)
	for err == nil {
		n++
		j.Audit(event.Audit{Action: "round", Target: strconv.Itoa(n), OK: true})
		text := strconv.Itoa(n)
		for _, one := range []struct {
			name string
			keep func() error
		}{
			{"schedule", func() error { return j.SaveSchedule(ctx, Schedule{"w", "k", []byte(text)}) }},
			{"swap", func() error {
				return j.SaveSwap(ctx, Swap{Root: "w", Plugin: "p", Digest: text, Previous: strconv.Itoa(n - 1), By: text})
			}},
			{"recordings", func() error { return j.SaveRecordings(ctx, "w", "p", []byte(strings.Repeat(text+" ", 2000))) }},
		} {
			if err = one.keep(); err != nil {
				break
			}
			if _, err = fmt.Fprintln(os.Stdout, one.name, n); err != nil {
				break
			}
		}
	}
	return err
}

func lastAudit(ctx context.Context, j *Journal) (int, error) {
	list, err := j.Audits(ctx, 1)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return strconv.Atoi(list[0].Target)
}

// TestKeptOverKills kills a process between any two writes of what a server keeps
// beside runs. What was acknowledged is there; of what was not there is the state
// before or the new one, whole; an audit that went before an acknowledged change
// is there, and none is there twice.
func TestKeptOverKills(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 1))
	dir, acked := t.TempDir(), map[string]int{}
	for _, where := range []string{"begin", "insert", "commit", "committed", "told", "disk", "disk", "disk", "disk", ""} {
		if where != "" {
			where = fmt.Sprintf("%s:%d", where, 1+random.IntN(60))
		}
		killOnce(t, play("keep", dir, "JOURNAL_KILL="+where), where == "", time.Duration(random.IntN(100))*time.Millisecond, acked)
		leftBehind(t, dir)
		keptAfter(t, dir, where, acked)
	}
	if acked["recordings"] < 20 {
		t.Errorf("only %v was acknowledged: nothing was tried", acked)
	}
}

func keptAfter(t *testing.T, dir, where string, acked map[string]int) {
	t.Helper()
	ctx := t.Context()
	j, err := Open(ctx, dir, Options{})
	if err != nil {
		t.Fatalf("killed at %q: %v", where, err)
	}
	defer shut(t, j)
	audits, err := j.Audits(ctx, 0)
	must(t, err)
	is := func(what, got string) {
		t.Helper()
		if n, err := strconv.Atoi(got); got != "" && err != nil || n < acked[what] || n > len(audits) {
			t.Errorf("killed at %q: the %s is of round %q, %d was acknowledged and %d begun", where, what, got, acked[what], len(audits))
		}
	}
	schedules, err := j.Schedules(ctx)
	must(t, err)
	swaps, err := j.Swaps(ctx)
	must(t, err)
	recordings, err := j.Recordings(ctx, "w", "p")
	must(t, err)
	if len(schedules) > 1 || len(swaps) > 1 {
		t.Fatalf("killed at %q: %+v %+v", where, schedules, swaps)
	}
	for _, s := range schedules {
		is("schedule", string(s.State))
	}
	for _, s := range swaps {
		is("swap", s.Digest)
		if n, _ := strconv.Atoi(s.Digest); s.By != s.Digest || s.Previous != strconv.Itoa(n-1) {
			t.Errorf("killed at %q: half a swap: %+v", where, s)
		}
	}
	round, _, _ := strings.Cut(string(recordings), " ")
	is("recordings", round)
	if string(recordings) != strings.Repeat(round+" ", 2000) && len(recordings) > 0 {
		t.Errorf("killed at %q: half of the recordings of round %s", where, round)
	}
	for i, a := range audits {
		if n := len(audits) - i; a.Target != strconv.Itoa(n) {
			t.Fatalf("killed at %q: the audit in place %d is of round %s", where, n, a.Target)
		}
	}
	if len(audits) < acked["schedule"] {
		t.Errorf("killed at %q: %d audits, the change of round %d was acknowledged", where, len(audits), acked["schedule"])
	}
	found, err := Check(ctx, dir)
	must(t, err)
	for _, f := range found {
		if f.Bad {
			t.Errorf("killed at %q: %+v", where, f)
		}
	}
	if len(schedules) == 0 && acked["schedule"] > 0 || len(swaps) == 0 && acked["swap"] > 0 {
		t.Errorf("killed at %q: %v was acknowledged, there is %+v %+v", where, acked, schedules, swaps)
	}
}
