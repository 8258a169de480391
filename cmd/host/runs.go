package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
	"wasmhost/host/event"
)

// runsCommand is a command about one recorded run, whose ID is its first
// argument.
func (a *app) runsCommand(name, usage, about string, flags []cli.Flag, do func(keeper, *host.RunInfo) error) *cli.Command {
	return &cli.Command{
		Name: "runs " + name, ArgsUsage: "ID", Usage: usage, Description: about, Flags: append(flags, serverFlags()...),
		Action: a.action(1, 1, forms, func() error { return a.withRun(do) }),
	}
}

// withRun finds the run that the first argument names, and who has it.
func (a *app) withRun(do func(keeper, *host.RunInfo) error) error {
	return a.withKeeper(func(k keeper) error {
		info, err := k.RunInfo(a.ctx, a.c.Args().First())
		if err != nil {
			return a.runFailed(err)
		}
		return a.about(info.ID, do(k, info))
	})
}

// withKeeper finds who has the runs: the server that was named, or the journal.
func (a *app) withKeeper(do func(keeper) error) error {
	if url := a.serverNamed(); url != "" {
		s, err := a.dial(url)
		if err != nil {
			return err
		}
		return do(s)
	}
	return a.withState(func(h *host.Host) error { return do(folder{h}) })
}

// withState opens the journal that is there. These commands look for what was
// recorded: in a folder without a journal they make none.
func (a *app) withState(do func(*host.Host) error) error {
	dir, err := a.stateDir()
	if err != nil {
		return err
	}
	if !hasJournal(dir) {
		return &failure{exit: exitNotFound, message: fmt.Sprintf("there is no journal in %s yet", clean(dir)),
			hint: "host run makes one there; another folder is named with --state DIR", cause: errNoJournal}
	}
	h, err := a.openState(host.Config{})
	if err != nil {
		return err
	}
	defer a.close(h)
	return do(h)
}

var errNoJournal = errors.New("no journal")

// orEmpty is a list of what a journal holds, where none is there yet: it is
// empty, and stderr says why.
func orEmpty[T any](a *app, err error) error {
	if !errors.Is(err, errNoJournal) {
		return err
	}
	a.say("%s", err)
	_, err = writeList(a, []T{})
	return err
}

// runFailed is the failure of something that was asked of a recorded run.
func (a *app) runFailed(err error) error {
	if exit := interrupted(a.ctx); exit != 0 {
		return &failure{exit: exit, message: "interrupted"}
	}
	var e *event.Error
	err = refused(err)
	var f *failure
	if !errors.As(err, &e) || !errors.As(err, &f) {
		return err
	}
	switch e.Code {
	case "not_found":
		f.hint = a.again("runs", "list") + " shows the runs that there are"
		if id := a.c.Args().First(); len(id) < 6 {
			f.hint = "of the beginning of an id, six characters at least are needed; " + f.hint
		}
	case "invalid_output": // an answer that the node may not give
		f.exit = exitUsage
	}
	return err
}

// notThere is the failure of something that was asked of a plugin, a breaker, a
// token: when there is none of that name, hint says where the names are.
func (a *app) notThere(err error, hint string) error {
	err = a.runFailed(err)
	var f *failure
	if errors.As(err, &f) && f.exit == exitNotFound && codeOf(f.cause) == "not_found" {
		f.hint = hint
	}
	return err
}

// codeOf is the code of an error, "" when it has none.
func codeOf(err error) string {
	var e *event.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// about puts the run that is known into the command lines of a hint.
func (a *app) about(id string, err error) error {
	var f *failure
	if id == "" || !errors.As(err, &f) || f.hint == "" {
		return err
	}
	known := *f
	known.hint = idCommand.ReplaceAllStringFunc(f.hint, func(line string) string {
		return a.again("runs", strings.Fields(line)[2], id)
	})
	var e *event.Error
	if errors.As(f.cause, &e) && e.Node != "" {
		known.hint = nodeFlag.ReplaceAllString(known.hint, "$1 "+strings.ReplaceAll(quoted(e.Node), "$", "$$"))
	}
	return &known
}

var (
	idCommand = regexp.MustCompile(`host runs [a-z]+ ID\b`)
	nodeFlag  = regexp.MustCompile(`(--node|--from) NODE\b`)
)

// again is a command line for the user to type: with the state folder and the
// server that this one was given.
func (a *app) again(words ...string) string {
	line := "host " + strings.Join(words, " ")
	for _, flag := range []string{"server", "token-file"} {
		if a.given[flag] {
			line += " --" + flag + " " + quoted(a.c.String(flag))
		}
	}
	if a.given["state"] {
		line += " --state " + quoted(a.c.String("state"))
	}
	return line
}

// quoted is a word of a command line, in quotes where a shell needs them.
func quoted(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("./_-:@%+=,", r))
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(clean(word), "'", `'\''`) + "'"
}

// stateOf is the status of a run for people: a run that is running and that
// nobody works on was interrupted.
func stateOf(r *host.RunInfo) string {
	if isInterrupted(r) {
		return statusInterrupted
	}
	return string(r.Status)
}

func isInterrupted(r *host.RunInfo) bool { return r.Status == event.Running && !r.Alive }

const statusInterrupted = "interrupted"

// statuses are those that runs can be chosen by.
var statuses = []string{string(event.Running), statusInterrupted, string(event.Waiting), string(event.Succeeded), string(event.Degraded),
	string(event.Failed), string(event.Refused), string(event.Cancelled)}

// follower shows a run while it goes on, and ends as the run does.
type follower struct {
	keeper keeper
	show   progress
	here   bool // this process works on the run
}

// follow waits for the end of a run. A signal stops a run that this process
// works on; one of another process goes on.
func (a *app) follow(ctx context.Context, f follower, r going) error {
	wait := context.WithoutCancel(ctx)
	if !f.here {
		wait = ctx
	}
	stop := context.AfterFunc(ctx, func() {
		if !f.here {
			return
		}
		if interrupted(a.ctx) == 0 {
			r.Cancel(context.Cause(ctx)) // a newer file has overtaken it
			return
		}
		f.show.note("interrupted: cancelling the calls in flight; once more ends at once")
		r.Interrupt(context.Cause(ctx))
	})
	result, err := r.Wait(wait)
	stop()
	f.show.Close(stopped(result, err, f.here))
	if err != nil {
		if exit := interrupted(ctx); exit != 0 {
			return &failure{exit: exit, message: fmt.Sprintf("run %s goes on; it is no longer followed", r.ID()), hint: a.again("runs", "watch", r.ID()) + " follows it again"}
		}
		return refused(err)
	}
	if err := a.writeResult(result); err != nil {
		return err
	}
	switch {
	case result.Status == event.Waiting:
		return a.waits(f.keeper, result.RunID)
	case result.Status == event.Running && !f.here:
		return a.lost(result.RunID)
	}
	return a.about(result.RunID, a.ended(ctx, result, r.Recorded()))
}

// stopped says why no more is shown of a run that has not ended.
func stopped(r *event.Result, err error, here bool) string {
	switch {
	case err != nil && !here:
		return "no longer followed"
	case err == nil && r.Status == event.Running:
		return statusInterrupted
	}
	return ""
}

// lost is the failure of a run that was followed and that nobody works on any
// more.
func (a *app) lost(id string) error {
	return &failure{exit: exitWaiting, message: fmt.Sprintf("run %s was interrupted: nobody works on it any more; the run is kept", id), hint: a.again("runs", "resume", id)}
}

// waits says what a run waits for, and what to type.
func (a *app) waits(k keeper, id string) error {
	f := &failure{exit: exitWaiting, message: fmt.Sprintf("run %s waits, and is kept", id), hint: a.again("runs", "why", id)}
	waits, err := k.Why(context.WithoutCancel(a.ctx), id)
	if err != nil {
		return f // what it waits for was said as it happened
	}
	var next []string
	for _, w := range waits {
		f.message += "\n  " + sayWait(w)
		next = append(next, a.answers(id, w)...)
	}
	next = slices.Compact(next)
	if len(next) > 0 {
		f.hint = strings.Join(next, "\n        ")
	}
	return f
}

// sayWait is a wait as a line.
func sayWait(w host.Wait) string {
	text := clean(w.Text)
	if w.Node != "" {
		text = clean(w.Node) + ": " + text
	}
	return text
}

// answers are the command lines with which a person ends a wait.
func (a *app) answers(id string, w host.Wait) []string {
	switch w.Kind {
	case "approval":
		approve := []string{"runs", "approve", id, "--node", quoted(w.Node)}
		return []string{a.again(approve...) + "   (or with --reject)"}
	case "outcome_unknown":
		return []string{
			a.again("runs", "retry", id, "--from", quoted(w.Node)) + "   calls it again",
			a.again("runs", "approve", id, "--node", quoted(w.Node)) + "   takes it as done, with --answer JSON; or fails it, with --reject",
		}
	case "process":
		return []string{a.again("runs", "resume", id)}
	}
	if w.Next != "" {
		return []string{clean(w.Next)}
	}
	return nil
}

// boardOf is the board of a run whose nodes are not known before they begin.
func boardOf(r *host.RunInfo) *board {
	b := newBoard(nil)
	b.workflow, b.levels[0] = r.Workflow, r.Workflow
	return b
}
