package server

import (
	"net/http"
	"slices"

	"wasmhost/host/event"
)

// WorkflowAnswer is a served workflow with the text of its file.
type WorkflowAnswer struct {
	event.WorkflowInfo
	Text string `json:"text"`
}

func listWorkflows(c *call) error {
	all, err := c.cfg.Service.Workflows(c.ctx)
	if err != nil {
		return err
	}
	all = slices.Clone(all) // what the service keeps is not ours to fill
	for i := range all {
		all[i].Schedules = some(all[i].Schedules)
	}
	return c.answer(http.StatusOK, map[string]any{"workflows": some(all)})
}

func showWorkflow(c *call) error {
	name, err := c.id("name")
	if err != nil {
		return err
	}
	info, text, err := c.cfg.Service.Workflow(c.ctx, name)
	if err != nil {
		return err
	}
	a := WorkflowAnswer{WorkflowInfo: *info, Text: string(text)}
	a.Schedules = some(a.Schedules)
	return c.answer(http.StatusOK, a)
}

func showGraph(c *call) error {
	name, err := c.id("name")
	if err != nil {
		return err
	}
	q := c.query()
	run := q.id("run")
	if q.err != nil {
		return q.err
	}
	svg, err := c.cfg.Service.Graph(c.ctx, name, run)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "image/svg+xml")
	h.Set("Content-Security-Policy", graphPolicy)
	_, _ = c.w.Write(svg)
	return nil
}

func listSchedules(c *call) error {
	all, err := c.cfg.Service.Schedules(c.ctx)
	if err != nil {
		return err
	}
	all = slices.Clone(all)
	for i := range all {
		all[i].Next = some(all[i].Next)
	}
	return c.answer(http.StatusOK, map[string]any{"schedules": some(all)})
}
