package server

import (
	"net/http"
	"slices"

	"wasmhost/host/event"
)

var swapQuery = []string{"mode", "good", "accept_permissions", "unpin", "replay", "same"}

func listPlugins(c *call) error {
	all, err := c.cfg.Service.Plugins(c.ctx)
	if err != nil {
		return err
	}
	all = slices.Clone(all)
	for i := range all {
		fill(&all[i])
	}
	return c.answer(http.StatusOK, map[string]any{"plugins": some(all)})
}

func fill(p *event.PluginInfo) {
	p.Permissions, p.Versions = some(p.Permissions), some(p.Versions)
}

func showPlugin(c *call) error {
	name, err := c.name("name")
	if err != nil {
		return err
	}
	return c.plugin(c.cfg.Service.Plugin(c.ctx, name))
}

func (c *call) plugin(info *event.PluginInfo, err error) error {
	if err != nil {
		return err
	}
	own := *info
	fill(&own)
	return c.answer(http.StatusOK, own)
}

// swapPlugin takes the module of the body (PUT), or has the source read again
// (POST …/reload).
func swapPlugin(c *call) error {
	name, err := c.name("name")
	if err != nil {
		return err
	}
	q := c.query()
	ask := event.SwapRequest{Plugin: name, Mode: event.SwapMode(q.values.Get("mode")), Good: q.number("good", 1, 1_000_000, 0),
		AcceptPermissions: q.flag("accept_permissions"), Unpin: q.flag("unpin"), Replay: q.flag("replay"), Same: q.share("same"), By: c.who.By()}
	switch ask.Mode {
	case "", event.SwapNow, event.SwapCanary, event.SwapShadow:
	default:
		q.fail("mode", "now, canary or shadow")
	}
	if q.err != nil {
		return q.err
	}
	if c.r.Method == http.MethodPut {
		if len(c.body) == 0 {
			return refusal("bad_request", "the body has no module; POST …/reload reads the plugin's source again")
		}
		ask.Module = c.body
	} else if err := decodeObject(c.body); err != nil {
		return err
	}
	report, err := c.cfg.Service.Swap(c.ctx, ask)
	if err != nil {
		return err
	}
	own := *report
	report = &own
	report.Steps = some(report.Steps)
	if report.Replay != nil {
		replay := *report.Replay
		replay.Differ = some(replay.Differ)
		report.Replay = &replay
	}
	c.change.Target, c.change.Detail = report.Plugin, report.From+" to "+report.To
	if report.Mode != "" {
		c.change.Detail = string(report.Mode) + ", " + c.change.Detail
	}
	if report.Refused == nil {
		return c.answer(http.StatusOK, report)
	}
	// What the caller sent is the reason, so it is the caller's error, with the
	// report beside it.
	c.change.Err = report.Refused
	p := ProblemOf(report.Refused)
	p.Status, p.Title, p.Report = http.StatusUnprocessableEntity, http.StatusText(http.StatusUnprocessableEntity), report
	p.Next = answers["swap_refused"].next
	p.write(c.w)
	return nil
}

func rollbackPlugin(c *call) error {
	name, err := c.name("name")
	if err != nil {
		return err
	}
	if err := decodeObject(c.body); err != nil {
		return err
	}
	return c.plugin(c.cfg.Service.Rollback(c.ctx, name, c.who.By()))
}

func promotePlugin(c *call) error {
	name, err := c.name("name")
	if err != nil {
		return err
	}
	if err := decodeObject(c.body); err != nil {
		return err
	}
	return c.plugin(c.cfg.Service.Promote(c.ctx, name, c.who.By()))
}
