package server

import (
	"net/http"

	"wasmhost/host/event"
)

func cancelRun(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return err
	}
	var reason string
	if err := decodeObject(c.body, into("reason", &reason)); err != nil {
		return err
	}
	if reason == "" {
		reason = "by " + c.who.By()
	}
	c.change.Detail = reason
	if err := c.cfg.Service.CancelRun(c.ctx, id, reason); err != nil {
		return err
	}
	return c.run(http.StatusAccepted, id)
}

func resumeRun(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return err
	}
	if err := decodeObject(c.body); err != nil {
		return err
	}
	return c.changed(c.cfg.Service.ResumeRun(c.ctx, id))
}

func retryRun(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return err
	}
	var from string
	if err := decodeObject(c.body, into("from", &from)); err != nil {
		return err
	}
	if from != "" {
		c.change.Detail = "from " + shorten(from)
	}
	return c.changed(c.cfg.Service.RetryRun(c.ctx, id, from))
}

func approveRun(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return err
	}
	a := event.Approval{By: c.who.Name}
	err = decodeObject(c.body, into("node", &a.Node), into("reject", &a.Reject), value("output", &a.Output, &a.HasOutput), into("comment", &a.Comment))
	if err != nil {
		return err
	}
	c.change.Detail = "approved " + shorten(a.Node)
	if a.Reject {
		c.change.Detail = "rejected " + shorten(a.Node)
	}
	return c.changed(c.cfg.Service.ApproveRun(c.ctx, id, a))
}

// changed answers with a run that goes on by itself.
func (c *call) changed(info *event.RunInfo, err error) error {
	if err != nil {
		return err
	}
	c.change.Target = info.ID
	return c.answer(http.StatusAccepted, info)
}

func deleteRun(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return err
	}
	if err := c.cfg.Service.DeleteRun(c.ctx, id); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
