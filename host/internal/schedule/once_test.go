package schedule

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"wasmhost/host/workflow"
)

// TestOnceAndNotLost: random schedules, processes that are stopped or die at any
// call of the world around them, downtimes. Every due time is started once at
// most, and none that a process could have started while it was younger than
// catch_up is lost. SCHEDULE_CASES: how many (a campaign takes 10,000).
func TestOnceAndNotLost(t *testing.T) {
	cases := 60
	if n, err := strconv.Atoi(os.Getenv("SCHEDULE_CASES")); err == nil {
		cases = n
	}
	starts, deaths := 0, 0
	for seed := range uint64(cases) {
		synctest.Test(t, func(t *testing.T) {
			s, d := onceAndNotLost(t, rand.New(rand.NewPCG(seed, 1)))
			starts, deaths = starts+s, deaths+d
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if starts < 10*cases || deaths < cases {
		t.Errorf("%d starts, %d deaths: nothing was tried", starts, deaths)
	}
	t.Logf("%d cases, %d starts, %d deaths", cases, starts, deaths)
}

type spanOfLife struct{ from, to time.Time }

func onceAndNotLost(t *testing.T, rng *rand.Rand) (starts, deaths int) {
	w := newWorld(t)
	crons := []string{"*/5 * * * *", "7,9 * * * *", "30 */2 * * *", "0 3 * * *", "*/20 1-5 * * *"}
	zones := []string{"UTC", "Europe/Berlin", "Australia/Lord_Howe"}
	spec := workflow.Schedule{Cron: crons[rng.IntN(len(crons))], Timezone: zones[rng.IntN(len(zones))],
		Overlap: []string{"skip", "queue", "allow"}[rng.IntN(3)], CatchUp: time.Duration(rng.IntN(4)) * 90 * time.Minute}
	// Up to the days in which clocks are changed.
	time.Sleep([]time.Duration{0, 84 * 24 * time.Hour, 238 * 24 * time.Hour, 301 * 24 * time.Hour}[rng.IntN(4)])
	long := time.Duration(rng.IntN(400)) * time.Second
	w.takes = func(Due) time.Duration { return long }

	var lives []spanOfLife
	for range 3 + rng.IntN(6) {
		w.mu.Lock()
		w.fuse = 0
		if rng.IntN(2) == 0 {
			w.fuse = 1 + rng.IntN(12)
		}
		w.mu.Unlock()
		from := time.Now()
		_, stop := w.process(spec)
		life := time.Duration(1+rng.IntN(300)) * time.Minute
		for range 60 {
			time.Sleep(life / 60)
			if w.dead() {
				break
			}
		}
		to := time.Now()
		if w.dead() {
			deaths++
			to = from // nobody knows what it still could
		}
		stop()
		lives = append(lives, spanOfLife{from, to})
		if rng.IntN(4) > 0 {
			time.Sleep(time.Duration(rng.IntN(240)) * time.Minute)
		}
	}
	// A last one, long enough for whatever waits.
	w.mu.Lock()
	w.fuse = 0
	w.mu.Unlock()
	from := time.Now()
	s, stop := w.process(spec)
	time.Sleep(13 * time.Hour)
	for range 100 {
		if s.List()[0].Queued == 0 {
			break
		}
		time.Sleep(time.Hour)
	}
	stop()
	lives = append(lives, spanOfLife{from, time.Now()})
	time.Sleep(time.Hour) // for the runs' own timers

	w.mu.Lock()
	defer w.mu.Unlock()
	begun := map[int64]string{}
	for id, r := range w.runs {
		at := r.due.Time
		if other := begun[at.Unix()]; other != "" {
			t.Errorf("%s is started by %s and %s", at, id, other)
		}
		begun[at.Unix()] = id
		if !spec.Next(at.Add(-time.Second)).Equal(at) {
			t.Errorf("%s is no time of %s", at, spec.Cron)
		}
		if age := r.begun.Sub(at); age < 0 || spec.Overlap != "queue" && age > max(spec.CatchUp, late)+time.Second {
			t.Errorf("%s is started %s later", at, age)
		}
	}
	if w.again > 0 {
		t.Errorf("%d runs were started that were there", w.again)
	}
	for at := spec.Next(w.first); at.Before(from.Add(12 * time.Hour)); at = spec.Next(at) {
		if begun[at.Unix()] != "" || !couldStart(lives, spec, at) {
			continue
		}
		if spec.Overlap == "skip" && w.madeUpFor(at, long) {
			continue
		}
		t.Fatalf("%s is lost (%s, overlap %s, catch_up %s), lives %v; told %v", at, spec.Cron, spec.Overlap, spec.CatchUp, lives, fmt.Sprint(w.audits))
	}
	return len(w.runs), deaths
}

func (w *world) dead() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.alive
}

// couldStart reports whether a process lived, for a while, when the time was due
// or missed and young.
func couldStart(lives []spanOfLife, spec workflow.Schedule, at time.Time) bool {
	for _, l := range lives {
		if l.to.Sub(l.from) < 2*time.Minute {
			continue
		}
		last := l.to.Add(-time.Minute)
		if !at.Before(l.from) && at.Before(last) || at.Before(l.from) && l.from.Sub(at) < spec.CatchUp {
			return true
		}
	}
	return false
}

// madeUpFor reports whether a run that went on, or a later one, took the place of
// a time that overlap = "skip" left out. w.mu is held.
func (w *world) madeUpFor(at time.Time, long time.Duration) bool {
	for _, r := range w.runs {
		goesOn := !r.begun.After(at.Add(time.Minute)) && r.begun.Add(long+2*time.Minute).After(at)
		later := r.due.Time.After(at) && r.begun.After(at)
		if goesOn || later {
			return true
		}
	}
	return false
}
