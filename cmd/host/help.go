package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// group is a word with commands below it: "host runs list".
type group struct{ name, usage, about string }

var groups = []group{
	{"runs", "list, look at and go on with recorded runs", `A run is recorded in the state folder while it goes on, and kept when it has ended. An ID may be
shortened to its first characters, six at least, while they name one run only.`},
	{"plugins", "show the plugins of a server, and put other versions in use", `A server is needed: the one that --server names, else the one that has the state folder. NAME is that of
the workflow file, or WORKFLOW.NAME where several workflows have one of that name.`},
	{"tokens", "make and take back tokens for a server", `A token lets its bearer ask a server. It is kept as a hash in the state folder, and shown once.`},
	{"breakers", "list circuit breakers, and reset or open one", `With a journal breakers are shared by all runs of a workflow, in every process.`},
}

func findGroup(name string) group {
	for _, g := range groups {
		if g.name == name {
			return g
		}
	}
	return group{name: name}
}

// writeHelp lists the commands.
func writeHelp(w io.Writer, commands []*cli.Command) {
	fmt.Fprint(w, `host runs workflows of sandboxed WebAssembly plugins.

Usage: host COMMAND [FLAGS] [ARGUMENTS]

Commands:
`)
	var rows [][2]string
	listed := ""
	for _, c := range commands {
		name, usage := c.Name, c.Usage
		if first, _, ok := strings.Cut(name, " "); ok {
			if first == listed {
				continue
			}
			listed = first
			name, usage = first, findGroup(first).usage
		}
		rows = append(rows, [2]string{name, usage})
	}
	writeRows(w, rows)
	fmt.Fprint(w, "\nFlags of every command, before or after its arguments:\n")
	writeFlags(w, globalFlags())
	fmt.Fprint(w, `
First steps:
  host init my-flow && host run my-flow/workflow.toml
  host COMMAND --help    how a command is used
  host explain 6         what an exit code, an error code or a finding means
`)
}

// writeGroupHelp shows the commands below a word, and which takes which flag.
func writeGroupHelp(w io.Writer, name string, commands []*cli.Command) {
	g := findGroup(name)
	fmt.Fprintf(w, "%s\n\nUsage: host %s COMMAND [FLAGS] [ARGUMENTS]\n\n%s\n\nCommands:\n", sentence(g.usage), name, paragraphs(g.about, helpColumns))
	var rows [][2]string
	for _, c := range commands {
		rows = append(rows, [2]string{strings.TrimSpace(secondWord(c) + " " + c.ArgsUsage), c.Usage})
	}
	writeRows(w, rows)
	if rows := groupFlags(commands); len(rows) > 0 {
		fmt.Fprint(w, "\nFlags:\n")
		writeRows(w, rows)
	}
	fmt.Fprint(w, "\nFlags of every command:\n")
	writeFlags(w, globalFlags())
	fmt.Fprintf(w, "\nhost %s COMMAND --help says more about one of them.\n", name)
}

// secondWord is "list" of "runs list".
func secondWord(c *cli.Command) string {
	_, second, _ := strings.Cut(c.Name, " ")
	return second
}

// groupFlags are the flags of several commands, with those that take them where
// not all do.
func groupFlags(commands []*cli.Command) [][2]string {
	var rows [][2]string
	var takers [][]string
	for _, c := range commands {
	flags:
		for _, f := range ownFlags(c) {
			row := [2]string{flagForm(f), flagUsage(f)}
			for i := range rows {
				if rows[i] == row {
					takers[i] = append(takers[i], secondWord(c))
					continue flags
				}
			}
			rows, takers = append(rows, row), append(takers, []string{secondWord(c)})
		}
	}
	for i := range rows {
		if len(takers[i]) < len(commands) {
			rows[i][1] = strings.Join(takers[i], ", ") + ": " + rows[i][1]
		}
	}
	return rows
}

// ownFlags are a command's flags without those of every command.
func ownFlags(c *cli.Command) []cli.Flag { return c.Flags[:len(c.Flags)-len(globalFlags())] }

// writeCommandHelp shows how one command is used.
func writeCommandHelp(w io.Writer, c *cli.Command) {
	fmt.Fprintf(w, "%s\n\nUsage: %s\n", sentence(c.Usage), strings.TrimSpace("host "+c.Name+" [FLAGS] "+c.ArgsUsage))
	if c.Description != "" {
		fmt.Fprintf(w, "\n%s\n", paragraphs(c.Description, helpColumns))
	}
	if own := ownFlags(c); len(own) > 0 {
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
	var rows [][2]string
	for _, f := range flags {
		rows = append(rows, [2]string{flagForm(f), flagUsage(f)})
	}
	writeRows(w, rows)
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
