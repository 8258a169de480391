package host

import (
	"sync"

	"wasmhost/host/event"
)

// metrics counts the runs of one root workflow and what their nodes did.
type metrics struct {
	mu    sync.Mutex
	runs  event.Metrics
	nodes map[string]*nodeCounts
}

type nodeCounts struct {
	event.NodeMetrics
	latencies latencies
}

func newMetrics() *metrics { return &metrics{nodes: map[string]*nodeCounts{}} }

// count adds a run that has ended, once.
func (m *metrics) count(r *event.Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runs.TotalExecutions++
	switch r.Status {
	case event.Succeeded, event.Degraded:
		m.runs.SuccessfulExecutions++
	case event.Refused:
		m.runs.RefusedExecutions++
	case event.Cancelled:
		m.runs.CancelledExecutions++
	default:
		m.runs.FailedExecutions++
	}
	for i := range r.Levels {
		m.level("", &r.Levels[i])
	}
}

func (m *metrics) level(prefix string, l *event.Level) {
	if len(l.Levels) > 0 {
		for i := range l.Levels {
			m.level(prefix, &l.Levels[i])
		}
		return
	}
	for id, r := range l.Nodes {
		m.node(prefix+id, r)
	}
}

func (m *metrics) node(path string, r *event.NodeResult) {
	if r.Run != nil {
		m.level(path+"/", r.Run)
	}
	for _, item := range r.Items {
		m.node(path, item)
	}
	s := &r.Stats
	calls := len(s.LatencyMS)
	if calls == 0 && s.Rejections == 0 && s.Fallbacks == 0 {
		return
	}
	n := m.nodes[path]
	if n == nil {
		n = &nodeCounts{}
		m.nodes[path] = n
	}
	n.Attempts += calls
	n.Retries += s.Retries
	n.Rejections += s.Rejections
	n.Fallbacks += s.Fallbacks
	for _, ms := range s.LatencyMS {
		n.latencies.add(ms)
	}
}

func (m *metrics) snapshot(breakers []event.BreakerState) event.Metrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.runs
	r.SuccessRatePercent = 100
	if n := r.SuccessfulExecutions + r.FailedExecutions; n > 0 {
		r.SuccessRatePercent = 100 * float64(r.SuccessfulExecutions) / float64(n)
	}
	r.CircuitBreakerState = make(map[string]string, len(breakers))
	for _, b := range breakers {
		r.CircuitBreakerState[b.Key] = b.State
	}
	if len(m.nodes) > 0 {
		r.Nodes = make(map[string]*event.NodeMetrics, len(m.nodes))
	}
	for path, n := range m.nodes {
		c := n.NodeMetrics
		c.LatencyMS = n.latencies.quantiles()
		r.Nodes[path] = &c
	}
	return r
}
