package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// line is a command line put in order. The library takes everything behind the
// first argument for arguments and says nothing, so flags are sorted out here,
// where mistakes can also be named.
type line struct {
	command string
	group   string   // the first word of a command of two, while the second is missing
	args    []string // for the library: flags, "--", arguments
	given   map[string]bool
	help    bool
}

// absent are commands that people may look for, and that this version does not have.
var absent = []string{"worker", "test"}

// absentFlags are such flags.
var absentFlags = map[string]bool{"engine": true}

// arrange reads the arguments behind the program's name.
func arrange(args []string, commands []*cli.Command, global []cli.Flag) (*line, error) {
	l := &line{given: map[string]bool{}}
	known := flagsByName(global)
	var flags, rest []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			rest = append(rest, args[i+1:]...)
			i = len(args)
			continue
		case a == "-" || !strings.HasPrefix(a, "-"):
			if l.command != "" {
				rest = append(rest, a)
				continue
			}
			if a == "help" {
				l.help = true
				continue
			}
			name := strings.TrimSpace(l.group + " " + a)
			c := findCommand(commands, name)
			if c == nil && l.group == "" && isGroup(commands, name) {
				l.group = name
				continue
			}
			if c == nil {
				return nil, unknownCommand(name, commands)
			}
			l.command, l.group = name, ""
			for name, f := range flagsByName(c.Flags) {
				known[name] = f
			}
			continue
		}
		name, value, glued := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(a, "-"), "-"), "=")
		if name == "help" || name == "h" {
			l.help = true
			continue
		}
		if name == "version" && l.command == "" && l.group == "" {
			l.command = "version"
			continue
		}
		f := known[name]
		if f == nil {
			return nil, unknownFlag(strings.TrimSpace(l.command+l.group), a, name, known)
		}
		for _, n := range f.Names() {
			l.given[n] = true
		}
		long := "--" + f.Names()[0]
		if _, isBool := f.(*cli.BoolFlag); isBool {
			if glued {
				long += "=" + value
			}
			flags = append(flags, long)
			continue
		}
		if !glued {
			if i+1 == len(args) {
				return nil, usage("flag %s needs a value", a).with(helpHint(l.command + l.group))
			}
			i++
			value = args[i]
		}
		flags = append(flags, long+"="+value)
	}
	l.args = append(append(flags, "--"), rest...)
	return l, nil
}

func flagsByName(flags []cli.Flag) map[string]cli.Flag {
	out := map[string]cli.Flag{}
	for _, f := range flags {
		for _, n := range f.Names() {
			out[n] = f
		}
	}
	return out
}

func findCommand(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// isGroup reports whether there are commands of two words that begin with name.
func isGroup(commands []*cli.Command, name string) bool { return len(groupOf(commands, name)) > 0 }

// groupOf are the commands of two words whose first is name.
func groupOf(commands []*cli.Command, name string) []*cli.Command {
	var of []*cli.Command
	for _, c := range commands {
		if strings.HasPrefix(c.Name, name+" ") {
			of = append(of, c)
		}
	}
	return of
}

func unknownCommand(name string, commands []*cli.Command) error {
	for _, l := range absent {
		if l == name {
			return usage("this version of host has no command %q", name).with(`"host help" lists the commands that it has`)
		}
	}
	var names []string
	for _, c := range commands {
		names = append(names, c.Name)
	}
	f := usage("unknown command %q", clean(name)).with(`"host help" lists the commands`)
	if group, _, ok := strings.Cut(name, " "); ok {
		f.hint = helpHint(group)
	} else {
		for _, g := range groups {
			names = append(names, g.name)
		}
	}
	if c := closest(name, names); c != "" {
		f.hint = "did you mean \"host " + c + "\"? " + f.hint
	} else if strings.HasSuffix(name, ".toml") {
		f.hint = "to run a workflow: host run " + clean(name)
	}
	return f
}

func unknownFlag(command, typed, name string, known map[string]cli.Flag) error {
	if absentFlags[name] {
		return usage("this version of host has no flag --%s", name).with(helpHint(command))
	}
	shown, _, _ := strings.Cut(typed, "=")
	where := ""
	if command != "" {
		where = " of host " + command
	}
	f := usage("unknown flag %s%s", clean(shown), where).with(helpHint(command))
	var names []string
	for n := range known {
		if len(n) > 1 {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	if c := closest(name, names); c != "" {
		f.hint = "did you mean --" + c + "? " + f.hint
	}
	return f
}

func helpHint(command string) string {
	if command == "" {
		return `"host help" shows how it is used`
	}
	return `"host ` + command + ` --help" shows how it is used`
}
