package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// ofThisMachine are the flags of host run that say how a run is worked on here.
// A server has decided that for itself.
var ofThisMachine = []string{"durable", "watch", anyHost}

// runThere starts a run on a server.
func (a *app) runThere() error {
	for _, f := range ofThisMachine {
		if a.given[f] {
			return usage("--%s is about runs of this machine, and the run is the server's", f).with("leave it out; host serve has flags of its own")
		}
	}
	s, err := a.serverAtHand()
	if err != nil {
		return err
	}
	w, err := a.servedWorkflow(s, a.c.Args().First())
	if err != nil {
		return err
	}
	r := host.StartRequest{Workflow: w.Name, RunID: a.c.String("run-id")}
	standard := event.Null
	if w.Default != nil {
		standard = *w.Default
	}
	if r.Input, r.HasInput, err = a.runInput(standard); err != nil {
		return err
	}
	info, fresh, err := s.Start(a.ctx, r)
	if err != nil {
		return a.about(r.RunID, a.runFailed(err))
	}
	if a.c.Bool("detach") {
		return a.detached(info)
	}
	known := info
	if fresh {
		known = nil
	} else {
		a.sayKnown(info)
	}
	p := newFirstRun(a.progressOf(known, boardOf(info)), s.loading)
	return a.follow(a.ctx, follower{keeper: s, show: p}, s.follow(a.ctx, info.ID, 0, p))
}

// detached prints the id of a run that goes on without us.
func (a *app) detached(info *host.RunInfo) error {
	switch a.format {
	case "json", "jsonl":
		return writeJSON(a.out, info, a.format == "json")
	case "text":
		if _, err := fmt.Fprintln(a.out, info.ID); err != nil {
			return err
		}
		a.say("run %s of %s goes on at the server: %s follows it", info.ID, clean(info.Workflow), a.again("runs", "watch", info.ID))
	}
	return nil
}

// servedWorkflow is the workflow of a server that an argument means: its name, or
// a file, which must then be what the server has.
func (a *app) servedWorkflow(s server, arg string) (*event.WorkflowInfo, error) {
	name, plan := arg, (*workflow.Plan)(nil)
	if file := localWorkflow(arg); file != "" {
		found := []workflow.Finding(nil)
		// Modules are the server's business, and so is what it may do.
		plan, found = workflow.Load(a.ctx, file, workflow.Options{Builtins: host.Builtins(), AllowAnyHost: true})
		if plan == nil {
			workflow.Format(a.err, found, nil, a.colourful(a.err))
			return nil, invalid(file, found)
		}
		name = plan.Name
	} else if strings.ContainsRune(arg, filepath.Separator) || filepath.Ext(arg) == ".toml" {
		return nil, &failure{exit: exitNotFound, message: "there is no file " + clean(arg), hint: "check the path, or give the name of a workflow of the server"}
	}
	w, _, err := s.Workflow(a.ctx, name)
	if err != nil {
		if codeOf(err) == "not_found" {
			return nil, a.notServed(s, name, err)
		}
		return nil, a.runFailed(err)
	}
	if plan != nil && plan.Digest != w.Digest {
		return nil, &failure{exit: exitUsage, message: fmt.Sprintf("%s is not what the server has as workflow %s", clean(arg), clean(name)),
			hint: "to run what the server has: " + a.again("run", quoted(name)) + "; a server takes a changed file by itself, if it is its own and valid: host serve says so on stderr"}
	}
	return w, nil
}

// orServed adds to the failure of a file that is not there that the server of the
// state folder has a workflow of that name: without --server nobody asks it.
func (a *app) orServed(command string, err error) error {
	name := a.c.Args().First()
	var f *failure
	if _, gone := os.Stat(name); !os.IsNotExist(gone) || !errors.As(err, &f) || f.exit != exitNotFound {
		return err
	}
	dir, unknown := a.stateDir()
	if unknown != nil {
		return err
	}
	info, away := host.Served(dir)
	if away != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(a.ctx, 5*time.Second)
	defer cancel()
	s, refused := a.dial(info.URL)
	if refused != nil {
		return err
	}
	if _, _, none := s.Workflow(ctx, name); none != nil {
		return err
	}
	return f.with("the server of the state folder has a workflow of that name: " + a.again(command, quoted(name), "--server", info.URL))
}

// localWorkflow is the workflow file that an argument names, "" when it names
// none of this machine.
func localWorkflow(arg string) string {
	info, err := os.Stat(arg)
	if err != nil {
		return ""
	}
	if !info.IsDir() {
		return arg
	}
	inside := filepath.Join(arg, "workflow.toml")
	if _, err := os.Stat(inside); err != nil {
		return ""
	}
	return inside
}

// notServed names the workflows that there are.
func (a *app) notServed(s server, name string, cause error) error {
	f := &failure{exit: exitNotFound, message: fmt.Sprintf("the server has no workflow %s", clean(name)), cause: cause}
	all, err := s.Workflows(context.WithoutCancel(a.ctx))
	if err != nil || len(all) == 0 {
		return f
	}
	var names []string
	for _, w := range all {
		names = append(names, clean(w.Name))
	}
	f.hint = "it has " + short(strings.Join(names, ", "), 200)
	if c := closest(name, names); c != "" {
		f.hint = "did you mean " + c + "? " + f.hint
	}
	return f
}
