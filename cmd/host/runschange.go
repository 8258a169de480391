package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
)

func (a *app) runsCancelCommand() *cli.Command {
	return &cli.Command{
		Name: "runs cancel", ArgsUsage: "ID...", Usage: "end runs, whoever works on them",
		Description: `Calls in flight are cancelled, and the run ends as cancelled. It works for runs of other processes, for
waiting ones and for those that nobody works on.`,
		Flags:  append([]cli.Flag{&cli.StringFlag{Name: "reason", Usage: "`TEXT` why; it is recorded"}}, serverFlags()...),
		Action: a.action(1, -1, forms, func() error { return a.eachRun(a.cancelRun) }),
	}
}

func (a *app) cancelRun(k keeper, info *host.RunInfo) error {
	if err := k.CancelRun(a.ctx, info.ID, a.c.String("reason")); err != nil {
		return a.runFailed(err)
	}
	if a.format == "text" {
		a.say("run %s of %s is cancelled", info.ID, clean(info.Workflow))
	}
	return nil
}

// eachRun does something with every run that the arguments name. Ids are looked
// up first, so that a mistake in one changes nothing.
func (a *app) eachRun(do func(keeper, *host.RunInfo) error) error {
	return a.withKeeper(func(k keeper) error {
		var all []*host.RunInfo
		for _, id := range a.c.Args().Slice() {
			info, err := k.RunInfo(a.ctx, id)
			if err != nil {
				return a.runFailed(err)
			}
			all = append(all, info)
		}
		for _, info := range all {
			if err := do(k, info); err != nil {
				return a.about(info.ID, err)
			}
		}
		return nil
	})
}

func (a *app) runsExportCommand() *cli.Command {
	return &cli.Command{
		Name: "runs export", ArgsUsage: "ID [FILE|-]", Usage: "write everything about a run into one file",
		Description: `One JSON object: the run, its events, its result, breakers and health of its workflow, and versions. No
secret is in it, but inputs and outputs are. Without FILE, or with "-", it goes to stdout.
A file that is there is not overwritten.`,
		Flags:  serverFlags(),
		Action: a.action(1, 2, forms, func() error { return a.withRun(a.export) }),
	}
}

func (a *app) export(k keeper, info *host.RunInfo) error {
	to := a.c.Args().Get(1)
	if to == "" || to == "-" {
		if a.format == "quiet" {
			return nil
		}
		if err := k.Export(a.ctx, info.ID, a.out); err != nil {
			return a.runFailed(err)
		}
		return nil
	}
	if _, err := os.Lstat(to); err == nil {
		return a.inTheWay(info, to)
	}
	// A file is there as a whole or not at all.
	f, err := os.CreateTemp(filepath.Dir(to), ".export-*")
	if err != nil {
		return usage("%s cannot be written: %v", clean(to), err).with("name a file in a folder that can be written to")
	}
	err = k.Export(a.ctx, info.ID, f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = place(f.Name(), to)
	}
	_ = os.Remove(f.Name())
	if errors.Is(err, fs.ErrExist) { // somebody has made it since we looked
		return a.inTheWay(info, to)
	}
	if err != nil {
		return a.runFailed(fmt.Errorf("the run was not exported to %s: %w", clean(to), err))
	}
	a.say("run %s is in %s", info.ID, clean(to))
	return nil
}

// place gives a file a name that nobody has. A link fails where there is one;
// not every file system has links.
func place(file, to string) error {
	err := os.Link(file, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return fs.ErrExist
	}
	return os.Rename(file, to)
}

func (a *app) inTheWay(info *host.RunInfo, to string) error {
	ext := filepath.Ext(to)
	return usage("%s is there already, and was left as it is: the run was not exported", clean(to)).
		with("name another file: " + a.again("runs", "export", info.ID, quoted(unused(strings.TrimSuffix(to, ext), ext))))
}

// unused is the first of stem-2, stem-3 and so on that nothing is called.
func unused(stem, ext string) string {
	for n := 2; ; n++ {
		name := fmt.Sprintf("%s-%d%s", stem, n, ext)
		if _, err := os.Lstat(name); err != nil {
			return name
		}
	}
}
