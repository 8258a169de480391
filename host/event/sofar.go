package event

import (
	"strconv"
	"strings"
)

// Add takes one event of an unfinished run into its result so far: the nodes of
// the level that is tried, and of those before it. The result that a run ends
// with says more.
func (r *Result) Add(e *Event) {
	switch e.Type {
	case HealthChecked:
		if e.Level == r.Level {
			r.Health = e.Health
		}
	case FallbackUsed:
		switch {
		case e.AnsweredBy != "": // a node's fallback
		case e.Node != "" && e.Level == r.Level: // the next level of a sub-workflow
			r.at(e.Node, "").Run = nil
		case e.Node == "" && e.Level > r.Level: // the run's next level
			r.Levels = append(r.Levels, Level{Workflow: r.LevelName, Status: Failed, Error: e.Error, Nodes: r.Nodes})
			r.Level, r.LevelName, r.Nodes = e.Level, e.Workflow, NodeMap{}
		}
	}
	if e.Node == "" || e.Level != r.Level {
		return
	}
	switch e.Type {
	case NodeStarted, NodeAttemptFailed, NodeWaiting, NodeSucceeded, NodeFailed, NodeSkipped:
	default:
		return
	}
	n := r.at(e.Node, e.Workflow)
	switch e.Type {
	case NodeStarted:
		n.Status = Running
		n.Plugin = e.Plugin
	case NodeAttemptFailed:
		n.Attempts, n.Error, n.Plugin, n.Digest = e.Attempt, e.Error, e.Plugin, e.Digest
	case NodeWaiting:
		n.Status, n.Reason, n.Error = Waiting, e.Reason, e.Error
	case NodeSucceeded, NodeFailed, NodeSkipped:
		*n = NodeResult{Items: n.Items, Run: n.Run, Status: e.Status, Error: e.Error, Attempts: e.Attempt, DurationMS: e.DurationMS, Plugin: e.Plugin, Digest: e.Digest,
			AnsweredBy: e.AnsweredBy, Reason: e.Reason, Steps: e.Steps, MemoryBytes: e.MemoryBytes, HostCalls: e.HostCalls}
		if e.Output != nil {
			n.Output = *e.Output
		}
	}
}

// at is the result of a node by its path, of an item, or of a node of a
// sub-workflow.
func (r *Result) at(path, workflow string) *NodeResult {
	nodes := r.Nodes
	for {
		head, rest, inside := strings.Cut(path, "/")
		n := nodes.at(head)
		if !inside {
			return n
		}
		if n.Run == nil {
			n.Run = &Level{Status: Running, Nodes: NodeMap{}}
		}
		if !strings.Contains(rest, "/") {
			n.Run.Workflow = workflow
		}
		nodes, path = n.Run.Nodes, rest
	}
}

// at is the result of a node or of an item of one.
func (m NodeMap) at(name string) *NodeResult {
	node, item := name, -1
	if at := strings.LastIndexByte(name, '['); at > 0 && strings.HasSuffix(name, "]") {
		if i, err := strconv.Atoi(name[at+1 : len(name)-1]); err == nil && i >= 0 && i < mostItems {
			node, item = name[:at], i
		}
	}
	n := m[node]
	if n == nil {
		n = &NodeResult{Status: Running}
		m[node] = n
	}
	if item < 0 {
		return n
	}
	for len(n.Items) <= item {
		n.Items = append(n.Items, &NodeResult{Status: Running})
	}
	return n.Items[item]
}

// mostItems bounds what an event can make a result grow to.
const mostItems = 1 << 20
