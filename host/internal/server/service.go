package server

import (
	"context"
	"io"

	"wasmhost/host/event"
)

// Service is what is served; package host has it. It is safe for concurrent use.
// Errors with a code for the caller are *event.Error. Run ids may be the
// beginning of one, as everywhere.
type Service interface {
	// Workflows are those that the server was started with, by name.
	Workflows(ctx context.Context) ([]event.WorkflowInfo, error)
	// Workflow is one of them, and the text of its file. Code not_found.
	Workflow(ctx context.Context, name string) (info *event.WorkflowInfo, source []byte, err error)
	// Graph is the workflow as SVG, with the states of a run's nodes where run is
	// not "". The SVG has no script and no outside reference.
	Graph(ctx context.Context, workflow, run string) ([]byte, error)

	// Start starts a run of a served workflow. fresh is false when the run id was
	// known. Codes: not_found, invalid_input, bad_run_id, run_conflict, stopping,
	// missing_secret, bad_setting, journal.
	Start(ctx context.Context, s StartRequest) (info *event.RunInfo, fresh bool, err error)
	Runs(ctx context.Context, f event.RunFilter) ([]event.RunInfo, error)
	RunCounts(ctx context.Context, workflow string) (map[event.Status]int, error)
	RunInfo(ctx context.Context, id string) (*event.RunInfo, error)
	RunResult(ctx context.Context, id string) (*event.Result, error)
	RunEvents(ctx context.Context, id string, after uint64, limit int) ([]*event.Event, error)
	// Follow tells the events of a run whose Seq is more than after, recorded ones
	// first, and returns nil when the run has ended and all is told, else ctx's
	// error. A run that waits is followed until it goes on. tell is called on
	// Follow's goroutine; a slow one costs the run nothing.
	Follow(ctx context.Context, id string, after uint64, tell func(*event.Event) error) error
	Why(ctx context.Context, id string) ([]event.Wait, error)
	Export(ctx context.Context, id string, w io.Writer) error
	// The changes return as soon as they are recorded; the run goes on by itself.
	// Codes: those of the host methods of these names.
	CancelRun(ctx context.Context, id, reason string) error
	ResumeRun(ctx context.Context, id string) (*event.RunInfo, error)
	// RetryRun runs again what did not succeed, or from and what follows it.
	RetryRun(ctx context.Context, id, from string) (*event.RunInfo, error)
	ApproveRun(ctx context.Context, id string, a event.Approval) (*event.RunInfo, error)
	DeleteRun(ctx context.Context, id string) error

	// Plugins are those of the served workflows. A name is bare when unique, else
	// WORKFLOW.NAME. Codes: not_found, ambiguous.
	Plugins(ctx context.Context) ([]event.PluginInfo, error)
	Plugin(ctx context.Context, name string) (*event.PluginInfo, error)
	// Swap returns when the new version is current, on trial, or refused; the
	// error is only for what has nothing to do with the module (not_found,
	// ambiguous, pinned, busy: another swap of the plugin is under way).
	Swap(ctx context.Context, r event.SwapRequest) (*event.SwapReport, error)
	// Rollback goes back to the version before, or ends a canary or shadow;
	// Promote makes a canary or shadow current. Codes: not_found, ambiguous,
	// no_version (there is nothing to go back to, or no trial).
	Rollback(ctx context.Context, name, by string) (*event.PluginInfo, error)
	Promote(ctx context.Context, name, by string) (*event.PluginInfo, error)

	AllBreakers(ctx context.Context) ([]event.BreakerInfo, error)
	ResetBreaker(ctx context.Context, name string) (*event.BreakerInfo, error)
	OpenBreaker(ctx context.Context, name string) (*event.BreakerInfo, error)

	// Health are the reports of every served workflow. Check runs a workflow's
	// checks now.
	Health(ctx context.Context) ([]event.HealthInfo, error)
	Check(ctx context.Context, workflow string) (*event.Report, error)
	// Ready is nil when runs can be taken: started, not stopping, the journal
	// writes, and every critical check is healthy; else the reasons.
	Ready(ctx context.Context) []string

	Schedules(ctx context.Context) ([]event.ScheduleInfo, error)

	// Hook finds the workflow of a webhook's path (what follows /hooks/) and how
	// its callers prove who they are. Code not_found.
	Hook(ctx context.Context, path string) (*Hook, error)

	// Audit records a change; Audits are the last n, the newest first. Package
	// server calls Audit for every change that comes over HTTP, refused ones too:
	// the Service itself does so only for those that come from elsewhere (a
	// schedule, a file that changed). It is called before the answer begins, and one
	// of a change that was made (OK) returns when it is kept, or ctx ends.
	Audit(ctx context.Context, a event.Audit)
	Audits(ctx context.Context, n int) ([]event.Audit, error)
}

// StartRequest asks for a run.
type StartRequest struct {
	Workflow string
	Input    event.Value
	HasInput bool
	RunID    string
}

// Hook is a workflow's webhook. One of the two secrets is set.
type Hook struct {
	Workflow string
	// HMAC signs the body with HMAC-SHA256; the hex digest is in Header, with or
	// without "sha256=" before it.
	HMAC   []byte
	Header string
	Bearer string
}
