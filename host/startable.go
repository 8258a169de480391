package host

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

func inputOf(p *workflow.Plan, o Options) (event.Value, error) {
	input := o.Input
	if !o.HasInput {
		input = p.Input.Default
	}
	if p.Input.Schema != nil {
		if err := p.Input.Schema.Check(input); err != nil {
			if !o.HasInput && !p.Input.HasDefault {
				return input, refusal("invalid_input", fmt.Sprintf("workflow %q needs an input, and has no default: %v", p.Name, err))
			}
			return input, refusal("invalid_input", fmt.Sprintf("the input of workflow %q: %v", p.Name, err))
		}
	}
	return input, nil
}

// startable refuses what the file may say and this engine cannot do.
func (h *Host) startable(p *workflow.Plan) error {
	return eachPlan(p, func(p *workflow.Plan) error {
		for _, name := range slices.Sorted(maps.Keys(p.Plugins)) {
			if p.Plugins[name].PublicKey != "" {
				return refusal("unsupported", fmt.Sprintf(
					"plugin %q of workflow %q must be signed (public_key), and this version cannot check signatures; pin it with sha256 instead; the run was not started", name, p.Name))
			}
			if source := p.Plugins[name].Source; strings.HasPrefix(source, "oci://") {
				return refusal("unsupported", fmt.Sprintf(
					"plugin %q of workflow %q comes from %s, and this version does not fetch from OCI registries; give a path, builtin:NAME or https:// with sha256; the run was not started", name, p.Name, source))
			}
		}
		for i := range p.Nodes {
			if n := &p.Nodes[i]; n.Kind == workflow.ApprovalNode && !h.records() {
				return refusal("unsupported", fmt.Sprintf(
					"node %q of workflow %q waits for an approval, which needs a journal, and this host keeps none (durable none); the run was not started", n.ID, p.Name))
			}
		}
		return nil
	})
}
