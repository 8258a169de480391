package schedule

import (
	"context"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// Scheduler keeps the schedules of all served workflows. It is safe for
// concurrent use.
type Scheduler struct{ c Config }

// New makes a Scheduler without schedules.
func New(c Config) *Scheduler { return &Scheduler{c: c} }

// Set replaces the schedules of a workflow: before Run, and whenever its file has
// changed. None removes them.
func (s *Scheduler) Set(name string, list []workflow.Schedule) {}

// Run starts what is due until ctx ends, and returns when no Start is under way
// any more. The error is that of Load. It is called once.
func (s *Scheduler) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// List returns every schedule with its next three times, by workflow and index.
func (s *Scheduler) List() []event.ScheduleInfo { return nil }
