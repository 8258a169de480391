package plugin

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// effect is all that a call shows of itself.
type effect struct {
	output, failure, warnings, logs string
	steps, memory                   uint64
}

func effectOf(p *Plugin, c Call, steps bool) effect {
	var e effect
	c.Log = func(level, message string) { e.logs += level + " " + message + "\n" }
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a, err := p.Call(ctx, c)
	e.output, e.memory = string(a.Output), a.MemoryBytes
	if steps {
		e.steps = a.Steps
	}
	if err != nil {
		e.failure = err.Error()
	}
	for _, w := range a.Warnings {
		e.warnings += w.Error() + "\n"
	}
	return e
}

// TestResetIsFresh draws sequences of calls: each must do with an instance that
// was reset what it does with a new one, whatever came before.
func TestResetIsFresh(t *testing.T) {
	uppercase, err := os.ReadFile("../../../plugins/uppercase.wasm")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Builtin: func(name string) ([]byte, bool) { return uppercase, name == "uppercase" }}
	command := func(args ...string) Spec {
		s := guest("command")
		s.Args = args
		return s
	}
	files := guest("files")
	dir := t.TempDir()
	write(t, dir+"/key", "text")
	files.Allow.FS = []Mount{{Path: dir, At: "/"}}
	files.Limits.Files = 5
	for _, c := range []struct {
		name      string
		spec      Spec
		functions string
		steps     bool // the same every time
	}{
		{"state", guest("state"), "globals cells scribble table entry table_grows data elements memory_grows close renumber set_flags flags block blocks trap", true},
		{"vector", guest("vector"), "run", true},
		{"large", guest("large"), "run grow", true},
		{"growth", guest("growth"), "size some twice most beyond", true},
		{"probe", Spec{Name: "guest", Source: "probe.wasm", Dir: guests, Limits: Limits{Memory: 4 << 20, Log: 200}, Config: map[string]string{"key": "value"}},
			"echo same nothing only_a_number fail warn config var count log print trap exit exit_0 grow_and_go_on alloc_free double_free stale bad_output bad_handle latin1 environ_count health", true},
		{"reactor", guest("reactor"), "upper seven", true},
		{"linked", manifestOf(t, "lib", "linked"), "run", true},
		{"command", command("cat"), "_start", true},
		{"exit", command("exit", "3"), "_start", true},
		{"files", files, "read size list touch open_many mkdir descriptor", true},
		{"go", Spec{Name: "go", Source: "builtin:uppercase"}, "run health missing", false},
		// Where the kernel does not say which pages were touched:
		{"untold state", guest("state"), "globals cells scribble memory_grows block blocks trap", true},
		{"untold large", guest("large"), "run grow", true},
		{"untold growth", guest("growth"), "size some twice most beyond", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.HasPrefix(c.name, "untold") {
				findTouched = func([]byte, *[maxTouchedRows]pageRange) (int, bool) { return 0, false }
				defer func() { findTouched = touched }()
			}
			if raced && c.name == "go" {
				t.Skip("compiles 3 MB, and shares nothing")
			}
			reset := loadWith(t, cfg, c.spec)
			c.spec.Reset = ResetInstance
			fresh := loadWith(t, cfg, c.spec)
			functions := strings.Fields(c.functions)
			rapid.Check(t, func(t *rapid.T) {
				for range rapid.IntRange(2, 8).Draw(t, "calls") {
					call := Call{
						Function: rapid.SampledFrom(functions).Draw(t, "function"),
						Input:    []byte(rapid.SampledFrom([]string{"", "key", "host.node", `{"class":"warning","message":"w"}`, `{"text":"some"}`, `"some text"`, strings.Repeat("long ", 30_000)}).Draw(t, "input")),
						Meta:     Meta{Node: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "node")},
					}
					got, want := effectOf(reset, call, c.steps), effectOf(fresh, call, c.steps)
					if got != want {
						t.Fatalf("%s(%.40q):\nreset %.400q\nfresh %.400q", call.Function, call.Input, fmt.Sprint(got), fmt.Sprint(want))
					}
				}
			})
		})
	}
}

// TestInstancesAreKept says which calls cost a new instance: a reset that
// always throws away would pass for a fresh one.
func TestInstancesAreKept(t *testing.T) {
	for _, c := range []struct {
		guest, function string
		kept            bool
	}{
		{"state", "globals", true}, {"state", "cells", true}, {"state", "scribble", true}, {"state", "entry", true}, {"state", "flags", true},
		{"state", "block", true}, {"state", "blocks", true},
		{"state", "table", false}, {"state", "table_grows", false}, {"state", "data", false}, {"state", "elements", false},
		{"state", "memory_grows", true}, {"growth", "twice", true}, {"growth", "beyond", false}, {"state", "close", false},
		{"growth", "most", false},    // wazero does not ask for more, and so hears not of less {"state", "renumber", false}, {"state", "trap", false},
		{"state", "set_flags", true}, // refused, so that nothing changed
		{"vector", "run", false},
		{"probe", "echo", true}, {"probe", "fail", true}, {"probe", "var", true}, {"probe", "exit_0", true}, {"probe", "bad_load", false}, {"probe", "grow_and_go_on", false},
		{"reactor", "upper", true}, {"reactor", "seven", true}, {"command", "_start", true},
		{"files", "size", true}, {"files", "list", true}, {"files", "read", true}, {"files", "mkdir", true}, {"files", "descriptor", true}, {"files", "open_many", false},
	} {
		s := guest(c.guest)
		s.Limits.Memory = 8 << 20
		s.Args = []string{"exit", "3"}
		if c.guest == "files" {
			s.Allow.FS = []Mount{{Path: t.TempDir(), At: "/"}}
			write(t, s.Allow.FS[0].Path+"/x", "some")
		}
		p := load(t, s)
		p.Call(t.Context(), Call{Function: c.function, Input: []byte("x")})
		if n := p.pool.size(); (n == 1) != c.kept {
			t.Errorf("after %s of %s, %d instances are ready", c.function, c.guest, n)
		}
	}
}

// TestInitialisationIsShared: the second instance takes over the state of the
// first, its start function and its initialiser not run again.
func TestInitialisationIsShared(t *testing.T) {
	p := load(t, guest("state"))
	for range 3 {
		fails(t, p, Call{Function: "trap"})
		if e := fails(t, p, Call{Function: "cells"}); e.Message != "the plugin returned 61 and no error text" {
			t.Error(e)
		}
	}
	if p.initial(true) == nil || p.initial(false) != nil {
		t.Error("what was kept is not the initialised state")
	}
}

// TestIdleInstancesAreGivenBack waits in the time of a bubble.
func TestIdleInstancesAreGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := load(t, guest("probe"))
		succeeds(t, p, "echo", "x", "x")
		time.Sleep(idleFor - time.Second)
		synctest.Wait()
		if n := p.pool.size(); n != 1 {
			t.Errorf("%d instances before their time", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := p.pool.size(); n != 0 {
			t.Errorf("%d instances are left", n)
		}
		succeeds(t, p, "echo", "x", "x")
	})
}

// TestLargeMemories are mapped where that can be had: the second instance
// begins on the pages of the first one's state, what grew is given back, and
// closing gives all back.
func TestLargeMemories(t *testing.T) {
	p := load(t, guest("large"))
	two := [2]*instance{}
	e, _ := p.exports.entry("run")
	for range 3 {
		for i := range two {
			if two[i] == nil {
				two[i] = newInstance(p)
			}
			_, _, failed := two[i].serve(t.Context(), e, &Call{})
			if failed == nil || failed.Message != "the plugin returned 9 and no error text" {
				t.Fatal(failed)
			}
			if !two[i].reusable() {
				t.Fatal("it is thrown away")
			}
		}
	}
	s := p.initial(true)
	for _, in := range two {
		l := in.handles[0].linear
		if runtime.GOOS == "linux" && (in.state != s || l.shares == nil || l.shares != s.units[0].backing) {
			t.Error("the memory is not shared")
		}
		in.close()
		if l.region != nil || in.memory.used != kernelPage {
			t.Errorf("closed, it holds %d bytes", in.memory.used)
		}
	}
	for range 2 {
		if e := fails(t, p, Call{Function: "grow"}); e.Message != "the plugin returned 33 and no error text" || p.pool.size() != 1 {
			t.Error(e)
		}
		if e := fails(t, p, Call{Function: "run"}); e.Message != "the plugin returned 9 and no error text" || p.pool.size() != 1 {
			t.Error(e)
		}
	}
}

// TestLongCallsKeepNoStack: what a long call may have made of its stack goes with
// it; a short one's is kept, since it costs more to make than it holds.
func TestLongCallsKeepNoStack(t *testing.T) {
	for _, reset := range []string{ResetCall, ResetNever} {
		s := guest("probe")
		s.Reset = reset
		p := load(t, s)
		for _, n := range []int{10, 1 << 20, 10} {
			text := strings.Repeat("x", n)
			a := succeeds(t, p, "echo", text, text)
			in := p.pool.ready[0].instance
			if long := a.Steps >= stackKept; long != (n > 10) || (in.recent == nil) != long || (len(in.functions) == 0) != long {
				t.Errorf("reset %s, %d steps: %d functions are kept", reset, a.Steps, len(in.functions))
			}
		}
	}
}
