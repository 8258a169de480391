package telemetry

import (
	"net/http"
	"strconv"
	"time"

	"wasmhost/host/event"
)

// observe counts an event of a run of a root workflow. call is how long the attempt
// took that answered, of node.succeeded.
func (m *metrics) observe(root string, e *event.Event, call time.Duration) {
	switch e.Type {
	case event.RunStarted:
		m.started.WithLabelValues(m.workflows.of(root)).Inc()
	case event.RunResumed:
		m.resumed.WithLabelValues(m.workflows.of(root)).Inc()
	case event.RunFinished:
		w := m.workflows.of(root)
		m.runs.WithLabelValues(w, m.names.of(string(e.Status))).Inc()
		m.runTime.WithLabelValues(w).Observe(e.DurationMS / 1e3)
	case event.NodeAttemptFailed:
		s := m.series.of(root, e.Node, e.Plugin)
		m.attempt(s, e, failed, e.DurationMS/1e3)
		if e.Error != nil {
			m.failures.WithLabelValues(s.workflow, s.plugin, m.names.of(e.Error.Class), m.codes.of(e.Error.Code)).Inc()
		}
	case event.NodeRetrying:
		switch {
		case e.Plugin == "": // the whole run, or a sub-workflow in it
			m.runRetries.WithLabelValues(m.workflows.of(root)).Inc()
		case e.Reason == "": // else the wait goes on in another process, and was counted there
			s := m.series.of(root, e.Node, e.Plugin)
			s.count(&s.retries, m.retries, 1, s.workflow, s.node)
		}
	case event.FallbackUsed:
		if e.AnsweredBy == "" {
			m.levels.WithLabelValues(m.workflows.of(root)).Inc()
			return
		}
		s := m.series.of(root, e.Node, e.Plugin)
		m.fallbacks.WithLabelValues(s.workflow, s.node, m.names.of(e.AnsweredBy)).Inc()
	case event.NodeSucceeded:
		s := m.series.of(root, e.Node, e.Plugin)
		m.ended(s, e)
		if byPlugin(e) {
			m.attempt(s, e, answered, call.Seconds())
		}
	case event.NodeFailed, event.NodeSkipped, event.NodeWaiting:
		m.ended(m.series.of(root, e.Node, e.Plugin), e)
	case event.Log:
		s := m.series.of(root, e.Node, e.Plugin)
		m.logLines.WithLabelValues(s.workflow, s.plugin, m.names.of(e.LogLevel)).Inc()
	}
}

// byPlugin reports whether a plugin's call gave the output of a node or item: no
// value, no sub-workflow, no person, and not the items together.
func byPlugin(e *event.Event) bool { return e.Digest != "" && e.AnsweredBy != "" }

// ended counts a node or item. One that began to wait has not ended, and has no
// duration.
func (m *metrics) ended(s *series, e *event.Event) {
	at := place(e.Status)
	if at < 0 {
		return
	}
	if isItem(e.Node) {
		s.count(&s.items[at], m.items, 1, s.workflow, s.node, string(e.Status))
	} else {
		s.count(&s.nodes[at], m.nodes, 1, s.workflow, s.node, string(e.Status))
	}
	if e.Type == event.NodeSucceeded || e.Type == event.NodeFailed {
		s.observe(&s.nodeTime, m.nodeTime, e.DurationMS/1e3, s.workflow, s.node)
	}
}

// attempt counts a call of a plugin and what it used.
func (m *metrics) attempt(s *series, e *event.Event, outcome int, seconds float64) {
	s.count(&s.attempts[outcome], m.attempts, 1, s.workflow, s.node, s.plugin, outcomes[outcome])
	s.observe(&s.attemptTime[outcome], m.attemptTime, seconds, s.workflow, s.plugin, outcomes[outcome])
	if e.Steps > 0 {
		s.count(&s.steps, m.steps, float64(e.Steps), s.workflow, s.plugin)
	}
	if e.MemoryBytes > 0 {
		s.observe(&s.memory, m.memory, float64(e.MemoryBytes), s.workflow, s.plugin)
	}
	if c := e.HostCalls; c != nil {
		m.asked(s, "http", c.HTTP)
		m.asked(s, "config", c.Config)
		m.asked(s, "vars", c.Vars)
		m.asked(s, "logs", c.Logs)
		m.asked(s, "files", c.Files)
		m.asked(s, "sleeps", c.Sleeps)
		if c.HTTPBytes > 0 {
			m.httpBytes.WithLabelValues(s.workflow, s.plugin).Add(float64(c.HTTPBytes))
		}
	}
}

func (m *metrics) asked(s *series, kind string, n uint64) {
	if n > 0 {
		m.hostCalls.WithLabelValues(s.workflow, s.plugin, kind).Add(float64(n))
	}
}

// swapped counts what became of a swap.
func (m *metrics) swapped(workflow string, r *event.SwapReport) {
	outcome := "swapped"
	switch {
	case r.Refused != nil:
		outcome = "refused"
	case r.Unchanged:
		outcome = "unchanged"
	case r.Mode == event.SwapCanary || r.Mode == event.SwapShadow:
		outcome = "trial"
	}
	mode := r.Mode
	if mode == "" {
		mode = event.SwapNow
	}
	m.swaps.WithLabelValues(m.workflows.of(workflow), m.plugins.of(r.Plugin), m.names.of(string(mode)), outcome).Inc()
}

// exchange counts a request of a plugin.
func (m *metrics) exchange(workflow, path string, x *HTTPExchange) {
	s := m.series.of(workflow, path, "")
	status := "error"
	if x.Status >= 100 && x.Status < 600 && x.Code == "" {
		status = strconv.Itoa(x.Status/100) + "xx"
	}
	m.httpCalls.WithLabelValues(s.workflow, s.node, status).Inc()
	m.httpTime.WithLabelValues(s.workflow, s.node).Observe(max(x.End.Sub(x.Start), 0).Seconds())
}

// answer counts a request that the server answered.
func (m *metrics) answer(route, method string, status int, d time.Duration) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete:
	default:
		method = other // anybody may send anything
	}
	code := other
	if status >= 100 && status < 600 {
		code = strconv.Itoa(status)
	}
	route = m.names.of(route)
	m.served.WithLabelValues(route, method, code).Inc()
	m.servedTime.WithLabelValues(route).Observe(d.Seconds())
}
