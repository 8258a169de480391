package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
	"wasmhost/host/event"
)

func (a *app) runsListCommand() *cli.Command {
	return &cli.Command{
		Name: "runs list", Usage: "list recorded runs, the newest first",
		Description: `A run is interrupted when nobody works on it although it has not ended: its process died, or was
stopped. "host runs resume ID" goes on with it. The last line, on stderr, counts the runs of every
status.`,
		Flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "status", EnvVars: []string{"HOST_STATUS"}, Usage: "`STATUS` only runs that are " + strings.Join(statuses, ", ") + "; repeatable"},
			&cli.StringFlag{Name: "workflow", EnvVars: []string{"HOST_WORKFLOW"}, Usage: "`NAME` only runs of that workflow"},
			&cli.StringFlag{Name: "since", EnvVars: []string{"HOST_SINCE"}, Usage: "`TIME` only runs that began since then: 90m, 12h, 7d, 2026-01-31 or a time as in RFC 3339"},
			&cli.IntFlag{Name: "limit", Value: 20, EnvVars: []string{"HOST_LIMIT"}, Usage: "`N` at most so many"},
		}, serverFlags()...),
		Action: a.action(0, 0, forms, func() error { return orEmpty[host.RunInfo](a, a.withKeeper(a.runsList)) }),
	}
}

func (a *app) runsList(k keeper) error {
	filter := host.RunFilter{Workflow: a.c.String("workflow"), Limit: a.c.Int("limit")}
	if filter.Limit < 1 {
		return usage("--limit %d: list at least one run", filter.Limit)
	}
	wanted, err := wantedStatuses(a.c.StringSlice("status"))
	if err != nil {
		return err
	}
	if text := a.c.String("since"); text != "" {
		if filter.Since, err = parseSince(text, time.Now()); err != nil {
			return err
		}
	}
	runs, err := a.chooseRuns(k, filter, wanted)
	if err != nil {
		return a.runFailed(err)
	}
	written, err := writeList(a, runs)
	if !written {
		columns := 0 // as wide as it is
		if isTerminal(a.out) {
			columns, _ = size(a.out)
		}
		err = writeRuns(a.out, runs, columns)
	}
	if err != nil {
		return err
	}
	counts, err := a.countRuns(k, filter.Workflow)
	if err != nil {
		return a.runFailed(err)
	}
	a.say("%s", counts)
	return nil
}

// wantedStatuses reads --status, repeated or with commas.
func wantedStatuses(given []string) ([]string, error) {
	var wanted []string
	for _, s := range given {
		for s := range strings.SplitSeq(s, ",") {
			if s = strings.TrimSpace(s); !slices.Contains(statuses, s) {
				f := usage("--status %s: choose of %s", clean(s), strings.Join(statuses, ", "))
				if c := closest(s, statuses); c != "" {
					f.hint = "did you mean " + c + "?"
				}
				return nil, f
			}
			wanted = append(wanted, s)
		}
	}
	return wanted, nil
}

// chooseRuns lists the runs with one of the wanted states (none: all). The
// journal does not know which runs were interrupted: that is seen by who lives,
// so pages are read until there are enough.
func (a *app) chooseRuns(k keeper, filter host.RunFilter, wanted []string) ([]host.RunInfo, error) {
	for _, s := range wanted {
		status := event.Status(s)
		if s == statusInterrupted {
			status = event.Running
		}
		if !slices.Contains(filter.Status, status) {
			filter.Status = append(filter.Status, status)
		}
	}
	limit := filter.Limit
	filter.Limit = max(limit, 100)
	chosen := []host.RunInfo{}
	for {
		page, err := k.Runs(a.ctx, filter)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if len(wanted) == 0 || slices.Contains(wanted, stateOf(&page[i])) {
				if chosen = append(chosen, page[i]); len(chosen) == limit {
					return chosen, nil
				}
			}
		}
		if len(page) < filter.Limit {
			return chosen, nil
		}
		filter.Before = page[len(page)-1].ID
	}
}

// countRuns is "12 succeeded, 1 interrupted", of all runs or a workflow's.
func (a *app) countRuns(k keeper, workflow string) (string, error) {
	byStatus, err := k.RunCounts(a.ctx, workflow)
	if err != nil {
		return "", err
	}
	counts := map[string]int{}
	for s, n := range byStatus {
		counts[string(s)] = n
	}
	if n := counts[string(event.Running)]; n > 0 {
		lost, err := a.chooseRuns(k, host.RunFilter{Workflow: workflow, Limit: n}, []string{statusInterrupted})
		if err != nil {
			return "", err
		}
		counts[statusInterrupted] = len(lost)
		counts[string(event.Running)] = n - len(lost)
	}
	of := ""
	if workflow != "" {
		of = " of " + clean(workflow)
	}
	var parts []string
	for _, s := range statuses {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	if len(parts) == 0 {
		return "no runs" + of, nil
	}
	return "runs" + of + ": " + strings.Join(parts, ", "), nil
}
