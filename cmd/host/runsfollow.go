package main

import (
	"os"
	"os/user"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
	"wasmhost/host/event"
)

// followCodes is what the help says of the exit codes of commands that follow a
// run.
const followCodes = `

The run is followed to its end; the exit codes are those of host run.`

func strictFlag() cli.Flag {
	return &cli.BoolFlag{Name: "strict", EnvVars: []string{"HOST_STRICT"}, Usage: "exit 10 when the run is degraded"}
}

func (a *app) runsWatchCommand() *cli.Command {
	return a.runsCommand("watch", "follow a run as it goes on, in whichever process", `What has happened so far comes first. A ctrl-C ends the watching, and not the run. When nobody works on
the run any more, the watching ends with exit code 11: the run is kept.`+followCodes,
		[]cli.Flag{strictFlag()}, func(k keeper, info *host.RunInfo) error {
			return a.goOn(k, info, a.newProgress(boardOf(info)), false, func(sink event.Sink) (going, error) { return k.watch(a.ctx, info.ID, sink) })
		})
}

func (a *app) runsResumeCommand() *cli.Command {
	return a.runsCommand("resume", "go on with a run that was interrupted", `What was done is not done again: at most the calls that were under way are made once more, with the same
idempotency keys. The workflow file must be the one that the run began with; "host runs retry" takes
another. A run that is alive is followed, and one that has ended gives its result.`+followCodes,
		[]cli.Flag{strictFlag(), anyHostFlag()}, func(k keeper, info *host.RunInfo) error {
			a.sayKnown(info)
			return a.goOn(k, info, a.progressOf(info, boardOf(info)), !info.Alive, func(sink event.Sink) (going, error) { return k.resume(a.ctx, info.ID, sink) })
		})
}

func (a *app) runsRetryCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "from", Usage: "`NODE` run this node again although it succeeded, and what depends on it"},
		strictFlag(), anyHostFlag(),
	}
	return a.runsCommand("retry", "run again what did not succeed in a run", `The run keeps its id and its idempotency keys, and every node that succeeded. The workflow file is read
again and may have changed. Of a run that waits because nobody knows what a call did, the node is called
again.`+followCodes,
		flags, func(k keeper, info *host.RunInfo) error {
			return a.goOn(k, info, a.newProgress(boardOf(info)), true, func(sink event.Sink) (going, error) {
				return k.retry(a.ctx, info.ID, a.c.String("from"), sink)
			})
		})
}

func (a *app) runsApproveCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "node", Usage: "`NODE` the node that is answered, where several wait"},
		&cli.BoolFlag{Name: "reject", Usage: "fail the node, with the code rejected"},
		&cli.StringFlag{Name: "answer", Usage: "`JSON|@FILE|-` the node's output, instead of what it was given; - reads stdin"},
		&cli.StringFlag{Name: "comment", Usage: "`TEXT` why; it is recorded"},
		strictFlag(), anyHostFlag(),
	}
	return a.runsCommand("approve", "answer a node that waits for a person", `A node with approval = "…" waits until somebody approves or rejects it. A node with idempotent = false
waits when nobody knows whether its last call did its work: approve it with --answer when it did, reject
it when it did not and shall fail, or call it again with "host runs retry".`+followCodes,
		flags, a.approve)
}

func (a *app) approve(k keeper, info *host.RunInfo) error {
	answer := host.Approval{Node: a.c.String("node"), Reject: a.c.Bool("reject"), Comment: a.c.String("comment"), By: whoami()}
	if a.given["answer"] {
		if answer.Reject {
			return usage("--answer and --reject exclude each other").with(helpHint("runs approve"))
		}
		v, err := a.readValue("answer", a.c.String("answer"))
		if err != nil {
			return err
		}
		answer.Output, answer.HasOutput = v, true
	}
	return a.goOn(k, info, a.newProgress(boardOf(info)), !info.Alive, func(sink event.Sink) (going, error) { return k.approve(a.ctx, info.ID, answer, sink) })
}

// whoami is the user's name, for the record.
func whoami() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return os.Getenv("USER")
}

// goOn shows a recorded run that start gives, and ends as it does. free says
// that nobody works on the run yet.
func (a *app) goOn(k keeper, info *host.RunInfo, show progress, free bool, start func(event.Sink) (going, error)) error {
	p := newFirstRun(show, k.loading)
	r, err := start(p)
	if err != nil {
		p.Close("")
		return a.runFailed(err)
	}
	return a.follow(a.ctx, follower{keeper: k, show: p, here: free && k.here()}, r)
}

// sayKnown tells what becomes of a run that is there already: its result is
// given, it is followed, or it goes on.
func (a *app) sayKnown(r *host.RunInfo) {
	by := ""
	if r.Owner != "" {
		by = " by " + clean(r.Owner)
	}
	switch {
	case r.Status.Ended():
		a.say("run %s ended %s (%s): this is its recorded result, nothing is run again", r.ID, stamp(r.FinishedAt), r.Status)
	case r.Alive:
		a.say("run %s is being worked on%s: following it", r.ID, by)
	case isInterrupted(r):
		a.say("run %s was interrupted", r.ID) // that it goes on is an event of its own
	}
}

// progressOf is the progress of a run that may be there already (known is nil
// where it is not). What happened in one that has ended is not shown again: it
// would look as if it were done again.
func (a *app) progressOf(known *host.RunInfo, b *board) progress {
	if known != nil && known.Status.Ended() && a.format != "jsonl" {
		return silent{}
	}
	return a.newProgress(b)
}
