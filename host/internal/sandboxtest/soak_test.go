package sandboxtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"wasmhost/host/internal/plugin"
)

// TestSoak: calls, timeouts, loads and closes, and everything that attacks the
// memory of the host, until what the process holds would show what is lost by
// each. It is measured after a first part, and must be the same at the end.
//
//	SANDBOX_SOAK=1 go test -run TestSoak -v -timeout 60m ./host/internal/sandboxtest
//
// is the full length: 20,000 calls, 1,000 timeouts, 500 loads and closes.
// Otherwise it is a tenth.
func TestSoak(t *testing.T) {
	calls, timeouts, loads := 2000, 100, 50
	if full, _ := strconv.ParseBool(os.Getenv("SANDBOX_SOAK")); full {
		calls, timeouts, loads = 20_000, 1000, 500
	}
	began := time.Now()
	rt := plugin.NewRuntime(plugin.Config{CacheDir: t.TempDir()})
	shown, _ := folder(t)
	probeGuest, err := filepath.Abs(guests + "/probe.wasm")
	if err != nil {
		t.Fatal(err)
	}
	load := func(guest string) *plugin.Plugin {
		s := (&attack{guest: guest, change: shows(shown, false)}).spec(t)
		p, err := rt.Load(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	probe, leave := load(probeGuest), load("host/leave.c")
	spins := []*plugin.Plugin{load("tree.wat"), load("loop.wat"), load("start-loop.wat"), load("fill.wat")}

	call := func(p *plugin.Plugin, function, input string, limit time.Duration, want answer) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		got, err := p.Call(ctx, plugin.Call{Function: function, Input: []byte(input)})
		if err := want.check(got, err); err != nil {
			t.Errorf("%s: %v", function, err)
		}
	}
	// each does n things, four at a time.
	each := func(n int, do func(i int)) {
		var wg sync.WaitGroup
		next := make(chan int)
		for range 4 {
			wg.Go(func() {
				for i := range next {
					do(i)
				}
			})
		}
		for i := range n {
			next <- i
		}
		close(next)
		wg.Wait()
	}
	part := func(calls, timeouts, loads int) {
		each(calls, func(i int) {
			switch i % 20 {
			case 0:
				call(probe, "trap", "", patience, trapped)
			case 1:
				call(probe, "grow_and_go_on", "", patience, answer{output: "fine"})
			case 2:
				call(leave, "run", "", patience, answer{output: "secret of the call before"})
			case 3:
				call(leave, "traps", "", patience, trapped)
			case 4:
				call(probe, "exit_0", "", patience, answer{output: "before the end"})
			default:
				in := fmt.Sprint("input ", i)
				call(probe, "echo", in, patience, answer{output: in})
			}
		})
		each(timeouts, func(i int) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			defer cancel()
			_, err := spins[i%len(spins)].Call(ctx, plugin.Call{})
			// On a busy machine its time can be over before it has begun.
			early := answer{code: stopped.code, class: stopped.class, text: `the call had not begun`}
			if wrong := stopped.check(plugin.Answer{}, err); wrong != nil && early.check(plugin.Answer{}, err) != nil {
				t.Error(wrong)
			}
		})
		each(loads, func(i int) {
			// Some share the code of one that is loaded, some compile theirs.
			guest := []string{probeGuest, "host/leave.c", "host/log-flood.c", "host/limits.c"}[i%4]
			p := load(guest)
			if guest == probeGuest {
				call(p, "echo", "x", patience, answer{output: "x"})
			}
			if err := p.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	part(calls/10, timeouts/10, loads/10)
	before := holding()
	t.Logf("after a tenth: %v", before)
	for i := range 9 {
		part(calls/10, timeouts/10, loads/10)
		if testing.Verbose() && i%2 == 0 {
			t.Logf("after %d tenths: %v", i+2, holding())
		}
	}
	flat(t, before)
	t.Logf("%d calls, %d timeouts, %d loads and closes in %v", calls, timeouts, loads, time.Since(began).Round(time.Millisecond))

	if err := rt.Close(context.Background()); err != nil {
		t.Error(err)
	}
	t.Logf("closed: %v", holding())
}

// flat demands that the process holds what it held, but for what idle instances
// may: as many as there were calls at a time.
func flat(t *testing.T, before held) {
	t.Helper()
	now := holding()
	t.Logf("at the end: %v", now)
	if now.heap > before.heap+slackHeap || now.resident > before.resident+slackResident || now.mapped > before.mapped+256<<20 ||
		now.descriptors > before.descriptors+8 || now.goroutines > before.goroutines {
		t.Errorf("not flat:\nbefore %v\nafter  %v", before, now)
	}
}
