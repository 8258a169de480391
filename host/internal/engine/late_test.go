package engine_test

import (
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/enginetest"
	"wasmhost/host/internal/health"
	"wasmhost/host/workflow"
)

// TestAnswerAfterTheDeadline: who approves when the time is over is told so,
// although nobody worked on the run when it passed.
func TestAnswerAfterTheDeadline(t *testing.T) {
	approval := func(n *workflow.Node) {
		n.Kind, n.Approval, n.Deadline = workflow.ApprovalNode, "Well?", time.Hour
	}
	for name, plan := range map[string]*workflow.Plan{
		"of the approval": enginetest.Plan("w", enginetest.Node("ask"), func(p *workflow.Plan) { approval(&p.Nodes[0]) }, enginetest.Node("after", enginetest.Needs("ask"))),
		"of the run": enginetest.Plan("w", enginetest.RunDeadline(time.Hour), enginetest.Node("ask"), func(p *workflow.Plan) { approval(&p.Nodes[0]); p.Nodes[0].Deadline = 0 },
			enginetest.Node("after", enginetest.Needs("ask"))),
	} {
		for _, verdict := range []engine.Verdict{engine.Approve, engine.Reject} {
			t.Run(name+", "+string(verdict), func(t *testing.T) {
				alive(t, plan, enginetest.Plugins{"after": enginetest.Func(enginetest.Echo)}, func(t *testing.T, l *life) {
					if o := l.process(0, 2*time.Hour); o.Result.Status != event.Waiting {
						t.Fatalf("%s: %v", o.Result.Status, o.Result.Error)
					}
					caller := call.NewCaller(l.plugins, call.NewShared(nil, nil), nil)
					local := &engine.Local{Caller: caller, Health: health.NewMonitor(caller, nil)}
					c := engine.NewControl()
					var said *event.Error
					c.Decide(engine.Decision{Verdict: verdict}, func(err *event.Error) { said = err })
					o, err := local.Run(t.Context(), engine.Start{ID: "r", Plan: l.plan, Input: event.Text("in"), Journal: l.book, Parks: true, Emit: l.book.emit,
						History: l.book.entries, Control: c})
					if err != nil || o.Result.Status != event.Failed || o.Result.Error.Code != "deadline" {
						t.Errorf("%v, %s: %v", err, o.Result.Status, o.Result.Error)
					}
					if said == nil || said.Code != "run_ended" && said.Code != "not_waiting" {
						t.Errorf("the answer: %v", said)
					}
				})
			})
		}
	}
}
