package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
)

func (a *app) doctorCommand() *cli.Command {
	return &cli.Command{
		Name: "doctor", Usage: "look whether host can work here, and say what to do if not",
		Description: `It looks at the state folder with its journal and at the folder of compiled plugins, and changes neither.

Exit codes: 0 all is well, 9 something is not.`,
		Action: a.action(0, 0, forms, a.doctor),
	}
}

// diagnosis is the JSON shape of host doctor.
type diagnosis struct {
	Healthy  bool           `json:"healthy"`
	Version  versionInfo    `json:"version"`
	State    string         `json:"state"`
	Cache    string         `json:"cache"`
	Findings []host.Finding `json:"findings"`
}

func (a *app) doctor() error {
	state, err := a.stateDir()
	if err != nil {
		return err
	}
	d := diagnosis{Healthy: true, Version: currentVersion(), State: state, Cache: a.cacheDir(), Findings: []host.Finding{}}
	found, err := host.Doctor(a.ctx, state, d.Cache)
	if err != nil {
		return a.runFailed(err)
	}
	for _, f := range found {
		d.Findings = append(d.Findings, f)
		d.Healthy = d.Healthy && !f.Bad
	}
	switch a.format {
	case "json", "jsonl":
		err = writeJSON(a.out, d, a.format == "json")
	case "text":
		err = a.writeDiagnosis(d)
	}
	if err != nil || d.Healthy {
		return err
	}
	return &failure{exit: exitJournal, message: "something is not as it should be"}
}

func (a *app) writeDiagnosis(d diagnosis) error {
	p := &page{w: a.out}
	v := d.Version
	p.line("host %s (%s %s/%s)", v.Version, v.Go, v.OS, v.Arch)
	for _, f := range d.Findings {
		sign := "ok "
		if f.Bad {
			sign = "bad"
		}
		text := fmt.Sprintf("%s  %s", sign, clean(f.What))
		if f.Where != "" {
			text += ": " + clean(f.Where)
		}
		p.line("%s", text)
		if f.Next != "" {
			p.line("     next: %s", clean(f.Next))
		}
	}
	return p.err
}
