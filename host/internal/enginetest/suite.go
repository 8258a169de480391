package enginetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// Case is one workflow and what has to come of it. Wants that are empty are not
// looked at.
type Case struct {
	Name    string
	Plan    *workflow.Plan
	Plugins Plugins
	Input   any
	// CancelAt cancels the run so long after its start; 0: nobody does.
	CancelAt time.Duration

	Want   string        // see Summary
	Output string        // as JSON
	Took   time.Duration // exactly
	Calls  string        // see Outcome.CallList
	Story  string        // see Outcome.Story
	Check  func(t *testing.T, o *Outcome)
}

// ErrStop is the cause with which cases are cancelled.
var ErrStop = errors.New("somebody pressed stop")

// Suite runs every case on an engine.
func Suite(t *testing.T, engine Engine) {
	groups := map[string][]Case{
		"needs": needsCases(), "failures": failureCases(), "items": itemCases(), "sub": subCases(),
		"rounds": roundCases(), "levels": levelCases(), "limits": limitCases(), "calls": callCases(), "health": healthCases(),
		"data": dataCases(), "events": eventCases(),
	}
	for name, cases := range groups {
		t.Run(name, func(t *testing.T) {
			for _, c := range cases {
				t.Run(c.Name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { c.run(t, engine) })
				})
			}
		})
	}
}

func (c *Case) run(t *testing.T, engine Engine) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	if c.CancelAt > 0 {
		time.AfterFunc(c.CancelAt, func() { cancel(ErrStop) })
	}
	o := Do(ctx, engine, Run{Plan: c.Plan, Plugins: c.Plugins, Input: event.Of(c.Input)})

	if got := Summary(o.Result); c.Want != "" && got != c.Want {
		t.Errorf("result\n got %s\nwant %s", got, c.Want)
	}
	if got := string(o.Result.Output.JSON()); c.Output != "" && got != c.Output {
		t.Errorf("output\n got %s\nwant %s", got, c.Output)
	}
	if c.Took != 0 && o.Took != c.Took {
		t.Errorf("it took %s, want %s", o.Took, c.Took)
	}
	if got := o.CallList(); c.Calls != "" && got != c.Calls {
		t.Errorf("calls\n got %s\nwant %s", got, c.Calls)
	}
	if got := o.Story(); c.Story != "" && got != c.Story {
		t.Errorf("events\n got %s\nwant %s", got, c.Story)
	}
	if c.Check != nil {
		c.Check(t, o)
	}
	consistent(t, c.Plan, o)
}

// consistent checks what holds for every run.
func consistent(t *testing.T, plan *workflow.Plan, o *Outcome) {
	r := o.Result
	if !r.Status.Ended() {
		t.Errorf("the run ended as %q", r.Status)
	}
	if ok := r.Status == event.Succeeded || r.Status == event.Degraded; ok != (r.Error == nil) {
		t.Errorf("status %s with error %v", r.Status, r.Error)
	}
	if len(r.Levels) == 0 || r.Level >= len(r.Levels) {
		t.Fatalf("level %d of %d", r.Level, len(r.Levels))
	}
	if want := r.Levels[r.Level].Workflow; r.LevelName != want {
		t.Errorf("level %d is %q, level_name says %q", r.Level, want, r.LevelName)
	}
	if n := attempts(r.Levels); n != len(o.Calls)-healthCalls(o) {
		t.Errorf("attempts sum up to %d, %d calls were made", n, len(o.Calls)-healthCalls(o))
	}
	for i := range r.Levels {
		decided(t, r.Levels[i].Workflow, r.Levels[i].Nodes)
	}
	for _, e := range o.Events {
		if e.Type == event.NodeStarted || e.Type == event.NodeSucceeded || e.Type == event.NodeFailed {
			if e.Node == "" || e.Workflow == "" {
				t.Errorf("%s without node or workflow: %+v", e.Type, e)
			}
		}
	}
}

func healthCalls(o *Outcome) int {
	n := 0
	for _, c := range o.Calls {
		if c.Meta.Node[:min(7, len(c.Meta.Node))] == "health." {
			n++
		}
	}
	return n
}

func attempts(levels []event.Level) int {
	n := 0
	for i := range levels {
		if len(levels[i].Levels) > 0 {
			n += attempts(levels[i].Levels)
			continue
		}
		for _, r := range levels[i].Nodes {
			n += r.Attempts
		}
	}
	return n
}

// decided checks that every node of a level is where nodes can end.
func decided(t *testing.T, where string, m event.NodeMap) {
	for id, r := range m {
		switch {
		case !slices.Contains([]event.Status{event.Succeeded, event.Degraded, event.Failed, event.Skipped, event.Cancelled}, r.Status):
			t.Errorf("%s.%s ended as %q", where, id, r.Status)
		case r.Status == event.Failed && r.Error == nil:
			t.Errorf("%s.%s failed without an error", where, id)
		case r.Status == event.Skipped && r.Reason == "":
			t.Errorf("%s.%s was skipped without a reason", where, id)
		case r.Kept() && r.Error != nil:
			t.Errorf("%s.%s %s with error %v", where, id, r.Status, r.Error)
		}
	}
}
