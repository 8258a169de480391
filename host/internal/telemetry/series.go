package telemetry

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"wasmhost/host/event"
)

// series are the metrics of one node, found once instead of for every event. Each
// comes into being with its first event, so that a scrape has no empty ones.
type series struct {
	m                      *metrics
	workflow, node, plugin string

	nodes, items [statuses]atomic.Pointer[prometheus.Counter]
	nodeTime     atomic.Pointer[prometheus.Observer]
	attempts     [2]atomic.Pointer[prometheus.Counter] // failed, answered
	attemptTime  [2]atomic.Pointer[prometheus.Observer]
	retries      atomic.Pointer[prometheus.Counter]
	steps        atomic.Pointer[prometheus.Counter]
	memory       atomic.Pointer[prometheus.Observer]
}

// The outcomes of an attempt.
const (
	failed = iota
	answered
)

var outcomes = [2]string{"failed", "answered"}

// counted are the statuses with which a node ends or waits.
var counted = [...]event.Status{event.Succeeded, event.Degraded, event.Failed, event.Skipped, event.Cancelled, event.Waiting}

const statuses = len(counted)

// place is the index of a status in counted, -1 when it is none of them.
func place(s event.Status) int {
	for i, c := range counted {
		if c == s {
			return i
		}
	}
	return -1
}

// seriesMap finds the series of a node.
type seriesMap struct {
	mu   sync.RWMutex
	by   map[string]*series
	rest map[string]*series // by workflow: what is beyond the most
	m    *metrics
}

// of is the series of a node of a root workflow, with the plugin that an event
// names. It allocates for the first event of a node only.
func (s *seriesMap) of(workflow, path, plugin string) *series {
	var room [192]byte
	b := append(append(room[:0], workflow...), 0)
	from := len(b)
	b = appendNode(b, path)
	to := len(b)
	b = append(append(b, 0), plugin...)
	s.mu.RLock()
	found := s.by[string(b)]
	s.mu.RUnlock()
	if found != nil {
		return found
	}
	return s.add(workflow, string(b[from:to]), plugin, string(b))
}

func (s *seriesMap) add(workflow, node, plugin, key string) *series {
	workflow, node = s.m.workflows.of(workflow), label(node)
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.by[key]; found != nil {
		return found
	}
	if len(s.by) >= mostNodes {
		found := s.rest[workflow]
		if found == nil {
			found = &series{m: s.m, workflow: workflow, node: other, plugin: other}
			s.rest[workflow] = found
		}
		return found
	}
	made := &series{m: s.m, workflow: workflow, node: node, plugin: s.m.plugins.of(plugin)}
	s.by[key] = made
	return made
}

// count adds one to a counter that is there from now on.
func (s *series) count(at *atomic.Pointer[prometheus.Counter], v *prometheus.CounterVec, by float64, labels ...string) {
	c := at.Load()
	if c == nil {
		made := v.WithLabelValues(labels...)
		c = &made
		at.Store(c)
	}
	(*c).Add(by)
}

func (s *series) observe(at *atomic.Pointer[prometheus.Observer], v *prometheus.HistogramVec, value float64, labels ...string) {
	o := at.Load()
	if o == nil {
		made := v.WithLabelValues(labels...)
		o = &made
		at.Store(o)
	}
	(*o).Observe(value)
}
