// Package alert tells people of changes: it POSTs JSON to the addresses of
// [[alert]] tables when a workflow's health, a breaker or the share of runs that
// succeed has changed for good. It keeps nothing on disk and holds nobody up: what
// cannot be delivered is logged and dropped.
package alert

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// Config configures Alerts. The zero value works.
type Config struct {
	// BaseURL is where the pages are, such as "https://host.example.com"; "": alerts
	// carry no links.
	BaseURL string
	// Version goes into the User-Agent.
	Version string
	// Log is told what could not be delivered; nil: nobody.
	Log *slog.Logger
	// OnAlert is told of every alert, once, whoever wants it; OnSent of what became
	// of each that was sent to somebody. Neither may block, nor call Alerts; nil:
	// nobody wants to know.
	OnAlert func(Alert)
	OnSent  func(a Alert, err error)

	// Of tests: the clock, and how to wait between two tries.
	now   func() time.Time
	pause func(ctx context.Context, d time.Duration) error
}

// Alerts watches workflows. It is safe for concurrent use; what it is told never
// waits.
type Alerts struct {
	c      Config
	client *http.Client
	wake   chan struct{} // there are breakers to settle, or new receivers

	mu        sync.Mutex
	watched   map[string]*watched // by workflow
	receivers map[string]*receiver
}

// watched is one workflow.
type watched struct {
	alerts   []workflow.Alert
	health   health
	breakers map[string]*breaker
	rate     rate
}

// New makes Alerts that know no workflow.
func New(c Config) *Alerts {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.pause == nil {
		c.pause = pause
	}
	return &Alerts{c: c, client: newClient(), wake: make(chan struct{}, 1), watched: map[string]*watched{}, receivers: map[string]*receiver{}}
}

// Set replaces the alerts of a workflow; none removes it. What is known of the
// workflow and of its health checks stays, and what was alerted of with the same
// threshold.
func (a *Alerts) Set(name string, list []workflow.Alert, checks []workflow.Check) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(list) == 0 {
		delete(a.watched, name)
		return
	}
	w := a.watched[name]
	if w == nil {
		w = &watched{breakers: map[string]*breaker{}}
		a.watched[name] = w
	}
	w.alerts = slices.Clone(list)
	w.health.keep(checks)
	var below []float64
	for _, l := range list {
		for _, on := range l.On {
			if on.What == workflow.AlertSuccessRate {
				below = append(below, on.Below)
			}
		}
	}
	w.rate.watch(below)
}

// Health tells of a report, whoever asked for it.
func (a *Alerts) Health(name string, r *event.Report) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.watched[name]
	if w == nil {
		return
	}
	from, to, failing := w.health.see(r)
	if from == to {
		return
	}
	a.tell(name, w, workflow.AlertOn{What: workflow.AlertHealth}, Alert{What: "overall", From: from, To: to, Failing: failing})
}

// Breaker tells the state of a breaker (closed, open, half_open) after a change.
func (a *Alerts) Breaker(name, key, state string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.watched[name]
	if w == nil {
		return
	}
	b := w.breakers[key]
	if b == nil {
		b = &breaker{}
		w.breakers[key] = b
	}
	if b.see(state, a.c.now()) {
		a.tell(name, w, workflow.AlertOn{What: workflow.AlertBreaker}, Alert{What: key, From: "closed", To: "open"})
	}
	nudge(a.wake)
}

// settle tells of breakers that have stayed closed, and returns when the next one
// may have.
func (a *Alerts) settle() (next time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.c.now()
	for name, w := range a.watched {
		for key, b := range w.breakers {
			if b.settled(now) {
				a.tell(name, w, workflow.AlertOn{What: workflow.AlertBreaker}, Alert{What: key, From: "open", To: "closed"})
			}
			if b.told && !b.closed.IsZero() {
				if at := b.closed.Add(settling); next.IsZero() || at.Before(next) {
					next = at
				}
			}
		}
	}
	return next
}

// Ended tells of a run that has ended.
func (a *Alerts) Ended(name, runID string, status event.Status) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.watched[name]
	if w == nil {
		return
	}
	for _, c := range w.rate.see(status) {
		alert := Alert{What: workflow.AlertSuccessRate, From: "above", To: "below", Value: &c.value, Threshold: c.below, Runs: c.runs, Run: runID}
		if !c.low {
			alert.From, alert.To = "below", "above"
		}
		a.tell(name, w, workflow.AlertOn{What: workflow.AlertSuccessRate, Below: c.below}, alert)
	}
}

// tell queues an alert for everybody who wants it. a.mu is held.
func (a *Alerts) tell(name string, w *watched, on workflow.AlertOn, alert Alert) {
	alert = a.complete(name, on.What, alert)
	if a.c.OnAlert != nil {
		a.c.OnAlert(alert)
	}
	for _, l := range w.alerts {
		if slices.Contains(l.On, on) {
			a.send(l.URL, alert)
		}
	}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
