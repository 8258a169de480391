package event

import "time"

// PluginInfo is a plugin of a workflow that is being served.
type PluginInfo struct {
	// Name addresses it: WORKFLOW.PLUGIN, and WORKFLOW.SUB.PLUGIN for one that only
	// a sub-workflow or fallback level names, or names otherwise.
	Name     string `json:"name"`
	Workflow string `json:"workflow"`
	Source   string `json:"source"`
	// File is the file behind the source, "" when there is none.
	File   string `json:"file,omitempty"`
	Digest string `json:"digest"` // of the version that new calls get; "" while none is loaded
	// Pinned is true when the workflow file names a sha256: a swap needs unpin.
	Pinned bool `json:"pinned"`
	// Permissions are what the current version may really do, in words such as
	// "http https://api.example.com", "fs /data (rw)", "env LANG", "secret llm_key".
	Permissions []string        `json:"permissions"`
	Versions    []PluginVersion `json:"versions"` // the newest first
	// Recorded is how many calls are kept for replay.
	Recorded int `json:"recorded"`
	// LastTrial is how the last canary or shadow came out, since the process began.
	LastTrial *TrialResult `json:"last_trial,omitempty"`
	// Error is why the last load failed, or why the file as it is now is refused.
	Error *Error `json:"error,omitempty"`
}

// VersionState is what a version of a plugin is there for.
type VersionState string

// The states of a version.
const (
	VersionCurrent  VersionState = "current"  // gets new calls
	VersionCanary   VersionState = "canary"   // gets every tenth of them, on trial
	VersionShadow   VersionState = "shadow"   // runs beside, and never answers
	VersionDraining VersionState = "draining" // has calls in flight, and gets no new ones
	VersionPrevious VersionState = "previous" // what rollback goes back to
)

// PluginVersion is one module of a plugin.
type PluginVersion struct {
	Digest string       `json:"digest"`
	State  VersionState `json:"state"`
	// From says where its bytes are from: source (what the workflow file names) or
	// upload.
	From     string    `json:"from"`
	Since    time.Time `json:"since"` // when it came into this state
	InFlight int       `json:"in_flight"`
	Calls    uint64    `json:"calls"`
	Failures uint64    `json:"failures"`
	// Differ counts, of a shadow, the calls whose answer was not the same.
	Differ uint64 `json:"differ,omitempty"`
	// P50MS and P99MS are the latencies of the last calls.
	P50MS float64 `json:"p50_ms"`
	P99MS float64 `json:"p99_ms"`
}

// TrialResult is how a canary or a shadow came out.
type TrialResult struct {
	Mode    SwapMode  `json:"mode"`
	Digest  string    `json:"digest"` // of the version that was tried
	EndedAt time.Time `json:"ended_at"`
	// Outcome is promoted (it is current now), rolled_back (its calls were worse)
	// or ended (a shadow has seen enough; a person or another swap ended it).
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"` // in words
	// Calls are those that it answered or, as a shadow, that were compared;
	// Failures those of a canary that the current version then answered well.
	Calls    int `json:"calls"`
	Failures int `json:"failures"`
	// Of a shadow: calls that were answered otherwise, the first ten of them, and
	// calls that could not be compared.
	Differ      int          `json:"differ"`
	Skipped     int          `json:"skipped"`
	Differences []Difference `json:"differences,omitempty"`
}

// SwapMode says how a new version comes in.
type SwapMode string

// The modes of a swap.
const (
	SwapNow    SwapMode = "now"
	SwapCanary SwapMode = "canary"
	SwapShadow SwapMode = "shadow"
)

// SwapRequest asks for another version of a plugin.
type SwapRequest struct {
	Plugin string // name, see PluginInfo
	// Module is the new version; nil reads the plugin's source again.
	Module []byte
	Mode   SwapMode // "" is now
	// Good is how many calls a canary must answer well before it is promoted, or a
	// shadow must see before it ends; 0: 20.
	Good int
	// AcceptPermissions lets the new version do more than the old one.
	AcceptPermissions bool
	// Unpin lets a plugin with a sha256 be swapped.
	Unpin bool
	// Replay runs the recorded calls on the new version first, and refuses it when
	// fewer than Same of them (a share; 0: all) are answered alike.
	Replay bool
	Same   float64
	By     string // who asks, for the audit
}

// SwapReport tells what became of a swap. With Refused the old version goes on.
type SwapReport struct {
	Plugin string        `json:"plugin"`
	From   string        `json:"from"` // digests
	To     string        `json:"to"`
	Mode   SwapMode      `json:"mode"`
	Steps  []SwapStep    `json:"steps"`
	Replay *ReplayReport `json:"replay,omitempty"`
	// Unchanged: the module is the current version already.
	Unchanged bool   `json:"unchanged,omitempty"`
	Refused   *Error `json:"refused,omitempty"`
}

// SwapStep is one step of a swap: fetch, check, compile, permissions, start,
// health, replay.
type SwapStep struct {
	Name       string  `json:"name"`
	OK         bool    `json:"ok"`
	Text       string  `json:"text,omitempty"`
	DurationMS float64 `json:"duration_ms"`
}

// ReplayReport compares two versions on recorded calls.
type ReplayReport struct {
	Calls     int `json:"calls"`
	Identical int `json:"identical"`
	// Skipped calls cannot be compared: they used what a replay does not have.
	Skipped int          `json:"skipped"`
	Differ  []Difference `json:"differ"` // the first 10
	Text    string       `json:"text"`   // "197 of 200 identical, 3 differ: …"
}

// Difference is a recorded call that the new version answers otherwise.
type Difference struct {
	Run   string `json:"run"`
	Node  string `json:"node"`
	Input string `json:"input"` // shortened, secrets masked
	Old   string `json:"old"`
	New   string `json:"new"`
}
