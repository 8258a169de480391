package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
	"wasmhost/host/event"
)

func (a *app) runsDeleteCommand() *cli.Command {
	return &cli.Command{
		Name: "runs delete", ArgsUsage: "[ID...]", Usage: "forget runs, and name them",
		Description: `Either the runs that are named, or those that have ended and that the flags choose. With both flags a run
goes that is older and not among the newest. A run that somebody works on is never deleted; one that
waits or was interrupted only by its ID.`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "older-than", Usage: "`AGE` runs that ended longer ago: 12h, 30d"},
			&cli.IntFlag{Name: "keep", Usage: "`N` all but the newest so many", DefaultText: "0"},
		}, serverFlags()...),
		Action: a.action(0, -1, forms, a.runsDelete),
	}
}

func (a *app) runsDelete() error {
	flagged := a.given["older-than"] || a.given["keep"]
	switch {
	case flagged && a.c.NArg() > 0:
		return usage("name runs, or choose them with --older-than and --keep, not both").with(helpHint("runs delete"))
	case !flagged && a.c.NArg() == 0:
		return usage("which runs? name them, or choose them with --older-than or --keep").with(helpHint("runs delete"))
	case a.c.NArg() > 0:
		return a.eachRun(a.deleteRun)
	}
	keep := a.c.Int("keep")
	if keep < 0 {
		return usage("--keep %d: keep 0 or more", keep)
	}
	var before time.Time
	if a.given["older-than"] {
		age, err := parseAge("older-than", a.c.String("older-than"))
		if err != nil {
			return err
		}
		before = time.Now().Add(-age)
	}
	return orEmpty[host.RunInfo](a, a.withKeeper(func(k keeper) error { return a.deleteOld(k, before, keep) }))
}

// deleteOld deletes the runs that ended before a time (zero: any time), without
// the newest ones. They are all found before the first is deleted.
func (a *app) deleteOld(k keeper, before time.Time, keep int) error {
	filter := host.RunFilter{Limit: 500, Status: []event.Status{event.Succeeded, event.Degraded, event.Failed, event.Cancelled, event.Refused}}
	var old []host.RunInfo
	for {
		page, err := k.Runs(a.ctx, filter)
		if err != nil {
			return a.runFailed(err)
		}
		for _, r := range page {
			if keep--; keep < 0 && (before.IsZero() || r.FinishedAt.Before(before)) {
				old = append(old, r)
			}
		}
		if len(page) < filter.Limit {
			break
		}
		filter.Before = page[len(page)-1].ID
	}
	for i := range old {
		if err := a.deleteRun(k, &old[i]); err != nil {
			return err
		}
	}
	a.say("%s deleted", counted(len(old), "run"))
	return nil
}

// deleteRun deletes a run and names it.
func (a *app) deleteRun(k keeper, info *host.RunInfo) error {
	if err := k.DeleteRun(a.ctx, info.ID); err != nil {
		return a.runFailed(err)
	}
	switch a.format {
	case "text":
		_, err := fmt.Fprintf(a.out, "%s  %s  %s\n", clean(info.ID), clean(info.Workflow), stateOf(info))
		return err
	case "json", "jsonl":
		return writeJSON(a.out, info, false)
	}
	return nil
}
