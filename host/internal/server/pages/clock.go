package pages

import (
	"fmt"
	"html/template"
	"time"
)

// duration is a time span in milliseconds for people.
func duration(ms float64) string {
	switch {
	case ms <= 0:
		return "0 ms"
	case ms < 1:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 59_950:
		return fmt.Sprintf("%.1f s", ms/1000)
	}
	return span(time.Duration(ms * 1e6))
}

// span is a longer time in two units at most.
func span(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d d %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// age is a span in the one unit that matters to who looks back.
func age(d time.Duration) string {
	if d >= time.Minute && d < time.Hour {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return span(d)
}

const fullTime = "2006-01-02 15:04:05 MST"

// ago shows a time that has passed as a distance, with the time itself as its
// title; the script keeps the distance right.
func (p *Pages) ago(t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s" data-ago>%s ago</time>`, t.UTC().Format(time.RFC3339Nano), t.UTC().Format(fullTime), age(p.now().Sub(t))))
}

// until shows a time to come as a countdown.
func (p *Pages) until(t time.Time) template.HTML {
	left := t.Sub(p.now())
	text := "at any moment"
	if left > 0 {
		text = "in " + span(left+500*time.Millisecond)
	}
	return template.HTML(fmt.Sprintf(`<time class="countdown" datetime="%s" title="%s" data-until>%s</time>`, t.UTC().Format(time.RFC3339Nano), t.UTC().Format(fullTime), text))
}

// at shows a time as such.
func at(t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, t.UTC().Format(time.RFC3339Nano), t.UTC().Format(fullTime)))
}

// clockTime is the time of day of an event, to the millisecond.
func clockTime(t time.Time) template.HTML {
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, t.UTC().Format(time.RFC3339Nano), t.UTC().Format(fullTime), t.UTC().Format("15:04:05.000")))
}

// inZone shows a time in a zone by its name.
func inZone(t time.Time, zone string) template.HTML {
	if t.IsZero() {
		return "–"
	}
	if l, err := time.LoadLocation(zone); err == nil {
		t = t.In(l)
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, t.Format(time.RFC3339), t.Format("Mon 2 Jan 2006 15:04 MST")))
}
