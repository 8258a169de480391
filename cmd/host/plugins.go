package main

import (
	"context"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// atServerAtHand is a command about something that only a running server has.
func (a *app) atServerAtHand(least, most int, do func(server) error) cli.ActionFunc {
	return a.action(least, most, forms, func() error {
		s, err := a.serverAtHand()
		if err != nil {
			return err
		}
		return do(s)
	})
}

func (a *app) pluginsListCommand() *cli.Command {
	return &cli.Command{
		Name: "plugins list", Usage: "list the plugins that a server has loaded", Flags: serverFlags(),
		Action: a.atServerAtHand(0, 0, func(s server) error {
			all, err := s.Plugins(a.ctx)
			if err != nil {
				return a.runFailed(err)
			}
			if written, err := writeList(a, all); written {
				return err
			}
			if len(all) == 0 {
				a.say("no plugins: the workflows that are served have none")
				return nil
			}
			return writePlugins(a.out, all)
		}),
	}
}

func (a *app) pluginsShowCommand() *cli.Command {
	return &cli.Command{
		Name: "plugins show", ArgsUsage: "NAME", Usage: "show a plugin: its versions, permissions and calls",
		Description: "NAME is that of the workflow file, or WORKFLOW.NAME where several workflows have one of that name.",
		Flags:       serverFlags(),
		Action: a.atServerAtHand(1, 1, func(s server) error {
			p, err := s.Plugin(a.ctx, a.c.Args().First())
			if err != nil {
				return a.pluginFailed(err)
			}
			return a.tellPlugin(p, func() error { return writePlugin(a.out, p) })
		}),
	}
}

// tellPlugin writes a plugin in the forms for programs, or says it as text does.
func (a *app) tellPlugin(p *event.PluginInfo, text func() error) error {
	switch a.format {
	case "json", "jsonl":
		return writeJSON(a.out, p, a.format == "json")
	case "text":
		return text()
	}
	return nil
}

// pluginFailed is the failure of something that was asked of a plugin.
func (a *app) pluginFailed(err error) error {
	return a.notThere(err, a.again("plugins", "list")+" shows the plugins that there are")
}

func (a *app) pluginsSwapCommand() *cli.Command {
	flags := append([]cli.Flag{
		&cli.BoolFlag{Name: "canary", Usage: "give it every tenth call of nodes with idempotent = true, and all when it has done well"},
		&cli.BoolFlag{Name: "shadow", Usage: "run it beside the old version and compare; it never answers"},
		&cli.IntFlag{Name: "good", Usage: "`N` calls that a canary must answer well, or a shadow must see", DefaultText: "20"},
		&cli.BoolFlag{Name: "replay", Usage: "give it the recorded calls first, and refuse it when it answers otherwise"},
		&cli.Float64Flag{Name: "same", Usage: "`SHARE` of the recorded calls that must be answered alike, from 0 to 1", DefaultText: "1"},
		&cli.BoolFlag{Name: "accept-permissions", Usage: "let it do more than the old version may"},
		&cli.BoolFlag{Name: "unpin", Usage: "swap a plugin although the workflow file names its sha256"},
	}, serverFlags()...)
	return &cli.Command{
		Name: "plugins swap", ArgsUsage: "NAME [FILE]", Usage: "put another version of a plugin in use, without ending a run",
		Description: `The new version is read, checked, compiled and asked for its health, and only then used: calls in flight
end on the old one, later ones get the new one. A version that fails a step is never used. Without FILE
the plugin's source is read again. What FILE brings is used until the source itself changes.

Exit codes: 0 it is in use or on trial, 8 it was refused, 4 the token may not swap, 5 there is no such
plugin or no server.`,
		Flags: flags, Action: a.atServerAtHand(1, 2, a.pluginsSwap),
	}
}

// maxModule is the largest module that servers take.
const maxModule = 64 << 20

func (a *app) pluginsSwap(s server) error {
	r := host.SwapRequest{Plugin: a.c.Args().First(), Mode: event.SwapNow, Good: a.c.Int("good"), Replay: a.c.Bool("replay"), Same: a.c.Float64("same"),
		AcceptPermissions: a.c.Bool("accept-permissions"), Unpin: a.c.Bool("unpin"), By: whoami()}
	trial := a.c.Bool("canary") || a.c.Bool("shadow")
	switch {
	case a.c.Bool("canary") && a.c.Bool("shadow"):
		return usage("--canary and --shadow exclude each other").with(helpHint("plugins swap"))
	case a.c.Bool("canary"):
		r.Mode = event.SwapCanary
	case a.c.Bool("shadow"):
		r.Mode = event.SwapShadow
	}
	switch {
	case a.given["good"] && !trial:
		return usage("--good counts the calls of a trial: add --canary or --shadow").with(helpHint("plugins swap"))
	case a.given["good"] && r.Good < 1:
		return usage("--good %d: ask for one call at least", r.Good)
	case a.given["same"] && !r.Replay:
		return usage("--same is about recorded calls: add --replay").with(helpHint("plugins swap"))
	case a.given["same"] && !(r.Same > 0 && r.Same <= 1):
		return usage("--same %v: give a share above 0, up to 1", r.Same)
	}
	if file := a.c.Args().Get(1); file != "" {
		module, err := workflow.ReadFile(file, maxModule)
		if os.IsNotExist(err) {
			return &failure{exit: exitNotFound, message: "there is no file " + clean(file), hint: "check the path, or leave FILE out to read the plugin's source again"}
		}
		if err != nil {
			return usage("the module cannot be read: %v", err)
		}
		if len(module) == 0 {
			return &failure{exit: exitModule, message: clean(file) + " is empty", hint: "build it again"}
		}
		r.Module = module
	}
	report, err := s.Swap(a.ctx, r)
	if err != nil {
		return a.pluginFailed(err)
	}
	switch a.format {
	case "json", "jsonl":
		err = writeJSON(a.out, report, a.format == "json")
	case "text":
		err = writeSwap(a.out, report)
	}
	if err != nil {
		return err
	}
	if e := report.Refused; e != nil {
		return &failure{exit: exitModule, cause: e, message: "the new version was refused, the old one goes on: " + describe(e), hint: refusedNext(report)}
	}
	if a.format == "text" {
		a.say("%s", swapped(report))
	}
	return nil
}

// refusedNext is the advice for a swap that was refused. What --same would have
// let pass is known only from the replay itself.
func refusedNext(r *event.SwapReport) string {
	next := nextStep(r.Refused.Code)
	if r.Refused.Code != "replay_differs" || r.Replay == nil {
		return next
	}
	if compared := r.Replay.Calls - r.Replay.Skipped; compared > 0 {
		if share := 100 * r.Replay.Identical / compared; share > 0 {
			next = fmt.Sprintf("with --same %.2f it passes; %s", float64(share)/100, next)
		}
	}
	return next
}

func (a *app) pluginsRollbackCommand() *cli.Command {
	return a.moveCommand("rollback", "go back to the version before (twice: forward again), or end a canary or shadow", server.Rollback, "is %s again")
}

func (a *app) pluginsPromoteCommand() *cli.Command {
	return a.moveCommand("promote", "make a canary or shadow the current version", server.Promote, "is %s now")
}

// moveCommand moves among the versions that a plugin has.
func (a *app) moveCommand(name, usage string, move func(server, context.Context, string, string) (*event.PluginInfo, error), is string) *cli.Command {
	return &cli.Command{
		Name: "plugins " + name, ArgsUsage: "NAME", Usage: usage, Flags: serverFlags(),
		Action: a.atServerAtHand(1, 1, func(s server) error {
			p, err := move(s, a.ctx, a.c.Args().First(), whoami())
			if err != nil {
				return a.pluginFailed(err)
			}
			return a.tellPlugin(p, func() error {
				a.say("plugin %s "+is, clean(p.Name), shortDigest(p.Digest))
				return nil
			})
		}),
	}
}
