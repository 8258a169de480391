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
	last := -1
	var object map[string]any
	for i := range p.Nodes {
		if len(p.Nodes[i].Dependents) > 0 {
			continue
		}
		if last >= 0 && object == nil {
			object = map[string]any{p.Nodes[last].ID: s.Node(last).Output.Any()}
		}
		if object != nil {
			object[p.Nodes[i].ID] = s.Node(i).Output.Any()
		}
		last = i
	}
	switch {
	case object != nil:
		return event.Of(object), nil
	case last >= 0:
		return s.Node(last).Output, nil
	}
	return event.Null, nil
}
