package enginetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/call"
	"wasmhost/host/internal/plugin"
	"wasmhost/host/workflow"
)

// Outcome is all that can be seen of one run.
type Outcome struct {
	Result *event.Result
	Events []*event.Event
	Calls  []Call
	Took   time.Duration
}

// Call is one plugin call that was made.
type Call struct {
	Plugin string
	At     time.Duration // since the run began
	Took   time.Duration
	Meta   plugin.Meta
	Input  string
}

// String is node#attempt@milliseconds.
func (c Call) String() string {
	return fmt.Sprintf("%s#%d@%g", c.Meta.Node, c.Meta.Attempt, ms(c.At))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// recorder notes what happens in a run.
type recorder struct {
	mu      sync.Mutex
	began   time.Time
	outcome Outcome
	plugins call.Plugins
}

func (r *recorder) emit(e *event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Time = time.Now()
	r.outcome.Events = append(r.outcome.Events, e)
}

// Plugin wraps a plugin so that its calls are noted.
func (r *recorder) Plugin(ctx context.Context, plan *workflow.Plan, name string) (call.Plugin, error) {
	p, err := r.plugins.Plugin(ctx, plan, name)
	if err != nil {
		return nil, err
	}
	return &recorded{r, p, name}, nil
}

type recorded struct {
	recorder *recorder
	plugin   call.Plugin
	name     string
}

func (p *recorded) Call(ctx context.Context, c plugin.Call) (plugin.Answer, error) {
	r := p.recorder
	r.mu.Lock()
	at := len(r.outcome.Calls)
	r.outcome.Calls = append(r.outcome.Calls, Call{Plugin: p.name, At: time.Since(r.began), Meta: c.Meta, Input: string(c.Input)})
	r.mu.Unlock()
	a, err := p.plugin.Call(ctx, c)
	r.mu.Lock()
	r.outcome.Calls[at].Took = time.Since(r.began) - r.outcome.Calls[at].At
	r.mu.Unlock()
	return a, err
}

// Do runs a plan and notes everything.
func Do(ctx context.Context, engine Engine, r Run) *Outcome {
	rec := &recorder{plugins: r.Plugins, began: time.Now()}
	if r.ID == "" {
		r.ID = "run-1"
	}
	r.Plugins, r.Emit = rec, rec.emit
	res := engine(ctx, r)
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.outcome.Result, rec.outcome.Took = res, time.Since(rec.began)
	return &rec.outcome
}

// Summary is a result in one line: the run's status and error code, the level
// that answered, each node as id=status:attempts(code)@answerer, and the levels.
func Summary(r *event.Result) string {
	var b strings.Builder
	b.WriteString(string(r.Status))
	code(&b, r.Error)
	if r.Level > 0 {
		fmt.Fprintf(&b, " level=%d", r.Level)
	}
	nodes(&b, "", r.Nodes)
	if len(r.Levels) > 1 {
		levels(&b, r.Levels)
	}
	return b.String()
}

func levels(b *strings.Builder, all []event.Level) {
	for i := range all {
		fmt.Fprintf(b, " | L%d %s", i, all[i].Status)
		code(b, all[i].Error)
		if len(all[i].Levels) > 1 {
			b.WriteString(" {")
			levels(b, all[i].Levels)
			b.WriteString(" }")
		}
	}
}

func nodes(b *strings.Builder, prefix string, m event.NodeMap) {
	var ids []string
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		node(b, prefix+id, m[id])
	}
}

func node(b *strings.Builder, path string, r *event.NodeResult) {
	fmt.Fprintf(b, " %s=%s", path, r.Status)
	if r.Attempts > 0 {
		fmt.Fprintf(b, ":%d", r.Attempts)
	}
	if r.Status == event.Failed {
		code(b, r.Error)
	}
	if r.AnsweredBy != "" && r.AnsweredBy != "primary" {
		b.WriteString("@" + r.AnsweredBy)
	}
	for i, item := range r.Items {
		node(b, fmt.Sprintf("%s[%d]", path, i), item)
	}
	if r.Run != nil {
		nodes(b, path+"/", r.Run.Nodes)
		if len(r.Run.Levels) > 1 {
			levels(b, r.Run.Levels)
		}
	}
}

func code(b *strings.Builder, e *event.Error) {
	if e != nil {
		fmt.Fprintf(b, "(%s)", e.Code)
	}
}

// Story is the events in short, in order: what happened to which node.
func (o *Outcome) Story() string {
	var all []string
	for _, e := range o.Events {
		s := string(e.Type)
		if e.Node != "" {
			s = e.Node + " " + strings.TrimPrefix(s, "node.")
		}
		if e.Level > 0 {
			s = fmt.Sprintf("L%d ", e.Level) + s
		}
		switch e.Type {
		case event.NodeAttemptFailed:
			s += fmt.Sprintf("#%d(%s)", e.Attempt, e.Error.Code)
		case event.NodeRetrying:
			s += fmt.Sprintf("#%d+%g", e.Attempt, e.RetryInMS)
		case event.FallbackUsed:
			if e.AnsweredBy != "" {
				s += " " + e.AnsweredBy
			} else {
				s += " " + e.Workflow
			}
		}
		all = append(all, s)
	}
	return strings.Join(all, ", ")
}

// CallList is the calls in order of their beginning; those that began at the
// same instant have no order but that of their nodes.
func (o *Outcome) CallList() string {
	var all []string
	calls := slices.Clone(o.Calls)
	slices.SortStableFunc(calls, func(a, b Call) int {
		return cmp.Or(cmp.Compare(a.At, b.At), strings.Compare(a.Meta.Node, b.Meta.Node))
	})
	for _, c := range calls {
		all = append(all, c.String())
	}
	return strings.Join(all, " ")
}
