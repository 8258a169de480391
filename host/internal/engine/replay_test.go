package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/engine"
	"wasmhost/host/internal/enginetest"
	"wasmhost/host/internal/health"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
)

// book is a journal in memory: what is kept is kept at once, until it is full.
type book struct {
	mu      sync.Mutex
	entries []engine.Entry
	full    int // entries that fit; 0: any number
	onFull  func()
}

var errFull = errors.New("the book is full")

func (b *book) Keep(e engine.Entry, kept func(error)) {
	b.mu.Lock()
	full := b.full > 0 && len(b.entries) >= b.full
	if !full {
		b.entries = append(b.entries, e)
	}
	b.mu.Unlock()
	if full && b.onFull != nil {
		b.onFull()
	}
	if kept == nil {
		return
	}
	if full {
		kept(errFull)
		return
	}
	kept(nil)
}

// emit is what a host does with the events of a run.
func (b *book) emit(e *event.Event) {
	e.Time = time.Now()
	b.Keep(engine.Entry{Event: e, Key: e.Key, Mark: e.Mark}, nil)
}

func (b *book) types() string {
	var all []string
	for _, e := range b.entries {
		if e.Event != nil && e.Event.Type != event.Log {
			all = append(all, string(e.Event.Type)+":"+e.Event.Node)
		}
	}
	return strings.Join(all, " ")
}

// TestPropertyKept is the meaning of workflows when every answer goes through a
// journal; and the history of each, given again, comes to the same result.
func TestPropertyKept(t *testing.T) {
	enginetest.Property(t, func(ctx context.Context, r enginetest.Run) *event.Result {
		caller := call.NewCaller(r.Plugins, call.NewShared(nil, r.Changed), nil)
		caller.Rand = r.Rand
		l := &engine.Local{Caller: caller, Health: health.NewMonitor(caller, nil)}
		b := &book{}
		s := engine.Start{ID: r.ID, Plan: r.Plan, Input: r.Input, Journal: b, Emit: func(e *event.Event) {
			b.emit(e)
			r.Emit(e)
		}}
		o, err := l.Run(ctx, s)
		if err != nil {
			t.Errorf("the journal: %v", err)
			return nil
		}
		s.History = b.entries
		again, err := engine.Look(s, time.Now())
		if err != nil {
			t.Errorf("the history of a whole run: %v", err)
		} else if d := cmp.Diff(essence(o.Result), essence(again.Result)); d != "" {
			t.Errorf("the history came to something else (-live +again):\n%s", d)
		}
		return o.Result
	}, 300)
}

// essence is what a result says, without times.
func essence(r *event.Result) any {
	copied := *r
	copied.FinishedAt, copied.StartedAt, copied.DurationMS = time.Time{}, time.Time{}, 0
	text, err := json.Marshal(&copied)
	if err != nil {
		return err
	}
	var v any
	_ = json.Unmarshal(text, &v)
	return strip(v)
}

func strip(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "duration_ms")
		for k := range v {
			v[k] = strip(v[k])
		}
	case []any:
		for i := range v {
			v[i] = strip(v[i])
		}
	}
	return v
}

// counted are plugins that count their calls, by node or item.
type counted struct {
	mu    sync.Mutex
	calls map[string]int
	keys  map[string]bool
}

func (c *counted) plugin(f enginetest.Func) enginetest.Func {
	return func(ctx context.Context, k plugin.Call) (string, error) {
		c.mu.Lock()
		if c.calls == nil {
			c.calls, c.keys = map[string]int{}, map[string]bool{}
		}
		c.calls[k.Meta.Node]++
		c.keys[k.Meta.IdempotencyKey] = true
		c.mu.Unlock()
		return f(ctx, k)
	}
}

// TestCutAnywhere cuts the history of a run after every entry, as a process that
// is killed does, and goes on: the run ends as it would have, and what was
// recorded done is not done again.
func TestCutAnywhere(t *testing.T) {
	slow := func(ctx context.Context, k plugin.Call) (string, error) {
		time.Sleep(time.Millisecond)
		return string(k.Input) + ".", nil
	}
	sub := enginetest.Plan("sub", enginetest.Node("x"), enginetest.Node("y", enginetest.Needs("x")))
	plan := enginetest.Plan("w",
		enginetest.Node("a"),
		enginetest.Node("b", enginetest.Needs("a"), enginetest.Retry(2, time.Second)),
		enginetest.Node("c", enginetest.Needs("a"), enginetest.Fallback("good")),
		enginetest.Node("each", enginetest.Needs("b"), enginetest.ForEach([]any{"p", "q", "r"}, 0, 1)),
		enginetest.Node("sub", enginetest.Needs("c"), enginetest.Sub(sub)),
		enginetest.Node("z", enginetest.Needs("each", "sub")),
	)
	synctest.Test(t, func(t *testing.T) {
		plugins := func(c *counted) enginetest.Plugins {
			flaky := map[string]int{}
			return enginetest.Plugins{
				"a": c.plugin(slow), "each": c.plugin(slow), "x": c.plugin(slow), "y": c.plugin(slow), "z": c.plugin(slow), "good": c.plugin(slow),
				"b": c.plugin(func(ctx context.Context, k plugin.Call) (string, error) {
					c.mu.Lock()
					flaky["b"]++
					n := flaky["b"]
					c.mu.Unlock()
					if n%2 == 1 {
						return "", enginetest.Err(event.Transient, "busy")
					}
					return slow(ctx, k)
				}),
				"c": c.plugin(func(context.Context, plugin.Call) (string, error) { return "", enginetest.Err(event.Permanent, "no") }),
			}
		}
		whole := &book{}
		o, err := runKept(t, plan, plugins(&counted{}), whole, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := o.Result.Output.String()
		for at := 1; at < len(whole.entries); at++ {
			b := &book{entries: append([]engine.Entry(nil), whole.entries[:at]...)}
			before := done(b.entries)
			c := &counted{}
			o, err := runKept(t, plan, plugins(c), b, b.entries)
			if err != nil {
				t.Fatalf("cut at %d: %v", at, err)
			}
			if o.Result.Status != event.Degraded || o.Result.Output.String() != want {
				t.Errorf("cut at %d: %s %s, want %s", at, o.Result.Status, o.Result.Output.String(), want)
			}
			for path := range before {
				if c.calls[path] > 0 {
					t.Errorf("cut at %d: %s was done, and was called again", at, path)
				}
			}
			for path, n := range c.calls {
				if path != "b" && path != "c" && n > 1 {
					t.Errorf("cut at %d: %s was called %d times", at, path, n)
				}
			}
		}
	})
}

func runKept(t *testing.T, plan *workflow.Plan, plugins enginetest.Plugins, b *book, history []engine.Entry) (engine.Outcome, error) {
	caller := call.NewCaller(plugins, call.NewShared(nil, nil), nil)
	l := &engine.Local{Caller: caller, Health: health.NewMonitor(caller, nil)}
	return l.Run(t.Context(), engine.Start{ID: "r", Plan: plan, Input: event.Text("in"), Journal: b, Parks: true, Emit: b.emit, History: history})
}

// done are the calls whose answers are in a history.
func done(entries []engine.Entry) map[string]bool {
	all := map[string]bool{}
	for _, e := range entries {
		if e.Mark == engine.MarkAnswer && strings.Contains(string(e.Note), `"k":"called"`) {
			all[e.Key] = true
		}
	}
	return all
}

// TestToldOnce: whoever goes on tells what was not told, and nothing twice.
func TestToldOnce(t *testing.T) {
	plan := enginetest.Plan("w", enginetest.Node("a"), enginetest.Node("b", enginetest.Needs("a")))
	plugins := enginetest.Plugins{"a": enginetest.Func(enginetest.Echo), "b": enginetest.Func(enginetest.Echo)}
	whole := &book{}
	if _, err := runKept(t, plan, plugins, whole, nil); err != nil {
		t.Fatal(err)
	}
	want := "run.started: node.started:a node.succeeded:a node.started:b node.succeeded:b"
	if got := whole.types(); got != want {
		t.Fatalf("told %s", got)
	}
	for at := range len(whole.entries) {
		b := &book{entries: append([]engine.Entry(nil), whole.entries[:at]...)}
		if _, err := runKept(t, plan, plugins, b, b.entries); err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, e := range strings.Fields(b.types()) {
			got[e]++
		}
		for _, once := range []string{"run.started:", "node.succeeded:a", "node.succeeded:b"} {
			if got[once] != 1 {
				t.Errorf("cut at %d: %s was told %d times", at, once, got[once])
			}
		}
	}
}

// TestFullBook: when the journal fails the run stops, and does not pretend.
func TestFullBook(t *testing.T) {
	plan := enginetest.Plan("w", enginetest.Node("a"), enginetest.Node("b", enginetest.Needs("a")))
	for full := 1; full < 8; full++ {
		t.Run(fmt.Sprint(full), func(t *testing.T) {
			b := &book{full: full}
			o, err := runKept(t, plan, enginetest.Plugins{"a": enginetest.Func(enginetest.Echo), "b": enginetest.Func(enginetest.Echo)}, b, nil)
			if answers := len(done(b.entries)); answers == 2 {
				if err != nil {
					t.Errorf("both answers were kept: %v", err)
				}
			} else if !errors.Is(err, errFull) || o.Result != nil {
				t.Errorf("%d answers were kept; got %v, %v", answers, o.Result, err)
			}
		})
	}
}
