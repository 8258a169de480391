package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// A first run that is silent says why, once; one that gets on says nothing.
func TestFirstRun(t *testing.T) {
	tests := []struct {
		name   string
		answer event.Type
		after  time.Duration
		says   bool
	}{
		{"a plugin answers at once", event.NodeSucceeded, patience / 2, false},
		{"an attempt fails at once", event.NodeAttemptFailed, patience / 2, false},
		{"the start of a node is no answer", event.NodeStarted, patience / 2, true},
		{"nothing for a while", event.NodeSucceeded, 2 * patience, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				p := newFirstRun(&plain{w: &out})
				p.Emit(&event.Event{Type: event.RunStarted, Workflow: "w"})
				time.Sleep(tt.after)
				p.Emit(&event.Event{Type: tt.answer, Node: "a", Status: event.Succeeded})
				time.Sleep(10 * patience)
				p.Close()
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
		p := newFirstRun(&plain{w: &out})
		p.Close()
		time.Sleep(10 * patience)
		if out.Len() > 0 {
			t.Errorf("a run that is over says %q", &out)
		}
	})
}

// The line is for runs that compile: those whose plugins are not all kept. The
// place where they are kept is package host's; this notices when it moves.
func TestUncompiled(t *testing.T) {
	state, file := t.TempDir(), writeEndless(t)
	text := strings.Replace(endless, `"headline"`+"\nretry", `"run"`+"\nretry", 1)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	one := &workflow.Plan{Plugins: map[string]*workflow.Plugin{"a": {Source: "reader.wasm"}, "b": {Source: "reader.wasm"}}}
	two := &workflow.Plan{Plugins: map[string]*workflow.Plugin{"c": {Source: "builtin:uppercase"}}, Nodes: []workflow.Node{{Sub: one}}}
	cache := filepath.Join(state, "cache")
	if !uncompiled(cache, one) || !uncompiled("-", one) {
		t.Error("plugins are compiled before the first run")
	}
	var out, errout bytes.Buffer
	if exit := run(t.Context(), []string{"host", "run", file, "--state", state, "-o", "quiet"}, strings.NewReader(""), &out, &errout); exit != exitOK {
		t.Fatalf("exit code %d: %s", exit, &errout)
	}
	if uncompiled(cache, one) {
		t.Error("after a run its plugin is not compiled")
	}
	if !uncompiled(cache, two) {
		t.Error("a plugin of another workflow is compiled")
	}
}
