package enginetest

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
)

// Property runs workflows drawn at random on an engine and compares everything
// that can be seen with what the model says: when each attempt began, each wait,
// the states of the breakers, the order of fallbacks, every status, count and
// output.
//
// ENGINE_SEEDS sets the number of workflows, ENGINE_SEED=N runs that one alone.
func Property(t *testing.T, engine Engine, seeds int) {
	if one, ok := number("ENGINE_SEED"); ok {
		replay(t, engine, one, true)
		return
	}
	if n, ok := number("ENGINE_SEEDS"); ok {
		seeds = int(n)
	}
	const parts = 8
	for part := range parts {
		t.Run(strconv.Itoa(part), func(t *testing.T) {
			t.Parallel()
			compared, all := 0, 0
			for seed := part; seed < seeds; seed += parts {
				all++
				if replay(t, engine, uint64(seed), false) {
					compared++
				}
				if t.Failed() {
					t.Fatalf("replay it alone: ENGINE_SEED=%d go test -run '^%s$' %s", seed, strings.Split(t.Name(), "/")[0], "./host/internal/engine")
				}
			}
			t.Logf("%d of %d workflows have one right answer", compared, all)
			if compared*10 < all*9 {
				t.Errorf("only %d of %d workflows have one right answer: nearly nothing was compared", compared, all)
			}
		})
	}
}

func number(name string) (uint64, bool) {
	text := os.Getenv(name)
	if text == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		panic(name + ": " + err.Error())
	}
	return n, true
}

// replay reports whether the engine could be compared with the model.
func replay(t *testing.T, engine Engine, seed uint64, verbose bool) bool {
	s := newSketch(seed)
	want, one := simulate(s)
	if !one {
		if verbose {
			t.Logf("there is more than one right answer")
		}
		return false
	}
	var got *trace
	synctest.Test(t, func(t *testing.T) { got = observe(t.Context(), engine, s) })
	if verbose {
		t.Logf("%s", want.text())
	}
	if diff := difference(want.text(), got.text()); diff != "" {
		t.Errorf("seed %d: the engine (+) does not do what the model (-) says:\n%s", seed, diff)
	}
	return true
}

// observe runs a sketch on an engine.
func observe(ctx context.Context, engine Engine, s *sketch) *trace {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	began := time.Now()
	got := &trace{}
	var mu sync.Mutex
	changed := func(_, key, from, to string, _ event.BreakerState) {
		mu.Lock()
		defer mu.Unlock()
		got.breakers = append(got.breakers, fmt.Sprintf("%s %s: %s > %s", time.Since(began), key, from, to))
	}
	plan := s.plan()
	if s.cancelAt > 0 {
		timer := time.AfterFunc(s.cancelAt, func() { cancel(ErrStop) })
		defer timer.Stop()
	}
	o := Do(ctx, engine, Run{Plan: plan, Plugins: s.plugins(), Changed: changed, Rand: jitter(s.seed)})

	got.took, got.result = o.Took, full(&event.Level{Status: o.Result.Status, Error: o.Result.Error}, o.Result.Levels, o.Result.Level)
	for _, c := range o.Calls {
		got.starts = append(got.starts, fmt.Sprintf("%s %s#%d %s", c.At, c.Meta.Node, c.Meta.Attempt, c.Meta.IdempotencyKey))
	}
	for _, e := range o.Events {
		at := e.Time.Sub(began)
		wait := time.Duration(math.Round(e.RetryInMS * 1e6)).Truncate(time.Microsecond)
		switch {
		case e.Type == event.NodeRetrying && e.Reason != "":
			got.waits = append(got.waits, fmt.Sprintf("%s %q: round %d in %s", at, prefixOf(e.Node), e.Attempt, wait))
		case e.Type == event.NodeRetrying:
			got.waits = append(got.waits, fmt.Sprintf("%s %s: #%d in %s", at, e.Node, e.Attempt, wait))
		case e.Type == event.FallbackUsed && e.AnsweredBy == "":
			got.fallbacks = append(got.fallbacks, fmt.Sprintf("%s %q: level %s", at, prefixOf(e.Node), e.Workflow))
		case e.Type == event.FallbackUsed:
			got.fallbacks = append(got.fallbacks, fmt.Sprintf("%s %s: %s", at, e.Node, e.AnsweredBy))
		}
	}
	got.sort()
	return got
}

func prefixOf(node string) string {
	if node == "" {
		return ""
	}
	return node + "/"
}

// sketched are the plugins of a sketch.
type sketched struct {
	seed uint64
	all  map[string]*sketchAnswerer
}

func (s *sketch) plugins() *sketched {
	p := &sketched{s.seed, map[string]*sketchAnswerer{}}
	s.each(func(a *sketchAnswerer) { p.all[a.plugin] = a })
	return p
}

// Plugin takes its time, as loading does.
func (p *sketched) Plugin(ctx context.Context, _ *workflow.Plan, name string) (call.Plugin, error) {
	a := p.all[name]
	if Sleep(ctx, a.lookup) != nil {
		return nil, context.Cause(ctx)
	}
	return Func(func(ctx context.Context, c plugin.Call) (string, error) {
		o := a.outcome(p.seed, c.Meta.IdempotencyKey, c.Meta.Attempt)
		if err := Sleep(ctx, o.took); err != nil {
			return "", err
		}
		if o.class != "" {
			e := Err(o.class, o.code)
			e.RetryAfterMS = o.hint.Milliseconds()
			return "", e
		}
		return fmt.Sprintf("%s#%d", c.Meta.IdempotencyKey, c.Meta.Attempt), nil
	}), nil
}

// full writes down a result, all of it but texts and times.
func full(top *event.Level, levels []event.Level, answer int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s level=%d", top.Status, answer)
	code(&b, top.Error)
	b.WriteString("\n")
	fullLevels(&b, "", levels)
	return b.String()
}

func fullLevels(b *strings.Builder, indent string, levels []event.Level) {
	for i := range levels {
		l := &levels[i]
		fmt.Fprintf(b, "%sL%d %s %s", indent, i, l.Workflow, l.Status)
		code(b, l.Error)
		b.WriteString("\n")
		if len(l.Levels) > 0 {
			fullLevels(b, indent+"  ", l.Levels)
			continue
		}
		var ids []string
		for id := range l.Nodes {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		for _, id := range ids {
			fullNode(b, indent+"  ", id, l.Nodes[id])
		}
	}
}

func fullNode(b *strings.Builder, indent, id string, r *event.NodeResult) {
	fmt.Fprintf(b, "%s%s %s:%d %s %s", indent, id, r.Status, r.Attempts, r.AnsweredBy, r.Output.JSON())
	if r.Status == event.Failed {
		fmt.Fprintf(b, " (%s %s)", r.Error.Class, r.Error.Code)
	}
	for _, e := range r.Errors {
		fmt.Fprintf(b, " <%s %s>", e.Class, e.Code)
	}
	b.WriteString("\n")
	for i, item := range r.Items {
		fullNode(b, indent+"  ", fmt.Sprintf("[%d]", i), item)
	}
	if r.Run != nil {
		fullLevels(b, indent+"  ", []event.Level{*r.Run})
	}
}

func (t *trace) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "took %s\n%s", t.took, t.result)
	for _, part := range []struct {
		name string
		list []string
	}{{"starts", t.starts}, {"waits", t.waits}, {"breakers", t.breakers}, {"fallbacks", t.fallbacks}} {
		fmt.Fprintf(&b, "%s\n", part.name)
		for _, line := range part.list {
			b.WriteString("  " + line + "\n")
		}
	}
	return b.String()
}

// difference is the lines that are only in one of two texts.
func difference(want, got string) string {
	if want == got {
		return ""
	}
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	for len(w) > 0 || len(g) > 0 {
		switch {
		case len(w) > 0 && len(g) > 0 && w[0] == g[0]:
			w, g = w[1:], g[1:]
		case len(w) > 0 && (len(g) == 0 || !slices.Contains(g, w[0])):
			b.WriteString("- " + w[0] + "\n")
			w = w[1:]
		case len(g) > 0:
			b.WriteString("+ " + g[0] + "\n")
			g = g[1:]
		}
	}
	return b.String()
}
