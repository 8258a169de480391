package schedule

import (
	"fmt"
	"strings"
	"time"
)

// span is a number of times in a row.
type span struct {
	n           int
	first, last time.Time
}

func (s *span) add(at time.Time) {
	if s.n == 0 || at.Before(s.first) {
		s.first = at
	}
	if at.After(s.last) {
		s.last = at
	}
	s.n++
}

func (s *span) String() string {
	switch {
	case s.n == 1:
		return s.first.Format(time.RFC3339)
	case s.n >= mostCounted:
		return fmt.Sprintf("more than %d times since %s", mostCounted, s.first.Format(time.RFC3339))
	}
	return fmt.Sprintf("%d times, from %s to %s", s.n, s.first.Format(time.RFC3339), s.last.Format(time.RFC3339))
}

// duration writes a duration as workflow files do: 10m, not 10m0s.
func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
