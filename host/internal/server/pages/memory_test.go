package pages_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"wasmhost/host/event"
	"wasmhost/host/internal/server"
	"wasmhost/host/workflow"
)

// memory is a service that has everything in memory and goes on when a test says
// so: a run takes its next step when its step is called.
type memory struct {
	mu        sync.Mutex
	moved     *sync.Cond
	workflows []event.WorkflowInfo
	source    []byte
	plan      *workflow.Plan
	all       []*memoryRun // the newest first
	plugins   []event.PluginInfo
	breakers  []event.BreakerInfo
	health    []event.HealthInfo
	schedule  []event.ScheduleInfo
	audits    []event.Audit
	ready     []string
	fails     map[string]error // by method
	now       func() time.Time
	began     []server.StartRequest
	swapped   []event.SwapRequest
	answers   []event.Approval
	refuse    bool   // the next swap
	told      func() // called when a run's status has been read
}

type memoryRun struct {
	info   event.RunInfo
	events []*event.Event
	result *event.Result // of a run that has ended
	steps  []func(*memory, *memoryRun)
}

func missing(format string, a ...any) error {
	return &event.Error{Class: event.Permanent, Code: "not_found", Message: fmt.Sprintf(format, a...)}
}

func refused(code, format string, a ...any) error {
	return &event.Error{Class: event.Permanent, Code: code, Message: fmt.Sprintf(format, a...)}
}

func empty() *memory {
	m := &memory{now: time.Now, fails: map[string]error{}}
	m.moved = sync.NewCond(&m.mu)
	return m
}

func (m *memory) fail(method string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fails[method]
}

func (m *memory) Workflows(context.Context) ([]event.WorkflowInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.workflows), m.fails["Workflows"]
}

func (m *memory) Workflow(_ context.Context, name string) (*event.WorkflowInfo, []byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.workflows {
		if w.Name == name {
			return &w, m.source, m.fails["Workflow"]
		}
	}
	return nil, nil, missing("no workflow %q is served", name)
}

func (m *memory) Graph(_ context.Context, name, run string) ([]byte, error) {
	if err := m.fail("Graph"); err != nil {
		return nil, err
	}
	var states func(level, node string) event.Status
	if run != "" {
		r, err := m.RunResult(context.Background(), run)
		if err != nil {
			return nil, err
		}
		states = func(level, node string) event.Status {
			if n := r.Nodes[node]; n != nil && level == "0" {
				return n.Status
			}
			return event.Pending
		}
	}
	return m.plan.Graph("svg", workflow.GraphOptions{State: states})
}

func (m *memory) find(id string) (*memoryRun, error) {
	for _, r := range m.all {
		if r.info.ID == id {
			return r, nil
		}
	}
	return nil, missing("there is no run %s", id)
}

func (m *memory) Start(_ context.Context, s server.StartRequest) (*event.RunInfo, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fails["Start"]; err != nil {
		return nil, false, err
	}
	m.began = append(m.began, s)
	id := s.RunID
	if id == "" {
		id = fmt.Sprintf("01JTESTRUN%04d", len(m.all)+1)
	}
	if r, err := m.find(id); err == nil {
		if r.info.Workflow != s.Workflow {
			return nil, false, refused("run_conflict", "run %s is of another workflow, %s", id, r.info.Workflow)
		}
		info := r.info
		return &info, false, nil
	}
	r := m.begin(id, s.Workflow, s.Input)
	r.steps = orderSteps()
	r.steps[0](m, r)
	r.steps = r.steps[1:]
	info := r.info
	return &info, true, nil
}

// begin adds a run that has started.
func (m *memory) begin(id, workflow string, input event.Value) *memoryRun {
	r := &memoryRun{info: event.RunInfo{ID: id, Workflow: workflow, File: "/srv/flows/" + workflow + ".toml", Digest: "sha256:9f86d081884c7d659a2feaa0c55ad015", Status: event.Running,
		Alive: true, Owner: "host serve, process 4711 on this machine", Generation: 1, Input: input, CreatedAt: m.now(), UpdatedAt: m.now()}}
	m.all = append([]*memoryRun{r}, m.all...)
	m.emit(r, event.Event{Type: event.RunStarted})
	return r
}

func (m *memory) emit(r *memoryRun, e event.Event) {
	e.V, e.Seq, e.Run = event.Version, uint64(len(r.events)+1), r.info.ID
	if e.Time.IsZero() {
		e.Time = m.now()
	}
	if e.Workflow == "" {
		e.Workflow = r.info.Workflow
	}
	r.events = append(r.events, &e)
	m.moved.Broadcast()
}

// end ends a run.
func (m *memory) end(r *memoryRun, status event.Status, output event.Value, failed *event.Error) {
	r.info.Status, r.info.Alive, r.info.Owner, r.info.FinishedAt, r.info.Error = status, false, "", m.now(), failed
	r.info.DurationMS = float64(m.now().Sub(r.info.CreatedAt).Milliseconds())
	r.result = nil
	result := m.soFar(r)
	result.Status, result.Output, result.Error, result.DurationMS = status, output, failed, r.info.DurationMS
	m.emit(r, event.Event{Type: event.RunFinished, Status: status, Error: failed})
	r.result = result
}

// step lets a run go on.
func (m *memory) step(t testing.TB, id string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(id)
	if err != nil || len(r.steps) == 0 {
		t.Fatalf("run %s has no further step (%v)", id, err)
	}
	next := r.steps[0]
	r.steps = r.steps[1:]
	next(m, r)
}

func (m *memory) Runs(_ context.Context, f event.RunFilter) ([]event.RunInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []event.RunInfo
	seen := f.Before == ""
	for _, r := range m.all {
		if seen && (f.Workflow == "" || f.Workflow == r.info.Workflow) && (len(f.Status) == 0 || slices.Contains(f.Status, r.info.Status)) && (f.Limit == 0 || len(out) < f.Limit) {
			out = append(out, r.info)
		}
		seen = seen || r.info.ID == f.Before
	}
	return out, m.fails["Runs"]
}

func (m *memory) RunCounts(_ context.Context, workflow string) (map[event.Status]int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := map[event.Status]int{}
	for _, r := range m.all {
		if workflow == "" || workflow == r.info.Workflow {
			counts[r.info.Status]++
		}
	}
	return counts, m.fails["RunCounts"]
}

func (m *memory) RunInfo(_ context.Context, id string) (*event.RunInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(id)
	if err != nil {
		return nil, err
	}
	info := r.info
	if told := m.told; told != nil {
		m.told = nil
		m.mu.Unlock()
		told()
		m.mu.Lock()
	}
	return &info, m.fails["RunInfo"]
}

func (m *memory) soFar(r *memoryRun) *event.Result {
	if r.result != nil {
		return r.result
	}
	out := &event.Result{RunID: r.info.ID, Workflow: r.info.Workflow, LevelName: r.info.Workflow, Status: r.info.Status, Nodes: event.NodeMap{}, StartedAt: r.info.CreatedAt,
		DurationMS: float64(m.now().Sub(r.info.CreatedAt).Milliseconds())}
	for _, e := range r.events {
		out.Add(e)
	}
	return out
}

func (m *memory) RunResult(_ context.Context, id string) (*event.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(id)
	if err != nil {
		return nil, err
	}
	return m.soFar(r), m.fails["RunResult"]
}

func (m *memory) RunEvents(_ context.Context, id string, after uint64, limit int) ([]*event.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(id)
	if err != nil {
		return nil, err
	}
	rest := r.events[min(after, uint64(len(r.events))):]
	if limit > 0 && len(rest) > limit {
		rest = rest[:limit]
	}
	return slices.Clone(rest), m.fails["RunEvents"]
}

func (m *memory) Follow(ctx context.Context, id string, after uint64, tell func(*event.Event) error) error {
	stop := context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.moved.Broadcast()
	})
	defer stop()
	for {
		m.mu.Lock()
		r, err := m.find(id)
		for err == nil && ctx.Err() == nil && uint64(len(r.events)) <= after && !r.info.Status.Ended() {
			m.moved.Wait()
		}
		if err != nil || ctx.Err() != nil {
			m.mu.Unlock()
			return errors.Join(err, ctx.Err())
		}
		news := slices.Clone(r.events[min(after, uint64(len(r.events))):])
		m.mu.Unlock()
		if len(news) == 0 {
			return nil
		}
		for _, e := range news {
			if err := tell(e); err != nil {
				return err
			}
			after = e.Seq
		}
	}
}

func (m *memory) Why(_ context.Context, id string) ([]event.Wait, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(id)
	if err != nil {
		return nil, err
	}
	if m.fails["Why"] != nil {
		return nil, m.fails["Why"]
	}
	if r.info.Status.Ended() {
		return []event.Wait{{Kind: "ended", Text: "it has ended: " + string(r.info.Status)}}, nil
	}
	var waits []event.Wait
	if !r.info.Alive && r.info.Status == event.Running {
		waits = append(waits, event.Wait{Kind: "process", Text: "the process that worked on it is gone; nobody works on it now", Next: "host runs resume " + id})
	}
	at := map[string]event.Wait{}
	for _, e := range r.events {
		switch e.Type {
		case event.NodeRetrying:
			at[e.Node] = event.Wait{Node: e.Node, Kind: "retry", Text: fmt.Sprintf("waits for attempt %d; the last one failed: %s", e.Attempt, e.Error), Until: e.Time.Add(time.Duration(e.RetryInMS * 1e6))}
		case event.NodeWaiting:
			kind := "approval"
			if e.Error != nil {
				kind = "outcome_unknown"
			}
			at[e.Node] = event.Wait{Node: e.Node, Kind: kind, Text: e.Reason}
		case event.NodeStarted, event.NodeSucceeded, event.NodeFailed:
			delete(at, e.Node)
		}
	}
	for _, w := range at {
		waits = append(waits, w)
	}
	slices.SortFunc(waits, func(a, b event.Wait) int { return strings.Compare(a.Node, b.Node) })
	return waits, nil
}

func (m *memory) Export(ctx context.Context, id string, w io.Writer) error {
	info, err := m.RunInfo(ctx, id)
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(info)
}

func (m *memory) CancelRun(_ context.Context, id, reason string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(id)
	if err != nil {
		return err
	}
	if r.info.Status.Ended() {
		return refused("run_ended", "run %s has ended (%s); nothing is left to cancel", id, r.info.Status)
	}
	m.end(r, event.Cancelled, event.Null, &event.Error{Class: event.Permanent, Code: "cancelled", Message: reason})
	return nil
}

func (m *memory) again(id, method string, change func(*memoryRun) error) (*event.RunInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(id)
	if err != nil {
		return nil, err
	}
	if err := m.fails[method]; err != nil {
		return nil, err
	}
	if err := change(r); err != nil {
		return nil, err
	}
	info := r.info
	return &info, nil
}

func (m *memory) ResumeRun(_ context.Context, id string) (*event.RunInfo, error) {
	return m.again(id, "ResumeRun", func(r *memoryRun) error {
		if r.info.Alive {
			return refused("run_alive", "run %s is under way", id)
		}
		r.info.Alive = true
		m.emit(r, event.Event{Type: event.RunResumed})
		return nil
	})
}

func (m *memory) RetryRun(_ context.Context, id, from string) (*event.RunInfo, error) {
	return m.again(id, "RetryRun", func(r *memoryRun) error {
		if !r.info.Status.Ended() {
			return refused("run_alive", "run %s is under way; wait for it or cancel it first", id)
		}
		if r.info.Status == event.Succeeded && from == "" {
			return refused("run_succeeded", "run %s has succeeded, nothing is left to do again", id)
		}
		r.info.Status, r.info.Alive, r.result = event.Running, true, nil
		r.info.Generation++
		m.emit(r, event.Event{Type: event.RunResumed, Reason: from})
		return nil
	})
}

func (m *memory) ApproveRun(_ context.Context, id string, a event.Approval) (*event.RunInfo, error) {
	return m.again(id, "ApproveRun", func(r *memoryRun) error {
		if r.info.Status != event.Waiting {
			return refused("not_waiting", "run %s does not wait for a person", id)
		}
		m.answers = append(m.answers, a)
		r.info.Status, r.info.Alive, r.info.Reason = event.Running, true, ""
		if a.Reject {
			failed := &event.Error{Node: a.Node, Class: event.Permanent, Code: "rejected", Message: "rejected by " + a.By + ": " + a.Comment}
			m.emit(r, event.Event{Type: event.NodeFailed, Node: a.Node, Status: event.Failed, Error: failed})
			m.end(r, event.Failed, event.Null, failed)
			return nil
		}
		m.emit(r, event.Event{Type: event.NodeSucceeded, Node: a.Node, Status: event.Succeeded, Output: &a.Output, Reason: a.Comment})
		if len(r.steps) > 0 {
			next := r.steps[0]
			r.steps = r.steps[1:]
			next(m, r)
		}
		return nil
	})
}

func (m *memory) DeleteRun(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(id)
	if err == nil {
		m.all = slices.DeleteFunc(m.all, func(o *memoryRun) bool { return o == r })
	}
	return err
}

func (m *memory) Plugins(context.Context) ([]event.PluginInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.plugins), m.fails["Plugins"]
}

func (m *memory) plugin(name string) (*event.PluginInfo, error) {
	for i := range m.plugins {
		if m.plugins[i].Name == name {
			return &m.plugins[i], nil
		}
	}
	return nil, missing("no plugin %q is served", name)
}

func (m *memory) Plugin(_ context.Context, name string) (*event.PluginInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.plugin(name)
	if err != nil {
		return nil, err
	}
	info := *p
	info.Versions = slices.Clone(p.Versions)
	return &info, nil
}

func (m *memory) Swap(_ context.Context, s event.SwapRequest) (*event.SwapReport, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.plugin(s.Plugin)
	if err != nil {
		return nil, err
	}
	m.swapped = append(m.swapped, s)
	if p.Pinned && !s.Unpin {
		return nil, refused("pinned", "plugin %s is pinned to a digest by its workflow file; unpin it to swap it", s.Plugin)
	}
	r := &event.SwapReport{Plugin: s.Plugin, From: p.Digest, To: "sha256:" + strings.Repeat("c0ffee", 10) + "cafe", Mode: s.Mode, Steps: []event.SwapStep{
		{Name: "check", OK: true, Text: "48 KB, 3 functions", DurationMS: 1.2}, {Name: "compile", OK: true, DurationMS: 41}}}
	if m.refuse {
		r.Steps = append(r.Steps, event.SwapStep{Name: "permissions", Text: "http https://evil.example is new", DurationMS: .1})
		r.Refused = &event.Error{Class: event.Permanent, Code: "permissions", Message: "the new version may do more than the old one: http https://evil.example"}
		return r, nil
	}
	if s.Replay {
		r.Replay = &event.ReplayReport{Calls: 200, Identical: 197, Text: "197 of 200 identical, 3 differ", Differ: []event.Difference{{Run: "01JTESTRUN0001", Node: "price", Input: `{"id":7}`, Old: `{"price":12}`, New: `{"price":13}`}}}
	}
	r.Steps = append(r.Steps, event.SwapStep{Name: "health", OK: true, Text: "2 calls", DurationMS: 3}, event.SwapStep{Name: "swap", OK: true})
	next := event.PluginVersion{Digest: r.To, State: event.VersionCurrent, From: "upload", Since: m.now()}
	switch s.Mode {
	case event.SwapCanary:
		next.State = event.VersionCanary
	case event.SwapShadow:
		next.State = event.VersionShadow
	default:
		p.Digest = r.To
		p.Versions[0].State, p.Versions[0].Since = event.VersionPrevious, m.now()
	}
	p.Versions = append([]event.PluginVersion{next}, p.Versions...)
	return r, nil
}

func (m *memory) Rollback(_ context.Context, name, by string) (*event.PluginInfo, error) {
	return m.versions(name, func(p *event.PluginInfo) error {
		if len(p.Versions) < 2 {
			return refused("no_version", "plugin %s has no version to go back to", name)
		}
		p.Versions = p.Versions[1:]
		p.Versions[0].State, p.Digest = event.VersionCurrent, p.Versions[0].Digest
		return nil
	})
}

func (m *memory) Promote(_ context.Context, name, by string) (*event.PluginInfo, error) {
	return m.versions(name, func(p *event.PluginInfo) error {
		if s := p.Versions[0].State; s != event.VersionCanary && s != event.VersionShadow {
			return refused("no_version", "plugin %s has no trial to promote", name)
		}
		p.Versions[0].State, p.Versions[1].State, p.Digest = event.VersionCurrent, event.VersionPrevious, p.Versions[0].Digest
		return nil
	})
}

func (m *memory) versions(name string, change func(*event.PluginInfo) error) (*event.PluginInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.plugin(name)
	if err == nil {
		err = change(p)
	}
	if err != nil {
		return nil, err
	}
	info := *p
	return &info, nil
}

func (m *memory) AllBreakers(context.Context) ([]event.BreakerInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.Clone(m.breakers)
	for i := range all {
		if all[i].OpenForMS > 0 {
			all[i].OpenForMS = max(0, all[i].OpenForMS-m.now().Sub(all[i].UpdatedAt).Milliseconds())
		}
	}
	return all, m.fails["AllBreakers"]
}

func (m *memory) setBreaker(name, state string, forMS int64) (*event.BreakerInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.breakers {
		if b := &m.breakers[i]; b.Workflow+"."+b.Key == name {
			b.State, b.OpenForMS, b.UpdatedAt = state, forMS, m.now()
			if state == "closed" {
				b.Failures = 0
			}
			info := *b
			return &info, nil
		}
	}
	return nil, missing("there is no breaker %q", name)
}

func (m *memory) ResetBreaker(_ context.Context, name string) (*event.BreakerInfo, error) {
	return m.setBreaker(name, "closed", 0)
}

func (m *memory) OpenBreaker(_ context.Context, name string) (*event.BreakerInfo, error) {
	return m.setBreaker(name, "open", 30_000)
}

func (m *memory) Health(context.Context) ([]event.HealthInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.health), m.fails["Health"]
}

func (m *memory) Check(_ context.Context, name string) (*event.Report, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.health {
		if h.Workflow == name {
			return h.Reports[len(h.Reports)-1], m.fails["Check"]
		}
	}
	return nil, missing("no workflow %q is served", name)
}

func (m *memory) Ready(context.Context) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ready
}

func (m *memory) Schedules(context.Context) ([]event.ScheduleInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.schedule, m.fails["Schedules"]
}

func (m *memory) Hook(context.Context, string) (*server.Hook, error) {
	return nil, missing("there is no webhook")
}

func (m *memory) Audit(_ context.Context, a event.Audit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.audits = append([]event.Audit{a}, m.audits...)
}

func (m *memory) Audits(_ context.Context, n int) ([]event.Audit, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.audits[:min(n, len(m.audits))]), m.fails["Audits"]
}

var orderSchema = json.RawMessage(`{"type":"object","required":["customer","quantity","express"],"properties":{
 "customer":{"type":"string","title":"Customer","description":"Who orders","minLength":2},
 "quantity":{"type":"integer","minimum":1,"maximum":1000,"default":1},
 "express":{"type":"boolean","default":false,"title":"Express delivery"},
 "channel":{"enum":["web","phone",7,null],"default":"web"},
 "discount":{"type":"number","description":"Share of the price"},
 "gift":{"type":"boolean"},
 "address":{"type":"object","title":"Address","required":["city"],"properties":{"street":{"type":"string"},"city":{"type":"string"},"geo":{"type":"object","properties":{"lat":{"type":"number"}}}}},
 "lines":{"type":"array","items":{"type":"object"},"description":"What is ordered","default":[{"sku":"A-1","n":2}]},
 "note":{"type":"string","maxLength":2000},
 "kind":{"const":"order"}}}`)

// orderSteps is how a run of the workflow orders goes.
func orderSteps() []func(*memory, *memoryRun) {
	ok := func(node, text string) event.Event {
		v := event.Raw([]byte(text))
		return event.Event{Type: event.NodeSucceeded, Node: node, Status: event.Succeeded, Attempt: 1, Plugin: "rules", Digest: "sha256:aa11bb22cc33dd44", AnsweredBy: "primary", DurationMS: 12.5, Output: &v, Steps: 48211, MemoryBytes: 1 << 20}
	}
	started := func(node string) event.Event {
		return event.Event{Type: event.NodeStarted, Node: node, Plugin: "rules", Attempt: 1}
	}
	gone := &event.Error{Node: "price", Plugin: "prices", Class: event.Transient, Code: "http_503", Message: "https://prices.example.com/quote answered 503 Service Unavailable", Attempt: 1}
	return []func(*memory, *memoryRun){
		func(m *memory, r *memoryRun) { m.emit(r, started("validate")) },
		func(m *memory, r *memoryRun) {
			m.emit(r, event.Event{Type: event.Log, Node: "validate", Attempt: 1, LogLevel: "info", Message: "7 rules, all hold"})
			m.emit(r, ok("validate", `{"valid":true}`))
			m.emit(r, started("stock"))
			m.emit(r, started("price"))
			m.emit(r, event.Event{Type: event.Log, Node: "price", Attempt: 1, LogLevel: "warn", Message: "slow answer: <script>alert('x')</script> \u202egnp.exe\u202c \x1b[31mred"})
			m.emit(r, event.Event{Type: event.NodeAttemptFailed, Node: "price", Attempt: 1, Plugin: "prices", Digest: "sha256:aa11bb22cc33dd44", Error: gone, DurationMS: 230})
			m.emit(r, event.Event{Type: event.NodeRetrying, Node: "price", Attempt: 2, Error: gone, RetryInMS: 30_000})
		},
		func(m *memory, r *memoryRun) {
			m.emit(r, ok("stock", `{"left":12}`))
			e := ok("price", `{"price":12.50}`)
			e.Attempt, e.Plugin = 2, "prices"
			m.emit(r, e)
			m.emit(r, event.Event{Type: event.NodeWaiting, Node: "review", Reason: "Is this order all right?"})
			r.info.Status, r.info.Alive, r.info.Reason = event.Waiting, false, "review: Is this order all right?"
		},
		func(m *memory, r *memoryRun) { m.emit(r, started("charge")) },
		func(m *memory, r *memoryRun) {
			m.emit(r, ok("charge", `{"receipt":"R-77"}`))
			m.emit(r, ok("notify", `"sent"`))
			m.emit(r, event.Event{Type: event.NodeSkipped, Node: "undo", Status: event.Skipped, Reason: "nothing that it needs has failed"})
			m.end(r, event.Succeeded, event.Raw([]byte(`{"receipt":"R-77","total":25.00}`)), nil)
		},
	}
}

// lively is a service that has seen something of everything.
func lively(t testing.TB) *memory {
	t.Helper()
	m := empty()
	var err error
	if m.source, err = os.ReadFile("testdata/orders.toml"); err != nil {
		t.Fatal(err)
	}
	plan, findings := workflow.Load(context.Background(), "testdata/orders.toml", workflow.Options{})
	if plan == nil {
		t.Fatalf("testdata/orders.toml: %v", findings)
	}
	m.plan = plan
	now := m.now()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	next := time.Date(now.Year(), now.Month(), now.Day()+1, 6, 30, 0, 0, zone)
	m.schedule = []event.ScheduleInfo{
		{Workflow: "orders", Cron: "30 6 * * mon-fri", Timezone: "Europe/Berlin", Overlap: "queue", CatchUp: "2h", Next: []time.Time{next, next.AddDate(0, 0, 1), next.AddDate(0, 0, 2)}, Last: next.AddDate(0, 0, -1), LastRun: "orders-0-done", LastText: "started", Queued: 1},
		{Workflow: "archive", Index: 0, Cron: "@daily", Timezone: "UTC", Overlap: "skip", Next: []time.Time{now.Add(90 * time.Minute)}},
	}
	report := func(at time.Time, healthy bool) *event.Report {
		c := event.Check{Healthy: healthy, Critical: true, DurationMS: 18, Timestamp: at}
		if !healthy {
			c.Error = &event.Error{Class: event.Transient, Code: "timeout", Message: "no answer within 5s"}
		}
		return &event.Report{OverallHealthy: healthy, Timestamp: at, Checks: map[string]event.Check{"prices": c, "disk": {Healthy: true, DurationMS: .4, Timestamp: at}}}
	}
	var reports []*event.Report
	for i := range 70 {
		reports = append(reports, report(now.Add(time.Duration(i-70)*30*time.Second), i%23 != 7 && i < 68))
	}
	m.health = []event.HealthInfo{{Workflow: "orders", Healthy: false, Reports: reports}, {Workflow: "archive", Healthy: true, Reports: []*event.Report{{OverallHealthy: true, Timestamp: now, Checks: map[string]event.Check{}}}}}
	m.workflows = []event.WorkflowInfo{
		{Name: "archive", File: "/srv/flows/archive.toml", Digest: "sha256:77aa", Nodes: 10_000, Metrics: event.Metrics{TotalExecutions: 1, SuccessRatePercent: 100}},
		{Name: "orders", Description: "Takes an order: checks it, asks the warehouse and the price service, has a person look at large ones.", File: "/srv/flows/orders.toml", Digest: "sha256:9f86d081884c7d65", Nodes: 7,
			InputSchema: orderSchema, Webhook: "/hooks/orders", Schedules: m.schedule[:1], Metrics: event.Metrics{TotalExecutions: 1284, SuccessRatePercent: 98.4}, Health: reports[69]},
	}
	m.ready = []string{"orders: the critical check prices is unhealthy: no answer within 5s"}
	m.breakers = []event.BreakerInfo{
		{Workflow: "orders", BreakerState: event.BreakerState{Key: "prices", State: "open", Failures: 3, OpenForMS: 45_000, LastError: &event.Error{Class: event.Transient, Code: "http_503", Message: "https://prices.example.com/quote answered 503 Service Unavailable"}}, UpdatedAt: now},
		{Workflow: "orders", BreakerState: event.BreakerState{Key: "mail", State: "half_open", Failures: 3}, UpdatedAt: now.Add(-time.Minute)},
		{Workflow: "archive", BreakerState: event.BreakerState{Key: "store", State: "closed"}},
	}
	digest := func(c string) string { return "sha256:" + strings.Repeat(c, 64) }
	m.plugins = []event.PluginInfo{
		{Name: "orders.prices", Workflow: "orders", Source: "prices.wasm", File: "/srv/flows/prices.wasm", Digest: digest("a"), Permissions: []string{"http https://prices.example.com", "secret price_key", "fs /data (rw)"}, Recorded: 200,
			Versions: []event.PluginVersion{{Digest: digest("a"), State: event.VersionCurrent, From: "source", Since: now.Add(-26 * time.Hour), InFlight: 3, Calls: 48211, Failures: 12, P50MS: 11.4, P99MS: 230}, {Digest: digest("b"), State: event.VersionPrevious, From: "source", Since: now.Add(-26 * time.Hour), Calls: 1822, P50MS: 10, P99MS: 180}}},
		{Name: "orders.rules", Workflow: "orders", Source: "builtin:validate", Digest: digest("d"), Pinned: true, Versions: []event.PluginVersion{{Digest: digest("d"), State: event.VersionCurrent, From: "source", Since: now.Add(-2 * time.Hour), Calls: 9}}},
		{Name: "archive.pack", Workflow: "archive", Source: "oci://registry.example.com/pack:3", Error: &event.Error{Class: event.Permanent, Code: "bad_module", Message: "pack.wasm: offset 0x1f: a function without an end"}},
	}
	for i := range 60 {
		status := []event.Status{event.Succeeded, event.Succeeded, event.Degraded, event.Succeeded, event.Cancelled}[i%5]
		r := m.begin(fmt.Sprintf("orders-%d-done", 60-i-1), "orders", event.Raw([]byte(`{"customer":"Ada"}`)))
		r.info.CreatedAt = now.Add(-time.Duration(90-i) * time.Minute)
		r.info.DurationMS = float64(300 + 37*i)
		r.info.Status, r.info.Alive, r.info.FinishedAt = status, false, now
	}
	m.seed(now)
	m.audits = []event.Audit{
		{Time: now.Add(-time.Minute), By: "admin (browser)", Action: "plugin.swap", Target: "orders.prices", Detail: "from 127.0.0.1; aaaaaaaaaaaa → cccccccccccc, now", OK: true},
		{Time: now.Add(-time.Hour), By: "ci", Action: "breaker.reset", Target: "orders.prices", Detail: "from 127.0.0.1; token \"ci\" has scope run, and this needs admin"},
		{Time: now.Add(-2 * time.Hour), By: "schedule", Action: "run.start", Target: "orders-0-done", OK: true},
	}
	return m
}

// seed adds the runs that have something to show.
func (m *memory) seed(now time.Time) {
	bad := &event.Error{Node: "charge", Plugin: "prices", Class: event.Permanent, Code: "card_declined", Message: "the bank declined the card: <b>insufficient</b> funds\u202e", Attempt: 1}
	f := m.begin("failed-run", "orders", event.Raw([]byte(`{"customer":"Grace <script>alert(1)</script>","quantity":3}`)))
	f.info.CreatedAt = now.Add(-7 * time.Minute)
	for i, n := range []string{"validate", "stock", "price"} {
		v := event.Raw([]byte(`{"fine":true}`))
		m.emit(f, event.Event{Type: event.NodeStarted, Node: n, Plugin: "rules", Time: f.info.CreatedAt.Add(time.Duration(i*200) * time.Millisecond)})
		e := event.Event{Type: event.NodeSucceeded, Node: n, Status: event.Succeeded, Attempt: 1, Plugin: "rules", DurationMS: 180, Output: &v, Time: f.info.CreatedAt.Add(time.Duration(i*200+180) * time.Millisecond)}
		if n == "price" {
			e.Status, e.AnsweredBy = event.Degraded, "fallback[0]"
		}
		m.emit(f, e)
	}
	m.emit(f, event.Event{Type: event.NodeStarted, Node: "charge", Plugin: "prices", Time: f.info.CreatedAt.Add(700 * time.Millisecond)})
	m.emit(f, event.Event{Type: event.NodeAttemptFailed, Node: "charge", Attempt: 1, Plugin: "prices", Error: bad, Time: f.info.CreatedAt.Add(900 * time.Millisecond)})
	m.emit(f, event.Event{Type: event.NodeFailed, Node: "charge", Status: event.Failed, Attempt: 1, Plugin: "prices", Error: bad, DurationMS: 200, Time: f.info.CreatedAt.Add(900 * time.Millisecond)})
	m.emit(f, event.Event{Type: event.NodeSkipped, Node: "notify", Status: event.Skipped, Reason: "charge failed", Time: f.info.CreatedAt.Add(901 * time.Millisecond)})
	m.end(f, event.Failed, event.Null, bad)

	big := strings.Repeat("0123456789abcdef", 1<<16) // 1 MB
	l := m.begin("long-run", "orders", event.Text(big))
	m.emit(l, event.Event{Type: event.NodeStarted, Node: "validate", Plugin: "rules"})
	for i := range 3000 {
		m.emit(l, event.Event{Type: event.Log, Node: "validate", Attempt: 1, LogLevel: "debug", Message: "line " + strconv.Itoa(i) + " " + big[:100]})
	}
	m.emit(l, event.Event{Type: event.Log, Node: "validate", Attempt: 1, LogLevel: "error", Message: big})
	v := event.Text(big)
	m.emit(l, event.Event{Type: event.NodeSucceeded, Node: "validate", Status: event.Succeeded, Attempt: 1, Output: &v, DurationMS: 4})
	m.end(l, event.Succeeded, event.Text(big), nil)

	i := m.begin("interrupted-run", "orders", event.Null)
	i.info.Alive, i.info.Owner = false, ""
	m.emit(i, event.Event{Type: event.NodeStarted, Node: "validate", Plugin: "rules"})

	u := m.begin("unknown-run", "orders", event.Null)
	u.info.Status, u.info.Alive, u.info.Reason, u.info.WakeAt = event.Waiting, false, "charge: nobody knows whether it was done", now.Add(3*time.Hour)
	m.emit(u, event.Event{Type: event.NodeStarted, Node: "charge", Plugin: "prices"})
	m.emit(u, event.Event{Type: event.NodeWaiting, Node: "charge", Reason: "its last call timed out, and nobody knows what it did", Error: &event.Error{Class: event.Transient, Code: "timeout", Message: "no answer within 5s", OutcomeUnknown: true}})

	w := m.begin("waiting-run", "orders", event.Raw([]byte(`{"customer":"Ada","quantity":900}`)))
	steps := orderSteps()
	for _, s := range steps[:3] {
		s(m, w)
	}
	w.steps = steps[3:]
}

// large adds a run with n nodes.
func (m *memory) large(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.begin("large-run", "archive", event.Null)
	for i := range n {
		node := "pack-" + strconv.Itoa(i)
		m.emit(r, event.Event{Type: event.NodeStarted, Node: node, Plugin: "pack"})
		if i%1000 == 17 {
			m.emit(r, event.Event{Type: event.NodeFailed, Node: node, Status: event.Failed, Attempt: 1, Plugin: "pack", Error: &event.Error{Class: event.System, Code: "memory", Message: "more than 32 MiB"}})
			continue
		}
		v := event.Text("packed")
		m.emit(r, event.Event{Type: event.NodeSucceeded, Node: node, Status: event.Succeeded, Attempt: 1, Plugin: "pack", DurationMS: 3, Output: &v})
	}
}

// note has something happen in a run that changes nothing.
func (m *memory) note(t testing.TB, id, message string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(id)
	if err != nil {
		t.Fatal(err)
	}
	m.emit(r, event.Event{Type: event.Log, Node: "validate", Attempt: 1, LogLevel: "info", Message: message})
}

// flood adds a run that has logged so many bytes.
func (m *memory) flood(bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.begin("flooded-run", "orders", event.Null)
	m.emit(r, event.Event{Type: event.NodeStarted, Node: "validate", Plugin: "rules"})
	text := strings.Repeat("all work and no play ", 10)
	for n := 0; n < bytes; n += len(text) {
		m.emit(r, event.Event{Type: event.Log, Node: "validate", Attempt: 1, LogLevel: "info", Message: text})
	}
}
