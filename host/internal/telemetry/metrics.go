package telemetry

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the counts since the process began, in a registry of their own.
type metrics struct {
	registry *prometheus.Registry
	series   seriesMap

	workflows, plugins, codes, names *names

	started, resumed, runs, runRetries, levels *prometheus.CounterVec
	runTime                                    *prometheus.HistogramVec

	nodes, items, attempts, failures, retries, fallbacks *prometheus.CounterVec
	nodeTime, attemptTime                                *prometheus.HistogramVec

	steps, hostCalls, httpBytes, logLines, httpCalls *prometheus.CounterVec
	memory, httpTime                                 *prometheus.HistogramVec

	breakers, swaps, trials, rollbacks *prometheus.CounterVec
	due, alerts, alertsSent            *prometheus.CounterVec

	served      *prometheus.CounterVec
	servedTime  *prometheus.HistogramVec
	watchers    prometheus.Gauge
	spans       prometheus.Counter
	spansLost   *prometheus.CounterVec
	recordsLost prometheus.Counter
}

// The buckets. Calls of plugins take from microseconds to minutes, whole runs up to
// days when they wait for somebody.
var (
	callBuckets    = []float64{.00005, .0002, .001, .005, .02, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
	runBuckets     = []float64{.001, .005, .02, .1, .5, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400}
	requestBuckets = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	memoryBuckets  = prometheus.ExponentialBuckets(64<<10, 4, 9) // 64 KiB to 4 GiB
)

func newMetrics(version string, s Sources) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(),
		workflows: newNames(mostWorkflows), plugins: newNames(mostNames), codes: newNames(mostCodes), names: newNames(mostNames)}
	m.series = seriesMap{by: map[string]*series{}, rest: map[string]*series{}, m: m}

	m.started = m.counter("runs_started_total", "Runs that began.", "workflow")
	m.resumed = m.counter("runs_resumed_total", "Runs that this process took over from another, or from itself before, and that went on.", "workflow")
	m.runs = m.counter("runs_total", "Runs that ended, by how.", "workflow", "status")
	m.runTime = m.histogram("run_duration_seconds", "How long runs took from begin to end, waits included.", runBuckets, "workflow")
	m.runRetries = m.counter("run_retries_total", "How often a whole run was tried again.", "workflow")
	m.levels = m.counter("run_level_fallbacks_total", "How often a run, or a sub-workflow in it, went on with the next of its fallback levels.", "workflow")

	m.nodes = m.counter("nodes_total", "Nodes that ended, or began to wait, by how. A node with items is counted once.", "workflow", "node", "status")
	m.items = m.counter("node_items_total", "Items of nodes that ended, by how.", "workflow", "node", "status")
	m.nodeTime = m.histogram("node_duration_seconds", "How long nodes and items took, attempts and the waits between them included.", callBuckets, "workflow", "node")
	m.attempts = m.counter("attempts_total", "Calls of plugins that ended, by whether they answered. Hedges that lost are not counted.", "workflow", "node", "plugin", "outcome")
	m.attemptTime = m.histogram("attempt_duration_seconds", "How long single calls of plugins took.", callBuckets, "workflow", "plugin", "outcome")
	m.failures = m.counter("attempt_failures_total", "Calls of plugins that failed, by the class and code of the error.", "workflow", "plugin", "class", "code")
	m.retries = m.counter("retries_total", "Calls of plugins that were made again after a failure.", "workflow", "node")
	m.fallbacks = m.counter("fallbacks_total", "How often a fallback of a node was asked.", "workflow", "node", "answerer")

	m.steps = m.counter("plugin_steps_total", "Metered steps of plugins: the work they did.", "workflow", "plugin")
	m.memory = m.histogram("plugin_memory_bytes", "The peak memory of single calls of plugins.", memoryBuckets, "workflow", "plugin")
	m.hostCalls = m.counter("plugin_host_calls_total", "What plugins asked of the host, by kind: http, config, vars, logs, files, sleeps.", "workflow", "plugin", "kind")
	m.httpBytes = m.counter("plugin_http_bytes_total", "Bytes of HTTP bodies that plugins sent and received.", "workflow", "plugin")
	m.httpCalls = m.counter("plugin_http_requests_total", "HTTP requests of plugins, by the class of the answer's status (2xx, …, or error).", "workflow", "node", "status")
	m.httpTime = m.histogram("plugin_http_request_duration_seconds", "How long HTTP requests of plugins took.", requestBuckets, "workflow", "node")
	m.logLines = m.counter("plugin_log_lines_total", "Lines that plugins logged.", "workflow", "plugin", "level")

	m.breakers = m.counter("breaker_changes_total", "Changes of circuit breakers, by the state they came into.", "workflow", "breaker", "to")
	m.swaps = m.counter("plugin_swaps_total", "Swaps of plugins, by outcome: swapped, trial, refused, unchanged.", "workflow", "plugin", "mode", "outcome")
	m.trials = m.counter("plugin_trials_total", "Canaries and shadows that ended, by outcome: promoted, rolled_back or ended.", "workflow", "plugin", "mode", "outcome")
	m.rollbacks = m.counter("plugin_rollbacks_total", "Plugins that went back to the version before.", "workflow", "plugin")
	m.due = m.counter("schedule_due_total", "Times at which a schedule was due, by what became of it.", "workflow", "outcome")
	m.alerts = m.counter("alerts_total", "Alerts of workflows that began or ceased.", "workflow", "alert", "state")
	m.alertsSent = m.counter("alert_messages_total", "Messages of alerts, by whether they were delivered.", "workflow", "outcome")

	m.served = m.counter("http_requests_total", "Requests that the server answered.", "route", "method", "code")
	m.servedTime = m.histogram("http_request_duration_seconds", "How long the server took to answer, event streams apart.", requestBuckets, "route")
	m.watchers = prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "event_streams", Help: "Event streams that are open."})
	m.spans = prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "spans_exported_total", Help: "Spans that a collector has taken."})
	m.spansLost = m.counter("spans_dropped_total", "Spans that no collector got, by reason: queue (it was full), export (the collector did not take them), closed.", "reason")
	m.recordsLost = prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "log_records_dropped_total", Help: "Log records that could not be written as fast as they came."})
	build := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": label(version), "goversion": runtime.Version()}})
	build.Set(1)
	m.registry.MustRegister(m.watchers, m.spans, m.recordsLost, build, &polled{s, m},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

const namespace = "wasmhost"

func (m *metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *metrics) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(v)
	return v
}

// handler answers scrapes. A metric that cannot be collected does not keep the
// others away.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 8, Timeout: 20 * time.Second})
}
