package engine

import (
	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// Kind says what a Command asks for.
type Kind uint8

const (
	// Open tells that a ladder starts: its deadline, if any, begins to run.
	Open Kind = iota
	// Close tells that a ladder has ended, its deadline with it.
	Close
	// Check asks for the health checks of the flow's plan; answer with Checked.
	Check
	// Call asks for a node, or one item of it, to be called; answer with Called.
	Call
	// Pause asks for the wait before another round of the flow; answer with
	// Paused.
	Pause
	// Stop asks that the calls of the flow in flight be cancelled, but for nodes
	// that always run. Each still answers with Called.
	Stop
	// Kill asks that everything under the ladder be cancelled.
	Kill
	// Started tells that a node with items or a sub-workflow has begun. Nodes
	// that are one call begin when the call does.
	Started
	// Ended tells that a node or an item has ended.
	Ended
	// Level tells that a fallback level is tried.
	Level
	// Ask tells that a node or an item waits for a person, for Reason; Decide
	// answers, or ExpireNode.
	Ask
)

// Command is what Progress wants done, or tells, in order.
type Command struct {
	Kind   Kind
	Ladder *Ladder
	Flow   *Flow
	Node   *workflow.Node
	Item   int // -1: the node itself
	// Result is that of an Ended node or item.
	Result *event.NodeResult
	// From is the first answerer of a Call; more than 0 after a sub-workflow
	// failed, and then Prior is its result.
	From  int
	Prior *event.NodeResult
	// Round is the number of the round that a Pause comes before, from 1.
	Round  int
	Error  *event.Error
	Reason string
}

// abandoned is the answer to a Call that must not begin any more.
func (c *Command) abandoned() *event.NodeResult {
	r := c.Flow.abandoned()
	if c.Item >= 0 && c.Flow.itemCut(c.Node, c.Item) {
		r.Reason = c.Flow.nodes[c.Node.Index].items.cut.Message
	}
	if c.Prior != nil { // it had begun, as a sub-workflow
		r.Run, r.Attempts, r.DurationMS, r.Errors = c.Prior.Run, c.Prior.Attempts, c.Prior.DurationMS, c.Prior.Errors
		r.Error = &event.Error{Class: event.Unknown, Code: "cancelled", Message: r.Reason}
	}
	return r
}

// Key is what the command's node or item is called in the history.
func (c *Command) Key() string { return c.Flow.Key(c.Node, c.Item) }

// Path names the command's node or item from the root, for events.
func (c *Command) Path() string { return c.Flow.path(c.Node, c.Item) }
