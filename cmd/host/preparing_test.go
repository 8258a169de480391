package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wasmhost/host/event"
)

// A first run that is silent says why, once; one that gets on says nothing.
func TestFirstRun(t *testing.T) {
	tests := []struct {
		name   string
		answer event.Type
		after  time.Duration
		loads  int
		says   bool
	}{
		{"a plugin answers at once", event.NodeSucceeded, patience / 2, 1, false},
		{"an attempt fails at once", event.NodeAttemptFailed, patience / 2, 1, false},
		{"the start of a node is no answer", event.NodeStarted, patience / 2, 1, true},
		{"nothing for a while", event.NodeSucceeded, 2 * patience, 1, true},
		{"a slow plugin that is loaded", event.NodeSucceeded, 2 * patience, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				p := newFirstRun(&plain{w: &out}, func() int { return tt.loads })
				p.Emit(&event.Event{Type: event.RunStarted, Workflow: "w"})
				time.Sleep(tt.after)
				p.Emit(&event.Event{Type: tt.answer, Node: "a", Status: event.Succeeded})
				time.Sleep(10 * patience)
				p.Close("")
				if got := strings.Count(out.String(), "preparing plugins"); got > 1 || (got == 1) != tt.says {
					t.Errorf("said %d times:\n%s", got, &out)
				}
			})
		})
	}
}

func TestFirstRunThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newFirstRun(&plain{w: &out}, func() int { return 1 })
		p.Close("")
		time.Sleep(10 * patience)
		if out.Len() > 0 {
			t.Errorf("a run that is over says %q", &out)
		}
	})
}
