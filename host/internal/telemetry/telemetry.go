// Package telemetry turns what happens into metrics, traces and log records. It
// is the only door to Prometheus and OpenTelemetry, and it decides nothing: a run
// goes on in the same way whether anybody looks or not.
//
// Inputs, outputs and what plugins log are never in it. An error's message is, in
// spans and log records, as its event has it: masked.
package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"wasmhost/host/event"
)

// Config says what is measured and who is told. The zero value has metrics only,
// and traces as the environment says: on when OTEL_EXPORTER_OTLP_ENDPOINT or
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set.
type Config struct {
	// Version is that of the program.
	Version string
	// Log takes a record of each noteworthy event, and of trouble with a collector,
	// on a goroutine of Telemetry's: a slow one loses records, and nobody waits.
	// nil: nobody.
	Log     *slog.Logger
	Sources Sources
}

// Telemetry is a Sink for the events of all runs, and is told besides of what is
// no event of a run. No method but Close waits for anybody. It is safe for
// concurrent use.
type Telemetry struct {
	metrics *metrics
	runs    *runs
	tracer  *tracer   // nil: no traces
	records *recorder // nil: no log
	closing sync.Once
	closed  error
}

// New makes a Telemetry. Close it. An error is a setting in the environment that
// cannot be understood.
func New(c Config) (*Telemetry, error) {
	t := &Telemetry{metrics: newMetrics(c.Version, c.Sources), runs: newRuns()}
	if c.Log != nil {
		t.records = newRecorder(c.Log, t.metrics.recordsLost.Inc)
	}
	s, err := tracesFromEnv()
	if err == nil && s != nil {
		t.tracer, err = newTracer(s, c.Version, t.metrics, t.records)
	}
	if err != nil {
		if t.records != nil {
			t.records.close(context.Background())
		}
		return nil, err
	}
	return t, nil
}

// Tracing reports whether spans are exported.
func (t *Telemetry) Tracing() bool { return t.tracer != nil }

// Emit takes an event of any run.
func (t *Telemetry) Emit(e *event.Event) {
	r := t.runs.of(e)
	call := r.call(e)
	t.metrics.observe(r.workflow(e.Workflow), e, call)
	if t.tracer != nil {
		t.tracer.take(r, e, call)
	}
	r.follow(e, t.tracer != nil)
	if e.Type == event.RunFinished {
		t.runs.forget(e.Run)
	}
	if t.records != nil {
		t.records.event(e)
	}
}

// Begin says that this process begins to work on a run, and in which generation
// (see event.RunInfo). Without it a run is in its first.
func (t *Telemetry) Begin(run string, generation int) { t.runs.begin(run, generation) }

// Left says that this process does not work on a run any more: it waits, was
// interrupted or has ended. What was known of it is forgotten.
func (t *Telemetry) Left(run string) { t.runs.forget(run) }

// Handler answers scrapes.
func (t *Telemetry) Handler() http.Handler { return t.metrics.handler() }

// TraceParent is the W3C traceparent of one request that an attempt makes, "" when
// there are no traces. It names the request's own span: give it to HTTP.
func (t *Telemetry) TraceParent(p Place) string {
	if t.tracer == nil {
		return ""
	}
	t.runs.known(p.Run).attempt(p)
	trace := traceOf(p.Run)
	return traceParent(trace, anySpan(), t.tracer.samples(trace))
}

// HTTP takes a request that a plugin has made; its name may be "".
func (t *Telemetry) HTTP(p Place, plugin string, x HTTPExchange) {
	r := t.runs.known(p.Run)
	t.metrics.exchange(r.workflow(p.Workflow), p.Node, &x)
	if t.tracer != nil {
		r.attempt(p)
		t.tracer.exchange(r.generationNow(), p, plugin, &x)
	}
}

// HTTPExchange is one request of a plugin, redirects included.
type HTTPExchange struct {
	// TraceParent is what TraceParent gave for it, "" when it carried nothing of
	// that.
	TraceParent string

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
func (t *Telemetry) Breaker(workflow, from, to string, s event.BreakerState) {
	m := t.metrics
	m.breakers.WithLabelValues(m.workflows.of(workflow), m.names.of(s.Key), m.names.of(to)).Inc()
	if t.records != nil {
		t.records.breaker(workflow, from, to, s)
	}
}

// Swap takes what became of a swap of a root workflow's plugin. r.Plugin is its
// name without the workflow.
func (t *Telemetry) Swap(workflow string, r *event.SwapReport) {
	t.metrics.swapped(workflow, r)
	if t.records != nil {
		t.records.swap(workflow, r)
	}
}

// TrialEnded says how a canary or shadow came out.
func (t *Telemetry) TrialEnded(workflow, plugin string, r *event.TrialResult) {
	m := t.metrics
	m.trials.WithLabelValues(m.workflows.of(workflow), m.plugins.of(plugin), m.names.of(string(r.Mode)), m.names.of(r.Outcome)).Inc()
	if t.records != nil {
		t.records.trial(workflow, plugin, r)
	}
}

// RolledBack says that a plugin went back to the version before.
func (t *Telemetry) RolledBack(workflow, plugin string) {
	m := t.metrics
	m.rollbacks.WithLabelValues(m.workflows.of(workflow), m.plugins.of(plugin)).Inc()
	if t.records != nil {
		t.records.rolledBack(workflow, plugin)
	}
}

// Due says what became of n times at which a schedule was due: started, skipped,
// missed or failed.
func (t *Telemetry) Due(workflow, outcome string, n int) {
	m := t.metrics
	m.due.WithLabelValues(m.workflows.of(workflow), m.names.of(outcome)).Add(float64(n))
}

// Alert says that an alert of a workflow began or ceased; name is its condition,
// such as "breaker_open".
func (t *Telemetry) Alert(workflow, name string, firing bool) {
	m, state := t.metrics, "ceased"
	if firing {
		state = "firing"
	}
	m.alerts.WithLabelValues(m.workflows.of(workflow), m.names.of(name), state).Inc()
	if t.records != nil {
		t.records.alert(workflow, name, state)
	}
}

// AlertSent says that an alert's message was delivered, or was not.
func (t *Telemetry) AlertSent(workflow string, err error) {
	m, outcome := t.metrics, "delivered"
	if err != nil {
		outcome = "failed"
	}
	m.alertsSent.WithLabelValues(m.workflows.of(workflow), outcome).Inc()
}

// Served takes a request that the server has answered. Route is the pattern, not
// the path. What an event stream took says nothing: give it to Watching.
func (t *Telemetry) Served(route, method string, status int, d time.Duration) {
	t.metrics.answer(route, method, status, d)
}

// Watching adds n, which may be negative, to the number of event streams that are
// open.
func (t *Telemetry) Watching(n int) { t.metrics.watchers.Add(float64(n)) }

// Close exports what is left, until ctx ends. Closing twice is harmless.
func (t *Telemetry) Close(ctx context.Context) error {
	t.closing.Do(func() {
		var spans, records error
		if t.tracer != nil {
			spans = t.tracer.close(ctx)
		}
		if t.records != nil {
			records = t.records.close(ctx)
		}
		t.closed = errors.Join(spans, records)
	})
	return t.closed
}
