package alert

import (
	"strings"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// TestHealthSees: what counts as another result of a check, and what is known of
// checks that come and go with the file.
func TestHealthSees(t *testing.T) {
	// seen is one result: when its check began, how long it took, in seconds.
	type seen struct {
		check   string
		healthy bool
		at      float64
		took    float64
	}
	const file = "the file is read again, with"
	for name, c := range map[string]struct {
		results []seen
		told    string // the state after each
	}{
		"twice in a row":          {[]seen{{"db", false, 1, 0.1}, {"db", false, 2, 0.1}}, "healthy unhealthy"},
		"the same one again":      {[]seen{{"db", false, 1, 0}, {"db", false, 1, 0}}, "healthy healthy"},
		"two at once":             {[]seen{{"db", false, 1, 5}, {"db", false, 2, 5}}, "healthy healthy"},
		"and one after them":      {[]seen{{"db", false, 1, 5}, {"db", false, 2, 5}, {"db", false, 6.5, 5}}, "healthy healthy unhealthy"},
		"always two at once":      {[]seen{{"db", false, 1, 5}, {"db", false, 4, 5}, {"db", false, 7, 5}}, "healthy healthy unhealthy"},
		"two at once that differ": {[]seen{{"db", false, 1, 0.1}, {"db", false, 2, 0.1}, {"db", true, 3, 5}, {"db", true, 3.1, 0.1}}, "healthy unhealthy unhealthy unhealthy"},
		"an older one":            {[]seen{{"db", false, 5, 0.1}, {"db", false, 1, 0.1}}, "healthy healthy"},
		"the one that failed is gone": {[]seen{{"db", false, 1, 0}, {"db", false, 2, 0}, {file, true, 0, 0}, {"mail", true, 3, 0}, {"mail", true, 4, 0}},
			"healthy unhealthy unhealthy healthy healthy"},
		"and another fails": {[]seen{{"db", false, 1, 0}, {"db", false, 2, 0}, {file, true, 0, 0}, {"mail", true, 3, 0}, {"mail", true, 4, 0}, {"mail", false, 5, 0}, {"mail", false, 6, 0}},
			"healthy unhealthy unhealthy healthy healthy healthy unhealthy"},
		"it has another name and still fails": {[]seen{{"db", false, 1, 0}, {"db", false, 2, 0}, {file, true, 0, 0}, {"mail", false, 3, 0}, {"mail", false, 4, 0}},
			"healthy unhealthy unhealthy unhealthy unhealthy"},
	} {
		h := health{told: healthy}
		var told []string
		for _, s := range c.results {
			if s.check == file {
				h.keep([]workflow.Check{{Name: "mail", Critical: true}, {Name: "db"}})
				told = append(told, h.told)
				continue
			}
			at := time.Unix(0, int64(s.at*1e9))
			_, to, _ := h.see(&event.Report{Timestamp: at, Checks: map[string]event.Check{
				s.check: {Healthy: s.healthy, Critical: true, Timestamp: at, DurationMS: s.took * 1e3}}})
			told = append(told, to)
		}
		if got := strings.Join(told, " "); got != c.told {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.told)
		}
	}
}
