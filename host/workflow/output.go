package workflow

import (
	"context"

	"wasmhost/host/event"
)

// RenderOutput is the run's output: the [output] value, or else the outputs of
// the nodes that nobody needs (one: its output; several: an object by id, those
// without an output as null).
func (p *Plan) RenderOutput(ctx context.Context, s *Scope) (event.Value, error) {
	if p.Output != nil {
		return p.Output.Render(ctx, s)
	}
	var last []int // those that nobody needs
	for i := range p.Nodes {
		if len(p.Nodes[i].Dependents) == 0 {
			last = append(last, i)
		}
	}
	switch len(last) {
	case 0:
		return event.Null, nil
	case 1:
		return s.Node(last[0]).Output, nil
	}
	fields := make(map[string]event.Value, len(last))
	for _, i := range last {
		fields[p.Nodes[i].ID] = s.Node(i).Output
	}
	return event.Object(fields), nil
}
