package event

import (
	"encoding/json"
	"time"
)

// WorkflowInfo is a workflow that is being served.
type WorkflowInfo struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	File        string `json:"file"`
	Digest      string `json:"digest"`
	Nodes       int    `json:"nodes"`
	// InputSchema is a JSON Schema, null: anything is taken. Default is what a run
	// without input gets, where the file has one.
	InputSchema json.RawMessage `json:"input_schema,omitempty"`
	Default     *Value          `json:"default,omitempty"`
	Webhook     string          `json:"webhook,omitempty"` // POST here, "/hooks/…"
	Schedules   []ScheduleInfo  `json:"schedules"`
	Metrics     Metrics         `json:"metrics"`
	// Health is the last report, nil before the first.
	Health *Report `json:"health,omitempty"`
	// Error is why the file as it is now cannot be used; what was loaded before
	// goes on.
	Error *Error `json:"error,omitempty"`
}

// ScheduleInfo is a schedule of a served workflow.
type ScheduleInfo struct {
	Workflow string `json:"workflow"`
	Index    int    `json:"index"` // among the workflow's schedules, from 0
	Cron     string `json:"cron"`
	Timezone string `json:"timezone"`
	Overlap  string `json:"overlap"`
	CatchUp  string `json:"catch_up,omitempty"` // a duration
	// Next are the next times.
	Next []time.Time `json:"next"`
	// Last is the last time that was due, LastRun the run it started, LastText
	// what became of it: "started", "skipped: the run before still goes on", …
	Last     time.Time `json:"last,omitzero"`
	LastRun  string    `json:"last_run,omitempty"`
	LastText string    `json:"last_text,omitempty"`
	// Queued are the times that wait for the run before (overlap = "queue").
	Queued int `json:"queued,omitempty"`
}

// Audit is one change that somebody made, or tried to make.
type Audit struct {
	Time   time.Time `json:"time"`
	By     string    `json:"by"`     // the name of a token, a user, "schedule", "file watch", …
	Action string    `json:"action"` // "run.start", "run.cancel", "plugin.swap", "breaker.reset", …
	Target string    `json:"target"` // the run, plugin, breaker, token
	Detail string    `json:"detail,omitempty"`
	OK     bool      `json:"ok"`
}

// HealthInfo is the health of a served workflow: reports, oldest first, at most
// 100.
type HealthInfo struct {
	Workflow string    `json:"workflow"`
	Healthy  bool      `json:"healthy"` // by the last report; true before the first
	Reports  []*Report `json:"reports"`
}
