package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"wasmhost/host/event"
)

// memory is a Service that keeps everything in memory. Runs of "hello" do one
// node and end; runs of "slow" go on until the test says so; runs of "ask" wait
// for an approval.
type memory struct {
	mu       sync.Mutex
	runs     map[string]*memoryRun
	order    []string
	audits   []event.Audit
	versions []event.PluginVersion
	breaker  event.BreakerInfo
	reasons  []string
	stopping bool

	follows int // how often Follow was called, and how many go on
	active  int
	paged   int // calls of RunEvents
	swaps   []event.SwapRequest
	hold    chan struct{} // Workflows waits for it, when it is there
}

type memoryRun struct {
	info   event.RunInfo
	events []*event.Event
	output event.Value
	news   chan struct{}
}

func newMemory() *memory {
	return &memory{runs: map[string]*memoryRun{},
		versions: []event.PluginVersion{{Digest: "sha256:aa", State: event.VersionCurrent, From: "source", Since: time.Now()}, {Digest: "sha256:00", State: event.VersionPrevious, From: "source", Since: time.Now()}},
		breaker:  event.BreakerInfo{Workflow: "hello", BreakerState: event.BreakerState{Key: "api", State: "open", Failures: 5, OpenForMS: 1000}, UpdatedAt: time.Now()}}
}

func (m *memory) find(id string) (*memoryRun, error) {
	if r := m.runs[id]; r != nil {
		return r, nil
	}
	var found *memoryRun
	for full, r := range m.runs {
		if strings.HasPrefix(full, id) {
			if found != nil {
				return nil, refusal("ambiguous", "several runs begin with "+id)
			}
			found = r
		}
	}
	if found == nil {
		return nil, refusal("not_found", fmt.Sprintf("there is no run %q", id))
	}
	return found, nil
}

// emit adds an event to a run; under m.mu.
func (r *memoryRun) emit(e event.Event) {
	e.V, e.Seq, e.Time, e.Run = event.Version, uint64(len(r.events)+1), time.Now().UTC(), r.info.ID
	r.events = append(r.events, &e)
	r.info.UpdatedAt = e.Time
	close(r.news)
	r.news = make(chan struct{})
}

func (r *memoryRun) end(s event.Status, output event.Value) {
	r.info.Status, r.info.Alive, r.info.FinishedAt, r.output = s, false, time.Now().UTC(), output
	r.emit(event.Event{Type: event.RunFinished, Status: s})
}

// emit is an event of a run that goes on.
func (m *memory) emit(id string, e event.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runs[id].emit(e)
}

func (m *memory) finish(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runs[id].end(event.Succeeded, event.Text("done"))
}

var memoryWorkflows = []string{"hello", "slow", "ask"}

func (m *memory) Workflows(ctx context.Context) ([]event.WorkflowInfo, error) {
	if m.hold != nil {
		select {
		case <-m.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	var all []event.WorkflowInfo
	for _, name := range memoryWorkflows {
		info, _, _ := m.Workflow(ctx, name)
		all = append(all, *info)
	}
	return all, nil
}

func (m *memory) Workflow(_ context.Context, name string) (*event.WorkflowInfo, []byte, error) {
	if !slices.Contains(memoryWorkflows, name) {
		return nil, nil, refusal("not_found", fmt.Sprintf("no workflow %q is served", name))
	}
	v := event.Text("x")
	return &event.WorkflowInfo{Name: name, File: name + ".toml", Digest: "sha256:f", Nodes: 1, Default: &v, InputSchema: json.RawMessage(`{"type":"string"}`), Webhook: "/hooks/" + name}, []byte("name = \"" + name + "\"\n"), nil
}

func (m *memory) Graph(ctx context.Context, workflow, run string) ([]byte, error) {
	if _, _, err := m.Workflow(ctx, workflow); err != nil {
		return nil, err
	}
	return []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), nil
}

func (m *memory) Start(_ context.Context, s StartRequest) (*event.RunInfo, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.stopping:
		return nil, false, refusal("stopping", "the host is stopping")
	case !slices.Contains(memoryWorkflows, s.Workflow):
		return nil, false, refusal("not_found", fmt.Sprintf("no workflow %q is served", s.Workflow))
	case string(s.Input.JSON()) == `"bad"`:
		return nil, false, refusal("invalid_input", "the input does not fit the schema")
	}
	if s.RunID == "" {
		s.RunID = fmt.Sprintf("run-%03d", len(m.runs)+1)
	}
	if r := m.runs[s.RunID]; r != nil {
		if r.info.Workflow != s.Workflow || string(r.info.Input.JSON()) != string(s.Input.JSON()) {
			return nil, false, refusal("run_conflict", "the run id belongs to another run")
		}
		info := r.info
		return &info, false, nil
	}
	r := &memoryRun{news: make(chan struct{}), info: event.RunInfo{ID: s.RunID, Workflow: s.Workflow, File: s.Workflow + ".toml", Digest: "sha256:f", Status: event.Running, Alive: true, Generation: 1, Input: s.Input, CreatedAt: time.Now().UTC()}}
	m.runs[s.RunID] = r
	m.order = append(m.order, s.RunID)
	r.emit(event.Event{Type: event.RunStarted, Workflow: s.Workflow})
	r.emit(event.Event{Type: event.NodeStarted, Node: "a"})
	switch s.Workflow {
	case "hello":
		r.emit(event.Event{Type: event.NodeSucceeded, Node: "a", Status: event.Succeeded, Output: &s.Input})
		r.end(event.Succeeded, s.Input)
	case "ask":
		r.info.Status, r.info.Alive, r.info.Reason = event.Waiting, false, "approval of a"
		r.emit(event.Event{Type: event.NodeWaiting, Node: "a", Reason: "approval"})
	}
	info := r.info
	return &info, true, nil
}

func (m *memory) Runs(_ context.Context, f event.RunFilter) ([]event.RunInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []event.RunInfo
	skip := f.Before != ""
	for _, id := range slices.Backward(m.order) {
		r := m.runs[id]
		switch {
		case skip:
			skip = id != f.Before
		case r == nil || f.Workflow != "" && r.info.Workflow != f.Workflow || len(f.Status) > 0 && !slices.Contains(f.Status, r.info.Status):
		case len(all) < f.Limit:
			all = append(all, r.info)
		}
	}
	return all, nil
}

func (m *memory) RunCounts(_ context.Context, workflow string) (map[event.Status]int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := map[event.Status]int{}
	for _, r := range m.runs {
		if workflow == "" || workflow == r.info.Workflow {
			counts[r.info.Status]++
		}
	}
	return counts, nil
}

func (m *memory) RunInfo(_ context.Context, id string) (*event.RunInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.infoOf(id)
}

func (m *memory) infoOf(id string) (*event.RunInfo, error) {
	r, err := m.find(id)
	if err != nil {
		return nil, err
	}
	info := r.info
	return &info, nil
}

func (m *memory) RunResult(_ context.Context, id string) (*event.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(id)
	if err != nil {
		return nil, err
	}
	result := &event.Result{RunID: r.info.ID, Workflow: r.info.Workflow, LevelName: r.info.Workflow, Status: r.info.Status, Output: r.output, Nodes: event.NodeMap{}, StartedAt: r.info.CreatedAt, FinishedAt: r.info.FinishedAt}
	for _, e := range r.events {
		result.Add(e)
	}
	return result, nil
}

func (m *memory) RunEvents(_ context.Context, id string, after uint64, limit int) ([]*event.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.paged++
	r, err := m.find(id)
	if err != nil {
		return nil, err
	}
	if after >= uint64(len(r.events)) {
		return nil, nil
	}
	rest := r.events[after:]
	return slices.Clone(rest[:min(limit, len(rest))]), nil
}

func (m *memory) Follow(ctx context.Context, id string, after uint64, tell func(*event.Event) error) error {
	m.mu.Lock()
	m.follows++
	m.active++
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.active--
		m.mu.Unlock()
	}()
	for {
		m.mu.Lock()
		r, err := m.find(id)
		if err != nil {
			m.mu.Unlock()
			return err
		}
		var fresh []*event.Event
		if after < uint64(len(r.events)) {
			fresh = slices.Clone(r.events[after:])
		}
		ended, news := r.info.Status.Ended(), r.news
		m.mu.Unlock()
		for _, e := range fresh {
			if err := tell(e); err != nil {
				return err
			}
			after = e.Seq
		}
		if ended {
			return nil
		}
		if len(fresh) > 0 {
			continue
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *memory) Why(ctx context.Context, id string) ([]event.Wait, error) {
	info, err := m.RunInfo(ctx, id)
	if err != nil || info.Status != event.Waiting {
		return nil, err
	}
	return []event.Wait{{Node: "a", Kind: "approval", Text: "node a waits for an approval", Next: "approve it"}}, nil
}

func (m *memory) Export(ctx context.Context, id string, w io.Writer) error {
	info, err := m.RunInfo(ctx, id)
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(map[string]any{"run": info})
}

// alter does something to a run, under m.mu, and returns it as it is then.
func (m *memory) alter(id string, f func(*memoryRun) error) (*event.RunInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(id)
	if err != nil {
		return nil, err
	}
	if err := f(r); err != nil {
		return nil, err
	}
	info := r.info
	return &info, nil
}

func (m *memory) CancelRun(_ context.Context, id, reason string) error {
	_, err := m.alter(id, func(r *memoryRun) error {
		if r.info.Status.Ended() {
			return refusal("run_ended", "the run has ended")
		}
		r.info.Reason = reason
		r.end(event.Cancelled, event.Null)
		return nil
	})
	return err
}

func (m *memory) ResumeRun(_ context.Context, id string) (*event.RunInfo, error) {
	return m.alter(id, func(r *memoryRun) error {
		if r.info.Status.Ended() {
			return refusal("run_ended", "the run has ended")
		}
		return nil
	})
}

func (m *memory) RetryRun(_ context.Context, id, from string) (*event.RunInfo, error) {
	return m.alter(id, func(r *memoryRun) error {
		switch {
		case from != "" && from != "a":
			return refusal("unknown_node", fmt.Sprintf("the run has no node %q", from))
		case from == "" && r.info.Status == event.Succeeded:
			return refusal("run_succeeded", "every node succeeded")
		case r.info.Alive:
			return refusal("run_alive", "a process works on the run")
		}
		r.info.Generation++
		r.info.Status, r.info.Alive = event.Running, true
		r.emit(event.Event{Type: event.RunStarted})
		return nil
	})
}

func (m *memory) ApproveRun(_ context.Context, id string, a event.Approval) (*event.RunInfo, error) {
	return m.alter(id, func(r *memoryRun) error {
		if r.info.Status != event.Waiting {
			return refusal("not_waiting", "nothing waits for a person")
		}
		r.info.Owner = a.By
		if a.Reject {
			r.end(event.Failed, event.Null)
		} else {
			r.end(event.Succeeded, a.Output)
		}
		return nil
	})
}

func (m *memory) DeleteRun(_ context.Context, id string) error {
	info, err := m.alter(id, func(r *memoryRun) error {
		if r.info.Alive {
			return refusal("run_alive", "a process works on the run")
		}
		return nil
	})
	if err == nil {
		m.mu.Lock()
		delete(m.runs, info.ID)
		m.mu.Unlock()
	}
	return err
}

func (m *memory) Plugins(context.Context) ([]event.PluginInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return []event.PluginInfo{{Name: "hello.up", Workflow: "hello", Source: "up.wasm", Digest: m.versions[0].Digest, Versions: slices.Clone(m.versions),
		LastTrial: &event.TrialResult{Mode: event.SwapShadow, Digest: "sha256:cc", Outcome: "ended", Reason: "it has seen enough", Calls: 2, Differ: 1, Differences: differences}}}, nil
}

func (m *memory) Plugin(ctx context.Context, name string) (*event.PluginInfo, error) {
	all, _ := m.Plugins(ctx)
	if name != "up" && name != "hello.up" {
		return nil, refusal("not_found", fmt.Sprintf("there is no plugin %q", name))
	}
	return &all[0], nil
}

var differences = []event.Difference{{Run: "r1", Node: "a", Input: "1", Old: "2", New: "3"}}

func (m *memory) Swap(ctx context.Context, r event.SwapRequest) (*event.SwapReport, error) {
	info, err := m.Plugin(ctx, r.Plugin)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.swaps = append(m.swaps, r)
	report := &event.SwapReport{Plugin: info.Name, From: info.Digest, To: "sha256:bb", Mode: r.Mode, Steps: []event.SwapStep{{Name: "fetch", OK: true}}}
	if r.Replay {
		report.Replay = &event.ReplayReport{Calls: 2, Identical: 1, Differ: differences, Text: "1 of 2 identical"}
	}
	if r.Module != nil && !strings.HasPrefix(string(r.Module), "\x00asm") {
		report.Refused = refusal("bad_module", "these bytes are no WebAssembly module")
		return report, nil
	}
	m.versions = append([]event.PluginVersion{{Digest: "sha256:bb", State: event.VersionCurrent, From: "upload", Since: time.Now()}}, m.versions...)
	return report, nil
}

func (m *memory) Rollback(ctx context.Context, name, _ string) (*event.PluginInfo, error) {
	return m.Plugin(ctx, name)
}

func (m *memory) Promote(ctx context.Context, name, _ string) (*event.PluginInfo, error) {
	if _, err := m.Plugin(ctx, name); err != nil {
		return nil, err
	}
	return nil, refusal("no_version", "there is no trial")
}

func (m *memory) AllBreakers(context.Context) ([]event.BreakerInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return []event.BreakerInfo{m.breaker}, nil
}

func (m *memory) setBreaker(name, state string) (*event.BreakerInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if name != "api" && name != "hello.api" {
		return nil, refusal("not_found", "there is no breaker "+name)
	}
	m.breaker.State = state
	b := m.breaker
	return &b, nil
}

func (m *memory) ResetBreaker(_ context.Context, name string) (*event.BreakerInfo, error) {
	return m.setBreaker(name, "closed")
}

func (m *memory) OpenBreaker(_ context.Context, name string) (*event.BreakerInfo, error) {
	return m.setBreaker(name, "open")
}

func (m *memory) Health(context.Context) ([]event.HealthInfo, error) {
	return []event.HealthInfo{{Workflow: "hello", Healthy: true, Reports: []*event.Report{memoryReport()}}}, nil
}

func memoryReport() *event.Report {
	return &event.Report{OverallHealthy: true, Timestamp: time.Now().UTC(), Checks: map[string]event.Check{"db": {Healthy: true, Timestamp: time.Now().UTC()}}}
}

func (m *memory) Check(ctx context.Context, workflow string) (*event.Report, error) {
	if _, _, err := m.Workflow(ctx, workflow); err != nil {
		return nil, err
	}
	return memoryReport(), nil
}

func (m *memory) Ready(context.Context) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reasons
}

func (m *memory) Schedules(context.Context) ([]event.ScheduleInfo, error) {
	return []event.ScheduleInfo{{Workflow: "hello", Cron: "0 * * * *", Timezone: "UTC", Overlap: "skip", Next: []time.Time{time.Now().UTC()}}}, nil
}

const (
	hookHMAC   = "a secret of webhooks"
	hookBearer = "another secret of webhooks"
)

func (m *memory) Hook(_ context.Context, path string) (*Hook, error) {
	switch path {
	case "signed/hello":
		return &Hook{Workflow: "hello", HMAC: []byte(hookHMAC), Header: "X-Hub-Signature-256"}, nil
	case "slow":
		return &Hook{Workflow: "slow", Bearer: hookBearer}, nil
	}
	return nil, refusal("not_found", fmt.Sprintf("there is no webhook %q", path))
}

func (m *memory) Audit(_ context.Context, a event.Audit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.audits = append(m.audits, a)
}

func (m *memory) Audits(_ context.Context, n int) ([]event.Audit, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.Clone(m.audits)
	slices.Reverse(all)
	return all[:min(n, len(all))], nil
}

// followed is how often Follow was called, and how many of them go on.
func (m *memory) followed() (calls, active int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.follows, m.active
}
