package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
	"wasmhost/host/event"
)

func (a *app) runCommand() *cli.Command {
	return &cli.Command{
		Name: "run", ArgsUsage: "FILE", Usage: "run a workflow and follow it",
		Description: `The output of the run goes to stdout, everything else to stderr. The run is recorded while it goes on:
a first ctrl-C cancels what is in flight and keeps the run, so that "host runs resume ID" goes on with
it; a second one ends at once. With --run-id the id is an idempotency key: a run that ended under it
gives its recorded result again, one that is alive is followed, and one whose process died goes on.

With --server the run is started and worked on there. FILE is then the name of a workflow that the server
has, or a file that is just what it has. A ctrl-C ends the following, and not the run.

With --watch, and only then, the build command of a plugin is run in a shell when files in the folder of
its module change: it is code of whoever wrote the workflow file. A plugin that has changed is swapped in
the run that is under way; a change of the workflow cancels it and runs it again.

Exit codes: 0 succeeded, 1 failed, 2 usage or input, 3 invalid file, 4 not authorised, 5 not found (or
no server), 6 refused by the health gate, 7 deadline, 8 refused module, 9 journal, 10 degraded with
--strict, 11 kept: it waits for a person, or nobody works on it any more, 12 cancelled, 130 interrupted,
143 by SIGTERM.`,
		Flags: append(append(inputFlags(),
			&cli.StringSliceFlag{Name: "set", EnvVars: []string{"HOST_SET"}, Usage: "`KEY=VALUE` put a value onto the input, or the workflow's default; KEY may be a dotted path; repeatable"},
			&cli.StringFlag{Name: "run-id", EnvVars: []string{"HOST_RUN_ID"}, Usage: "`ID` name the run; the id is its idempotency key", DefaultText: "a new one"},
			durableFlag(host.DurableNormal),
			strictFlag(),
			&cli.BoolFlag{Name: "watch", EnvVars: []string{"HOST_WATCH"}, Usage: "run again whenever the workflow or a schema changes, build and swap plugins"},
			&cli.BoolFlag{Name: "detach", EnvVars: []string{"HOST_DETACH"}, Usage: "start the run on a server, print its id and end"},
			anyHostFlag(),
		), serverFlags()...),
		Action: a.action(1, 1, forms, func() error {
			if a.given["run-id"] && a.c.String("run-id") == "" {
				return usage("--run-id is empty, and names no run").with("give the id that the run shall have, or leave --run-id out for a new one")
			}
			if a.serverNamed() != "" || a.c.Bool("detach") {
				return a.runThere()
			}
			if a.c.Bool("watch") {
				if a.given["run-id"] {
					return usage("--run-id names one run, and --watch makes many: leave one of them out").with(helpHint("run"))
				}
				return a.orServed("run", a.watch())
			}
			return a.orServed("run", a.runOnce(a.ctx, nil))
		}),
	}
}

// runOnce loads and runs the workflow. watcher, if any, learns what was loaded
// before the run starts, and all that happens in it.
func (a *app) runOnce(ctx context.Context, watcher *watcherOf) error {
	h, kept, err := a.openForRun()
	if err != nil {
		return err
	}
	defer a.close(h)
	w, err := a.load(h, a.c.Args().First())
	if err != nil {
		return err
	}
	if watcher != nil {
		watcher.loaded(w)
	}
	options := host.Options{RunID: a.c.String("run-id")}
	if options.Input, options.HasInput, err = a.runInput(w.Plan().Input.Default); err != nil {
		return err
	}
	var known *host.RunInfo
	if options.RunID != "" && kept {
		known = a.knownRun(h, w, options)
	}
	p := newFirstRun(a.progressOf(known, newBoard(w.Plan())), h.Loading)
	options.Sink = p
	if watcher != nil {
		options.Sink = event.SinkFunc(func(e *event.Event) { watcher.saw(e); p.Emit(e) })
		defer a.swapChanged(ctx, h, w, p)()
	}
	r, err := h.Start(ctx, w, options)
	if err != nil {
		p.Close("")
		return a.about(options.RunID, orNothing(refused(err)))
	}
	return a.follow(ctx, follower{keeper: folder{h}, show: p, here: known == nil || !known.Alive}, r)
}

// knownRun is the recorded run of an id that was given, nil when there is none,
// and tells what becomes of it. One of another workflow is refused by Start.
func (a *app) knownRun(h *host.Host, w *host.Workflow, o host.Options) *host.RunInfo {
	info, err := h.RunInfo(a.ctx, o.RunID)
	if err != nil || info.ID != o.RunID {
		return nil
	}
	input := o.Input
	if !o.HasInput {
		input = w.Plan().Input.Default
	}
	if info.Digest == w.Plan().Digest && bytes.Equal(info.Input.JSON(), input.JSON()) {
		a.sayKnown(info)
	}
	return info
}

// runInput is the input that was given, with the values of --set: these are put
// onto the workflow's default where no other input is.
func (a *app) runInput(standard event.Value) (event.Value, bool, error) {
	input, given, err := a.input()
	if err != nil {
		return event.Null, false, err
	}
	sets := a.c.StringSlice("set")
	if len(sets) == 0 {
		return input, given, nil
	}
	if !given {
		input = standard
	}
	input, err = set(input, sets)
	return input, true, err
}

func (a *app) writeResult(r *event.Result) error {
	switch a.format {
	case "json":
		return writeJSON(a.out, r, true)
	case "jsonl":
		return writeJSON(a.out, r, false)
	case "text":
		if r.Status == event.Succeeded || r.Status == event.Degraded {
			return writeValue(a.out, r.Output)
		}
	}
	return nil
}

// ended says how a run that brought no output ended, and maps it to its exit
// code. kept says that it is recorded.
func (a *app) ended(ctx context.Context, r *event.Result, kept bool) error {
	if exit := interrupted(ctx); exit != 0 && (r.Status == event.Cancelled || !r.Status.Ended()) {
		if kept {
			return &failure{exit: exit, message: fmt.Sprintf("run %s was interrupted; the run is kept", r.RunID), hint: a.again("runs", "resume", r.RunID)}
		}
		return &failure{exit: exit, message: fmt.Sprintf("run %s was interrupted", r.RunID), hint: "run it again; with --durable none nothing is kept to resume from"}
	}
	switch r.Status {
	case event.Succeeded:
		return nil
	case event.Degraded:
		if a.c.Bool("strict") {
			return &failure{exit: exitDegraded, message: fmt.Sprintf("run %s is degraded, and --strict asks for more", r.RunID)}
		}
		return nil
	case event.Cancelled:
		return &failure{exit: exitCancelled, message: fmt.Sprintf("run %s was cancelled", r.RunID)}
	}
	f := &failure{exit: exitFailed, message: fmt.Sprintf("run %s %s", r.RunID, r.Status)}
	if r.Status == event.Refused {
		f.exit = exitRefused
	}
	if e := r.Error; e != nil {
		switch {
		case e.Node == "" && e.Code == "deadline":
			f.exit = exitDeadline
		case e.Code == "journal":
			f.exit = exitJournal
		}
		f.message += ": " + describe(e)
		f.hint = nextStep(e.Code)
		if e.Code == "deadline" && strings.HasPrefix(e.Message, "nobody has approved") {
			f.hint = "host runs retry ID asks again; a longer deadline of the node leaves more time, an error edge goes on without an answer"
		}
	}
	if len(r.Levels) > 1 {
		var tried []string
		for _, l := range r.Levels {
			how := string(l.Status)
			if l.Error != nil {
				how += ", " + clean(l.Error.Message)
			}
			tried = append(tried, fmt.Sprintf("%s (%s)", clean(l.Workflow), how))
		}
		f.message += "\n  levels: " + strings.Join(tried, "; ")
	}
	return f
}
