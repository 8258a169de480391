package host

import (
	"context"
	"io"
	"time"

	"wasmhost/host/event"
)

// RunInfo is a run as the journal knows it, in the shape of `host runs list -o
// json`.
type RunInfo struct {
	ID       string       `json:"run_id"`
	Workflow string       `json:"workflow"`
	File     string       `json:"file"`
	Digest   string       `json:"digest"`
	Status   event.Status `json:"status"`
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
	Input      event.Value       `json:"input"`
	Error      *event.Error      `json:"error,omitempty"`
	Plugins    map[string]string `json:"plugins,omitempty"`
	CreatedAt  time.Time         `json:"created_at"`
	UpdatedAt  time.Time         `json:"updated_at"`
	FinishedAt time.Time         `json:"finished_at,omitzero"`
	DurationMS float64           `json:"duration_ms"`
}

// RunFilter chooses runs. The zero value chooses the newest 100.
type RunFilter struct {
	Status   []event.Status
	Workflow string
	Since    time.Time
	// Before is the id of the last run of the page before.
	Before string
	Limit  int // 0: 100
}

// Runs lists the runs of the journal, newest first.
func (h *Host) Runs(ctx context.Context, f RunFilter) ([]RunInfo, error) { return nil, errNoJournal }

// RunCounts counts the runs of a workflow ("": of all) by status.
func (h *Host) RunCounts(ctx context.Context, workflow string) (map[event.Status]int, error) {
	return nil, errNoJournal
}

// RunInfo is one run. id may be the beginning of one, of six characters or more.
// Code not_found when there is none, ambiguous when there are several.
func (h *Host) RunInfo(ctx context.Context, id string) (*RunInfo, error) { return nil, errNoJournal }

// RunResult is the result of a run: as recorded when it has ended, else what
// stands so far.
func (h *Host) RunResult(ctx context.Context, id string) (*event.Result, error) {
	return nil, errNoJournal
}

// RunEvents are the recorded events of a run whose Seq is more than after, at
// most limit of them (0: all).
func (h *Host) RunEvents(ctx context.Context, id string, after uint64, limit int) ([]*event.Event, error) {
	return nil, errNoJournal
}

// Follow is a run as it goes on, in this process or another: its events so far
// come first. Nothing of the run depends on who follows it; Cancel sends the
// wish to whoever works on it.
func (h *Host) Follow(ctx context.Context, id string, o Options) (*Run, error) {
	return nil, errNoJournal
}

// Resume goes on with a run whose process has died or that waits; what was done
// is not done again. Of Options only Sink counts. A run that is alive is
// followed, one that has ended gives its result. Codes: not_found,
// workflow_changed (the file is not what the run began with; Retry takes it),
// and those of Start.
func (h *Host) Resume(ctx context.Context, id string, o Options) (*Run, error) {
	return nil, errNoJournal
}

// RetryOptions say what a retry by a person does again.
type RetryOptions struct {
	// From is a node that runs again with everything that depends on it, although
	// it succeeded; "" runs only what did not succeed.
	From string
	Sink event.Sink
}

// Retry opens a run that has ended without success once more, in a new
// generation with the same id and the same idempotency keys: what succeeded is
// kept. The workflow file is read again and may have changed. For a run that
// waits because nobody knows what a node's last call did, it calls that node
// again (all such nodes, or From). Codes: not_found, run_alive, run_succeeded
// (nothing to do again; give From), unknown_node, and those of Start.
func (h *Host) Retry(ctx context.Context, id string, o RetryOptions) (*Run, error) {
	return nil, errNoJournal
}

// Approval is a person's answer to a node that waits for one.
type Approval struct {
	// Node is the node's path; "" when only one waits.
	Node string
	// Reject fails the node with code rejected.
	Reject bool
	// Output, with HasOutput, is what the node gives instead of its input (an
	// approval) or of null (a node whose outcome nobody knows).
	Output    event.Value
	HasOutput bool
	Comment   string
	By        string
}

// Approve answers a waiting node and goes on with the run, here or where it
// lives. Codes: not_found, not_waiting, unknown_node, ambiguous (several wait).
func (h *Host) Approve(ctx context.Context, id string, a Approval, o Options) (*Run, error) {
	return nil, errNoJournal
}

// CancelRun ends a run, also one that another process works on or nobody. It
// returns when the wish is recorded and, where somebody works on the run, taken.
// Codes: not_found, run_ended.
func (h *Host) CancelRun(ctx context.Context, id, reason string) error { return errNoJournal }

// Wait tells what one part of a run waits for.
type Wait struct {
	// Node is the path of the node, "" for the whole run.
	Node string `json:"node,omitempty"`
	// Kind is retry, breaker, rate_limit, approval, outcome_unknown, running,
	// queue, process (its process died: resume it) or health.
	Kind string `json:"kind"`
	// Text says it in a sentence, Until when it ends by itself, Next what a
	// person can do.
	Text  string    `json:"text"`
	Until time.Time `json:"until,omitzero"`
	Next  string    `json:"next,omitempty"`
}

// Why tells what a run waits for, or why it ended as it did.
func (h *Host) Why(ctx context.Context, id string) ([]Wait, error) { return nil, errNoJournal }

// Export writes everything about a run as one JSON object: run, events, result,
// breakers and health of its workflow, versions of host and plugins. No secret
// is in it.
func (h *Host) Export(ctx context.Context, id string, w io.Writer) error { return errNoJournal }

// DeleteRun forgets a run that nobody works on. Codes: not_found, run_alive.
func (h *Host) DeleteRun(ctx context.Context, id string) error { return errNoJournal }

// Retain deletes ended runs that are older than age (0: any age) and all but
// the newest count (0: any number); it returns how many.
func (h *Host) Retain(ctx context.Context, age time.Duration, count int) (int, error) {
	return 0, errNoJournal
}

// BreakerInfo is a breaker of a root workflow.
type BreakerInfo struct {
	Workflow string `json:"workflow"`
	event.BreakerState
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// AllBreakers are the breakers that the journal knows, by workflow and key.
func (h *Host) AllBreakers(ctx context.Context) ([]BreakerInfo, error) { return nil, errNoJournal }

// ResetBreaker closes a breaker, OpenBreaker opens it, in every process that
// shares the journal. name is KEY where it is unique, else WORKFLOW.KEY. Codes:
// not_found, ambiguous.
func (h *Host) ResetBreaker(ctx context.Context, name string) (*BreakerInfo, error) {
	return nil, errNoJournal
}

// OpenBreaker is ResetBreaker's opposite.
func (h *Host) OpenBreaker(ctx context.Context, name string) (*BreakerInfo, error) {
	return nil, errNoJournal
}

// HealthHistory are the last reports of a workflow, oldest first, of all
// processes that share the journal.
func (h *Host) HealthHistory(ctx context.Context, workflow string, n int) ([]*event.Report, error) {
	return nil, errNoJournal
}

// Finding is what Doctor found.
type Finding struct {
	What  string `json:"what"`
	Where string `json:"where"`
	Next  string `json:"next,omitempty"` // what to do
	Bad   bool   `json:"bad"`
}

// Doctor looks at the state folder and the cache folder without changing them.
func Doctor(ctx context.Context, state, cache string) ([]Finding, error) { return nil, errNoJournal }

var errNoJournal = refusal("no_journal", "there is no journal: this host was opened without a state folder")
