package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
)

func (a *app) runsWhyCommand() *cli.Command {
	return a.runsCommand("why", "say what a run waits for, or why it ended as it did", `It names the retry, breaker, approval or dead process that the run waits for and what ends the wait; of a
run that has ended, what failed and who answered instead.`, nil, a.runsWhy)
}

func (a *app) runsWhy(k keeper, info *host.RunInfo) error {
	waits, err := k.Why(a.ctx, info.ID)
	if err != nil {
		return a.runFailed(err)
	}
	if written, err := writeList(a, waits); written {
		return err
	}
	now := time.Now()
	if _, err := fmt.Fprintf(a.out, "run %s of %s: %s\n", clean(info.ID), clean(info.Workflow), stateOf(info)); err != nil {
		return err
	}
	for _, w := range waits {
		text := sayWait(w)
		// Of all waits only this one does not say by itself when it ends.
		if left := w.Until.Sub(now); w.Kind == "approval" && left > 0 {
			text += fmt.Sprintf(" (for %s more)", span(left))
		}
		if _, err := fmt.Fprintf(a.out, "  %s\n", text); err != nil {
			return err
		}
		for _, next := range a.answers(info.ID, w) {
			a.say("  next: %s", next)
		}
	}
	return nil
}
