package host

import (
	"context"
	"fmt"
	"strings"

	"wasmhost/host/internal/server"
	"wasmhost/host/workflow"
)

// hook is the webhook of a served workflow, with its secret.
type hook struct {
	path string
	server.Hook
}

// hookOf is the webhook of a plan, nil when it has none. One whose secret is
// missing would let everybody in, and is an error: code missing_secret.
func (h *Host) hookOf(p *workflow.Plan) (*hook, error) {
	w := p.Webhook
	if w == nil {
		return nil, nil
	}
	name := w.HMAC
	if name == "" {
		name = w.Bearer
	}
	value, ok, err := h.secret(p, name)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, refusal("missing_secret", fmt.Sprintf(
			"the webhook of workflow %q needs the secret %q, which is optional and not there; without it everybody could start runs: provide it, or remove the webhook from %s", p.Name, name, p.File))
	}
	one := &hook{path: w.Path, Hook: server.Hook{Workflow: p.Name}}
	if w.HMAC != "" {
		one.HMAC, one.Header = []byte(value), w.Header
	} else {
		one.Bearer = value
	}
	return one, nil
}

// Hook finds the workflow of a webhook's path.
func (s *served) Hook(_ context.Context, path string) (*server.Hook, error) {
	path = strings.Trim(path, "/")
	for _, f := range s.flows.loaded() {
		if f.hook != nil && f.hook.path == path {
			found := f.hook.Hook
			return &found, nil
		}
	}
	return nil, refusal("not_found", fmt.Sprintf("no workflow has the webhook path %q", path))
}
