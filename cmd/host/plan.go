package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"wasmhost/host/workflow"
)

func (a *app) planCommand() *cli.Command {
	return &cli.Command{
		Name: "plan", ArgsUsage: "FILE", Usage: "show what would run: order, policies, permissions, worst case",
		Description: "Nothing runs. Policies are shown as they are after [defaults], [policies] and the node are merged.",
		Flags:       []cli.Flag{anyHostFlag()},
		Action: a.action(1, 1, forms, func() error {
			h, err := a.open()
			if err != nil {
				return err
			}
			defer a.close(h)
			w, err := a.load(h, a.c.Args().First())
			if err != nil {
				return err
			}
			view := viewPlan(w.Plan())
			switch a.format {
			case "json", "jsonl":
				return writeJSON(a.out, view, a.format == "json")
			case "quiet":
				return nil
			}
			var b strings.Builder
			view.write(&b, "")
			_, err = io.WriteString(a.out, b.String())
			return err
		}),
	}
}

// planView is a plan as `host plan -o json` shows it.
type planView struct {
	Workflow    string       `json:"workflow"`
	Description string       `json:"description,omitempty"`
	File        string       `json:"file"`
	Digest      string       `json:"digest"`
	Concurrency int          `json:"concurrency"`
	Deadline    string       `json:"deadline,omitempty"`
	OnFailure   string       `json:"on_failure"`
	HealthGate  string       `json:"health_gate"`
	Retry       string       `json:"retry,omitempty"`
	WorstCase   boundView    `json:"worst_case"`
	LongestPath []string     `json:"longest_path"`
	Nodes       []nodeView   `json:"nodes"`
	Plugins     []pluginView `json:"plugins"`
	Health      []checkView  `json:"health"`
	Levels      []levelView  `json:"levels"`
	// NotHere are tables that this command reads and checks, and does not act on.
	NotHere []string `json:"not_by_this_command,omitempty"`
}

type boundView struct {
	Time string `json:"time"` // "" when nothing limits it
	MS   int64  `json:"ms,omitempty"`
	How  string `json:"how,omitempty"`
}

type nodeView struct {
	ID         string         `json:"id"`
	Kind       string         `json:"kind"`
	Step       int            `json:"step"` // nodes of one step may run side by side
	Needs      []string       `json:"needs"`
	RunIf      string         `json:"run_if"`
	When       string         `json:"when,omitempty"`
	ForEach    bool           `json:"for_each"`
	Deadline   string         `json:"deadline,omitempty"`
	Idempotent bool           `json:"idempotent"`
	Approval   string         `json:"approval,omitempty"`
	Workflow   *planView      `json:"workflow,omitempty"`
	Answerers  []answererView `json:"answerers,omitempty"`
	WorstCase  boundView      `json:"worst_case"`
	more       []string
}

type answererView struct {
	Plugin   string `json:"plugin,omitempty"`
	Function string `json:"function,omitempty"`
	Value    any    `json:"value,omitempty"`
	Policy   string `json:"policy,omitempty"`
	Stack    string `json:"stack,omitempty"`
}

type checkView struct {
	Name     string `json:"name"`
	Plugin   string `json:"plugin"`
	Function string `json:"function"`
	Critical bool   `json:"critical"`
	Timeout  string `json:"timeout"`
	Every    string `json:"every,omitempty"`
}

type levelView struct {
	Priority int       `json:"priority"`
	On       []string  `json:"on"` // empty: every class
	Workflow *planView `json:"workflow"`
}

func boundOf(b workflow.Bound) boundView {
	how := sum.ReplaceAllStringFunc(b.Arithmetic, func(s string) string {
		if m := sum.FindStringSubmatch(s); m[2] == m[3] {
			return m[1] + m[2]
		}
		return s
	})
	if b.Unbounded {
		return boundView{How: how}
	}
	v := boundView{Time: span(b.Time), MS: b.Time.Milliseconds(), How: how}
	if v.How == v.Time {
		v.How = "" // one call and no wait: there is nothing to add up
	}
	return v
}

// sum finds sums of one part, as in "30s = 30s; then fallback 0: 5s = 5s".
var sum = regexp.MustCompile(`(^|: )([^\s]+) = ([^\s,;]+)`)

func (b boundView) String() string {
	if b.Time == "" {
		return "no limit"
	}
	return b.Time
}

func optional(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return span(d)
}

func viewPlan(p *workflow.Plan) *planView {
	v := &planView{Workflow: p.Name, Description: p.Description, File: p.File, Digest: p.Digest,
		Concurrency: p.Run.Concurrency, Deadline: optional(p.Run.Deadline), OnFailure: "stop", HealthGate: "off",
		Nodes: []nodeView{}, Plugins: []pluginView{}, Health: []checkView{}, Levels: []levelView{}, LongestPath: []string{}}
	if p.Run.Continue {
		v.OnFailure = "continue"
	}
	if p.Run.HealthGate {
		v.HealthGate = "critical"
	}
	if p.Run.Retry.MaxRetries > 0 {
		v.Retry = sayRetry(&workflow.Policy{Retry: p.Run.Retry})
	}
	path, bound := p.CriticalPath()
	for _, i := range path {
		v.LongestPath = append(v.LongestPath, p.Nodes[i].ID)
	}
	if d := p.Run.Deadline; d > 0 && (bound.Unbounded || d < bound.Time) {
		bound = workflow.Bound{Time: d, Arithmetic: "the deadline of the run"}
	}
	v.WorstCase = boundOf(bound)
	steps := make([]int, len(p.Nodes))
	for i := range p.Nodes {
		for _, n := range p.Nodes[i].Needs {
			steps[i] = max(steps[i], steps[n]+1)
		}
		v.Nodes = append(v.Nodes, viewNode(p, &p.Nodes[i], steps[i]+1))
	}
	v.Plugins = viewPlugins(p)
	for _, c := range p.Health {
		v.Health = append(v.Health, checkView{c.Name, c.Plugin, c.Function, c.Critical, span(c.Timeout), optional(c.Every)})
	}
	for _, l := range p.Levels {
		lv := levelView{Priority: l.Priority, On: []string{}, Workflow: viewPlan(l.Plan)}
		for _, c := range l.On {
			lv.On = append(lv.On, string(c))
		}
		v.Levels = append(v.Levels, lv)
	}
	for name, n := range map[string]int{"schedule": len(p.Schedules), "alert": len(p.Alerts)} {
		if n > 0 {
			v.NotHere = append(v.NotHere, name)
		}
	}
	if p.Webhook != nil {
		v.NotHere = append(v.NotHere, "webhook")
	}
	return v
}

func viewNode(p *workflow.Plan, n *workflow.Node, step int) nodeView {
	v := nodeView{ID: n.ID, Step: step, Needs: []string{}, ForEach: n.ForEach != nil, Deadline: optional(n.Deadline),
		Idempotent: n.Idempotent, Approval: n.Approval, WorstCase: boundOf(n.WorstCase()),
		Kind:  map[workflow.Kind]string{workflow.PluginNode: "plugin", workflow.WorkflowNode: "workflow", workflow.ApprovalNode: "approval"}[n.Kind],
		RunIf: map[workflow.RunIf]string{workflow.IfSucceeded: "succeeded", workflow.IfFailed: "failed", workflow.IfDone: "done"}[n.RunIf]}
	for _, i := range n.Needs {
		v.Needs = append(v.Needs, p.Nodes[i].ID)
	}
	if n.When != nil {
		v.When = n.When.String()
	}
	if n.ForEach != nil {
		each := "one call for each item"
		if n.MaxParallel > 0 {
			each += fmt.Sprintf(", at most %d at once", n.MaxParallel)
		}
		if n.MinSuccess < 1 {
			each += fmt.Sprintf(", %g%% must succeed", n.MinSuccess*100)
		}
		v.more = append(v.more, each)
	}
	if n.Sub != nil {
		v.Workflow = viewPlan(n.Sub)
	}
	if n.Kind == workflow.PluginNode {
		v.Answerers = append(v.Answerers, viewAnswerer(&n.Primary))
	}
	for i := range n.Fallbacks {
		v.Answerers = append(v.Answerers, viewAnswerer(&n.Fallbacks[i]))
	}
	return v
}

func viewAnswerer(a *workflow.Answerer) answererView {
	if a.IsValue {
		return answererView{Value: a.Value}
	}
	return answererView{Plugin: a.Plugin, Function: a.Function, Policy: a.Policy.Name, Stack: sayPolicy(&a.Policy)}
}
