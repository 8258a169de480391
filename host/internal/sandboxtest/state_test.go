package sandboxtest

import (
	"context"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/plugin"
)

// TestNothingIsLeftBehind: what one call leaves in memory, globals, tables,
// vars, blocks and descriptors, the next one does not find, however the first
// one ended, and whichever way instances are taken back.
func TestNothingIsLeftBehind(t *testing.T) {
	shown, _ := folder(t)
	secret := "secret of the call before"
	for _, reset := range []string{plugin.ResetCall, plugin.ResetInstance} {
		for _, c := range []struct {
			guest, function string
			deadline        time.Duration
			want, clean     answer
		}{
			{"host/leave.c", "run", 0, answer{output: secret}, answer{output: "00000"}},
			{"host/leave.c", "fails", 0, answer{text: secret}, answer{output: "00000"}},
			{"host/leave.c", "traps", 0, trapped, answer{output: "00000"}},
			{"host/leave.c", "spins", hang, stopped, answer{output: "00000"}},
			{"host/leave-table.wat", "run", 0, answer{}, answer{}},
		} {
			t.Run(reset+"_"+c.guest[5:]+"_"+c.function, func(t *testing.T) {
				a := attack{guest: c.guest, change: func(s *plugin.Spec) {
					s.Reset = reset
					s.Limits.Instances = 1 // the same one, where it is used again
					shows(shown, false)(s)
				}}
				rt := plugin.NewRuntime(plugin.Config{})
				defer rt.Close(context.Background())
				p, err := rt.Load(t.Context(), a.spec(t))
				if err != nil {
					t.Fatal(err)
				}
				for range 3 {
					limit := patience
					if c.deadline != 0 {
						limit = c.deadline
					}
					ctx, cancel := context.WithTimeout(t.Context(), limit)
					got, err := p.Call(ctx, plugin.Call{Function: c.function})
					cancel()
					if err := c.want.check(got, err); err != nil {
						t.Fatal(err)
					}
					if err := c.clean.check(p.Call(t.Context(), plugin.Call{Function: "look"})); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// TestOneCallDoesNotSeeAnother: two calls at the same time share nothing.
func TestOneCallDoesNotSeeAnother(t *testing.T) {
	a := attack{guest: "host/leave.c"}
	rt := plugin.NewRuntime(plugin.Config{})
	defer rt.Close(context.Background())
	p, err := rt.Load(t.Context(), a.spec(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := p.Call(ctx, plugin.Call{Function: "spins"})
		ended <- err
	}()
	for range 20 {
		if err := (answer{output: "00000"}).check(p.Call(t.Context(), plugin.Call{Function: "look"})); err != nil {
			t.Error(err)
		}
	}
	cancel()
	if err := (answer{code: "cancelled", class: event.Unknown, unknown: true, text: `.`}).check(plugin.Answer{}, <-ended); err != nil {
		t.Error(err)
	}
}
