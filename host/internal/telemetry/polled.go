package telemetry

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"wasmhost/host/event"
)

// polled collects at every scrape what the sources say.
type polled struct {
	Sources
	m *metrics
}

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

var (
	liveDesc      = gauge("runs_live", "Runs that this process works on now.", "workflow")
	breakerDesc   = gauge("breaker_state", "1 for the state in which a circuit breaker is, 0 for the others.", "workflow", "breaker", "state")
	healthyDesc   = gauge("workflow_healthy", "1 while every critical health check of a workflow is healthy, by its last report.", "workflow")
	checkDesc     = gauge("health_check_healthy", "1 while a health check is healthy, by the last report.", "workflow", "check", "critical")
	checkedDesc   = gauge("health_check_timestamp_seconds", "When a health check was last made.", "workflow", "check")
	nextDesc      = gauge("schedule_next_timestamp_seconds", "When a schedule is due next.", "workflow", "schedule")
	queuedDesc    = gauge("schedule_queued", "Times of a schedule that wait for the run before.", "workflow", "schedule")
	instancesDesc = gauge("plugin_instances", "Instances of plugins, by what they do: ready or working; waiting are calls that want one.", "plugin", "state")
	modulesDesc   = gauge("modules_compiled", "Modules that are held compiled.")
	moduleDesc    = gauge("modules_compiled_bytes", "Their size, as Wasm.")
	backlogDesc   = gauge("journal_backlog_records", "Records that wait for their commit.")
	sizeDesc      = gauge("journal_size_bytes", "The size of the journal's files.", "file")
	failedDesc    = gauge("journal_failed", "1 when the journal does not write any more.")
	commitsDesc   = gauge("journal_commits_total", "Commits of the journal.")
	recordsDesc   = gauge("journal_records_total", "Records that the journal has committed.")
)

// Describe names what may be collected.
func (p *polled) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{liveDesc, breakerDesc, healthyDesc, checkDesc, checkedDesc, nextDesc, queuedDesc, instancesDesc,
		modulesDesc, moduleDesc, backlogDesc, sizeDesc, failedDesc, commitsDesc, recordsDesc} {
		to <- d
	}
}

// Collect asks the sources.
func (p *polled) Collect(to chan<- prometheus.Metric) {
	g := gathered{to: to, seen: map[sample]bool{}}
	if p.Live != nil {
		for workflow, n := range p.Live() {
			g.gauge(liveDesc, float64(n), p.m.workflows.of(workflow))
		}
	}
	if p.Breakers != nil {
		for _, b := range p.Breakers() {
			for _, state := range []string{"closed", "half_open", "open"} {
				g.gauge(breakerDesc, truth(b.State == state), p.m.workflows.of(b.Workflow), p.m.names.of(b.Key), state)
			}
		}
	}
	if p.Health != nil {
		p.health(&g, p.Health())
	}
	if p.Schedules != nil {
		for _, s := range p.Schedules() {
			at := []string{p.m.workflows.of(s.Workflow), strconv.Itoa(s.Index)}
			if len(s.Next) > 0 {
				g.gauge(nextDesc, float64(s.Next[0].Unix()), at...)
			}
			g.gauge(queuedDesc, float64(s.Queued), at...)
		}
	}
	if p.Plugins != nil {
		sums := map[string]Instances{}
		for _, i := range p.Plugins() {
			name := p.m.plugins.of(i.Plugin)
			s := sums[name]
			sums[name] = Instances{Ready: s.Ready + i.Ready, Working: s.Working + i.Working, Waiting: s.Waiting + i.Waiting}
		}
		for name, s := range sums {
			g.gauge(instancesDesc, float64(s.Ready), name, "ready")
			g.gauge(instancesDesc, float64(s.Working), name, "working")
			g.gauge(instancesDesc, float64(s.Waiting), name, "waiting")
		}
	}
	if p.Modules != nil {
		m := p.Modules()
		g.gauge(modulesDesc, float64(m.Count))
		g.gauge(moduleDesc, float64(m.Bytes))
	}
	if p.Journal != nil {
		j := p.Journal()
		g.gauge(backlogDesc, float64(j.Backlog))
		g.gauge(sizeDesc, float64(j.Bytes), "database")
		g.gauge(sizeDesc, float64(j.WALBytes), "wal")
		g.gauge(failedDesc, truth(j.Failed))
		g.send(commitsDesc, prometheus.CounterValue, float64(j.Commits))
		g.send(recordsDesc, prometheus.CounterValue, float64(j.Records))
	}
}

func (p *polled) health(g *gathered, all []event.HealthInfo) {
	for _, h := range all {
		workflow := p.m.workflows.of(h.Workflow)
		g.gauge(healthyDesc, truth(h.Healthy), workflow)
		if len(h.Reports) == 0 {
			continue
		}
		for name, c := range h.Reports[len(h.Reports)-1].Checks {
			check := p.m.names.of(name)
			g.gauge(checkDesc, truth(c.Healthy), workflow, check, strconv.FormatBool(c.Critical))
			g.gauge(checkedDesc, float64(c.Timestamp.Unix()), workflow, check)
		}
	}
}

// gathered sends metrics, each set of labels once: a scrape with two of the same
// is refused, and names beyond the most have the same.
type gathered struct {
	to   chan<- prometheus.Metric
	seen map[sample]bool
}

type sample struct {
	desc   *prometheus.Desc
	labels [3]string
}

func (g *gathered) gauge(d *prometheus.Desc, value float64, labels ...string) {
	g.send(d, prometheus.GaugeValue, value, labels...)
}

func (g *gathered) send(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
	key := sample{desc: d}
	copy(key.labels[:], labels)
	if g.seen[key] {
		return
	}
	g.seen[key] = true
	g.to <- prometheus.MustNewConstMetric(d, kind, value, labels...)
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
