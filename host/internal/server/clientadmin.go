package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"wasmhost/host/event"
)

// Plugins are those of the served workflows.
func (c *Client) Plugins(ctx context.Context) ([]event.PluginInfo, error) {
	var a struct{ Plugins []event.PluginInfo }
	err := c.get(ctx, ask{method: "GET", path: "/v1/plugins"}, &a)
	return a.Plugins, err
}

// Plugin is one of them.
func (c *Client) Plugin(ctx context.Context, name string) (*event.PluginInfo, error) {
	q, err := at("GET", "/v1/plugins/%s", name)
	return one[event.PluginInfo](ctx, c, q, err)
}

// Swap sends a module, or has the source read again. A refused swap is a report
// with Refused, no error. Who asks, the server says by the token.
func (c *Client) Swap(ctx context.Context, r event.SwapRequest) (*event.SwapReport, error) {
	name, err := part(r.Plugin)
	if err != nil {
		return nil, err
	}
	q := url.Values{}
	flag := func(name string, on bool) {
		if on {
			q.Set(name, "true")
		}
	}
	if r.Mode != "" {
		q.Set("mode", string(r.Mode))
	}
	if r.Good > 0 {
		q.Set("good", strconv.Itoa(r.Good))
	}
	flag("accept_permissions", r.AcceptPermissions)
	flag("unpin", r.Unpin)
	flag("replay", r.Replay)
	if r.Same > 0 {
		q.Set("same", strconv.FormatFloat(r.Same, 'g', -1, 64))
	}
	a := ask{method: http.MethodPost, path: "/v1/plugins/" + name + "/reload", query: q}
	if r.Module != nil {
		a = ask{method: http.MethodPut, path: "/v1/plugins/" + name, query: q, body: r.Module, media: "application/wasm"}
	}
	a.long = true
	report, err := one[event.SwapReport](ctx, c, a, nil)
	var refused *refusedSwap
	if errors.As(err, &refused) {
		return refused.report, nil
	}
	return report, err
}

// Rollback goes back to the version before, or ends a trial. The second string is
// for Service's sake: who asks, the server says by the token.
func (c *Client) Rollback(ctx context.Context, name, _ string) (*event.PluginInfo, error) {
	q, err := post("/v1/plugins/%s/rollback", name, map[string]any{})
	return one[event.PluginInfo](ctx, c, q, err)
}

// Promote makes a trial current.
func (c *Client) Promote(ctx context.Context, name, _ string) (*event.PluginInfo, error) {
	q, err := post("/v1/plugins/%s/promote", name, map[string]any{})
	return one[event.PluginInfo](ctx, c, q, err)
}

// AllBreakers are the breakers of all workflows.
func (c *Client) AllBreakers(ctx context.Context) ([]event.BreakerInfo, error) {
	var a struct{ Breakers []event.BreakerInfo }
	err := c.get(ctx, ask{method: "GET", path: "/v1/breakers"}, &a)
	return a.Breakers, err
}

// ResetBreaker closes a breaker.
func (c *Client) ResetBreaker(ctx context.Context, name string) (*event.BreakerInfo, error) {
	q, err := post("/v1/breakers/%s/reset", name, map[string]any{})
	return one[event.BreakerInfo](ctx, c, q, err)
}

// OpenBreaker opens a breaker.
func (c *Client) OpenBreaker(ctx context.Context, name string) (*event.BreakerInfo, error) {
	q, err := post("/v1/breakers/%s/open", name, map[string]any{})
	return one[event.BreakerInfo](ctx, c, q, err)
}

// Health are the reports of every served workflow.
func (c *Client) Health(ctx context.Context) ([]event.HealthInfo, error) {
	var a struct{ Workflows []event.HealthInfo }
	err := c.get(ctx, ask{method: "GET", path: "/v1/health"}, &a)
	return a.Workflows, err
}

// Check runs a workflow's checks now.
func (c *Client) Check(ctx context.Context, workflow string) (*event.Report, error) {
	q, err := post("/v1/health/%s/check", workflow, map[string]any{})
	q.long = true
	return one[event.Report](ctx, c, q, err)
}

// Ready is nil when the server takes runs, else why not; that it cannot be reached
// is such a reason.
func (c *Client) Ready(ctx context.Context) []string {
	answer, err := c.exchange(ctx, ask{method: http.MethodGet, path: "/readyz"})
	if err != nil {
		return []string{err.Error()}
	}
	defer func() { _ = answer.Body.Close() }()
	var a Readiness
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&a); err != nil || !a.Ready && len(a.Reasons) == 0 {
		return []string{c.base + " answers, but not as host serve does"}
	}
	if a.Ready {
		return nil
	}
	return a.Reasons
}

// Schedules are those of the served workflows.
func (c *Client) Schedules(ctx context.Context) ([]event.ScheduleInfo, error) {
	var a struct{ Schedules []event.ScheduleInfo }
	err := c.get(ctx, ask{method: "GET", path: "/v1/schedules"}, &a)
	return a.Schedules, err
}

// Audits are the last n changes, the newest first.
func (c *Client) Audits(ctx context.Context, n int) ([]event.Audit, error) {
	var a struct{ Audits []event.Audit }
	q := ask{method: "GET", path: "/v1/audit"}
	if n > 0 {
		q.query = url.Values{"limit": {strconv.Itoa(min(n, 10_000))}}
	}
	err := c.get(ctx, q, &a)
	return a.Audits, err
}

// Tokens are the server's tokens, without their secrets.
func (c *Client) Tokens(ctx context.Context) ([]TokenInfo, error) {
	var a struct{ Tokens []TokenInfo }
	err := c.get(ctx, ask{method: "GET", path: "/v1/tokens"}, &a)
	return a.Tokens, err
}

// AddToken makes a token and returns its secret.
func (c *Client) AddToken(ctx context.Context, name string, scope Scope) (secret string, err error) {
	q, err := jsonAsk(http.MethodPost, "/v1/tokens", map[string]any{"name": name, "scope": scope})
	t, err := one[NewToken](ctx, c, q, err)
	if err != nil {
		return "", err
	}
	return t.Secret, nil
}

// RemoveToken takes a token back.
func (c *Client) RemoveToken(ctx context.Context, name string) error {
	q, err := at("DELETE", "/v1/tokens/%s", name)
	if err != nil {
		return err
	}
	return c.get(ctx, q, nil)
}

// LoginLink is a whole URL that logs a browser in as admin, once.
func (c *Client) LoginLink(ctx context.Context) (string, error) {
	a, err := one[LoginLink](ctx, c, ask{method: http.MethodPost, path: "/v1/login-links"}, nil)
	if err != nil {
		return "", err
	}
	return c.base + a.Path, nil
}
