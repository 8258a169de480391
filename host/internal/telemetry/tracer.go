package telemetry

import (
	"net/url"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"wasmhost/host/event"
)

// tracer makes spans of events: a run has nodes, a node has items or the nodes of a
// sub-workflow, and attempts, and an attempt has the plugin's requests. A span is
// made when it is over, with the ids that it had all along.
type tracer struct {
	sampler sdktrace.Sampler // nil: every run
	queue   *queue
}

// newTracer exports to where the settings say.
func newTracer(s *traceSettings, version string, m *metrics, log *recorder) (*tracer, error) {
	q, err := newQueue(s, version, m, log)
	if err != nil {
		return nil, err
	}
	return &tracer{sampler: s.sampler, queue: q}, nil
}

// samples reports whether a trace is exported: all of it, in every process.
func (t *tracer) samples(id traceID) bool {
	return t.sampler == nil ||
		t.sampler.ShouldSample(sdktrace.SamplingParameters{TraceID: [16]byte(id)}).Decision == sdktrace.RecordAndSample
}

// take makes the spans that an event ends. call is how long the attempt took that
// answered, of node.succeeded.
func (t *tracer) take(r *run, e *event.Event, call time.Duration) {
	switch e.Type {
	case event.NodeAttemptFailed, event.NodeSucceeded, event.NodeFailed, event.RunFinished:
	default:
		return
	}
	trace := traceOf(e.Run)
	if !t.samples(trace) {
		return
	}
	if e.Type == event.RunFinished {
		t.queue.add(runEnded(r, e, trace))
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.nodes[e.Node]
	if n == nil || !n.of(e.Workflow) {
		n = &node{}
	}
	own := nodeSpan(e.Run, r.generation, e.Node, r.round(e.Node))
	if e.Type == event.NodeAttemptFailed || e.Type == event.NodeSucceeded && byPlugin(e) {
		took, number := call, n.attempt
		if e.Type == event.NodeAttemptFailed {
			took = milliseconds(e.DurationMS)
		}
		if e.Type == event.NodeAttemptFailed || number == 0 {
			number = e.Attempt
		}
		t.queue.add(attemptEnded(r, e, trace, own, number, took))
	}
	if e.Type == event.NodeAttemptFailed {
		return
	}
	up := runSpan(e.Run, r.generation)
	if path := parentPath(e.Node); path != "" {
		up = nodeSpan(e.Run, r.generation, path, r.round(path))
	}
	t.queue.add(nodeEnded(n, e, trace, own, up))
}

func runEnded(r *run, e *event.Event, trace traceID) *span {
	start := e.Time.Add(-milliseconds(e.DurationMS))
	if e.Result != nil && !e.Result.StartedAt.IsZero() {
		start = e.Result.StartedAt
	}
	r.mu.Lock()
	notes := r.notes
	r.mu.Unlock()
	s := &span{trace: trace, id: runSpan(e.Run, r.generation), name: "run " + r.workflow(e.Workflow), start: start, end: e.Time, notes: notes,
		attrs: attrs(attr{key: "wasmhost.run", text: e.Run}, attr{key: "wasmhost.workflow", text: r.workflow(e.Workflow)},
			attr{key: "wasmhost.status", text: string(e.Status)}, attr{key: "wasmhost.level", number: int64(e.Level)},
			attr{key: "wasmhost.generation", number: int64(r.generation)})}
	return s.fail(e, e.Status == event.Failed || e.Status == event.Refused)
}

func nodeEnded(n *node, e *event.Event, trace traceID, id, parent spanID) *span {
	start := e.Time.Add(-milliseconds(e.DurationMS))
	if !n.start.IsZero() && n.start.Before(start) { // before its process died
		start = n.start
	}
	name := "node " + e.Node
	if isItem(e.Node) {
		name = "item of " + parentPath(e.Node)
	}
	s := &span{trace: trace, id: id, parent: parent, name: name, start: start, end: e.Time, notes: n.notes,
		attrs: attrs(attr{key: "wasmhost.run", text: e.Run}, attr{key: "wasmhost.workflow", text: e.Workflow}, attr{key: "wasmhost.node", text: e.Node},
			attr{key: "wasmhost.status", text: string(e.Status)}, attr{key: "wasmhost.plugin", text: e.Plugin},
			attr{key: "wasmhost.answered_by", text: e.AnsweredBy}, attr{key: "wasmhost.attempts", number: int64(e.Attempt)})}
	return s.fail(e, e.Status == event.Failed)
}

func attemptEnded(r *run, e *event.Event, trace traceID, parent spanID, number int, took time.Duration) *span {
	s := &span{trace: trace, id: attemptSpan(r.generation, Place{Run: e.Run, Workflow: e.Workflow, Node: e.Node, Attempt: number}), parent: parent,
		name: "attempt " + e.Plugin, start: e.Time.Add(-took), end: e.Time,
		attrs: attrs(attr{key: "wasmhost.run", text: e.Run}, attr{key: "wasmhost.node", text: e.Node}, attr{key: "wasmhost.attempt", number: int64(number)},
			attr{key: "wasmhost.plugin", text: e.Plugin}, attr{key: "wasmhost.function", text: e.Function}, attr{key: "wasmhost.digest", text: e.Digest},
			attr{key: "wasmhost.steps", number: int64(min(e.Steps, 1<<62))}, attr{key: "wasmhost.memory_bytes", number: int64(min(e.MemoryBytes, 1<<62))})}
	return s.fail(e, e.Type == event.NodeAttemptFailed)
}

// fail adds the event's error, if there is one.
func (s *span) fail(e *event.Event, failed bool) *span {
	s.failed = failed
	if e.Error != nil {
		s.attrs = append(s.attrs, attrs(attr{key: "error.type", text: e.Error.Class}, attr{key: "wasmhost.error.code", text: e.Error.Code})...)
		if failed {
			s.message = shortened(e.Error.Error())
		}
	}
	return s
}

// exchange makes the span of a plugin's request.
func (t *tracer) exchange(generation int, p Place, plugin string, x *HTTPExchange) {
	trace := traceOf(p.Run)
	if !t.samples(trace) {
		return
	}
	s := &span{trace: trace, id: spanOf(x.TraceParent), parent: askerSpan(generation, p), name: x.Method, client: true, start: x.Start, end: x.End,
		attrs: attrs(attr{key: "http.request.method", text: x.Method}, attr{key: "url.full", text: bare(x.URL)},
			attr{key: "http.response.status_code", number: int64(x.Status)}, attr{key: "error.type", text: x.Code},
			attr{key: "http.request.body.size", number: x.Sent}, attr{key: "http.response.body.size", number: x.Received},
			attr{key: "wasmhost.run", text: p.Run}, attr{key: "wasmhost.node", text: p.Node}, attr{key: "wasmhost.plugin", text: plugin})}
	if s.id == (spanID{}) {
		s.id = anySpan() // nothing names it
	}
	s.failed = x.Code != "" || x.Status >= 400
	t.queue.add(s)
}

// bare is a URL without what may be secret in it.
func bare(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return u.String()
}
