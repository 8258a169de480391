package event

import "testing"

// TestResultSoFar: events make up the result of a run that has not ended.
func TestResultSoFar(t *testing.T) {
	out := Text("done")
	bad := &Error{Class: Transient, Message: "busy"}
	r := &Result{Nodes: NodeMap{}}
	for _, e := range []*Event{
		{Type: RunStarted},
		{Type: NodeStarted, Node: "a", Plugin: "p"},
		{Type: NodeAttemptFailed, Node: "a", Plugin: "p", Attempt: 1, Error: bad},
		{Type: NodeStarted, Node: "each"},
		{Type: NodeStarted, Node: "each[2]"},
		{Type: NodeSucceeded, Node: "each[1]", Status: Succeeded, Output: &out, Attempt: 1},
		{Type: NodeWaiting, Node: "ask", Status: Waiting, Reason: "Well?"},
		{Type: NodeSucceeded, Node: "sub/x[0]/y", Status: Degraded, Output: &out, Workflow: "inner"},
		{Type: NodeSucceeded, Node: "sub", Status: Degraded, Output: &out},
		{Type: NodeStarted, Node: "other/z", Workflow: "first"},
		{Type: FallbackUsed, Node: "other", Workflow: "second"},
		{Type: NodeStarted, Node: "other/y", Workflow: "second"},
		{Type: Log, Node: "nobody", Message: "hello"},
		{Type: HealthChecked, Health: &Report{OverallHealthy: true}},
		{Type: NodeStarted, Node: "later", Level: 1},
	} {
		r.Add(e)
	}
	if a := r.Nodes["a"]; a.Status != Running || a.Attempts != 1 || a.Error != bad || a.Plugin != "p" {
		t.Errorf("a: %+v", a)
	}
	each := r.Nodes["each"]
	if each.Status != Running || len(each.Items) != 3 || each.Items[1].Output.String() != "done" || each.Items[2].Status != Running {
		t.Errorf("each: %+v", each)
	}
	if w := r.Nodes["ask"]; w.Status != Waiting || w.Reason != "Well?" {
		t.Errorf("ask: %+v", w)
	}
	sub := r.Nodes["sub"]
	if inner := sub.Run.Nodes["x"].Items[0].Run; sub.Status != Degraded || inner.Workflow != "inner" || inner.Nodes["y"].Status != Degraded {
		t.Errorf("sub: %+v", sub)
	}
	if other := r.Nodes["other"].Run; other.Workflow != "second" || len(other.Nodes) != 1 {
		t.Errorf("other: %+v", other)
	}
	if r.Health == nil || len(r.Nodes) != 5 {
		t.Errorf("%+v", r)
	}

	r.Add(&Event{Type: FallbackUsed, Level: 1, Workflow: "basic"})
	r.Add(&Event{Type: NodeStarted, Node: "b", Level: 1})
	if r.Level != 1 || r.LevelName != "basic" || len(r.Nodes) != 1 || len(r.Levels) != 1 || r.Levels[0].Nodes["a"] == nil {
		t.Errorf("the next level: %+v", r)
	}
	r.Add(&Event{Type: NodeStarted, Node: "b[99999999999]", Level: 1})
	r.Add(&Event{Type: NodeStarted, Node: "b[x]", Level: 1})
	if len(r.Nodes["b"].Items) != 0 {
		t.Errorf("%d items", len(r.Nodes["b"].Items))
	}
}
