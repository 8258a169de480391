package host

import (
	"wasmhost/host/event"
	"wasmhost/host/internal/alert"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/internal/telemetry"
)

// observer is who looks at a Host that serves: metrics and traces, and alerts.
// The nil one sees nothing.
type observer struct {
	telemetry *telemetry.Telemetry
	alerts    *alert.Alerts
}

func (o *observer) event(e *event.Event) {
	if o != nil {
		o.telemetry.Emit(e)
	}
}

func (o *observer) begin(r *Run) {
	if o != nil {
		o.telemetry.Begin(r.id, r.generation)
	}
}

// left is told when this process does not work on a run any more, after its end.
func (o *observer) left(r *Run) {
	if o == nil {
		return
	}
	if r.result != nil && r.result.Status.Ended() {
		o.alerts.Ended(r.workflow.plan.Name, r.id, r.result.Status)
	}
	o.telemetry.Left(r.id)
}

func (o *observer) breaker(root, from, to string, s event.BreakerState) {
	if o != nil {
		o.telemetry.Breaker(root, from, to, s)
		o.alerts.Breaker(root, s.Key, to)
	}
}

func (o *observer) report(root string, r *event.Report) {
	if o != nil {
		o.alerts.Health(root, r)
	}
}

func (o *observer) swap(e *entry, r *SwapReport) {
	if o != nil {
		bare := *r
		bare.Plugin = e.at.address
		o.telemetry.Swap(e.at.root, &bare)
	}
}

func (o *observer) trialEnded(e *entry, r *event.TrialResult) {
	if o != nil {
		o.telemetry.TrialEnded(e.at.root, e.at.address, r)
	}
}

func (o *observer) rolledBack(e *entry) {
	if o != nil {
		o.telemetry.RolledBack(e.at.root, e.at.address)
	}
}

// alert is told of every alert, sent of what became of a message about one.

func (o *observer) alert(a alert.Alert) {
	o.telemetry.Alert(a.Workflow, a.Type, a.To == "unhealthy" || a.To == "open" || a.To == "below")
}

func (o *observer) sent(a alert.Alert, err error) { o.telemetry.AlertSent(a.Workflow, err) }

// traceParent and exchanged are the ends of a trace in plugins' requests.

func (o *observer) traceParent(m plugin.Meta) string {
	if o == nil || m.RunID == "" {
		return ""
	}
	return o.telemetry.TraceParent(placeOf(m))
}

func (o *observer) exchanged(m plugin.Meta, x plugin.HTTPExchange) {
	if o == nil || m.RunID == "" {
		return
	}
	o.telemetry.HTTP(placeOf(m), x.Plugin, telemetry.HTTPExchange{TraceParent: x.TraceParent, Method: x.Method, URL: x.URL, Status: x.Status, Code: x.Code,
		Start: x.Start, End: x.End, Sent: x.Sent, Received: x.Received})
}

func placeOf(m plugin.Meta) telemetry.Place {
	return telemetry.Place{Run: m.RunID, Workflow: m.Workflow, Node: m.Node, Attempt: m.Attempt}
}
