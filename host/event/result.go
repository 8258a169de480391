package event

import "time"

// Status is where a run or a node stands.
type Status string

const (
	Succeeded Status = "succeeded"
	Degraded  Status = "degraded"
	Failed    Status = "failed"
	Cancelled Status = "cancelled"
	Refused   Status = "refused" // a run: the health gate said no
	Skipped   Status = "skipped" // a node, or a level that `on` excludes
	Running   Status = "running"
	Waiting   Status = "waiting"
	Pending   Status = "pending" // a node that is not decided yet; never in a result
)

// Ended reports whether nothing more will happen.
func (s Status) Ended() bool {
	switch s {
	case Running, Waiting, Pending, "":
		return false
	}
	return true
}

// Result is what a run came to. Its JSON shape is the one of `host run -o
// json`, of the API and of the journal.
type Result struct {
	RunID     string  `json:"run_id"`
	Workflow  string  `json:"workflow"`
	Status    Status  `json:"status"`
	Level     int     `json:"level"`
	LevelName string  `json:"level_name"`
	Output    Value   `json:"output"`
	Error     *Error  `json:"error"`
	Nodes     NodeMap `json:"nodes"`
	Levels    []Level `json:"levels"`
	Health    *Report `json:"health"`
	Metrics   Metrics `json:"metrics"`

	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	DurationMS float64   `json:"duration_ms"`
}

// NodeMap holds the results of a workflow's nodes by id.
type NodeMap map[string]*NodeResult

// Level is the result of one fallback level; level 0 is the primary.
type Level struct {
	Workflow   string  `json:"workflow"`
	Status     Status  `json:"status"`
	Error      *Error  `json:"error"`
	Reason     string  `json:"reason,omitempty"`
	Output     Value   `json:"output"`
	Nodes      NodeMap `json:"nodes,omitempty"`
	Levels     []Level `json:"levels,omitempty"`
	Health     *Report `json:"health,omitempty"`
	DurationMS float64 `json:"duration_ms"`
}

// NodeResult is what one node came to.
type NodeResult struct {
	Status Status `json:"status"`
	Output Value  `json:"output"`
	Error  *Error `json:"error"`
	// Attempts counts the plugin calls that were started, of fallbacks and items
	// too; hedges and refusals are not counted.
	Attempts   int     `json:"attempts"`
	DurationMS float64 `json:"duration_ms"`
	Plugin     string  `json:"plugin,omitempty"`
	Digest     string  `json:"digest,omitempty"`
	AnsweredBy string  `json:"answered_by,omitempty"`
	Reason     string  `json:"reason,omitempty"`
	// Steps and HostCalls are those of the attempt that answered, MemoryBytes its
	// peak.
	Steps       uint64     `json:"steps,omitempty"`
	MemoryBytes uint64     `json:"memory_bytes,omitempty"`
	HostCalls   *HostCalls `json:"host_calls,omitempty"`
	// Errors are all failures on the way to the answer, oldest first.
	Errors   []*Error `json:"errors,omitempty"`
	Warnings []*Error `json:"warnings,omitempty"`
	// Items are the items of a for_each, in order.
	Items []*NodeResult `json:"items,omitempty"`
	// Run is the result of a sub-workflow.
	Run *Level `json:"run,omitempty"`

	// Stats feed the metrics; they are not part of the result's JSON.
	Stats Stats `json:"-"`
}

// Stats are the counts behind one node's or item's result.
type Stats struct {
	Retries    int
	Rejections int
	Fallbacks  int
	// LatencyMS has the duration of every attempt that ended.
	LatencyMS []float64
}

// Kept reports whether the node is done for good: a later round of the same run
// does not repeat it.
func (r *NodeResult) Kept() bool {
	return r != nil && (r.Status == Succeeded || r.Status == Degraded)
}
