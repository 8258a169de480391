package event

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
	n := r.Nodes[e.Node]
	if n == nil {
		n = &NodeResult{Status: Running}
	}
	switch e.Type {
	case NodeStarted:
		n.Status = Running
		n.Plugin = e.Plugin
	case NodeAttemptFailed:
		n.Attempts, n.Error, n.Plugin, n.Digest = e.Attempt, e.Error, e.Plugin, e.Digest
	case NodeWaiting:
		n.Status, n.Reason, n.Error = Waiting, e.Reason, e.Error
	case NodeSucceeded, NodeFailed, NodeSkipped:
		*n = NodeResult{Status: e.Status, Error: e.Error, Attempts: e.Attempt, DurationMS: e.DurationMS, Plugin: e.Plugin, Digest: e.Digest,
			AnsweredBy: e.AnsweredBy, Reason: e.Reason, Steps: e.Steps, MemoryBytes: e.MemoryBytes, HostCalls: e.HostCalls}
		if e.Output != nil {
			n.Output = *e.Output
		}
	default:
		return
	}
	r.Nodes[e.Node] = n
}
