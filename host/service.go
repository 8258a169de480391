package host

import (
	"context"
	"fmt"
	"strings"

	"wasmhost/host/event"
	"wasmhost/host/internal/server"
	"wasmhost/host/workflow"
)

// What a server is asked, where the Host's own methods are not the answer.
var _ server.Service = (*served)(nil)

// flow is the served workflow of a name. Code not_found.
func (s *served) flow(name string) (flow, error) {
	s.flows.mu.RLock()
	f := s.flows.of[name]
	if f != nil {
		defer s.flows.mu.RUnlock()
		return *f, nil
	}
	s.flows.mu.RUnlock()
	return flow{}, refusal("not_found", fmt.Sprintf("the server has no workflow %q; it has %s", name, strings.Join(s.flows.names(), ", ")))
}

// Workflows are those that are served, by name.
func (s *served) Workflows(ctx context.Context) ([]event.WorkflowInfo, error) {
	schedules := s.scheduler.List()
	var all []event.WorkflowInfo
	for _, f := range s.flows.loaded() {
		all = append(all, s.infoOf(&f, schedules))
	}
	return all, nil
}

// Workflow is one of them, and the text of its file.
func (s *served) Workflow(ctx context.Context, name string) (*event.WorkflowInfo, []byte, error) {
	f, err := s.flow(name)
	if err != nil {
		return nil, nil, err
	}
	info := s.infoOf(&f, s.scheduler.List())
	return &info, f.source, nil
}

func (s *served) infoOf(f *flow, schedules []event.ScheduleInfo) event.WorkflowInfo {
	p := f.w.plan
	i := event.WorkflowInfo{Name: p.Name, Description: p.Description, File: f.file, Digest: p.Digest, Nodes: len(p.Nodes), InputSchema: p.Input.Schema.JSON(),
		Schedules: []event.ScheduleInfo{}, Metrics: s.Metrics(f.w), Error: f.err}
	if i.Error == nil {
		i.Error = f.unable
	}
	if p.Input.HasDefault {
		i.Default = &p.Input.Default
	}
	if f.hook != nil {
		i.Webhook = "/hooks/" + f.hook.path
	}
	for _, one := range schedules {
		if one.Workflow == f.name {
			i.Schedules = append(i.Schedules, one)
		}
	}
	if reports := s.monitor.History(f.name); len(reports) > 0 {
		i.Health = reports[len(reports)-1]
	}
	return i
}

// Graph draws a workflow, with the states of a run's nodes.
func (s *served) Graph(ctx context.Context, name, run string) ([]byte, error) {
	if run == "" {
		f, err := s.flow(name)
		if err != nil {
			return nil, err
		}
		return f.w.plan.Graph("svg", workflow.GraphOptions{})
	}
	info, err := s.find(ctx, run)
	if err != nil {
		return nil, err
	}
	if info.Workflow != name {
		return nil, refusal("not_found", fmt.Sprintf("run %s is one of workflow %q, not of %q", info.ID, info.Workflow, name))
	}
	// The run may go on with what the file was, or be of a file that is not served.
	w := s.borrow(heldKey{info.File, info.Digest})
	if w != nil {
		defer s.release(context.WithoutCancel(ctx), w)
	} else if f, err := s.flow(name); err == nil {
		w = f.w
	} else {
		return nil, err
	}
	result, err := s.RunResult(ctx, info.ID)
	if err != nil {
		return nil, err
	}
	return w.plan.Graph("svg", workflow.GraphOptions{State: statesOf(result)})
}

// statesOf tells the state of every node of a result.
func statesOf(r *event.Result) func(level, node string) event.Status {
	type place struct{ level, node string }
	states := map[place]event.Status{}
	var nodes func(level, prefix string, m event.NodeMap)
	nodes = func(level, prefix string, m event.NodeMap) {
		for id, n := range m {
			states[place{level, prefix + id}] = n.Status
			if n.Run != nil {
				nodes(level, prefix+id+"/", n.Run.Nodes)
			}
		}
	}
	var levels func(prefix string, all []event.Level)
	levels = func(prefix string, all []event.Level) {
		for i := range all {
			at := fmt.Sprint(i)
			if prefix != "" {
				if at = prefix; i > 0 {
					at = fmt.Sprintf("%s.%d", prefix, i)
				}
			}
			if len(all[i].Levels) > 0 {
				levels(at, all[i].Levels)
				continue
			}
			nodes(at, "", all[i].Nodes)
		}
	}
	levels("", r.Levels)
	return func(level, node string) event.Status { return states[place{level, node}] }
}

// Start starts a run of a served workflow.
func (s *served) Start(ctx context.Context, ask server.StartRequest) (*event.RunInfo, bool, error) {
	if s.isStopping() {
		return nil, false, errStopping
	}
	s.flows.mu.RLock()
	f := s.flows.of[ask.Workflow]
	if f == nil {
		s.flows.mu.RUnlock()
		_, err := s.flow(ask.Workflow)
		return nil, false, err
	}
	w := f.w
	s.retain(w) // before somebody puts another one there
	s.flows.mu.RUnlock()
	info, fresh, err := s.start(ctx, w, Options{RunID: ask.RunID, Input: ask.Input, HasInput: ask.HasInput})
	if !fresh {
		s.release(context.WithoutCancel(ctx), w)
	}
	return info, fresh, err
}

// start starts a run, or finds the one of its id. Only a fresh one keeps w.
func (s *served) start(ctx context.Context, w *Workflow, o Options) (*event.RunInfo, bool, error) {
	if s.slots.full() {
		return nil, false, &event.Error{Class: event.Transient, Code: "busy_server", Message: fmt.Sprintf("%d runs queue already; no more are taken until some of them have begun", s.o.MaxQueued)}
	}
	r, there, fresh, err := s.begin(ctx, w, o, true)
	switch {
	case err != nil:
		return nil, false, err
	case fresh:
		return r.info(), true, nil
	case r != nil:
		info, err := s.RunInfo(ctx, r.id)
		return info, false, err
	}
	if err := s.sameRun(w, o, there); err != nil {
		return nil, false, err
	}
	if !there.Status.Ended() && !there.Alive && there.Status != event.Waiting {
		info, err := s.ResumeRun(ctx, there.ID)
		return info, false, err
	}
	info := infoOf(there)
	return &info, false, nil
}

// ResumeRun goes on with a run that nobody works on.
func (s *served) ResumeRun(ctx context.Context, id string) (*event.RunInfo, error) {
	if s.isStopping() {
		return nil, errStopping
	}
	info, err := s.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if !info.Status.Ended() && !info.Alive {
		r, err := s.goOn(ctx, info, Options{}, nil)
		if err == nil {
			return s.infoNow(ctx, r)
		}
		if err != errTaken {
			return nil, err
		}
	}
	return s.RunInfo(ctx, info.ID)
}

// RetryRun runs again what did not succeed, or from and what follows it.
func (s *served) RetryRun(ctx context.Context, id, from string) (*event.RunInfo, error) {
	if s.isStopping() {
		return nil, errStopping
	}
	r, err := s.Retry(ctx, id, RetryOptions{From: from})
	if err != nil {
		return nil, err
	}
	return s.infoNow(ctx, r)
}

// ApproveRun answers a node that waits for a person.
func (s *served) ApproveRun(ctx context.Context, id string, a event.Approval) (*event.RunInfo, error) {
	if s.isStopping() {
		return nil, errStopping
	}
	r, err := s.Approve(ctx, id, a, Options{})
	if err != nil {
		return nil, err
	}
	return s.infoNow(ctx, r)
}

// infoNow is a run as the journal has it when all that was said of it until now
// is in there. Nobody follows it.
func (s *served) infoNow(ctx context.Context, r *Run) (*event.RunInfo, error) {
	if r.unfollow != nil {
		r.Interrupt(nil)
	}
	if err := s.journal.Flush(ctx); err != nil {
		return nil, s.recorded(err)
	}
	return s.RunInfo(ctx, r.id)
}

// Plugin is a plugin of a served workflow.
func (s *served) Plugin(ctx context.Context, name string) (*event.PluginInfo, error) {
	return s.PluginInfo(ctx, name)
}

// Health are the reports of every served workflow.
func (s *served) Health(ctx context.Context) ([]event.HealthInfo, error) {
	var all []event.HealthInfo
	for _, name := range s.flows.names() {
		i := event.HealthInfo{Workflow: name, Healthy: true, Reports: s.monitor.History(name)}
		if i.Reports == nil {
			i.Reports = []*event.Report{}
		}
		if n := len(i.Reports); n > 0 {
			i.Healthy = i.Reports[n-1].OverallHealthy
		}
		all = append(all, i)
	}
	return all, nil
}

// Check runs a workflow's checks.
func (s *served) Check(ctx context.Context, name string) (*event.Report, error) {
	f, err := s.flow(name)
	if err != nil {
		return nil, err
	}
	if err := s.plugins.prepare(f.w.plan); err != nil {
		return nil, err
	}
	return s.monitor.CheckNow(ctx, f.w.plan), nil
}

// Schedules are those of the served workflows.
func (s *served) Schedules(ctx context.Context) ([]event.ScheduleInfo, error) {
	return s.scheduler.List(), nil
}
