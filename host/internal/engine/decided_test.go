package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/enginetest"
	"wasmhost/host/internal/health"
)

// late is a book that keeps answers of people only when it is told to, all of
// them at once or one by one.
type late struct {
	book
	held chan func()
}

func (l *late) Keep(e engine.Entry, kept func(error)) {
	l.book.Keep(e, nil)
	if e.Mark != engine.MarkAnswer || kept == nil {
		if kept != nil {
			kept(nil)
		}
		return
	}
	l.held <- func() { kept(nil) }
}

// TestTwoDecisionsAtOnce: two people answer for the same node before either
// answer is kept. One counts; the other is told that it does not, whether its
// answer comes out of the journal together with the first or after the run.
func TestTwoDecisionsAtOnce(t *testing.T) {
	for name, together := range map[string]bool{"together": true, "one by one": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plan := enginetest.Plan("w", enginetest.Node("pay", enginetest.Once()), enginetest.Node("other"))
				plugins := enginetest.Plugins{"pay": enginetest.Func(enginetest.Fails(event.Permanent, call.OutcomeUnknown)),
					"other": enginetest.After(time.Hour, enginetest.Echo)}
				caller := call.NewCaller(plugins, call.NewShared(nil, nil), nil)
				local := &engine.Local{Caller: caller, Health: health.NewMonitor(caller, nil)}
				l := &late{held: make(chan func(), 10)}
				c := engine.NewControl()
				var said []*event.Error
				told := make(chan *event.Error, 2)
				ended := make(chan engine.Outcome, 1)
				go func() {
					o, err := local.Run(t.Context(), engine.Start{ID: "r", Plan: plan, Journal: l, Parks: true, Emit: l.emit, Control: c})
					if err != nil {
						t.Error(err)
					}
					ended <- o
				}()
				(<-l.held)() // pay's outcome: it waits now
				synctest.Wait()
				for range 2 {
					c.Decide(engine.Decision{Path: "pay", Verdict: engine.Approve}, func(err *event.Error) { told <- err })
				}
				first, second := <-l.held, <-l.held
				(<-l.held)() // other has ended
				synctest.Wait()
				first()
				if !together {
					synctest.Wait()
				}
				second()
				synctest.Wait()
				<-ended
				for range 2 {
					select {
					case err := <-told:
						said = append(said, err)
					default:
						t.Fatalf("somebody was never answered; told: %v", said)
					}
				}
				if said[0] != nil || said[1] == nil {
					t.Errorf("told %v and %v; one of them counted", said[0], said[1])
				}
			})
		})
	}
}
