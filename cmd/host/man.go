package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

func (a *app) manCommand() *cli.Command {
	return &cli.Command{
		Name: "man", Usage: "print the manual page",
		Description: `Look at it with: host man | man -l -`,
		Action: a.action(0, 0, forms, func() error {
			if a.format != "quiet" {
				writeMan(a.out, a.commands())
			}
			return nil
		}),
	}
}

// manColumns is what a page of 80 columns leaves for a description.
const manColumns = 72

// writeMan writes the manual page in roff, from the same tables as the help.
func writeMan(w io.Writer, commands []*cli.Command) {
	fmt.Fprintf(w, ".TH HOST 1 \"\" \"host %s\" \"User Commands\"\n", version)
	fmt.Fprint(w, ".SH NAME\nhost \\- run workflows of sandboxed WebAssembly plugins\n")
	fmt.Fprint(w, ".SH SYNOPSIS\n.B host\n.I COMMAND\n[\\fIFLAGS\\fR] [\\fIARGUMENTS\\fR]\n")
	fmt.Fprint(w, ".SH DESCRIPTION\nA workflow file names nodes, the plugins that do their work, and what happens when they fail: retries,\nfallbacks, breakers, deadlines. Plugins are WebAssembly modules that may do nothing but what the file allows.\n.PP\nThe result of a command goes to stdout; progress, warnings and logs go to stderr. Flags may stand before or\nafter the arguments, and read the environment variables that are named beside them.\n")
	fmt.Fprint(w, ".SH COMMANDS\n")
	for _, c := range commands {
		fmt.Fprintf(w, ".SS host %s %s\n%s\n", c.Name, roff(c.ArgsUsage), roff(sentence(c.Usage)))
		if c.Description != "" {
			fmt.Fprintf(w, ".PP\n.nf\n%s\n.fi\n", roff(paragraphs(c.Description, manColumns)))
		}
		manFlags(w, ownFlags(c))
	}
	fmt.Fprint(w, ".SH FLAGS OF EVERY COMMAND\n")
	manFlags(w, globalFlags())
	fmt.Fprint(w, ".SH EXIT STATUS\n")
	for _, code := range allCodes() {
		if e, ok := exitCodes[code]; ok {
			fmt.Fprintf(w, ".TP\n.B %s\n%s\n", code, roff(e.about))
		}
	}
	fmt.Fprint(w, ".SH ENVIRONMENT\n.TP\n.B NO_COLOR, CI\nPlain lines, no colours.\n.TP\n.B HOST_…\nFlags, as named above. Flags that widen what plugins may do have no variables.\n")
}

func manFlags(w io.Writer, flags []cli.Flag) {
	for _, f := range flags {
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(flagForm(f)), roff(flagUsage(f)))
	}
}

// roff escapes what roff would take for a request or an escape.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
