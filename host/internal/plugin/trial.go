package plugin

import (
	"wasmhost/host/event"
)

// Trial says how a version is tried out.
type Trial struct {
	// Mode is canary (it gets every tenth idempotent call, and answers it) or
	// shadow (it runs beside, without permissions, and never answers).
	Mode event.SwapMode
	// Good is how many calls a canary must answer well before it is promoted, or a
	// shadow must see before it ends; 0: 20.
	Good int
	// OnEnd is told how it ended, once, under the same terms as
	// VersionOptions.OnChange. nil: nobody wants to know.
	OnEnd func(TrialEnd)
}

// TrialEnd is what became of a trial.
type TrialEnd struct {
	Mode     event.SwapMode
	Digest   string // of the version that was tried
	Promoted bool   // it is current now
	Reason   string // in words
	// Calls are those that it answered or, as a shadow, that were compared;
	// Failures those of a canary that were repeated on the current version.
	Calls, Failures int
	// Of a shadow: calls that were answered otherwise, with the first ten; calls
	// that could not be compared; calls that were left out because it was busy.
	Differ, Skipped, Dropped int
	Differences              []event.Difference
}

// Try begins a trial of next. The error has the code busy while there is another
// one; next is closed then.
func (v *Versions) Try(next *Plugin, from string, t Trial) error { return nil }

// Promote makes the version on trial current, whatever was seen of it. The error
// has the code no_version when there is none.
func (v *Versions) Promote() error { return nil }

// EndTrial ends the trial; calls go on with the current version. The error has
// the code no_version when there is none.
func (v *Versions) EndTrial() error { return nil }
