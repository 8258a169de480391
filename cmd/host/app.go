package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// app is one invocation of the command.
type app struct {
	in       io.Reader
	out, err io.Writer

	ctx    context.Context
	c      *cli.Context
	given  map[string]bool // flags on the command line, not from the environment
	format string          // of the output
}

// run runs the command line args (args[0] is the program) and returns the exit
// code. Nothing but the result goes to out.
func run(ctx context.Context, args []string, in io.Reader, out, errout io.Writer) (exit int) {
	a := &app{in: in, out: out, err: errout, ctx: ctx}
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(errout, "host: an error in host itself: %v\n  next: please report it, with what HOST_DEBUG=1 shows\n", p)
			if os.Getenv("HOST_DEBUG") != "" {
				fmt.Fprintf(errout, "%s\n", debug.Stack())
			}
			exit = exitFailed
		}
	}()
	commands := a.commands()
	l, err := arrange(args[min(1, len(args)):], commands, globalFlags())
	if err != nil {
		return a.report("", err)
	}
	switch {
	case l.help && l.command != "":
		writeCommandHelp(out, findCommand(commands, l.command))
		return exitOK
	case l.help && l.group != "":
		writeGroupHelp(out, l.group, groupOf(commands, l.group))
		return exitOK
	case l.help:
		writeHelp(out, commands)
		return exitOK
	case l.group != "":
		writeGroupHelp(errout, l.group, groupOf(commands, l.group))
		return exitUsage
	case l.command == "":
		writeHelp(errout, commands)
		return exitUsage
	}
	a.given = l.given
	library := &cli.App{
		Name: "host", Commands: commands, Writer: errout, ErrWriter: errout,
		HideHelp: true, HideVersion: true, DisableSliceFlagSeparator: true,
		ExitErrHandler: func(*cli.Context, error) {}, // codes are ours to map
	}
	err = library.RunContext(ctx, append([]string{"host", l.command}, l.args...))
	return a.report(l.command, err)
}

// report says what went wrong, and returns the exit code.
func (a *app) report(command string, err error) int {
	if err == nil {
		return exitOK
	}
	var f *failure
	if !errors.As(err, &f) {
		exit := exitFailed
		if code := interrupted(a.ctx); code != 0 {
			exit = code
		}
		f = &failure{exit: exit, message: err.Error()}
	}
	if f.message != "" {
		fmt.Fprintf(a.err, "%s: %s\n", strings.TrimSpace("host "+command), cleanLines(f.message))
	}
	if f.hint != "" {
		fmt.Fprintf(a.err, "  next: %s\n", f.hint)
	}
	return f.exit
}

// commands are all commands, in the order of the help.
func (a *app) commands() []*cli.Command {
	commands := []*cli.Command{
		a.initCommand(), a.runCommand(), a.validateCommand(), a.planCommand(), a.graphCommand(), a.callCommand(), a.serveCommand(),
		a.runsListCommand(), a.runsShowCommand(), a.runsWatchCommand(), a.runsLogsCommand(), a.runsWhyCommand(),
		a.runsCancelCommand(), a.runsResumeCommand(), a.runsRetryCommand(), a.runsApproveCommand(), a.runsExportCommand(),
		a.runsDeleteCommand(), a.pluginsListCommand(), a.pluginsShowCommand(), a.pluginsSwapCommand(), a.pluginsRollbackCommand(), a.pluginsPromoteCommand(),
		a.tokensAddCommand(), a.tokensListCommand(), a.tokensRemoveCommand(), a.tokensLoginCommand(),
		a.breakersListCommand(), a.breakersResetCommand(), a.breakersOpenCommand(), a.healthCommand(),
		a.doctorCommand(), a.schemaCommand(), a.explainCommand(), a.completionCommand(), a.manCommand(), a.versionCommand(),
	}
	for _, c := range commands {
		c.HideHelp = true
		c.Flags = append(c.Flags, globalFlags()...)
		// A value that does not parse, here or in the environment.
		c.OnUsageError = func(_ *cli.Context, err error, _ bool) error {
			return badValue(err, c.Flags).with(helpHint(c.Name))
		}
	}
	return commands
}

func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, EnvVars: []string{"HOST_OUTPUT"}, Usage: "`FORM` text, json, jsonl or quiet", DefaultText: "text"},
		&cli.StringFlag{Name: "state", EnvVars: []string{"HOST_STATE"}, Usage: "`DIR` the folder of recorded runs, and of compiled plugins", DefaultText: "$XDG_STATE_HOME/host, else ~/.local/state/host"},
		&cli.BoolFlag{Name: "no-color", EnvVars: []string{"HOST_NO_COLOR"}, Usage: "plain lines, no colours"},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, EnvVars: []string{"HOST_VERBOSE"}, Usage: "say more: logs of plugins, starts of nodes"},
	}
}

// forms are the values of -o that most commands take.
var forms = []string{"text", "json", "jsonl", "quiet"}

// action wraps what a command does: it checks the number of arguments and the
// form of the output. A form that only the environment asks for, and that the
// command does not have, is passed over.
func (a *app) action(least, most int, takes []string, do func() error) cli.ActionFunc {
	return func(c *cli.Context) error {
		a.c = c
		a.format = takes[0]
		if want := c.String("output"); want != "" {
			switch {
			case slices.Contains(takes, want):
				a.format = want
			case a.given["output"] || !slices.Contains(forms, want):
				return usage("unknown output %q: choose one of %s", clean(want), strings.Join(takes, ", ")).with(helpHint(c.Command.Name))
			}
		}
		n := c.NArg()
		switch {
		case n < least:
			return usage("%s is missing", strings.Trim(strings.Fields(c.Command.ArgsUsage)[n], "[].")).with(helpHint(c.Command.Name))
		case most >= 0 && n > most:
			return usage("unexpected argument %q", clean(c.Args().Get(most))).with(helpHint(c.Command.Name))
		}
		return do()
	}
}

const anyHost = "allow-any-host"

// anyHostFlag is for commands that load a workflow file: what the file asks for
// is checked with the permissions that a run would have. It widens permissions,
// so no variable sets it.
func anyHostFlag() cli.Flag {
	return &cli.BoolFlag{Name: anyHost, Usage: "let plugins whose http permission is \"*\" call any host"}
}

// verbose says whether -v was given.
func (a *app) verbose() bool { return a.c.Bool("verbose") }

// say writes a line to stderr, unless nothing shall be said.
func (a *app) say(format string, args ...any) {
	if a.format != "quiet" {
		fmt.Fprintf(a.err, format+"\n", args...)
	}
}

// badValue is the failure of a value that is not of its flag's type, here or in
// the environment, without the words of the parser.
func badValue(err error, flags []cli.Flag) *failure {
	text := strings.NewReplacer("flag -", "flag --", "for -", "for --").Replace(err.Error())
	for _, parser := range []string{": strconv.", ": time: ", ": parse error", ": value out of range"} {
		text, _, _ = strings.Cut(text, parser)
	}
	name := strings.TrimLeft(text[strings.LastIndex(text, " ")+1:], "-")
	wanted := ""
	switch flagsByName(flags)[name].(type) {
	case *cli.BoolFlag:
		wanted = ": it is true or false"
	case *cli.IntFlag:
		wanted = ": it is a whole number"
	case *cli.Float64Flag:
		wanted = ": it is a number, such as 0.95"
	case *cli.DurationFlag:
		wanted = ": it is a duration, such as 30s or 5m"
	}
	return usage("%s%s", text, wanted)
}
