package host

import (
	"context"
	"errors"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
	"wasmhost/plugins"
)

// Workflow is a checked workflow file, ready to be started any number of times.
type Workflow struct {
	plan  *workflow.Plan
	users int // under Host.mu: who shares it, see Host.keep
}

// Plan is what the file came to.
func (w *Workflow) Plan() *workflow.Plan { return w.plan }

// Name is the workflow's name.
func (w *Workflow) Name() string { return w.plan.Name }

// ErrInvalid is returned with findings of which at least one is an error.
var ErrInvalid = errors.New("the workflow file is not valid")

// Load reads a workflow file and everything it names, and looks into its
// plugins without running them. All findings are returned; with an error among
// them the Workflow is nil and the error is ErrInvalid. Breakers and health are
// as the journal has them, where there is one.
func (h *Host) Load(ctx context.Context, file string) (*Workflow, []workflow.Finding, error) {
	plan, findings := workflow.Load(ctx, file, workflow.Options{
		Inspector: h.Inspector(), Getenv: h.getenv, Builtins: plugins.Names(), AllowAnyHost: h.config.AllowAnyHost})
	if plan == nil {
		return nil, findings, ErrInvalid
	}
	h.shared.Declare(plan.Name, plan)
	if err := h.recall(ctx, plan.Name); err != nil {
		return nil, findings, err
	}
	return &Workflow{plan: plan}, findings, nil
}

// Unload gives back what a workflow holds: its plugins, when their calls in
// flight have ended, and the stacks of its policies. Breakers and limits stay,
// for the next Load of the same workflow. Runs of it should have ended: their
// later calls would fail.
func (h *Host) Unload(ctx context.Context, w *Workflow) {
	h.plugins.forget(ctx, w.plan)
	h.caller.Forget(w.plan)
}

// FromPlan makes a Workflow of a plan that was built in Go.
func (h *Host) FromPlan(plan *workflow.Plan) *Workflow {
	h.shared.Declare(plan.Name, plan)
	return &Workflow{plan: plan}
}

// Inspector looks into modules for package workflow.
func (h *Host) Inspector() workflow.Inspector { return inspector{h} }

// eachPlan visits a plan, its sub-workflows and its levels, once each.
func eachPlan(p *workflow.Plan, visit func(*workflow.Plan) error) error {
	seen := map[*workflow.Plan]bool{}
	var walk func(*workflow.Plan) error
	walk = func(p *workflow.Plan) error {
		if seen[p] {
			return nil
		}
		seen[p] = true
		if err := visit(p); err != nil {
			return err
		}
		for i := range p.Nodes {
			if sub := p.Nodes[i].Sub; sub != nil {
				if err := walk(sub); err != nil {
					return err
				}
			}
		}
		for i := range p.Levels {
			if err := walk(p.Levels[i].Plan); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(p)
}

// refusal is an error that keeps a run from starting.
func refusal(code, message string) *event.Error {
	return &event.Error{Class: event.Permanent, Code: code, Message: message}
}
