package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"wasmhost/host/workflow"
)

func (a *app) completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", ArgsUsage: "SHELL", Usage: "print a completion script for bash, zsh or fish",
		Description: `  bash:  source <(host completion bash)
  zsh:   host completion zsh > "${fpath[1]}/_host"
  fish:  host completion fish > ~/.config/fish/completions/host.fish`,
		Action: a.action(1, 1, forms, func() error {
			write, ok := map[string]func(io.Writer, []completable){"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[a.c.Args().First()]
			if !ok {
				return usage("unknown shell %q: choose bash, zsh or fish", clean(a.c.Args().First()))
			}
			if a.format != "quiet" {
				write(a.out, completables(a.commands()))
			}
			return nil
		}),
	}
}

// completable is what a shell has to know of a command, or of a word with
// commands below it.
type completable struct {
	name, usage string
	flags       []completableFlag
	words       []string // of its first argument; nil: files
	below       []completable
}

type completableFlag struct {
	names  []string // with their dashes
	usage  string
	value  bool
	values []string // nil: files; none of them: nobody knows any
}

func completables(commands []*cli.Command) []completable {
	var out []completable
	for _, c := range commands {
		if first, second, ok := strings.Cut(c.Name, " "); ok {
			if n := len(out) - 1; n < 0 || out[n].name != first {
				out = append(out, completable{name: first, usage: findGroup(first).usage})
			}
			p := completableOf(c)
			p.name = second
			top := &out[len(out)-1]
			top.below = append(top.below, p)
			continue
		}
		out = append(out, completableOf(c))
	}
	return out
}

func completableOf(c *cli.Command) completable {
	p := completable{name: c.Name, usage: c.Usage}
	switch c.Name {
	case "explain":
		p.words = allCodes()
	case "completion":
		p.words = []string{"bash", "zsh", "fish"}
	default:
		if !strings.Contains(c.ArgsUsage, "FILE") && !strings.Contains(c.ArgsUsage, "DIR") && !strings.Contains(c.ArgsUsage, "SOURCE") {
			p.words = []string{}
		}
	}
	for _, f := range c.Flags {
		d, ok := f.(cli.DocGenerationFlag)
		if !ok {
			continue
		}
		cf := completableFlag{usage: describeFlag(d.GetUsage()), value: d.TakesValue()}
		for _, n := range f.Names() {
			dash := "--"
			if len(n) == 1 {
				dash = "-"
			}
			cf.names = append(cf.names, dash+n)
		}
		switch f.Names()[0] {
		case "output":
			cf.values = forms
			if c.Name == "graph" {
				cf.values = workflow.GraphFormats
			}
		case "durable":
			cf.values = durabilities
		case "status":
			cf.values = statuses
		case "scope":
			cf.values = scopes
		default:
			if v := placeholder(d.GetUsage()); cf.value && !strings.Contains(v, "FILE") && !strings.Contains(v, "DIR") {
				cf.values = []string{}
			}
		}
		p.flags = append(p.flags, cf)
	}
	return p
}

func (c *completable) flagNames() []string {
	names := []string{"--help"}
	for _, f := range c.flags {
		names = append(names, f.names...)
	}
	return names
}

func names(all []completable) []string {
	var out []string
	for _, c := range all {
		out = append(out, c.name)
	}
	return out
}

// flat are all commands, those of two words with both.
func flat(all []completable) []completable {
	var out []completable
	for _, c := range all {
		if c.below == nil {
			out = append(out, c)
		}
		for _, b := range c.below {
			b.name = c.name + " " + b.name
			out = append(out, b)
		}
	}
	return out
}

func bashCompletion(w io.Writer, commands []completable) {
	all := flat(commands)
	var known []string
	for _, c := range commands {
		known = append(known, fmt.Sprintf("%q", c.name))
	}
	for _, c := range all {
		if strings.Contains(c.name, " ") {
			known = append(known, fmt.Sprintf("%q", c.name))
		}
	}
	fmt.Fprintf(w, `# Completion of host for bash. source <(host completion bash)
_host() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= word i
	for ((i = 1; i < COMP_CWORD; i++)); do
		word="${command:+$command }${COMP_WORDS[i]}"
		case $word in
		%s) command=$word ;;
		esac
	done
	COMPREPLY=()
	# Bash makes words of =, : and @; a word after @ is replaced with its @.
	case $prev in @) COMPREPLY=($(compgen -P @ -f -- "$cur")); return ;; esac
	i=$((COMP_CWORD-1))
	case $cur in =|:) cur= i=$COMP_CWORD ;; esac
	while ((i > 2)) && [ "${COMP_WORDS[i]}" = : ]; do i=$((i-2)); done
	[ "${COMP_WORDS[i]}" = = ] && i=$((i-1))
	prev=${COMP_WORDS[i]}
	case "$command $prev" in
`, strings.Join(known, "|"))
	for _, c := range all {
		for _, f := range c.flags {
			if !f.value {
				continue
			}
			answer := `COMPREPLY=($(compgen -f -- "$cur")); return`
			if f.values != nil {
				answer = fmt.Sprintf("COMPREPLY=($(compgen -W %q -- \"$cur\")); return", strings.Join(f.values, " "))
			}
			for _, n := range f.names {
				fmt.Fprintf(w, "	%q) %s ;;\n", c.name+" "+n, answer)
			}
		}
	}
	fmt.Fprintf(w, `	esac
	case $command in
	'') COMPREPLY=($(compgen -W %q -- "$cur")); return ;;
`, strings.Join(append(names(commands), "help", "--help"), " "))
	for _, c := range commands {
		if c.below != nil {
			fmt.Fprintf(w, "	%s) COMPREPLY=($(compgen -W %q -- \"$cur\")); return ;;\n", c.name, strings.Join(append(names(c.below), "--help"), " "))
		}
	}
	for _, c := range all {
		fmt.Fprintf(w, "	%q)\n		case $cur in -*) COMPREPLY=($(compgen -W %q -- \"$cur\")); return ;; esac\n", c.name, strings.Join(c.flagNames(), " "))
		if c.words != nil {
			fmt.Fprintf(w, "		COMPREPLY=($(compgen -W %q -- \"$cur\")); return\n", strings.Join(c.words, " "))
		}
		fmt.Fprint(w, "		;;\n")
	}
	fmt.Fprint(w, `	esac
	COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o filenames -F _host host
`)
}

func zshCompletion(w io.Writer, commands []completable) {
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	plain := strings.NewReplacer("[", "(", "]", ")", ":", " -", "\n", " ")
	describe := func(indent string, of []completable) {
		fmt.Fprintf(w, "%scommands=(\n", indent)
		for _, c := range of {
			fmt.Fprintf(w, "%s\t%s\n", indent, quote(c.name+":"+plain.Replace(c.usage)))
		}
		fmt.Fprintf(w, "%s)\n%sif (( CURRENT == 2 )); then\n%s\t_describe command commands\n%s\treturn\n%sfi\n", indent, indent, indent, indent, indent)
	}
	fmt.Fprint(w, "#compdef host\n# Completion of host for zsh.\n_host() {\n\tlocal -a commands\n")
	describe("\t", commands)
	fmt.Fprint(w, "\tlocal command=$words[2]\n\tshift words\n\t(( CURRENT-- ))\n\tcase $command in\n")
	for _, c := range commands {
		if c.below != nil {
			fmt.Fprintf(w, "\t%s)\n", c.name)
			describe("\t\t", c.below)
			fmt.Fprint(w, "\t\tcommand=\"$command $words[2]\"\n\t\tshift words\n\t\t(( CURRENT-- ))\n\t\t;;\n")
		}
	}
	fmt.Fprint(w, "\tesac\n\tcase $command in\n")
	for _, c := range flat(commands) {
		fmt.Fprintf(w, "\t%s)\n\t\t_arguments -s", quote(c.name))
		for _, f := range c.flags {
			for _, n := range f.names {
				spec := n
				if f.value {
					if strings.HasPrefix(n, "--") {
						spec += "="
					}
				}
				spec += "[" + plain.Replace(f.usage) + "]"
				if f.value {
					spec += ":value:"
					switch {
					case f.values == nil:
						spec += "_files"
					case len(f.values) > 0:
						spec += "(" + strings.Join(f.values, " ") + ")"
					}
				}
				fmt.Fprintf(w, " \\\n\t\t\t%s", quote("*"+spec))
			}
		}
		if c.words != nil {
			fmt.Fprintf(w, " \\\n\t\t\t%s", quote("1:argument:("+strings.Join(c.words, " ")+")"))
		} else {
			fmt.Fprintf(w, " \\\n\t\t\t%s", quote("*:file:_files"))
		}
		fmt.Fprint(w, "\n\t\t;;\n")
	}
	fmt.Fprint(w, "\tesac\n}\ncompdef _host host 2>/dev/null\n")
}

func fishCompletion(w io.Writer, commands []completable) {
	quote := func(s string) string {
		return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", `\'`) + "'"
	}
	one := func(c *completable, in string) {
		for _, f := range c.flags {
			line := "complete -c host -n " + in
			for _, n := range f.names {
				if long, ok := strings.CutPrefix(n, "--"); ok {
					line += " -l " + long
				} else {
					line += " -s " + n[1:]
				}
			}
			if f.value {
				line += " -r"
				if f.values != nil {
					line += " -f -a " + quote(strings.Join(f.values, " "))
				}
			}
			fmt.Fprintf(w, "%s -d %s\n", line, quote(f.usage))
		}
		if c.words != nil {
			fmt.Fprintf(w, "complete -c host -f -n %s -a %s\n", in, quote(strings.Join(c.words, " ")))
		}
	}
	none := "not __fish_seen_subcommand_from " + strings.Join(names(commands), " ")
	fmt.Fprint(w, "# Completion of host for fish.\n")
	for i := range commands {
		c := &commands[i]
		fmt.Fprintf(w, "complete -c host -f -n %s -a %s -d %s\n", quote(none), c.name, quote(c.usage))
		seen := "__fish_seen_subcommand_from " + c.name
		if c.below == nil {
			one(c, quote(seen))
		}
		for j := range c.below {
			b := &c.below[j]
			fmt.Fprintf(w, "complete -c host -f -n %s -a %s -d %s\n",
				quote(seen+"; and not __fish_seen_subcommand_from "+strings.Join(names(c.below), " ")), b.name, quote(b.usage))
			one(b, quote(seen+"; and __fish_seen_subcommand_from "+b.name))
		}
	}
}
