// Package telemetry turns what happens into metrics, traces and log records. It
// is the only door to Prometheus and OpenTelemetry, and it decides nothing: a run
// goes on in the same way whether anybody looks or not.
//
// Inputs, outputs and messages of plugins are never in it. An error's message is,
// in spans and log records, as its event has it: masked.
package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"wasmhost/host/event"
)

// Config says what is measured and who is told. The zero value has metrics only.
type Config struct {
	// Version is that of the program.
	Version string
	// Getenv reads the OTEL_… settings; nil is the environment. Traces are on when
	// OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set, and
	// neither OTEL_SDK_DISABLED=true nor OTEL_TRACES_EXPORTER=none.
	Getenv func(string) (string, bool)
	// Log takes a record of each noteworthy event, and of trouble with a collector;
	// nil: nobody.
	Log     *slog.Logger
	Sources Sources
}

// Telemetry is a Sink for the events of all runs, and is told besides of what is
// no event of a run. No method blocks but Close. It is safe for concurrent use.
type Telemetry struct{}

// New makes a Telemetry. Close it. An error is a setting in the environment that
// cannot be understood.
func New(c Config) (*Telemetry, error) { return &Telemetry{}, nil }

// Tracing reports whether spans are exported.
func (t *Telemetry) Tracing() bool { return false }

// Emit takes an event of any run.
func (t *Telemetry) Emit(e *event.Event) {}

// Begin says that this process begins to work on a run, and in which generation
// (see event.RunInfo). Without it a run is in its first.
func (t *Telemetry) Begin(run string, generation int) {}

// Left says that this process does not work on a run any more: it waits, was
// interrupted or has ended. What was known of it is forgotten.
func (t *Telemetry) Left(run string) {}

// Handler answers scrapes.
func (t *Telemetry) Handler() http.Handler { return http.NotFoundHandler() }

// TraceParent is the W3C traceparent of requests that an attempt makes, "" when
// there are no traces.
func (t *Telemetry) TraceParent(p Place) string { return "" }

// HTTP takes a request that a plugin has made.
func (t *Telemetry) HTTP(p Place, plugin string, x HTTPExchange) {}

// HTTPExchange is one request of a plugin, redirects included.
type HTTPExchange struct {
	Method string
	URL    string // origin and path
	Status int    // 0: there was no answer
	Code   string // of the error; "" when the plugin got an answer
	Start  time.Time
	End    time.Time
	// Sent and Received are the sizes of the bodies.
	Sent, Received int64
}

// Breaker takes a breaker's change. The events that runs have of it are not
// counted: several runs may have one, or none.
func (t *Telemetry) Breaker(workflow, from, to string, s event.BreakerState) {}

// Swap takes what became of a swap of a root workflow's plugin. r.Plugin is its
// name without the workflow.
func (t *Telemetry) Swap(workflow string, r *event.SwapReport) {}

// TrialEnded says that a canary or shadow has been promoted, or has not.
func (t *Telemetry) TrialEnded(workflow, plugin string, mode event.SwapMode, promoted bool) {}

// RolledBack says that a plugin went back to the version before.
func (t *Telemetry) RolledBack(workflow, plugin string) {}

// Due says that a schedule's time has come, and what became of it: started,
// skipped, queued, missed, failed.
func (t *Telemetry) Due(workflow, outcome string) {}

// Alert says that an alert of a workflow began or ceased; name is its condition,
// such as "breaker_open".
func (t *Telemetry) Alert(workflow, name string, firing bool) {}

// AlertSent says that an alert's message was delivered, or was not.
func (t *Telemetry) AlertSent(workflow string, err error) {}

// Served takes a request that the server has answered. Route is the pattern, not
// the path.
func (t *Telemetry) Served(route, method string, status int, d time.Duration) {}

// Watching adds n, which may be negative, to the number of event streams that are
// open.
func (t *Telemetry) Watching(n int) {}

// Close exports what is left, until ctx ends. Closing twice is harmless.
func (t *Telemetry) Close(ctx context.Context) error { return nil }
