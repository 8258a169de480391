package workflow

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNext compares with times that crontab(5) means, written down by hand.
func TestNext(t *testing.T) {
	for _, c := range []struct{ cron, zone, from, want string }{
		{"*/15 * * * *", "UTC", "2026-03-01T12:00:00Z", "2026-03-01T12:15:00Z 2026-03-01T12:30:00Z 2026-03-01T12:45:00Z 2026-03-01T13:00:00Z"},
		{"@hourly", "", "2026-12-31T23:59:59.9Z", "2027-01-01T00:00:00Z 2027-01-01T01:00:00Z"},
		{"@yearly", "Asia/Kolkata", "2026-01-01T00:00:00Z", "2026-12-31T18:30:00Z 2027-12-31T18:30:00Z"},
		{"0 0 1,15 * 5", "UTC", "2026-05-30T00:00:00Z", "2026-06-01T00:00:00Z 2026-06-05T00:00:00Z 2026-06-12T00:00:00Z 2026-06-15T00:00:00Z"},
		{"0 0 */2 * 1", "UTC", "2026-06-01T00:00:00Z", "2026-06-15T00:00:00Z 2026-06-29T00:00:00Z 2026-07-13T00:00:00Z"},
		{"0 9 * * 5-7", "UTC", "2026-06-05T00:00:00Z", "2026-06-05T09:00:00Z 2026-06-06T09:00:00Z 2026-06-07T09:00:00Z 2026-06-12T09:00:00Z"},
		{"0 9 * * 7", "UTC", "2026-06-05T00:00:00Z", "2026-06-07T09:00:00Z 2026-06-14T09:00:00Z"},
		{"0 9 * jan-mar/2 mon,WED", "UTC", "2026-01-27T00:00:00Z", "2026-01-28T09:00:00Z 2026-03-02T09:00:00Z"},
		{"0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z 2108-02-29T00:00:00Z"},
		{"30 4 31 * *", "UTC", "2026-01-31T05:00:00Z", "2026-03-31T04:30:00Z 2026-05-31T04:30:00Z"},
		// Berlin, 2026-03-29: 02:00 is 03:00. What is left out is due at 03:00, once.
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-28T01:30:00Z 2026-03-29T01:00:00Z 2026-03-30T00:30:00Z"},
		{"0,20,40 2 * * *", "Europe/Berlin", "2026-03-28T20:00:00Z", "2026-03-29T01:00:00Z 2026-03-30T00:00:00Z"},
		{"0 2,3 * * *", "Europe/Berlin", "2026-03-28T20:00:00Z", "2026-03-29T01:00:00Z 2026-03-30T00:00:00Z"},
		{"30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T00:30:00Z 2026-03-29T01:30:00Z"},
		{"*/30 2 * * *", "Europe/Berlin", "2026-03-28T20:00:00Z", "2026-03-30T00:00:00Z"},
		// Berlin, 2026-10-25: 03:00 is 02:00. Fixed times are due once, others go on.
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z 2026-10-26T01:30:00Z"},
		{"0 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T02:00:00Z"},
		{"0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", "2026-10-25T00:00:00Z 2026-10-25T01:00:00Z 2026-10-25T02:00:00Z"},
		{"0 */2 * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", "2026-10-25T00:00:00Z 2026-10-25T01:00:00Z 2026-10-25T03:00:00Z"},
		// São Paulo, 2018-11-04: midnight is 01:00. Apia, 2011: there was no 30th of December.
		{"0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-04T03:00:00Z 2018-11-05T02:00:00Z"},
		{"0 12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-29T22:00:00Z 2011-12-30T10:00:00Z 2011-12-30T22:00:00Z"},
		// Lord Howe moves its clocks by half an hour.
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-03T15:30:00Z 2026-10-04T15:15:00Z"},
	} {
		s := Schedule{Cron: c.cron, Timezone: c.zone}
		at, err := time.Parse(time.RFC3339Nano, c.from)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for range strings.Fields(c.want) {
			at = s.Next(at)
			got = append(got, at.Format(time.RFC3339))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q in %q after %s:\ngot  %s\nwant %s", c.cron, c.zone, c.from, strings.Join(got, " "), c.want)
		}
	}
	if n := (Schedule{Cron: "0 0 30 2 *"}).Next(time.Now()); !n.IsZero() {
		t.Errorf("the 30th of February is %s", n)
	}
	if n := (Schedule{Cron: "nonsense"}).Next(time.Now()); !n.IsZero() {
		t.Errorf("nonsense is %s", n)
	}
}

// TestNextMinuteByMinute compares with somebody who looks at the clock on the
// wall every minute, in the days around changes of clocks.
func TestNextMinuteByMinute(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 7))
	days := map[string][]string{
		"Europe/Berlin":       {"2026-03-28", "2026-10-24", "2026-07-01"},
		"America/New_York":    {"2026-03-07", "2026-10-31"},
		"Australia/Lord_Howe": {"2026-04-03", "2026-10-02"},
		"America/Sao_Paulo":   {"2018-02-16", "2018-11-02"},
		"Africa/Casablanca":   {"2026-02-13", "2026-03-21"},
		"Pacific/Apia":        {"2011-12-28"},
		"Asia/Kathmandu":      {"2026-01-01"},
	}
	for zone, list := range days {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, day := range list {
			begin, _ := time.Parse(time.DateOnly, day)
			for range 12 {
				expr, fits, fixed := randomCron(rng)
				want := watchTheWall(begin, loc, fits, fixed)
				var got []time.Time
				s := Schedule{Cron: expr, Timezone: zone}
				for at := s.Next(begin); !at.IsZero() && at.Before(begin.Add(72*time.Hour)); at = s.Next(at) {
					got = append(got, at)
				}
				if !slices.EqualFunc(got, want, time.Time.Equal) {
					t.Fatalf("%q in %s from %s:\ngot  %v\nwant %v", expr, zone, day, got, want)
				}
			}
		}
	}
}

// watchTheWall finds the due times of three days by looking at every minute.
func watchTheWall(begin time.Time, zone *time.Location, fits func(time.Time) bool, fixed bool) (due []time.Time) {
	clock := func(t time.Time) time.Time {
		w := t.In(zone)
		return time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), 0, 0, time.UTC)
	}
	for m := begin.Add(time.Minute); m.Before(begin.Add(72 * time.Hour)); m = m.Add(time.Minute) {
		now := clock(m)
		is := fits(now)
		if fixed {
			for back := time.Minute; is && back <= 3*time.Hour; back += time.Minute {
				is = !clock(m.Add(-back)).Equal(now)
			}
			for left := clock(m.Add(-time.Minute)).Add(time.Minute); !is && left.Before(now); left = left.Add(time.Minute) {
				is = fits(left)
			}
		}
		if is {
			due = append(due, m)
		}
	}
	return due
}

func randomCron(rng *rand.Rand) (expr string, fits func(time.Time) bool, fixed bool) {
	var sets [5]map[int]bool
	var texts [5]string
	for i, f := range cronFields {
		sets[i] = map[int]bool{}
		a := f.min + rng.IntN(f.max-f.min+1)
		b := a + rng.IntN(f.max-a+1)
		step := 1 + rng.IntN(3)
		form := rng.IntN(6)
		if i == 1 && rng.IntN(2) == 0 { // the hours at which clocks are changed
			a, form = rng.IntN(4), 1
		}
		if i >= 2 && rng.IntN(3) > 0 || i == 3 {
			form = 0
		}
		switch form {
		case 0:
			texts[i], a, b, step = "*", f.min, f.max, 1
		case 1:
			texts[i], b, step = fmt.Sprint(a), a, 1
		case 2:
			texts[i], step = fmt.Sprintf("%d-%d", a, b), 1
		case 3:
			texts[i] = fmt.Sprintf("%d-%d/%d", a, b, step)
		case 4:
			texts[i], a, b = fmt.Sprintf("*/%d", step), f.min, f.max
		case 5:
			texts[i], step = fmt.Sprintf("%d,%d", a, b), max(1, b-a)
		}
		if i == 4 && texts[i][0] == '*' {
			b = 6
		}
		for v := a; v <= b; v += step {
			sets[i][v] = true
		}
	}
	sets[4][0] = sets[4][0] || sets[4][7]
	fits = func(w time.Time) bool {
		day, weekday := sets[2][w.Day()], sets[4][int(w.Weekday())]
		either := day || weekday
		if texts[2][0] == '*' || texts[4][0] == '*' {
			either = day && weekday
		}
		return either && sets[0][w.Minute()] && sets[1][w.Hour()] && sets[3][int(w.Month())]
	}
	return strings.Join(texts[:], " "), fits, texts[0][0] != '*' && texts[1][0] != '*'
}

func BenchmarkNext(b *testing.B) {
	for _, c := range []string{"*/15 * * * *", "30 2 * * *", "0 0 29 2 *"} {
		b.Run(c, func(b *testing.B) {
			var s Schedule
			s.times, _ = parseCron(c, "Europe/Berlin")
			at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for b.Loop() {
				s.Next(at)
			}
		})
	}
}
