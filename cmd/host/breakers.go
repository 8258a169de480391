package main

import (
	"context"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
)

func (a *app) breakersListCommand() *cli.Command {
	return &cli.Command{
		Name: "breakers list", Usage: "list the breakers that the journal knows", Flags: serverFlags(),
		Action: a.action(0, 0, forms, func() error { return orEmpty[host.BreakerInfo](a, a.withKeeper(a.breakersList)) }),
	}
}

func (a *app) breakersList(k keeper) error {
	all, err := k.AllBreakers(a.ctx)
	if err != nil {
		return a.runFailed(err)
	}
	if written, err := writeList(a, all); written {
		return err
	}
	if len(all) == 0 {
		a.say("no breakers: none has counted a call yet")
		return nil
	}
	rows := [][]string{{"WORKFLOW", "BREAKER", "STATE", "FAILURES", "CHANGED", ""}}
	for _, b := range all {
		rows = append(rows, []string{clean(b.Workflow), clean(b.Key), b.State, strconv.Itoa(b.Failures), stamp(b.UpdatedAt), breakerRemark(b)})
	}
	return writeTable(a.out, rows, 0)
}

// breakerRemark is when an open breaker lets a call through, and why it opened.
func breakerRemark(b host.BreakerInfo) string {
	text := ""
	if b.OpenForMS > 0 {
		text = "probes in " + span(time.Duration(b.OpenForMS)*time.Millisecond)
	}
	if b.LastError != nil {
		if text != "" {
			text += "; "
		}
		text += failureText(b.LastError)
	}
	return text
}

func (a *app) breakersResetCommand() *cli.Command {
	return a.breakerCommand("reset", "close a breaker, so that calls go through again", keeper.ResetBreaker)
}

func (a *app) breakersOpenCommand() *cli.Command {
	return a.breakerCommand("open", "open a breaker, so that calls are refused", keeper.OpenBreaker)
}

func (a *app) breakerCommand(name, usage string, do moveBreaker) *cli.Command {
	return &cli.Command{
		Name: "breakers " + name, ArgsUsage: "KEY", Usage: usage, Flags: serverFlags(),
		Description: `KEY is the breaker's name, or WORKFLOW.NAME where several workflows have one of that name. Every process
that shares the state folder takes it over.`,
		Action: a.action(1, 1, forms, func() error {
			return a.withKeeper(func(k keeper) error { return a.moveBreaker(k, do) })
		}),
	}
}

type moveBreaker func(keeper, context.Context, string) (*host.BreakerInfo, error)

func (a *app) moveBreaker(k keeper, do moveBreaker) error {
	b, err := do(k, a.ctx, a.c.Args().First())
	if err != nil {
		return a.notThere(err, a.again("breakers", "list")+" shows the breakers that there are")
	}
	switch a.format {
	case "json", "jsonl":
		return writeJSON(a.out, b, a.format == "json")
	case "text":
		a.say("breaker %s of %s is %s", clean(b.Key), clean(b.Workflow), b.State)
	}
	return nil
}
