// Package bench holds the workloads of the benchmarks of internals, which the
// commands under bench/ at the top run and put side by side. It is no part of
// the host.
package bench

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
)

// Shape is how the nodes of a workload hang together.
type Shape string

// Chain is one after the other; FanOut is one, then all others, side by side.
const (
	Chain  Shape = "chain"
	FanOut Shape = "fan-out"
)

// Engine is an engine with plugins that do nothing.
type Engine struct {
	local *engine.Local
	emit  func(*event.Event)
}

// NewEngine makes an Engine whose events are counted and dropped.
func NewEngine() *Engine {
	return &Engine{local: &engine.Local{Caller: call.NewCaller(noop{}, call.NewShared(nil, nil), nil)}, emit: func(*event.Event) {}}
}

type noop struct{}

func (noop) Plugin(context.Context, *workflow.Plan, string) (call.Plugin, error) { return noop{}, nil }

func (noop) Call(context.Context, plugin.Call) (plugin.Answer, error) {
	return plugin.Answer{Output: out, Digest: "sha256:0"}, nil
}

var out = []byte(`{"ok":true}`)

// Plan is a workflow of n nodes with the default policies: a timeout of 30s.
func Plan(shape Shape, n int) *workflow.Plan {
	p := &workflow.Plan{Name: string(shape), Run: workflow.Run{Concurrency: 8}, Nodes: make([]workflow.Node, n)}
	for i := range p.Nodes {
		node := workflow.Node{ID: "n" + strconv.Itoa(i), Index: i, MinSuccess: 1, Idempotent: true,
			Primary: workflow.Answerer{Plugin: "noop", Function: "run", Policy: workflow.Policy{Timeout: 30 * time.Second}}}
		switch {
		case i == 0:
		case shape == Chain:
			node.Needs = []int{i - 1}
			p.Nodes[i-1].Dependents = []int{i}
		default:
			node.Needs = []int{0}
			p.Nodes[0].Dependents = append(p.Nodes[0].Dependents, i)
		}
		p.Nodes[i] = node
	}
	return p
}

// Run runs a plan once, and fails when the run does.
func (e *Engine) Run(p *workflow.Plan) error {
	o, err := e.local.Run(context.Background(), engine.Start{ID: "bench", Plan: p, Input: event.Text("input"), Emit: e.emit})
	if err != nil {
		return err
	}
	r := o.Result
	if r.Status != event.Succeeded {
		return fmt.Errorf("the run %s: %v", r.Status, r.Error)
	}
	return nil
}
