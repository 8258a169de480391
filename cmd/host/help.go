package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// writeHelp lists the commands.
func writeHelp(w io.Writer, commands []*cli.Command) {
	fmt.Fprint(w, `host runs workflows of sandboxed WebAssembly plugins.

Usage: host COMMAND [FLAGS] [ARGUMENTS]

Commands:
`)
	for _, c := range commands {
		fmt.Fprintf(w, "  %-11s %s\n", c.Name, c.Usage)
	}
	fmt.Fprint(w, "\nFlags of every command, before or after its arguments:\n")
	writeFlags(w, globalFlags())
	fmt.Fprint(w, `
First steps:
  host init my-flow && host run my-flow/workflow.toml
  host COMMAND --help    how a command is used
  host explain 6         what an exit code, an error code or a finding means
`)
}

// writeCommandHelp shows how one command is used.
func writeCommandHelp(w io.Writer, c *cli.Command) {
	fmt.Fprintf(w, "%s\n\nUsage: host %s [FLAGS] %s\n", sentence(c.Usage), c.Name, c.ArgsUsage)
	if c.Description != "" {
		fmt.Fprintf(w, "\n%s\n", c.Description)
	}
	own := c.Flags[:len(c.Flags)-len(globalFlags())]
	if len(own) > 0 {
		fmt.Fprint(w, "\nFlags:\n")
		writeFlags(w, own)
	}
	fmt.Fprint(w, "\nFlags of every command:\n")
	writeFlags(w, globalFlags())
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

func writeFlags(w io.Writer, flags []cli.Flag) {
	most := 0
	for _, f := range flags {
		most = max(most, len(flagForm(f)))
	}
	for _, f := range flags {
		fmt.Fprintf(w, "  %-*s  %s\n", most, flagForm(f), flagUsage(f))
	}
}

// flagForm is "--set KEY=VALUE".
func flagForm(f cli.Flag) string {
	names := f.Names()
	form := "--" + names[0]
	if len(names) > 1 && len(names[1]) == 1 {
		form = "-" + names[1] + ", " + form
	}
	if d, ok := f.(cli.DocGenerationFlag); ok && d.TakesValue() {
		form += " " + placeholder(d.GetUsage())
	}
	return form
}

// placeholder is the word in back quotes of a flag's usage.
func placeholder(usage string) string {
	if parts := strings.SplitN(usage, "`", 3); len(parts) == 3 {
		return parts[1]
	}
	return "VALUE"
}

// describeFlag is the usage without the placeholder that it begins with.
func describeFlag(usage string) string {
	if parts := strings.SplitN(usage, "`", 3); len(parts) == 3 {
		return strings.TrimSpace(parts[2])
	}
	return usage
}

// flagUsage is the sentence on a flag, with its default and its variable.
func flagUsage(f cli.Flag) string {
	d, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return ""
	}
	s := describeFlag(d.GetUsage())
	if text := d.GetDefaultText(); text != "" && d.TakesValue() && text != `""` {
		s += " (default: " + strings.Trim(text, `"`) + ")"
	}
	if env := d.GetEnvVars(); len(env) > 0 {
		s += " [$" + strings.Join(env, ", $") + "]"
	}
	return s
}
