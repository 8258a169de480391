package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"wasmhost/host/workflow"
)

func (a *app) validateCommand() *cli.Command {
	return &cli.Command{
		Name: "validate", ArgsUsage: "FILE...", Usage: "check workflow files and show every finding",
		Description: `Files that they name (schemas, sub-workflows, fallback levels, plugins) are checked too; nothing runs.

Exit codes: 0 valid, 3 invalid, 5 no such file, 8 when the only errors are refused modules.`,
		Flags:  []cli.Flag{&cli.BoolFlag{Name: "strict", EnvVars: []string{"HOST_STRICT"}, Usage: "take warnings for errors"}},
		Action: a.action(1, -1, forms, a.validate),
	}
}

// validity is the output of -o json.
type validity struct {
	Valid    bool               `json:"valid"`
	Findings []workflow.Finding `json:"findings"`
}

func (a *app) validate() error {
	h, err := a.open(false)
	if err != nil {
		return err
	}
	defer a.close(h)
	strict := a.c.Bool("strict")
	all := validity{Valid: true, Findings: []workflow.Finding{}}
	exit := exitOK
	for _, file := range a.c.Args().Slice() {
		file, err := workflowFile(file)
		if err != nil {
			return err
		}
		_, findings, _ := h.Load(a.ctx, file)
		if code := interrupted(a.ctx); code != 0 {
			return quietly(code)
		}
		errors, warnings, modules := 0, 0, 0
		for i := range findings {
			f := &findings[i]
			if f.Severity == workflow.Warning && strict {
				f.Severity = workflow.Error
			}
			switch {
			case f.Severity == workflow.Warning:
				warnings++
			case f.IsModule():
				modules++
				errors++
			default:
				errors++
			}
		}
		all.Findings = append(all.Findings, findings...)
		if errors > 0 {
			all.Valid = false
			if exit == exitOK {
				exit = exitModule
			}
			if modules < errors {
				exit = exitInvalid
			}
		}
		if a.format != "text" {
			continue
		}
		workflow.Format(a.out, findings, nil, a.colourful(a.out))
		switch {
		case errors > 0:
			a.say("%s: %s, %s", clean(file), counted(errors, "error"), counted(warnings, "warning"))
		case warnings > 0:
			a.say("%s: valid, %s", clean(file), counted(warnings, "warning"))
		default:
			a.say("%s: valid", clean(file))
		}
	}
	switch a.format {
	case "json":
		err = writeJSON(a.out, all, true)
	case "jsonl":
		for _, f := range all.Findings {
			if err = writeJSON(a.out, f, false); err != nil {
				return err
			}
		}
	}
	if err != nil {
		return fmt.Errorf("the findings cannot be written: %w", err)
	}
	return quietly(exit)
}
