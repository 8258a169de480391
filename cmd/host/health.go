package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
	"wasmhost/host/event"
)

func (a *app) healthCommand() *cli.Command {
	return &cli.Command{
		Name: "health", ArgsUsage: "FILE", Usage: "run the health checks of a workflow",
		Description: `With --history the last reports are shown, of whoever made them, and no check is run. With --server FILE is
the name of a workflow that the server has, or a file that is just what it has.

Exit codes: 0 every critical check is healthy, 6 one is not, 2 a setting or secret is missing, 3 invalid file,
5 no file, or no server.`,
		Flags: append([]cli.Flag{
			&cli.IntFlag{Name: "history", EnvVars: []string{"HOST_HISTORY"}, Usage: "`N` show the last N reports instead"},
			anyHostFlag(),
		}, serverFlags()...),
		Action: a.action(1, 1, forms, func() error {
			if n := a.c.Int("history"); a.c.IsSet("history") && n < 1 {
				return usage("--history %d: show at least one report", n)
			}
			if a.serverNamed() != "" {
				return a.healthThere()
			}
			if a.c.IsSet("history") {
				return a.healthHistory(a.c.Int("history"))
			}
			return a.orServed("health", a.health())
		}),
	}
}

func (a *app) health() error {
	h, err := a.openState(host.Config{})
	if isJournal(err) {
		a.say("warning: the report is not kept: %v", err)
		h, err = a.openAs(host.Config{})
	}
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
	return a.tellReport(w.Name(), report)
}

// tellReport writes a report; one that is not healthy is a failure.
func (a *app) tellReport(workflow string, report *event.Report) (err error) {
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
		return &failure{exit: exitRefused, message: fmt.Sprintf("%s is not healthy: a critical check failed", clean(workflow)),
			hint: `a run would be refused; mend what the check asks, or set critical = false on it`}
	}
	return nil
}

// healthThere has a server make the checks, or asks it for the last reports.
func (a *app) healthThere() error {
	s, err := a.serverAtHand()
	if err != nil {
		return err
	}
	w, err := a.servedWorkflow(s, a.c.Args().First())
	if err != nil {
		return err
	}
	if !a.c.IsSet("history") {
		report, err := s.Check(a.ctx, w.Name)
		if err != nil {
			return a.runFailed(err)
		}
		return a.tellReport(w.Name, report)
	}
	all, err := s.Health(a.ctx)
	if err != nil {
		return a.runFailed(err)
	}
	var reports []*event.Report
	for _, of := range all {
		if of.Workflow == w.Name {
			reports = of.Reports
		}
	}
	return a.tellReports(w.Name, reports[max(0, len(reports)-a.c.Int("history")):])
}

// healthHistory shows the last reports of a workflow, oldest first.
func (a *app) healthHistory(n int) error {
	return orEmpty[*event.Report](a, a.withState(func(h *host.Host) error {
		w, err := a.load(h, a.c.Args().First())
		if err != nil {
			return err
		}
		reports, err := h.HealthHistory(a.ctx, w.Name(), n)
		if err != nil {
			return a.runFailed(err)
		}
		return a.tellReports(w.Name(), reports)
	}))
}

// tellReports writes reports, a line each.
func (a *app) tellReports(workflow string, reports []*event.Report) error {
	if written, err := writeList(a, reports); written {
		return err
	}
	p := &page{w: a.out}
	for _, r := range reports {
		p.line("%s  %s", stamp(r.Timestamp), reportLine(r))
	}
	if len(reports) == 0 {
		a.say("no reports of %s are kept yet", clean(workflow))
	}
	return p.err
}

// reportLine is a report in a line: "unhealthy  model: connection refused".
func reportLine(r *event.Report) string {
	line := "healthy"
	if !r.OverallHealthy {
		line = "unhealthy"
	}
	for _, name := range slices.Sorted(maps.Keys(r.Checks)) {
		if c := r.Checks[name]; !c.Healthy {
			line += "  " + clean(name) + ": " + failureText(c.Error)
		}
	}
	return line
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
