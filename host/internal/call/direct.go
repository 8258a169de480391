package call

import (
	"context"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
	"wasmhost/resilience"
)

// Direct makes one call outside of any workflow, under a timeout (0: none), and
// gives its error a class. The answer tells what was used even with an error.
func Direct(ctx context.Context, p Plugin, c plugin.Call, timeout time.Duration, clock Clock) (plugin.Answer, *event.Error) {
	s := newSet(&workflow.Plan{})
	var got plugin.Answer
	_, err := resilience.NewStack[struct{}](resilience.Policy{Timeout: timeout}, clock).Do(ctx,
		resilience.Options{Classify: s.classify, Idempotent: true},
		func(ctx context.Context, at resilience.Attempt) (struct{}, error) {
			c.Meta.Attempt, c.Meta.Deadline = at.Number, at.Deadline
			var err error
			got, err = p.Call(ctx, c)
			return struct{}{}, err
		})
	if err != nil {
		return got, toEvent(s.classify(err))
	}
	return got, nil
}
