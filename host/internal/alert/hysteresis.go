package alert

import (
	"slices"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// A change is told once, and only when it lasts: what goes to and fro is one
// change, not many.

// confirmed is how many results of a check in a row must say the same.
const confirmed = 2

// health follows the critical checks of a workflow, each by itself: reports may
// have different checks, and results that were used again are no new ones.
type health struct {
	checks map[string]*check
	told   string
}

type check struct {
	until   time.Time // when the last result was there
	last    bool      // what it was
	row     int       // how many in a row were so
	known   bool
	healthy bool // confirmed, where known
}

// The states of a workflow's health.
const (
	healthy   = "healthy"
	unhealthy = "unhealthy"
)

// see returns what was told last and what is to be told now; failing are the
// checks to blame.
func (h *health) see(r *event.Report) (from, to string, failing []string) {
	if h.checks == nil {
		h.checks, h.told = map[string]*check{}, healthy
	}
	for name, result := range r.Checks {
		c := h.checks[name]
		if !result.Critical {
			delete(h.checks, name)
			continue
		}
		if c == nil {
			c = &check{}
			h.checks[name] = c
		}
		// What began before the last result was there is the same observation: a run
		// may check while the background does.
		if !result.Timestamp.After(c.until) {
			continue
		}
		if c.row > 0 && c.last == result.Healthy {
			c.row++
		} else {
			c.row = 1
		}
		c.until, c.last = result.Timestamp.Add(time.Duration(result.DurationMS*float64(time.Millisecond))), result.Healthy
		if c.row >= confirmed {
			c.known, c.healthy = true, result.Healthy
		}
	}
	from, to = h.told, healthy
	for name, c := range h.checks {
		switch {
		case c.known && !c.healthy:
			failing = append(failing, name)
		case !c.known && !c.last:
			to = from // it may be about to fail for good
		}
	}
	if len(failing) > 0 {
		to = unhealthy
	}
	slices.Sort(failing)
	h.told = to
	return from, to, failing
}

// keep forgets the checks that a workflow has no more, or that do not decide any
// more: nobody would ever hear that they are healthy again.
func (h *health) keep(list []workflow.Check) {
	for name := range h.checks {
		if !slices.ContainsFunc(list, func(c workflow.Check) bool { return c.Name == name && c.Critical }) {
			delete(h.checks, name)
		}
	}
}

// settling is how long a breaker must stay closed to be told closed again.
const settling = 30 * time.Second

// breaker follows one breaker.
type breaker struct {
	told   bool      // that it is open
	closed time.Time // since when it is closed again, where told
}

// see reports whether it is to be told that it is open.
func (b *breaker) see(state string, now time.Time) bool {
	switch {
	case state == "closed" && b.told && b.closed.IsZero():
		b.closed = now
	case state == "open":
		b.closed = time.Time{}
		if !b.told {
			b.told = true
			return true
		}
	case state != "closed":
		b.closed = time.Time{}
	}
	return false
}

// settled reports whether it is to be told that it is closed.
func (b *breaker) settled(now time.Time) bool {
	if !b.told || b.closed.IsZero() || now.Sub(b.closed) < settling {
		return false
	}
	b.told, b.closed = false, time.Time{}
	return true
}

const (
	// window are the last runs that a success rate is of.
	window = 50
	// fewest runs say something about it.
	fewest = 10
)

// rate follows the share of runs that succeed.
type rate struct {
	good  []bool // the last runs, oldest first
	below []*threshold
}

type threshold struct {
	below float64
	low   bool // it was told that the rate is below
}

// crossing is a threshold that the rate has crossed.
type crossing struct {
	below, value float64
	runs         int
	low          bool
}

// watch sets the thresholds.
func (r *rate) watch(below []float64) {
	old := r.below
	r.below = nil
	for _, b := range below {
		if slices.ContainsFunc(r.below, func(t *threshold) bool { return t.below == b }) {
			continue
		}
		t := &threshold{below: b}
		if i := slices.IndexFunc(old, func(t *threshold) bool { return t.below == b }); i >= 0 {
			t = old[i]
		}
		r.below = append(r.below, t)
	}
}

// see counts a run. Cancelled and refused runs say nothing about the workflow.
func (r *rate) see(status event.Status) []crossing {
	switch status {
	case event.Succeeded, event.Degraded:
		r.good = append(r.good, true)
	case event.Failed:
		r.good = append(r.good, false)
	default:
		return nil
	}
	if len(r.good) > window {
		r.good = slices.Clone(r.good[len(r.good)-window:])
	}
	if len(r.good) < fewest {
		return nil
	}
	good := 0
	for _, g := range r.good {
		if g {
			good++
		}
	}
	value := float64(good) / float64(len(r.good)) * 100
	var crossed []crossing
	for _, t := range r.below {
		// It must come back half of the way from the threshold to 100: at the threshold
		// itself every other run would cross it.
		if !t.low && value < t.below || t.low && value >= t.below+(100-t.below)/2 {
			t.low = !t.low
			crossed = append(crossed, crossing{t.below, value, len(r.good), t.low})
		}
	}
	return crossed
}
