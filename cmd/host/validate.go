package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
	"wasmhost/host/workflow"
)

func (a *app) validateCommand() *cli.Command {
	return &cli.Command{
		Name: "validate", ArgsUsage: "FILE...", Usage: "check workflow files and show every finding",
		Description: `Files that they name (schemas, sub-workflows, fallback levels, plugins) are checked too; nothing runs.

Exit codes: 0 valid, 3 invalid, 5 the one FILE cannot be read, 8 when the only errors are refused modules.`,
		Flags:  []cli.Flag{&cli.BoolFlag{Name: "strict", EnvVars: []string{"HOST_STRICT"}, Usage: "take warnings for errors"}, anyHostFlag()},
		Action: a.action(1, -1, forms, a.validate),
	}
}

// validity is the output of -o json.
type validity struct {
	Valid    bool               `json:"valid"`
	Findings []workflow.Finding `json:"findings"`
}

func (a *app) validate() error {
	h, err := a.open()
	if err != nil {
		return err
	}
	defer a.close(h)
	files := a.c.Args().Slice()
	all := validity{Valid: true, Findings: []workflow.Finding{}}
	unread := false
	for _, file := range files {
		file, findings := a.check(h, file)
		if code := interrupted(a.ctx); code != 0 {
			return quietly(code)
		}
		all.Findings = append(all.Findings, findings...)
		unread = unread || isUnread(file, findings)
		if a.format != "text" {
			continue
		}
		workflow.Format(a.out, findings, nil, a.colourful(a.out))
		switch errors, warnings := tally(findings); {
		case errors > 0:
			a.say("%s: %s, %s", clean(file), counted(errors, "error"), counted(warnings, "warning"))
		case warnings > 0:
			a.say("%s: valid, %s", clean(file), counted(warnings, "warning"))
		default:
			a.say("%s: valid", clean(file))
		}
	}
	exit := exitOfFindings(all.Findings)
	all.Valid = exit == exitOK
	if unread && len(files) == 1 {
		exit = exitNotFound
	}
	switch a.format {
	case "json":
		err = writeJSON(a.out, all, true)
	case "jsonl":
		for _, f := range all.Findings {
			if err = writeJSON(a.out, f, false); err != nil {
				break
			}
		}
	}
	if err != nil {
		return fmt.Errorf("the findings cannot be written: %w", err)
	}
	return quietly(exit)
}

// check loads one file. A file that cannot be read is a finding like others, so
// that one bad name does not hide what is wrong with the rest.
func (a *app) check(h *host.Host, arg string) (file string, findings []workflow.Finding) {
	file, err := workflowFile(arg)
	var f *failure
	if errors.As(err, &f) {
		code := "missing_file"
		if f.exit == exitInvalid {
			code = "syntax"
		}
		return arg, []workflow.Finding{{File: arg, Line: 1, Col: 1, Severity: workflow.Error, Code: code, Message: f.message, Hint: f.hint}}
	}
	_, findings, _ = h.Load(a.ctx, file)
	if a.c.Bool("strict") {
		for i := range findings {
			findings[i].Severity = workflow.Error
		}
	}
	return file, findings
}

// isUnread reports whether the only finding is that the file itself cannot be
// read. A file that it names is found missing where it is named, and nothing is
// named at the first character.
func isUnread(file string, findings []workflow.Finding) bool {
	if len(findings) != 1 {
		return false
	}
	f := findings[0]
	return f.File == file && f.Line <= 1 && f.Col <= 1 && (f.Code == "missing_file" || f.Code == "unreadable")
}

func tally(findings []workflow.Finding) (errors, warnings int) {
	for _, f := range findings {
		if f.Severity == workflow.Error {
			errors++
		} else {
			warnings++
		}
	}
	return errors, warnings
}

// exitOfFindings is 8 when all errors are refused modules, 3 when there are
// others.
func exitOfFindings(findings []workflow.Finding) int {
	exit := exitOK
	for _, f := range findings {
		switch {
		case f.Severity != workflow.Error:
		case !f.IsModule():
			return exitInvalid
		default:
			exit = exitModule
		}
	}
	return exit
}
