package workflow

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Next returns the first time of the schedule after t, in UTC: a whole minute.
// It is zero when there is none, which a file that was read does not have.
//
// When clocks are changed, a schedule whose minute or hour begins with * goes by
// the time that passes: it is due at every moment whose wall clock time fits, and
// so twice in an hour that comes twice, and not in one that is left out. One
// with fixed minutes and hours is due once a day: in an hour that comes twice the
// first time, and for one that is left out when the clocks have been changed.
func (s Schedule) Next(t time.Time) time.Time {
	c := s.times
	if c == nil { // built in Go
		var p *problem
		if c, p = parseCron(s.Cron, s.Timezone); p != nil {
			return time.Time{}
		}
	}
	return c.next(t).UTC()
}

// cronTimes is a cron expression in a time zone. Its spec is asked about wall
// clock times only, as if they were UTC; what they mean in the zone is said here.
type cronTimes struct {
	spec  *cron.SpecSchedule
	zone  *time.Location
	fixed bool // neither minute nor hour begins with *
}

// star is the bit that the parser sets for a field that is *. crontab(5) means
// every field that begins with one: "0 0 */2 * 1" is due on Mondays of odd days.
const star = 1 << 63

func parseCron(text, zone string) (*cronTimes, *problem) {
	if p := checkCronText(text); p != nil {
		return nil, p
	}
	if zone == "" {
		zone = "UTC"
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return nil, checkTimezone(zone)
	}
	fields := strings.Fields(text)
	if len(fields) == len(cronFields) {
		fields[4] = sundays(fields[4])
		text = strings.Join(fields, " ")
	}
	parsed, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor).Parse(text)
	spec, ok := parsed.(*cron.SpecSchedule)
	if err != nil || !ok {
		return nil, &problem{code: "bad_cron", message: "no cron expression: " + text}
	}
	spec.Location = time.UTC
	c := &cronTimes{spec: spec, zone: loc, fixed: spec.Hour&star == 0 && spec.Minute&star == 0}
	if len(fields) == len(cronFields) {
		c.fixed = fields[0][0] != '*' && fields[1][0] != '*'
		if fields[2][0] == '*' {
			spec.Dom |= star
		}
		if fields[4][0] == '*' {
			spec.Dow |= star
		}
	}
	return c, nil
}

// sundays writes the 7 of crontab(5), which is a Sunday too, as 0.
func sundays(field string) string {
	parts := strings.Split(field, ",")
	for i, part := range parts {
		span, step, stepped := strings.Cut(part, "/")
		low, high, ranged := strings.Cut(span, "-")
		switch {
		case low == "7": // 7, 7-7, 7/2
			parts[i] = "0"
		case high == "7" && !stepped:
			parts[i] = low + "-6,0"
		case ranged && high == "7": // the Sunday counts when a step reaches it
			a, _ := cronFields[4].value(low)
			parts[i] = low + "-6/" + step
			if n, err := positiveInt(step); err == nil && (7-a)%n == 0 {
				parts[i] += ",0"
			}
		}
	}
	return strings.Join(parts, ",")
}

// next goes through the stretches of time between two changes of the zone's
// clocks.
func (c *cronTimes) next(t time.Time) time.Time {
	at := t.In(c.zone)
	for {
		_, offset := at.Zone()
		begin, end := at.ZoneBounds()
		wall := c.wall(asUTC(at, offset))
		if wall.IsZero() {
			return time.Time{}
		}
		found := asZone(wall, offset, c.zone)
		if end.IsZero() || found.Before(end) {
			if c.fixed && c.again(wall, begin, offset) {
				at = found
				continue
			}
			return found
		}
		// The clocks are changed before. What the new time leaves out is due when it
		// begins.
		_, after := end.Zone()
		if c.fixed && wall.Before(asUTC(end, after)) {
			return end
		}
		first := asUTC(end, after)
		if c.wall(first.Add(-1)).Equal(first) && !(c.fixed && c.again(first, end, after)) {
			return end
		}
		at = end
	}
}

// wall is the first wall clock time after w. A 29th of February may be 8 years
// away, and the library looks 5 years ahead.
func (c *cronTimes) wall(w time.Time) time.Time {
	for range 3 {
		if found := c.spec.Next(w); !found.IsZero() {
			return found
		}
		w = w.AddDate(4, 0, 0)
	}
	return time.Time{}
}

// again reports whether a wall clock time, in the stretch that began then, came
// in the one before it too.
func (c *cronTimes) again(wall, begin time.Time, offset int) bool {
	if begin.IsZero() {
		return false
	}
	_, before := begin.Add(-time.Nanosecond).In(c.zone).Zone()
	return before > offset && wall.Before(asUTC(begin, before))
}

// asUTC is what the clocks of a zone show at t, as a time of UTC.
func asUTC(t time.Time, offset int) time.Time {
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// asZone is when the clocks show wall.
func asZone(wall time.Time, offset int, zone *time.Location) time.Time {
	return wall.Add(-time.Duration(offset) * time.Second).In(zone)
}
