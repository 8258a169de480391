package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/urfave/cli/v2"

	"wasmhost/host/event"
)

func (a *app) healthCommand() *cli.Command {
	return &cli.Command{
		Name: "health", ArgsUsage: "FILE", Usage: "run the health checks of a workflow",
		Description: `Exit codes: 0 every critical check is healthy, 6 one is not, 2 a setting or secret is missing, 3 invalid file.`,
		Flags:       []cli.Flag{anyHostFlag()},
		Action:      a.action(1, 1, forms, a.health),
	}
}

func (a *app) health() error {
	h, err := a.open()
	if err != nil {
		return err
	}
	defer a.close(h)
	w, err := a.load(h, a.c.Args().First())
	if err != nil {
		return err
	}
	report, err := h.Health(a.ctx, w)
	if exit := interrupted(a.ctx); exit != 0 {
		return &failure{exit: exit, message: "the checks were interrupted"}
	}
	if err != nil {
		return refused(err)
	}
	switch a.format {
	case "json", "jsonl":
		err = writeJSON(a.out, report, a.format == "json")
	case "text":
		err = a.writeReport(report)
	}
	if err != nil {
		return err
	}
	if !report.OverallHealthy {
		return &failure{exit: exitRefused, message: fmt.Sprintf("%s is not healthy: a critical check failed", clean(w.Name())),
			hint: `a run would be refused; mend what the check asks, or set critical = false on it`}
	}
	return nil
}

func (a *app) writeReport(r *event.Report) error {
	names := slices.Sorted(maps.Keys(r.Checks))
	wide := 0
	for _, n := range names {
		wide = max(wide, cellsIn(clean(n)))
	}
	for _, n := range names {
		c := r.Checks[n]
		state := "healthy"
		if !c.Healthy {
			state = "unhealthy"
		}
		kind := "critical"
		if !c.Critical {
			kind = "reported only"
		}
		text := fmt.Sprintf("%s  %-9s  %s, %s", pad(clean(n), wide), state, kind, span(millis(c.DurationMS)))
		if c.Error != nil {
			text += ": " + failureText(c.Error)
		} else if c.Details != nil {
			text += "  " + short(clean(c.Details.String()), 200)
		}
		if _, err := fmt.Fprintln(a.out, text); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		a.say("the workflow has no health checks")
	}
	return nil
}
