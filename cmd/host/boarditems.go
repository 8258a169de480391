package main

import (
	"time"

	"wasmhost/host/event"
)

// itemCounts counts the items of a for_each, by their state.
type itemCounts struct {
	running map[string]bool
	waiting map[string]time.Time // until their next attempt
	asking  map[string]bool      // a person
	done    int
	failed  int
}

// item counts what happens to an item.
func (r *row) item(e *event.Event) {
	if r.items == nil {
		r.items = &itemCounts{running: map[string]bool{}, waiting: map[string]time.Time{}, asking: map[string]bool{}}
	}
	if r.status == event.Pending {
		r.status, r.began = event.Running, e.Time
	}
	c := r.items
	switch e.Type {
	case event.NodeStarted:
		delete(c.waiting, e.Node)
		delete(c.asking, e.Node)
		c.running[e.Node] = true
	case event.NodeWaiting:
		delete(c.running, e.Node)
		c.asking[e.Node] = true
	case event.NodeAttemptFailed:
		r.text = failureText(e.Error)
		// The next attempt's beginning is not told; its end or its wait is.
		delete(c.waiting, e.Node)
		c.running[e.Node] = true
	case event.NodeRetrying:
		c.waiting[e.Node] = e.Time.Add(millis(e.RetryInMS))
		r.retries++
	case event.NodeSucceeded, event.NodeFailed, event.NodeSkipped:
		delete(c.waiting, e.Node)
		delete(c.running, e.Node)
		delete(c.asking, e.Node)
		if e.Type == event.NodeSucceeded {
			c.done++
		} else {
			c.failed++
		}
	}
}

func (c *itemCounts) say(now time.Time, add func(string, ...any)) {
	add("%d done", c.done)
	var next time.Time
	waiting := 0
	for _, at := range c.waiting {
		if !now.Before(at) {
			continue // its attempt is under way
		}
		waiting++
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	if n := len(c.running) - waiting; n > 0 {
		add("%d running", n)
	}
	if c.failed > 0 {
		add("%d failed", c.failed)
	}
	if n := len(c.asking); n > 0 {
		add("%d waiting for a person", n)
	}
	if waiting > 0 {
		add("%d to retry, next in %s", waiting, tenths(next.Sub(now)))
	}
}
