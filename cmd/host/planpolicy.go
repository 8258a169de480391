package main

import (
	"fmt"
	"strings"

	"wasmhost/host/workflow"
)

// sayPolicy tells the parts of a stack, outermost first.
func sayPolicy(p *workflow.Policy) string {
	var parts []string
	add := func(format string, a ...any) { parts = append(parts, fmt.Sprintf(format, a...)) }
	if p.Deadline > 0 {
		add("deadline %s", span(p.Deadline))
	}
	if p.Retry.MaxRetries > 0 {
		add("%s", sayRetry(p))
	}
	if p.Breaker != "" {
		add("breaker %s", clean(p.Breaker))
	}
	if r := p.RateLimit; r != nil {
		s := fmt.Sprintf("%g calls a second, burst %d", r.Rate, r.Burst)
		if r.MaxWait > 0 {
			s += ", waits up to " + span(r.MaxWait)
		}
		add("%s", s)
	}
	if p.Concurrency > 0 {
		add("%s at once", counted(p.Concurrency, "call"))
	}
	if h := p.Hedge; h != nil {
		add("hedge after %s", span(h.Delay))
	}
	add("timeout %s", span(p.Timeout))
	return strings.Join(parts, "; ")
}

// sayRetry is "3 retries, jittered, 1s × 2 up to 60s, on transient".
func sayRetry(p *workflow.Policy) string {
	r := &p.Retry
	s := counted(r.MaxRetries, "retry")
	if r.Backoff != "" {
		s += ", " + string(r.Backoff)
	}
	if r.BaseDelay > 0 {
		s += " from " + span(r.BaseDelay)
		if r.MaxDelay > 0 && r.Backoff != "constant" {
			s += " to " + span(r.MaxDelay)
		}
	}
	if len(r.On) > 0 {
		classes := make([]string, len(r.On))
		for i, c := range r.On {
			classes[i] = string(c)
		}
		s += ", on " + strings.Join(classes, " ")
	}
	if r.Budget > 0 {
		s += fmt.Sprintf(", at most %g%% more calls", r.Budget*100)
	}
	return s
}

// write tells the plan to people.
func (v *planView) write(b *strings.Builder, indent string) {
	line := func(format string, a ...any) {
		b.WriteString(strings.TrimRight(indent+fmt.Sprintf(format, a...), " ") + "\n")
	}
	title := clean(v.Workflow)
	if v.Description != "" {
		title += ": " + clean(v.Description)
	}
	line("%s", title)
	line("  file        %s", clean(v.File))
	run := fmt.Sprintf("%s at once, on_failure %s, health gate %s", counted(v.Concurrency, "call"), v.OnFailure, v.HealthGate)
	if v.Deadline != "" {
		run += ", deadline " + v.Deadline
	}
	if v.Retry != "" {
		run += ", the whole run: " + v.Retry
	}
	line("  run         %s", run)
	worst := v.WorstCase.String()
	if len(v.LongestPath) > 0 {
		worst += " (" + clean(strings.Join(v.LongestPath, " → ")) + ")"
	}
	line("  worst case  %s", worst)
	line("")
	for i := range v.Nodes {
		v.Nodes[i].write(line, b, indent)
	}
	if len(v.Plugins) > 0 {
		line("")
		line("Plugins and what they may do")
		for _, p := range v.Plugins {
			line("  %s  %s", clean(p.Name), clean(p.Source))
			for _, may := range p.may() {
				line("      %s", clean(may))
			}
		}
	}
	if len(v.Health) > 0 {
		line("")
		line("Health checks")
		for _, c := range v.Health {
			kind := "critical"
			if !c.Critical {
				kind = "reported only"
			}
			line("  %s  %s.%s, %s, timeout %s", clean(c.Name), clean(c.Plugin), clean(c.Function), kind, c.Timeout)
		}
	}
	for i, l := range v.Levels {
		line("")
		after := "any failure"
		if len(l.On) > 0 {
			after = "failures of class " + strings.Join(l.On, ", ")
		}
		line("Fallback level %d, priority %d, after %s", i+1, l.Priority, after)
		l.Workflow.write(b, indent+"  ")
	}
	for _, n := range v.NotHere {
		line("")
		line("[%s] is checked; host run does not act on it", n)
	}
}

func (n *nodeView) write(line func(string, ...any), b *strings.Builder, indent string) {
	head := fmt.Sprintf("%3d. %s", n.Step, clean(n.ID))
	if len(n.Needs) > 0 {
		head += "  after " + clean(strings.Join(n.Needs, ", "))
	}
	switch n.RunIf {
	case "failed":
		head += ", only after a failure"
	case "done":
		head += ", in any case"
	}
	line("%s", head)
	if n.When != "" {
		line("       when %s", clean(n.When))
	}
	for _, m := range n.more {
		line("       %s", m)
	}
	if n.Approval != "" {
		line("       asks a person: %s", clean(n.Approval))
	}
	if n.Workflow != nil {
		line("       runs the workflow %s:", clean(n.Workflow.Workflow))
		n.Workflow.write(b, indent+"         ")
	}
	for i, a := range n.Answerers {
		word := ""
		if i > 0 || n.Kind != "plugin" {
			word = "else "
		}
		if a.Plugin == "" {
			line("       %sthe constant %s", word, short(clean(fmt.Sprint(a.Value)), 60))
			continue
		}
		name := clean(a.Plugin)
		if a.Function != "" && a.Function != "run" {
			name += "." + clean(a.Function)
		}
		if a.Policy != "" {
			name += " [" + clean(a.Policy) + "]"
		}
		line("       %s%s: %s", word, name, a.Stack)
	}
	if !n.Idempotent {
		line("       not idempotent: never repeated when nobody knows whether it was done")
	}
	worst := n.WorstCase.String()
	if n.WorstCase.How != "" {
		worst += ": " + n.WorstCase.How
	}
	line("       at worst %s", worst)
}
