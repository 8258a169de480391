package alert

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"time"

	"wasmhost/host/workflow"
)

// Alert is the body of a POST. It names things and carries numbers: no inputs,
// outputs or messages of errors, in which there might be anything.
type Alert struct {
	V int `json:"v"` // 1
	// ID is the same for every try to deliver it, and in the header
	// Idempotency-Key.
	ID string `json:"id"`
	// Type is health, breaker or success_rate.
	Type     string `json:"type"`
	Workflow string `json:"workflow"`
	// What changed: overall (health), the breaker's key, success_rate.
	What string `json:"what"`
	// From and To are healthy and unhealthy, closed and open, above and below.
	From string `json:"from"`
	To   string `json:"to"`
	// Failing are, of health, the checks that fail.
	Failing []string `json:"failing,omitempty"`
	// Value and Threshold are percentages of success_rate, over the last Runs.
	Value     *float64  `json:"value,omitempty"`
	Threshold float64   `json:"threshold,omitempty"`
	Runs      int       `json:"runs,omitempty"`
	Time      time.Time `json:"time"`
	// Run is the run with which a success rate crossed its threshold.
	Run string `json:"run,omitempty"`
	// Text says it in a sentence; chat programs show it.
	Text string `json:"text"`
	// Links lead to the pages, where their address is known.
	Links *Links `json:"links,omitempty"`
}

// Links are addresses of pages.
type Links struct {
	Workflow string `json:"workflow,omitempty"`
	Run      string `json:"run,omitempty"`
	Health   string `json:"health,omitempty"`
}

// complete fills in what follows from the rest.
func (a *Alerts) complete(name, kind string, alert Alert) Alert {
	alert.V, alert.ID, alert.Type, alert.Workflow, alert.Time = 1, rand.Text(), kind, name, a.c.now().UTC()
	alert.Text = alert.sentence()
	if base := strings.TrimSuffix(a.c.BaseURL, "/"); base != "" {
		alert.Links = &Links{Workflow: base + "/workflows/" + url.PathEscape(name), Health: base + "/health"}
		if alert.Run != "" {
			alert.Links.Run = base + "/runs/" + url.PathEscape(alert.Run)
		}
	}
	return alert
}

func (a *Alert) sentence() string {
	switch {
	case a.Type == workflow.AlertHealth && a.To == unhealthy:
		return fmt.Sprintf("%s is unhealthy: %s", a.Workflow, strings.Join(a.Failing, ", "))
	case a.Type == workflow.AlertHealth:
		return a.Workflow + " is healthy again"
	case a.Type == workflow.AlertBreaker && a.To == "open":
		return fmt.Sprintf("%s: the breaker %s is open", a.Workflow, a.What)
	case a.Type == workflow.AlertBreaker:
		return fmt.Sprintf("%s: the breaker %s is closed again", a.Workflow, a.What)
	case a.To == "below":
		return fmt.Sprintf("%s: %.4g %% of the last %d runs succeeded, less than %.4g %%", a.Workflow, *a.Value, a.Runs, a.Threshold)
	}
	return fmt.Sprintf("%s: %.4g %% of the last %d runs succeeded, it was less than %.4g %%", a.Workflow, *a.Value, a.Runs, a.Threshold)
}
