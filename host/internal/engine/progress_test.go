package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/enginetest"
	"wasmhost/host/workflow"
)

// hand feeds a Progress by hand.
type hand struct {
	*engine.Progress
	open map[string]engine.Command // calls, checks and pauses without an answer
}

func newHand(plan *workflow.Plan) *hand {
	return &hand{engine.NewProgress(context.Background(), plan, "r", event.Text("in"), time.Unix(0, 0), engine.Options{}), map[string]engine.Command{}}
}

var kinds = []string{"open", "close", "check", "call", "pause", "stop", "kill", "started", "ended", "level", "ask"}

// take is what Progress wants, in short.
func (h *hand) take() string {
	var all []string
	for {
		c, ok := h.Take()
		if !ok {
			return strings.Join(all, " ")
		}
		s := kinds[c.Kind]
		if c.Node != nil {
			s += ":" + c.Path()
		}
		switch c.Kind {
		case engine.Call, engine.Check, engine.Pause:
			h.open[s] = *c
		case engine.Ended:
			s += "=" + string(c.Result.Status)
		}
		all = append(all, s)
	}
}

func (h *hand) called(path string, r event.NodeResult) string {
	c, ok := h.open["call:"+path]
	if !ok {
		panic(fmt.Sprintf("nobody asked to call %s: %v", path, h.open))
	}
	delete(h.open, "call:"+path)
	h.Called(c.Flow, c.Node, c.Item, &r)
	return h.take()
}

var good = event.NodeResult{Status: event.Succeeded, Attempts: 1}

func bad(class string) event.NodeResult {
	return event.NodeResult{Status: event.Failed, Attempts: 1, Error: &event.Error{Class: class, Code: "boom", Message: "boom"}}
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestProgressChain(t *testing.T) {
	h := newHand(enginetest.Plan("w", enginetest.Node("a"), enginetest.Node("b", enginetest.Needs("a"))))
	expect(t, h.take(), "open call:a")
	expect(t, h.called("a", good), "ended:a=succeeded call:b")
	if h.Over() {
		t.Error("over too early")
	}
	expect(t, h.called("b", good), "ended:b=succeeded close")
	if l := h.Root().Level(); !h.Over() || l.Status != event.Succeeded || len(l.Nodes) != 2 {
		t.Errorf("%+v", l)
	}
}

func TestProgressStop(t *testing.T) {
	h := newHand(enginetest.Plan("w", enginetest.Node("a"), enginetest.Node("b"), enginetest.Node("c", enginetest.Needs("a"))))
	expect(t, h.take(), "open call:a call:b")
	expect(t, h.called("a", bad(event.Permanent)), "ended:a=failed stop ended:c=skipped")
	expect(t, h.called("b", event.NodeResult{Status: event.Cancelled}), "ended:b=cancelled close")
}

func TestProgressCancel(t *testing.T) {
	h := newHand(enginetest.Plan("w", enginetest.Gate("h"), enginetest.Node("a"), enginetest.Level(enginetest.Plan("l", enginetest.Node("x")))))
	expect(t, h.take(), "open check")
	h.Cancel(errors.New("enough"))
	expect(t, h.take(), "kill")
	h.Checked(h.open["check"].Flow, &event.Report{})
	expect(t, h.take(), "ended:a=cancelled close")
	if l := h.Root().Level(); l.Status != event.Cancelled || l.Error.Message != "enough" {
		t.Errorf("%+v", l)
	}
	h.Cancel(errors.New("again"))
	h.Expire(h.Root())
	expect(t, h.take(), "")
}

func TestProgressLevels(t *testing.T) {
	h := newHand(enginetest.Plan("w", enginetest.Node("a"), enginetest.Level(enginetest.Plan("l", enginetest.Node("x")))))
	h.take()
	expect(t, h.called("a", bad(event.Transient)), "ended:a=failed stop level open call:x")
	expect(t, h.called("x", good), "ended:x=succeeded close close")
	if l := h.Root().Level(); l.Status != event.Degraded || len(l.Levels) != 2 {
		t.Errorf("%+v", l)
	}
}

func TestProgressRounds(t *testing.T) {
	h := newHand(enginetest.Plan("w", enginetest.RunRetry(1, time.Second), enginetest.Node("a"), enginetest.Node("b", enginetest.Needs("a"))))
	h.take()
	h.called("a", good)
	expect(t, h.called("b", bad(event.Transient)), "ended:b=failed stop pause")
	h.Paused(h.open["pause"].Flow)
	expect(t, h.take(), "call:b")
	h.Paused(h.open["pause"].Flow) // once more than asked: nothing
	expect(t, h.take(), "")
	expect(t, h.called("b", good), "ended:b=succeeded close")
	if n := h.Root().Level().Nodes["b"].Attempts; n != 2 {
		t.Errorf("%d attempts", n)
	}
}

func TestProgressItems(t *testing.T) {
	h := newHand(enginetest.Plan("w", enginetest.Node("e", enginetest.ForEach([]any{1, 2, 3, 4}, 2, 0.5))))
	expect(t, h.take(), "open started:e call:e[0] call:e[1]")
	expect(t, h.called("e[1]", good), "ended:e[1]=succeeded call:e[2]")
	expect(t, h.called("e[2]", bad(event.Permanent)), "ended:e[2]=failed call:e[3]")
	c := h.open["call:e[3]"]
	h.ExpireNode(c.Flow, c.Node)
	expect(t, h.take(), "stop:e")
	expect(t, h.called("e[3]", event.NodeResult{Status: event.Cancelled, Attempts: 1}), "ended:e[3]=failed")
	expect(t, h.called("e[0]", event.NodeResult{Status: event.Succeeded, Attempts: 1}), "ended:e[0]=succeeded ended:e=degraded close")
}

func TestProgressSub(t *testing.T) {
	sub := enginetest.Plan("sub", enginetest.Node("x"))
	h := newHand(enginetest.Plan("w", enginetest.Node("s", enginetest.Sub(sub), enginetest.Fallback("f"))))
	expect(t, h.take(), "open started:s open call:s/x")
	expect(t, h.called("s/x", bad(event.System)), "ended:s/x=failed stop close call:s")
	if c := h.open["call:s"]; c.From != 1 || c.Prior == nil || c.Prior.Error.Class != event.System {
		t.Errorf("%+v", c)
	}
	expect(t, h.called("s", event.NodeResult{Status: event.Degraded, Attempts: 2}), "ended:s=degraded close")
}
