package workflow

import "wasmhost/host/event"

// Scope is what an expression sees while a run goes on. It is made by the
// engine for one evaluation and only read here.
type Scope struct {
	Input event.Value
	// Node returns the state of Plan.Nodes[i]. It is asked only for nodes that
	// the expression names, all of which are upstream and have ended.
	Node            func(i int) NodeView
	RunID, Workflow string
	// Item and Index are the item of a for_each, where InItem is true.
	Item   event.Value
	Index  int
	InItem bool
}

// NodeView is a node as expressions see it.
type NodeView struct {
	Output event.Value
	Error  *event.Error // nil: null
	Status event.Status
}

// errorObject is an error as `nodes.ID.error` shows it: every field is there,
// so that no expression stumbles over one that is empty.
func errorObject(e *event.Error) any {
	if e == nil {
		return nil
	}
	return map[string]any{
		"node": e.Node, "plugin": e.Plugin, "class": e.Class, "code": e.Code, "message": e.Message,
		"retry_after_ms": e.RetryAfterMS, "attempt": int64(e.Attempt), "outcome_unknown": e.OutcomeUnknown,
	}
}
