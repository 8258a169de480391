package pages

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/server"
)

// healthPage is the health of the workflows and the state of their breakers.
type healthPage struct {
	Workflows []healthRow
	Breakers  []breakerRow
	Ready     []string // why no runs are taken; none: they are
}

// healthRow is one workflow with its last report and those before.
type healthRow struct {
	event.HealthInfo
	Last   *event.Report
	Checks []checkRow
	Strip  strip
}

type checkRow struct {
	Name string
	event.Check
	Strip strip
}

// strip is a history as a row of marks, the newest last.
type strip struct {
	Marks []stripMark
	Good  int
}

type stripMark struct {
	X    string
	Kind string // succeeded or failed
	Text string
}

const stripMost = 100

func stripOf(n int, healthy func(i int) (ok bool, at time.Time, known bool)) strip {
	var s strip
	for i := range n {
		ok, at, known := healthy(i)
		if !known {
			continue
		}
		m := stripMark{X: fmt.Sprintf("%.2f%%", float64(stripMost-n+i)), Kind: "failed", Text: "unhealthy at " + at.UTC().Format(fullTime)}
		if ok {
			s.Good++
			m.Kind, m.Text = "succeeded", "healthy at "+at.UTC().Format(fullTime)
		}
		s.Marks = append(s.Marks, m)
	}
	return s
}

// breakerRow is a breaker as the page shows it.
type breakerRow struct {
	event.BreakerInfo
	Name  string // WORKFLOW.KEY
	Until time.Time
}

func (p *Pages) health(r *http.Request) (*view, error) {
	ctx := r.Context()
	all, err := p.service.Health(ctx)
	if err != nil {
		return nil, err
	}
	b := healthPage{Ready: p.service.Ready(ctx)}
	for _, h := range all {
		row := healthRow{HealthInfo: h}
		h.Reports = h.Reports[max(0, len(h.Reports)-stripMost):]
		n := len(h.Reports)
		if n > 0 {
			row.Last = h.Reports[n-1]
			for _, name := range slices.Sorted(maps.Keys(row.Last.Checks)) {
				row.Checks = append(row.Checks, checkRow{Name: name, Check: row.Last.Checks[name], Strip: stripOf(n, func(i int) (bool, time.Time, bool) {
					c, known := h.Reports[i].Checks[name]
					return c.Healthy, c.Timestamp, known
				})})
			}
		}
		row.Strip = stripOf(n, func(i int) (bool, time.Time, bool) {
			return h.Reports[i].OverallHealthy, h.Reports[i].Timestamp, true
		})
		b.Workflows = append(b.Workflows, row)
	}
	breakers, err := p.service.AllBreakers(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range breakers {
		row := breakerRow{BreakerInfo: k, Name: k.Workflow + "." + k.Key}
		if k.State == "open" && k.OpenForMS > 0 {
			row.Until = p.now().Add(time.Duration(k.OpenForMS) * time.Millisecond)
		}
		b.Breakers = append(b.Breakers, row)
	}
	return &view{Name: "health", Title: "Health", Nav: "health", Body: &b, Every: 3}, nil
}

func (p *Pages) check(w http.ResponseWriter, r *http.Request) {
	name := r.PostFormValue("workflow")
	server.ChangeOf(r.Context()).Target = line(name)
	report, err := p.service.Check(r.Context(), name)
	if err != nil {
		p.done(w, r, "/health", "", err)
		return
	}
	if !report.OverallHealthy {
		p.goTo(w, r, "/health", notice{Bad: true, Text: name + " was checked: unhealthy."})
		return
	}
	p.done(w, r, "/health", name+" was checked: healthy.", nil)
}

func (p *Pages) resetBreaker(w http.ResponseWriter, r *http.Request) {
	name := r.PostFormValue("breaker")
	server.ChangeOf(r.Context()).Target = line(name)
	_, err := p.service.ResetBreaker(r.Context(), name)
	p.done(w, r, "/health#breakers", "Breaker "+name+" is closed: calls go through.", err)
}

func (p *Pages) openBreaker(w http.ResponseWriter, r *http.Request) {
	name := r.PostFormValue("breaker")
	server.ChangeOf(r.Context()).Target = line(name)
	_, err := p.service.OpenBreaker(r.Context(), name)
	p.done(w, r, "/health#breakers", "Breaker "+name+" is open: calls are refused until its next probe.", err)
}
