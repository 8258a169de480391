package schedule

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// The clock of a bubble begins on 2000-01-01 at midnight UTC.

func hourly(overlap string, catchUp time.Duration) workflow.Schedule {
	return workflow.Schedule{Cron: "0 * * * *", Timezone: "UTC", Overlap: overlap, CatchUp: catchUp}
}

// TestWhatStarts: processes that come and go, runs that take their time.
func TestWhatStarts(t *testing.T) {
	type step struct {
		up, down time.Duration
	}
	const h, m = time.Hour, time.Minute
	for name, c := range map[string]struct {
		spec  workflow.Schedule
		takes time.Duration
		steps []step
		want  string
		told  string // in order, a part of each
		// What became of how many times.
		became string
	}{
		"every hour": {hourly("skip", 0), m, []step{{up: 3*h + m}}, "01T01:00 01T02:00 01T03:00", "", "started:3"},
		"no catch_up": {hourly("skip", 0), m, []step{{90 * m, 2 * h}, {up: 2 * h}}, "01T01:00 01T04:00 01T05:00",
			"no host ran at 2 times, from 2000-01-01T02:00:00Z to 2000-01-01T03:00:00Z, and there is no catch_up", "missed:2 started:3"},
		"skip: one makes up for all": {hourly("skip", 24*h), m, []step{{90 * m, 3 * h}, {up: h}}, "01T01:00 01T04:00 01T05:00", "the next time came", "skipped:2 started:3"},
		"queue: all, one by one":     {hourly("queue", 24*h), 10 * m, []step{{90 * m, 3 * h}, {up: h}}, "01T01:00 01T02:00 01T03:00 01T04:00 01T05:00", "", "started:5"},
		"allow: all":                 {hourly("allow", 24*h), 10 * h, []step{{90 * m, 3 * h}, {up: h}}, "01T01:00 01T02:00 01T03:00 01T04:00 01T05:00", "", "started:5"},
		"only the young":             {hourly("allow", 2*h), m, []step{{90 * m, 3 * h}, {up: m}}, "01T01:00 01T03:00 01T04:00", "no host ran at 2000-01-01T02:00:00Z, longer ago than catch_up (2h)", "missed:1 started:3"},
		"skip: goes on":              {hourly("skip", 0), 150 * m, []step{{up: 6*h + m}}, "01T01:00 01T04:00", "skipped: the run before still goes on (flow-20000101T010000Z", "skipped:4 started:2"},
		"queue: waits":               {hourly("queue", 0), 90 * m, []step{{up: 5*h + m}}, "01T01:00 01T02:00 01T03:00", "", "started:3"},
		"goes on over a restart":     {hourly("skip", 0), 150 * m, []step{{90 * m, m}, {up: 3 * h}}, "01T01:00 01T04:00", "skipped: the run before still goes on", "skipped:2 started:2"},
		"waits over a restart":       {hourly("queue", 0), 150 * m, []step{{150 * m, m}, {up: 2 * h}}, "01T01:00 01T02:00", "", "started:2"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.takes = func(Due) time.Duration { return c.takes }
				for _, s := range c.steps {
					_, stop := w.process(c.spec)
					time.Sleep(s.up)
					stop()
					time.Sleep(s.down)
				}
				got := w.dues()
				slices.Sort(got) // several may start at once
				if got := strings.Join(got, " "); got != c.want {
					t.Errorf("%s\nwant %s\ntold %s", got, c.want, w.told())
				}
				if !strings.Contains(w.told(), c.told) || c.told == "" && w.told() != "" {
					t.Errorf("told %q, want %q", w.told(), c.told)
				}
				if got := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(w.became), "map["), "]"); got != c.became {
					t.Errorf("counted %s, want %s", got, c.became)
				}
				if w.again > 0 {
					t.Errorf("%d runs were started that were there", w.again)
				}
				time.Sleep(24 * time.Hour) // for the runs' own timers
			})
		})
	}
}

// TestQueueIsBounded: when more wait than may, the oldest gives way.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.takes = func(Due) time.Duration { return 1000 * time.Hour }
		s, stop := w.process(hourly("queue", 0))
		time.Sleep(150*time.Hour + time.Minute)
		if l := s.List(); l[0].Queued != mostQueued {
			t.Errorf("%d wait", l[0].Queued)
		}
		if n := strings.Count(w.told(), "\n"); n != 1 || !strings.Contains(w.told(), "100 later times wait already") {
			t.Errorf("%d times told: %s", n, w.told())
		}
		stop()
		time.Sleep(900 * time.Hour)
	})
}

// TestLongDowntime: a dense schedule and a long catch_up make up for no more than
// the newest 100, and in no time.
func TestLongDowntime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		spec := workflow.Schedule{Cron: "* * * * *", Overlap: "allow", CatchUp: 10000 * time.Hour}
		_, stop := w.process(spec)
		time.Sleep(time.Minute + time.Second)
		stop()
		time.Sleep(9999 * time.Hour)
		begun := time.Now()
		_, stop = w.process(spec)
		time.Sleep(time.Second)
		stop()
		if n := len(w.dues()); n != 1+mostQueued {
			t.Errorf("%d runs", n)
		}
		for _, id := range w.order[1:] {
			if age := begun.Sub(w.runs[id].due.Time); age > (mostQueued+1)*time.Minute {
				t.Errorf("one is %s old", age)
			}
		}
		if !strings.Contains(w.told(), "no more than 100 times are made up for") {
			t.Errorf("%s", w.told())
		}
	})
}

// TestClockIsSet: times that were decided about do not come back when the clock
// is put back a little; a jump forward is a downtime.
func TestClockIsSet(t *testing.T) {
	for name, c := range map[string]struct {
		by      time.Duration
		catchUp time.Duration
		want    string
	}{
		"an hour back":          {-time.Hour, 0, "01T01:00 01T02:00 01T03:00 01T04:00"},
		"a second forward":      {time.Second, 0, "01T01:00 01T02:00 01T03:00 01T04:00 01T05:00"},
		"three hours forward":   {3 * time.Hour, 0, "01T01:00 01T02:00 01T06:00 01T07:00 01T08:00"},
		"three, with catch_up":  {3 * time.Hour, 4 * time.Hour, "01T01:00 01T02:00 01T03:00 01T04:00 01T05:00 01T06:00 01T07:00 01T08:00"},
		"far back, a wrong day": {-48 * time.Hour, 0, "01T01:00 01T02:00 30T03:00 30T04:00 30T05:00"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				_, stop := w.process(hourly("allow", c.catchUp))
				time.Sleep(150 * time.Minute)
				w.setClock(c.by)
				time.Sleep(3 * time.Hour)
				stop()
				got := w.dues()
				slices.Sort(got) // several may start at once
				if got := strings.Join(got, " "); got != c.want {
					t.Errorf("%s\nwant %s, %s", got, c.want, w.told())
				}
			})
		})
	}
}

// TestClocksOfAZone: what becomes due around a change of clocks, and how much of it
// is made up for, when no host runs meanwhile.
func TestClocksOfAZone(t *testing.T) {
	berlin := func(cron, overlap string, catchUp time.Duration) workflow.Schedule {
		return workflow.Schedule{Cron: cron, Timezone: "Europe/Berlin", Overlap: overlap, CatchUp: catchUp}
	}
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		begin    string
		spec     workflow.Schedule
		up, down time.Duration // then two hours up
		want     string        // in UTC
		told     string
	}{
		"left out, at work":                {"2026-03-29T00:15:00Z", berlin("30 2 * * *", "skip", 0), day, 0, "29T01:00 30T00:30", ""},
		"left out, down for an hour":       {"2026-03-29T00:15:00Z", berlin("30 2 * * *", "skip", 0), time.Minute, time.Hour, "", "no host ran at 2026-03-29T01:00:00Z"},
		"left out, made up for":            {"2026-03-29T00:15:00Z", berlin("30 2 * * *", "skip", time.Hour), time.Minute, time.Hour, "29T01:00", ""},
		"comes twice, at work":             {"2026-10-24T23:45:00Z", berlin("30 2 * * *", "skip", 0), 3 * time.Hour, 0, "25T00:30", ""},
		"comes twice, down between":        {"2026-10-24T23:45:00Z", berlin("30 2 * * *", "allow", day), 50 * time.Minute, 50 * time.Minute, "25T00:30", ""},
		"comes twice, down for the first":  {"2026-10-24T23:45:00Z", berlin("30 2 * * *", "allow", day), 30 * time.Minute, 50 * time.Minute, "25T00:30", ""},
		"every hour goes on":               {"2026-10-24T23:45:00Z", berlin("0 * * * *", "queue", 0), 3 * time.Hour, 0, "25T00:00 25T01:00 25T02:00 25T03:00 25T04:00", ""},
		"every hour, all made up for":      {"2026-10-24T23:45:00Z", berlin("0 * * * *", "queue", day), time.Minute, 3 * time.Hour, "25T00:00 25T01:00 25T02:00 25T03:00 25T04:00", ""},
		"every hour, and one is left out":  {"2026-03-29T00:15:00Z", berlin("0 * * * *", "allow", day), time.Minute, 2 * time.Hour, "29T01:00 29T02:00 29T03:00 29T04:00", ""},
		"every hour, one makes up for all": {"2026-03-29T00:15:00Z", berlin("0 * * * *", "skip", day), time.Minute, 2 * time.Hour, "29T02:00 29T03:00 29T04:00", "the next time came before"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				begin, err := time.Parse(time.RFC3339, c.begin)
				if err != nil {
					t.Fatal(err)
				}
				w.setClock(time.Until(begin))
				_, stop := w.process(c.spec)
				time.Sleep(c.up)
				stop()
				time.Sleep(c.down)
				_, stop = w.process(c.spec)
				time.Sleep(2 * time.Hour)
				stop()
				got := w.dues()
				slices.Sort(got) // several may start at once
				if got := strings.Join(got, " "); got != c.want {
					t.Errorf("%s\nwant %s\ntold %s", got, c.want, w.told())
				}
				if !strings.Contains(w.told(), c.told) || c.told == "" && w.told() != "" {
					t.Errorf("told %q, want %q", w.told(), c.told)
				}
			})
		})
	}
}

// TestClockIsSetBetween: the clock is put back while no host runs. What was decided
// about is not started again, and a run that goes on holds back what it held back.
func TestClockIsSetBetween(t *testing.T) {
	for name, c := range map[string]struct {
		back    time.Duration
		overlap string
		takes   time.Duration
		want    string
	}{
		"an hour":                        {time.Hour, "skip", time.Minute, "01T01:00 01T02:00 01T03:00"},
		"an hour, a run goes on":         {time.Hour, "skip", 150 * time.Minute, "01T01:00 01T03:00"},
		"an hour, the next waits for it": {time.Hour, "queue", 150 * time.Minute, "01T01:00 01T02:00"},
		"ten hours":                      {10 * time.Hour, "allow", time.Minute, "01T01:00 01T02:00 31T17:00 31T18:00"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.takes = func(Due) time.Duration { return c.takes }
				_, stop := w.process(hourly(c.overlap, 0))
				time.Sleep(150 * time.Minute)
				stop()
				w.setClock(-c.back)
				_, stop = w.process(hourly(c.overlap, 0))
				time.Sleep(140 * time.Minute)
				stop()
				got := w.dues()
				slices.Sort(got)
				if got := strings.Join(got, " "); got != c.want || w.again > 0 {
					t.Errorf("%s, %d again\nwant %s\ntold %s", got, w.again, c.want, w.told())
				}
				time.Sleep(24 * time.Hour) // for the runs' own timers
			})
		})
	}
}

// TestStartFails: tried again while the time is young, told when it is given up.
func TestStartFails(t *testing.T) {
	for name, c := range map[string]struct {
		err      error
		catchUp  time.Duration
		heals    int // tries that fail
		tries    int
		want     string
		told     string
		duration time.Duration
	}{
		"for a moment":        {errors.New("the disk is full"), 0, 2, 3, "01T01:00", "", time.Hour},
		"longer":              {errors.New("the disk is full"), 0, 99, 5, "", "not started: the disk is full", time.Hour},
		"longer, and catches": {errors.New("the disk is full"), 50 * time.Minute, 10, 11, "01T01:00", "", time.Hour},
		"for good":            {&event.Error{Class: event.Permanent, Code: "input", Message: "no such input"}, time.Hour, 99, 1, "", "not started", time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				tries := 0
				w.fails = func(Due) error {
					if tries++; tries <= c.heals {
						return c.err
					}
					return nil
				}
				s, stop := w.process(hourly("skip", c.catchUp))
				time.Sleep(2*time.Hour - time.Second)
				if got := strings.Join(w.dues(), " "); got != c.want || tries != c.tries {
					t.Errorf("%q after %d tries, want %q after %d; %s", got, tries, c.want, c.tries, w.told())
				}
				if !strings.Contains(w.told(), c.told) || c.told == "" && w.told() != "" {
					t.Errorf("%s", w.told())
				}
				if l := s.List()[0]; c.want == "" && (!strings.Contains(l.LastText, "not started: ") || !l.Next[0].Equal(time.Date(2000, 1, 1, 2, 0, 0, 0, time.UTC))) {
					t.Errorf("%+v", l)
				}
				stop()
			})
		})
	}
}

// TestFileChanges: a schedule is the same one wherever it stands; one that is new
// begins now, one that is gone starts nothing and leaves nothing.
func TestFileChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		other := workflow.Schedule{Cron: "30 * * * *", Timezone: "UTC"}
		s, stop := w.process(hourly("skip", 5*time.Hour))
		time.Sleep(75 * time.Minute)
		s.Set("flow", []workflow.Schedule{other, hourly("skip", 5*time.Hour)})
		time.Sleep(time.Hour) // 2:15
		if got := strings.Join(w.dues(), " "); got != "01T01:00 01T01:30 01T02:00" {
			t.Error(got)
		}
		if l := s.List(); len(l) != 2 || l[0].Cron != "30 * * * *" || l[1].Index != 1 || l[1].LastText != "started" || l[1].CatchUp != "5h" || len(l[1].Next) != 3 {
			t.Errorf("%+v", l)
		}
		s.Set("flow", []workflow.Schedule{hourly("skip", 5*time.Hour)})
		time.Sleep(time.Hour) // 3:15
		if n := w.kept(); n != 1 {
			t.Errorf("%d states", n)
		}
		stop()
		time.Sleep(time.Hour) // 4:15, and back with the first: only the second was missed
		s, stop = w.process(other, hourly("skip", 5*time.Hour))
		time.Sleep(time.Second)
		if got := strings.Join(w.dues(), " "); got != "01T01:00 01T01:30 01T02:00 01T03:00 01T04:00" {
			t.Error(got)
		}
		s.Set("flow", nil)
		time.Sleep(time.Hour)
		if len(s.List()) != 0 || w.kept() != 0 {
			t.Errorf("%+v, %d states", s.List(), w.kept())
		}
		stop()
	})
}

func TestRunID(t *testing.T) {
	at := time.Date(2026, 11, 23, 19, 0, 0, 0, time.FixedZone("", 3600))
	names := keys([]workflow.Schedule{{Cron: "0 *  * * *"}, {Cron: "0 * * * *", Timezone: "UTC"}, {Cron: "0 * * * *", Timezone: "Europe/Berlin"}})
	if got := strings.Join(names, ","); got != "0 * * * * UTC,0 * * * * UTC #2,0 * * * * Europe/Berlin" {
		t.Error(got)
	}
	ids := map[string]bool{}
	for _, name := range []string{"flow", strings.Repeat("x", 128), strings.Repeat("x", 127) + "y"} {
		for _, key := range names {
			id := runID(name, key, at)
			if !regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`).MatchString(id) || !strings.Contains(id, "-20261123T180000Z-") || id != runID(name, key, at.UTC()) {
				t.Error(id)
			}
			ids[id] = true
		}
	}
	if len(ids) != 9 {
		t.Errorf("%v", ids)
	}
}

func TestDamagedState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, bad := range []string{"", "{}", "nonsense", `{"last":7}`} {
			w := newWorld(t)
			w.states[[2]string{"flow", "0 * * * * UTC"}] = []byte(bad)
			_, stop := w.process(hourly("skip", time.Hour))
			time.Sleep(65 * time.Minute)
			stop()
			if len(w.order) != 1 {
				t.Errorf("%q: %v", bad, w.dues())
			}
		}
		s := New(Config{Load: func(context.Context) ([]Saved, error) { return nil, errors.New("unreadable") }})
		if err := s.Run(t.Context()); fmt.Sprint(err) != "unreadable" {
			t.Error(err)
		}
	})
}
