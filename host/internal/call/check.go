package call

import (
	"context"
	"fmt"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
	"wasmhost/resilience"
)

// Check asks a plugin's health function once, under the check's timeout. It is
// healthy when the function returns normally and its output is empty, not JSON,
// or JSON without "healthy": false. A JSON object is kept as details.
func (c *Caller) Check(ctx context.Context, plan *workflow.Plan, check *workflow.Check, runID string) event.Check {
	start := c.clock.Now()
	r := event.Check{Critical: check.Critical, Timestamp: start}
	out, err := c.checkOnce(ctx, plan, check, runID)
	r.DurationMS = ms(c.clock.Now().Sub(start))
	if err != nil {
		err.Node, err.Plugin = "", check.Plugin
		r.Error = err
		return r
	}
	r.Healthy = true
	if object, ok := out.Any().(map[string]any); ok {
		r.Details = &out
		if healthy, ok := object["healthy"].(bool); ok && !healthy {
			r.Healthy = false
			r.Error = &event.Error{Class: event.Transient, Code: "unhealthy", Plugin: check.Plugin,
				Message: fmt.Sprintf("plugin %q says that it is not healthy", check.Plugin)}
			if why, ok := object["error"].(string); ok {
				r.Error.Message += ": " + why
			}
		}
	}
	return r
}

func (c *Caller) checkOnce(ctx context.Context, plan *workflow.Plan, check *workflow.Check, runID string) (event.Value, *event.Error) {
	set := newSet(plan)
	p, err := c.plugins.Plugin(ctx, plan, check.Plugin)
	if err != nil {
		return event.Null, toEvent(set.classify(err))
	}
	stack := resilience.NewStack[event.Value](resilience.Policy{Timeout: check.Timeout}, c.clock)
	out, err := stack.Do(ctx, resilience.Options{Classify: set.classify, Idempotent: true},
		func(ctx context.Context, at resilience.Attempt) (event.Value, error) {
			got, err := p.Call(ctx, plugin.Call{Function: check.Function, Meta: plugin.Meta{
				RunID: runID, Workflow: plan.Name, Node: "health." + check.Name, Attempt: at.Number, Deadline: at.Deadline,
			}})
			if err != nil {
				return event.Null, err
			}
			out, err := event.FromOutput(got.Output)
			if err != nil {
				return event.Null, nil // not JSON, like any other text
			}
			return out, nil
		})
	if err != nil {
		return event.Null, toEvent(set.classify(err))
	}
	return out, nil
}
