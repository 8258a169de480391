package enginetest

import (
	"fmt"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
	"wasmhost/resilience"
)

// Option shapes a plan that is built in Go.
type Option func(*workflow.Plan)

// NodeOption shapes one of its nodes.
type NodeOption func(*builder, *workflow.Node)

type builder struct {
	plan *workflow.Plan
	ids  map[string]int
}

func (b *builder) at(id string) (int, bool) {
	i, ok := b.ids[id]
	return i, ok
}

// Plan builds a plan; a mistake in it is a panic. Nodes stand in an order in
// which every node comes after what it needs.
func Plan(name string, options ...Option) *workflow.Plan {
	p := &workflow.Plan{Name: name, File: name + ".toml", Run: workflow.Run{Concurrency: 64}, Breakers: map[string]resilience.BreakerConfig{}}
	for _, o := range options {
		o(p)
	}
	return p
}

// Node adds a node that calls the plugin of its own name, under no policy.
func Node(id string, options ...NodeOption) Option {
	return func(p *workflow.Plan) {
		b := &builder{plan: p, ids: make(map[string]int, len(p.Nodes))}
		for i := range p.Nodes {
			b.ids[p.Nodes[i].ID] = i
		}
		n := workflow.Node{ID: id, Index: len(p.Nodes), MinSuccess: 1, Idempotent: true,
			Primary: workflow.Answerer{Plugin: id, Function: "run"}}
		for _, o := range options {
			o(b, &n)
		}
		p.Nodes = append(p.Nodes, n)
		for _, need := range n.Needs {
			p.Nodes[need].Dependents = append(p.Nodes[need].Dependents, n.Index)
		}
	}
}

// Needs names what the node needs.
func Needs(ids ...string) NodeOption {
	return func(b *builder, n *workflow.Node) {
		for _, id := range ids {
			i, ok := b.ids[id]
			if !ok {
				panic(fmt.Sprintf("node %q needs %q, which does not stand before it", n.ID, id))
			}
			n.Needs = append(n.Needs, i)
		}
	}
}

// If sets run_if.
func If(r workflow.RunIf) NodeOption {
	return func(_ *builder, n *workflow.Node) { n.RunIf = r }
}

// When sets the condition.
func When(source string) NodeOption {
	return func(b *builder, n *workflow.Node) {
		e, err := workflow.NewExpr(source, b.at)
		n.When = must(e, err)
	}
}

// Uses names another plugin than that of the node's own name.
func Uses(plugin string) NodeOption {
	return func(_ *builder, n *workflow.Node) { n.Primary.Plugin = plugin }
}

// With sets the input.
func With(v any) NodeOption {
	return func(b *builder, n *workflow.Node) {
		t, err := workflow.NewTemplate(v, b.at)
		n.Primary.With = must(t, err)
		for i := range n.Fallbacks {
			n.Fallbacks[i].With = n.Primary.With
		}
	}
}

// ForEach makes the node one call per item of a list.
func ForEach(list any, maxParallel int, minSuccess float64) NodeOption {
	return func(b *builder, n *workflow.Node) {
		t, err := workflow.NewTemplate(list, b.at)
		n.ForEach, n.MaxParallel, n.MinSuccess = must(t, err), maxParallel, minSuccess
	}
}

// Under sets policies of the first answerer.
func Under(set func(*workflow.Policy)) NodeOption {
	return func(_ *builder, n *workflow.Node) {
		set(&n.Primary.Policy)
		n.Deadline = n.Primary.Policy.Deadline
		if n.ForEach != nil || n.Kind == workflow.WorkflowNode {
			n.Primary.Policy.Deadline = 0
		}
	}
}

// Timeout bounds each attempt of the first answerer.
func Timeout(d time.Duration) NodeOption {
	return Under(func(p *workflow.Policy) { p.Timeout = d })
}

// Deadline bounds the node.
func Deadline(d time.Duration) NodeOption {
	return Under(func(p *workflow.Policy) { p.Deadline = d })
}

// Retry retries transient failures n times, after a constant delay.
func Retry(n int, delay time.Duration) NodeOption {
	return Under(func(p *workflow.Policy) { p.Retry = Retries(n, delay) })
}

// Retries is n retries of transient failures after a constant delay.
func Retries(n int, delay time.Duration) resilience.Retry {
	return resilience.Retry{MaxRetries: n, Backoff: resilience.Constant, BaseDelay: delay, On: []resilience.Class{resilience.Transient}}
}

// Behind puts a breaker around the first answerer.
func Behind(breaker string) NodeOption {
	return Under(func(p *workflow.Policy) { p.Breaker = breaker })
}

// Fallback adds a plugin that is asked when those before failed.
func Fallback(plugin string) NodeOption {
	return func(_ *builder, n *workflow.Node) {
		n.Fallbacks = append(n.Fallbacks, workflow.Answerer{Plugin: plugin, Function: "run", With: n.Primary.With})
	}
}

// FallbackValue adds a constant.
func FallbackValue(v any) NodeOption {
	return func(_ *builder, n *workflow.Node) {
		n.Fallbacks = append(n.Fallbacks, workflow.Answerer{IsValue: true, Value: event.Of(v)})
	}
}

// Once marks a node that must not be repeated when its outcome is unknown.
func Once() NodeOption {
	return func(_ *builder, n *workflow.Node) { n.Idempotent = false }
}

// Promises sets the schema of the node's output.
func Promises(schema string) NodeOption {
	return func(_ *builder, n *workflow.Node) {
		s, err := workflow.NewSchema([]byte(schema))
		n.Output = must(s, err)
	}
}

// Sub makes the node a sub-workflow.
func Sub(plan *workflow.Plan) NodeOption {
	return func(_ *builder, n *workflow.Node) {
		n.Kind, n.Sub, n.Primary.Plugin = workflow.WorkflowNode, plan, ""
	}
}

// Continues sets on_failure = "continue".
func Continues(p *workflow.Plan) { p.Run.Continue = true }

// RunDeadline bounds the run.
func RunDeadline(d time.Duration) Option {
	return func(p *workflow.Plan) { p.Run.Deadline = d }
}

// RunRetry retries the whole run.
func RunRetry(n int, delay time.Duration) Option {
	return func(p *workflow.Plan) { p.Run.Retry = Retries(n, delay) }
}

// Concurrency bounds the calls in flight.
func Concurrency(n int) Option {
	return func(p *workflow.Plan) { p.Run.Concurrency = n }
}

// Breaker configures a breaker.
func Breaker(key string, c resilience.BreakerConfig) Option {
	return func(p *workflow.Plan) { p.Breakers[key] = c }
}

// Level adds a fallback workflow; no classes: for every class.
func Level(plan *workflow.Plan, on ...resilience.Class) Option {
	return func(p *workflow.Plan) {
		p.Levels = append(p.Levels, workflow.Level{Plan: plan, Priority: len(p.Levels) + 1, On: on})
	}
}

// Takes sets the schema of the input.
func Takes(schema string) Option {
	return func(p *workflow.Plan) {
		s, err := workflow.NewSchema([]byte(schema))
		p.Input.Schema = must(s, err)
	}
}

// Gives sets the output.
func Gives(v any) Option {
	return func(p *workflow.Plan) {
		t, err := workflow.NewTemplate(v, func(id string) (int, bool) {
			for i := range p.Nodes {
				if p.Nodes[i].ID == id {
					return i, true
				}
			}
			return 0, false
		})
		p.Output = must(t, err)
	}
}

// Gate adds a critical health check by the plugin of that name, and the gate.
func Gate(plugin string) Option {
	return func(p *workflow.Plan) {
		p.Run.HealthGate = true
		p.Health = append(p.Health, workflow.Check{Name: plugin, Plugin: plugin, Function: "health", Critical: true, Timeout: 5 * time.Second})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
