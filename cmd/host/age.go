package main

import (
	"strconv"
	"strings"
	"time"
)

// parseAge reads a duration that may have days: "90m", "12h", "30d".
func parseAge(flag, text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 && n < 36500 {
			return time.Duration(n * float64(24*time.Hour)), nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return d, nil
	}
	return 0, usage("--%s %s is no duration", flag, clean(text)).with("write a number and a unit: 90m, 12h or 30d")
}

// parseSince reads a time, or how long ago it was.
func parseSince(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil && t.Year() > 1700 && t.Year() < 2200 {
			return t, nil
		}
	}
	d, err := parseAge("since", text)
	if err != nil {
		return time.Time{}, usage("--since %s is neither a time nor how long ago it was", clean(text)).with("for instance 90m, 12h, 7d, 2026-01-31 or 2026-01-31T08:00:00Z")
	}
	return now.Add(-d), nil
}
