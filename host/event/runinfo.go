package event

import "time"

// RunInfo is a run as the journal knows it, in the shape of `host runs list -o
// json`.
type RunInfo struct {
	ID       string `json:"run_id"`
	Workflow string `json:"workflow"`
	File     string `json:"file"`
	Digest   string `json:"digest"`
	Status   Status `json:"status"`
	// Alive is true while a process works on the run. A run that is running and
	// not alive was interrupted, and goes on with Resume.
	Alive bool `json:"alive"`
	// Owner is who works on it, in words.
	Owner string `json:"owner,omitempty"`
	// Generation counts from 1; each Retry by a person begins the next.
	Generation int `json:"generation"`
	// Reason is what a waiting run waits for, WakeAt when its next deadline passes.
	Reason     string            `json:"reason,omitempty"`
	WakeAt     time.Time         `json:"wake_at,omitzero"`
	Input      Value             `json:"input"`
	Error      *Error            `json:"error,omitempty"`
	Plugins    map[string]string `json:"plugins,omitempty"`
	CreatedAt  time.Time         `json:"created_at"`
	UpdatedAt  time.Time         `json:"updated_at"`
	FinishedAt time.Time         `json:"finished_at,omitzero"`
	DurationMS float64           `json:"duration_ms"`
}

// RunFilter chooses runs. The zero value chooses the newest 100.
type RunFilter struct {
	Status   []Status
	Workflow string
	Since    time.Time
	// Before is the id of the last run of the page before.
	Before string
	Limit  int // 0: 100
}

// Wait tells what one part of a run waits for.
type Wait struct {
	// Node is the path of the node, "" for the whole run.
	Node string `json:"node,omitempty"`
	// Kind is retry, breaker, approval, outcome_unknown, running, interrupted (it
	// was at work when its process went), queue (nothing of it runs), process
	// (nobody works on the run: resume it), pause (before the whole run is tried
	// again) or ended.
	Kind string `json:"kind"`
	// Text says it in a sentence, Until when it ends by itself, Next what a
	// person can do.
	Text  string    `json:"text"`
	Until time.Time `json:"until,omitzero"`
	Next  string    `json:"next,omitempty"`
}

// Approval is a person's answer to a node that waits for one.
type Approval struct {
	// Node is the node's path; "" when only one waits.
	Node string
	// Reject fails the node with code rejected.
	Reject bool
	// Output, with HasOutput, is what the node gives instead of its input (an
	// approval) or of null (a node whose outcome nobody knows).
	Output    Value
	HasOutput bool
	Comment   string
	By        string // "" is the user of this process
}
