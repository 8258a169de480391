package server

import (
	"net/http"
	"slices"

	"wasmhost/host/event"
)

func listHealth(c *call) error {
	all, err := c.cfg.Service.Health(c.ctx)
	if err != nil {
		return err
	}
	all = slices.Clone(all)
	for i := range all {
		all[i].Reports = some(all[i].Reports)
	}
	return c.answer(http.StatusOK, map[string]any{"workflows": some(all)})
}

func checkHealth(c *call) error {
	workflow, err := c.id("workflow")
	if err != nil {
		return err
	}
	if err := decodeObject(c.body); err != nil {
		return err
	}
	report, err := c.cfg.Service.Check(c.ctx, workflow)
	if err != nil {
		return err
	}
	own := *report
	if own.Checks == nil {
		own.Checks = map[string]event.Check{}
	}
	return c.answer(http.StatusOK, own)
}

func listAudits(c *call) error {
	q := c.query()
	n := q.number("limit", 1, 10_000, 100)
	if q.err != nil {
		return q.err
	}
	all, err := c.cfg.Service.Audits(c.ctx, n)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]any{"audits": some(all)})
}

// Readiness is the answer of /readyz.
type Readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons"`
}

// alive says that requests are answered, and nothing else.
func alive(c *call) error { return c.answer(http.StatusOK, map[string]string{"status": "ok"}) }

// ready says whether runs can be taken. It is asked by machines that have no
// token; the reasons name checks and workflows, and hold no error texts.
func ready(c *call) error {
	reasons := c.cfg.Service.Ready(c.ctx)
	if c.stopped() {
		reasons = append(reasons, "the server is stopping")
	}
	status := http.StatusOK
	if len(reasons) > 0 {
		status = http.StatusServiceUnavailable
	}
	return c.answer(status, Readiness{Ready: len(reasons) == 0, Reasons: some(reasons)})
}

func describe(c *call) error {
	c.w.Header().Set("Content-Type", "application/yaml")
	_, _ = c.w.Write(OpenAPI)
	return nil
}
