package telemetry

import "wasmhost/host/event"

// Sources are asked at every scrape for what is no event. Each may be nil: then
// its metrics are not there. They are called from many goroutines, and a scrape
// waits for them.
type Sources struct {
	// Live are the runs that this process works on, by root workflow.
	Live func() map[string]int
	// Breakers are those of the served workflows.
	Breakers func() []event.BreakerInfo
	// Health is the background health of the served workflows.
	Health func() []event.HealthInfo
	// Schedules are those of the served workflows.
	Schedules func() []event.ScheduleInfo
	// Plugins are the instances of every open version of every plugin.
	Plugins func() []Instances
	// Modules is what the plugin runtime holds compiled.
	Modules func() Modules
	// Journal is how the journal stands.
	Journal func() Journal
}

// Instances are those of one version of a plugin; versions of one name are added
// up.
type Instances struct {
	Plugin string
	// Ready instances wait for a call, Working ones have one, and Waiting calls
	// want one.
	Ready, Working, Waiting int
}

// Modules are the compiled modules.
type Modules struct {
	Count int
	Bytes int64
}

// Journal is how the journal stands.
type Journal struct {
	// Backlog is how many records wait for their commit.
	Backlog int
	// Bytes is the size of the database file, WALBytes that of the log beside it.
	Bytes, WALBytes int64
	// Commits and Records are counted since the journal was opened.
	Commits, Records uint64
	// Failed is true when the journal does not write any more.
	Failed bool
}
