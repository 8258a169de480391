package event

import (
	"strconv"
	"strings"
)

// Add takes one event of an unfinished run into its result so far: the nodes of
// the level that is tried, by path. The result that a run ends with says more.
func (r *Result) Add(e *Event) {
	switch e.Type {
	case HealthChecked:
		if e.Level == r.Level {
			r.Health = e.Health
		}
	case FallbackUsed:
		if e.Node == "" && e.Level > r.Level { // the run's next level
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
	n := r.at(e.Node)
	switch e.Type {
	case NodeStarted:
		n.Status = Running
		n.Plugin = e.Plugin
	case NodeAttemptFailed:
		n.Attempts, n.Error, n.Plugin, n.Digest = e.Attempt, e.Error, e.Plugin, e.Digest
	case NodeWaiting:
		n.Status, n.Reason, n.Error = Waiting, e.Reason, e.Error
	case NodeSucceeded, NodeFailed, NodeSkipped:
		*n = NodeResult{Items: n.Items, Status: e.Status, Error: e.Error, Attempts: e.Attempt, DurationMS: e.DurationMS, Plugin: e.Plugin, Digest: e.Digest,
			AnsweredBy: e.AnsweredBy, Reason: e.Reason, Steps: e.Steps, MemoryBytes: e.MemoryBytes, HostCalls: e.HostCalls}
		if e.Output != nil {
			n.Output = *e.Output
		}
	}
}

// at is the result of a node, or of an item of one, by its path.
func (r *Result) at(path string) *NodeResult {
	node, item := path, -1
	if at := strings.LastIndexByte(path, '['); at > 0 && strings.HasSuffix(path, "]") {
		if i, err := strconv.Atoi(path[at+1 : len(path)-1]); err == nil && i >= 0 && i < mostItems {
			node, item = path[:at], i
		}
	}
	n := r.Nodes[node]
	if n == nil {
		n = &NodeResult{Status: Running}
		r.Nodes[node] = n
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
