package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"wasmhost/host/workflow"
)

func (a *app) explainCommand() *cli.Command {
	return &cli.Command{
		Name: "explain", ArgsUsage: "[CODE]", Usage: "say what an exit code, an error code or a finding means",
		Description: "Without CODE, all codes are listed.",
		Action: a.action(0, 1, forms, func() error {
			if a.c.NArg() == 0 {
				return a.listCodes()
			}
			return a.explain(a.c.Args().First())
		}),
	}
}

// meaning is one meaning of a code; a code may have two.
type meaning struct {
	Code  string `json:"code"`
	Kind  string `json:"kind"` // exit code, error or finding
	About string `json:"about"`
	Next  string `json:"next,omitempty"`
}

func meanings(code string) []meaning {
	var out []meaning
	if e, ok := exitCodes[code]; ok {
		out = append(out, meaning{code, "exit code", e.about, e.next})
	}
	if e, ok := errorCodes[code]; ok {
		out = append(out, meaning{code, "error", e.about, e.next})
	}
	if f, ok := workflow.Codes[code]; ok {
		kind := "finding"
		if f.Warning {
			kind = "finding, a warning"
		}
		out = append(out, meaning{Code: code, Kind: kind, About: f.About})
	}
	return out
}

func (a *app) explain(code string) error {
	found := meanings(code)
	if len(found) == 0 {
		if own, ok := strings.CutPrefix(code, "plugin."); ok {
			return usage("%s is a code of the plugin itself, which calls it %q; host has a code of that name too, so the plugin's is shown with the prefix", clean(code), clean(own)).
				with("the plugin's documentation says what it means")
		}
		f := &failure{exit: exitNotFound, message: fmt.Sprintf("there is no code %q; it may be one of a plugin, whose documentation explains it", clean(code)), hint: "host explain lists all codes of host"}
		if c := closest(code, allCodes()); c != "" {
			f.hint = "did you mean " + c + "? " + f.hint
		}
		return f
	}
	if a.format == "json" || a.format == "jsonl" {
		return writeJSON(a.out, found, a.format == "json")
	}
	if a.format == "quiet" {
		return nil
	}
	for i, m := range found {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		fmt.Fprintf(a.out, "%s (%s)\n\n", m.Code, m.Kind)
		wrap(a.out, m.About, 80)
		if m.Next != "" {
			fmt.Fprintln(a.out)
			wrap(a.out, "What to do: "+m.Next+".", 80)
		}
	}
	return nil
}

// wrap writes a paragraph in lines of at most so many columns.
func wrap(w io.Writer, text string, columns int) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && cellsIn(line)+1+cellsIn(word) > columns {
			fmt.Fprintln(w, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	fmt.Fprintln(w, line)
}

func allCodes() []string {
	codes := slices.Collect(maps.Keys(exitCodes))
	codes = slices.AppendSeq(codes, maps.Keys(errorCodes))
	codes = slices.AppendSeq(codes, maps.Keys(workflow.Codes))
	slices.SortFunc(codes, func(a, b string) int {
		x, errA := strconv.Atoi(a)
		y, errB := strconv.Atoi(b)
		switch {
		case errA == nil && errB == nil:
			return cmp.Compare(x, y)
		case errA == nil:
			return -1
		case errB == nil:
			return 1
		}
		return cmp.Compare(a, b)
	})
	return slices.Compact(codes)
}

func (a *app) listCodes() error {
	all := []meaning{}
	for _, code := range allCodes() {
		all = append(all, meanings(code)...)
	}
	if written, err := writeList(a, all); written {
		return err
	}
	for _, kind := range []string{"exit code", "error", "finding"} {
		fmt.Fprintf(a.out, "%s\n", map[string]string{"exit code": "Exit codes", "error": "\nErrors of runs and calls", "finding": "\nFindings in workflow files"}[kind])
		for _, m := range all {
			if strings.HasPrefix(m.Kind, kind) {
				first, _, _ := strings.Cut(m.About, ". ")
				fmt.Fprintf(a.out, "  %-22s %s\n", m.Code, short(strings.TrimSuffix(first, "."), 100))
			}
		}
	}
	return nil
}
