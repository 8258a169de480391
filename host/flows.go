package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"wasmhost/host/event"
	"wasmhost/host/workflow"
)

// flows are the workflows that are served.
type flows struct {
	mu sync.RWMutex
	of map[string]*flow // by name
	// changed is closed when one of them has been loaded again.
	changed chan struct{}
}

// flow is a served workflow. Fields but the first two are under flows.mu.
type flow struct {
	name, file string
	w          *Workflow
	source     []byte
	files      []string     // what it was made of
	err        *event.Error // why its file cannot be used as it is now
	unable     *event.Error // why no run of it can be started
	hook       *hook
}

func (f *flows) get(name string) *flow {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.of[name]
}

func (f *flows) names() []string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return slices.Sorted(maps.Keys(f.of))
}

// loaded are the flows as they are now, by name.
func (f *flows) loaded() []flow {
	f.mu.RLock()
	defer f.mu.RUnlock()
	all := make([]flow, 0, len(f.of))
	for _, name := range slices.Sorted(maps.Keys(f.of)) {
		all = append(all, *f.of[name])
	}
	return all
}

// next is closed when a flow has been loaded again after this call.
func (f *flows) next() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return f.changed
}

func (f *flows) tellChanged() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// loadFlows loads every file that is to be served. All that is wrong with them is
// in the error.
func (s *served) loadFlows(ctx context.Context) error {
	files, err := workflowFiles(s.o.Files)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return refusal("bad_setting", "there is nothing to serve: name a workflow file, or a folder that has some")
	}
	var wrong []string
	for _, file := range files {
		if err := s.loadFlow(ctx, file); err != nil {
			var e *event.Error
			if !errors.As(err, &e) || e.Code != "invalid_workflow" {
				return err
			}
			wrong = append(wrong, e.Message)
		}
	}
	if len(wrong) > 0 {
		return refusal("invalid_workflow", strings.Join(wrong, "\n"))
	}
	return nil
}

// loadFlow adds the workflow of a file.
func (s *served) loadFlow(ctx context.Context, file string) error {
	f, err := s.readFlow(ctx, file)
	if err != nil {
		return err
	}
	s.flows.mu.Lock()
	defer s.flows.mu.Unlock()
	if there := s.flows.of[f.name]; there != nil {
		s.release(ctx, f.w)
		return refusal("bad_setting", fmt.Sprintf("%s and %s are both workflow %q; give one of them another name", there.file, file, f.name))
	}
	if err := s.flows.hookFree(f); err != nil {
		s.release(ctx, f.w)
		return err
	}
	s.flows.of[f.name] = f
	return nil
}

// hookFree refuses a webhook whose path another workflow has.
func (f *flows) hookFree(one *flow) error {
	for _, there := range f.of {
		if there.name != one.name && there.hook != nil && one.hook != nil && there.hook.path == one.hook.path {
			return refusal("bad_setting", fmt.Sprintf("workflows %q and %q both have the webhook path %q; change one of them", there.name, one.name, one.hook.path))
		}
	}
	return nil
}

// readFlow loads a file. Code invalid_workflow when it has findings, missing_secret
// when callers of its webhook could not be told from others.
func (s *served) readFlow(ctx context.Context, file string) (*flow, error) {
	source, err := workflow.ReadFile(file, workflow.MaxFile)
	if err != nil {
		return nil, refusal("invalid_workflow", fmt.Sprintf("%s cannot be read: %v", file, err))
	}
	w, findings, err := s.Load(ctx, file)
	if err != nil {
		if !errors.Is(err, ErrInvalid) {
			return nil, err
		}
		return nil, refusal("invalid_workflow", textOf(findings))
	}
	for _, one := range findings {
		s.log.Warn("finding", "file", one.File, "line", one.Line, "message", one.Message)
	}
	f := &flow{name: w.plan.Name, file: file, source: source, files: filesOf(w.plan), w: s.keep(ctx, w)}
	if f.hook, err = s.hookOf(f.w.plan); err != nil {
		s.release(ctx, f.w)
		return nil, err
	}
	if err := s.ready(f.w); err != nil {
		f.unable = eventError(err)
		s.log.Warn("no run of the workflow can be started", "workflow", f.name, "error", f.unable.Message)
	}
	return f, nil
}

// ready reports what keeps every run of a workflow from starting.
func (s *served) ready(w *Workflow) error {
	if err := s.startable(w.plan); err != nil {
		return err
	}
	return s.plugins.prepare(w.plan)
}

// textOf are the errors of a file, a line each.
func textOf(findings []workflow.Finding) string {
	var lines []string
	for _, f := range findings {
		if f.Severity == workflow.Error {
			lines = append(lines, fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Col, f.Message))
		}
	}
	return strings.Join(lines, "\n")
}

// reloadFlow loads a workflow whose file has changed. A valid one is what new runs
// get; those that go on keep their own. An invalid one is told, and what was there
// goes on.
func (s *served) reloadFlow(ctx context.Context, name string) {
	f := s.flows.get(name)
	if f == nil {
		return
	}
	next, err := s.readFlow(ctx, f.file)
	if err == nil && next.name != name {
		s.release(ctx, next.w)
		err = refusal("invalid_workflow", fmt.Sprintf("%s is workflow %q now, and was %q when the server started; start it again to serve it by that name", f.file, next.name, name))
	}
	s.flows.mu.Lock()
	if err == nil {
		if err = s.flows.hookFree(next); err != nil {
			s.release(ctx, next.w)
		}
	}
	if err != nil {
		f.err = eventError(err)
		if errors.Is(err, fs.ErrNotExist) {
			f.err.Cause = nil
		}
		s.flows.mu.Unlock()
		s.log.Error("the workflow's file has changed and cannot be used; what was loaded before goes on", "workflow", name, "error", f.err.Message)
		s.Audit(ctx, event.Audit{By: "file watch", Action: "workflow.load", Target: name, Detail: f.err.Message})
		return
	}
	old := f.w
	f.w, f.source, f.files, f.err, f.unable, f.hook = next.w, next.source, next.files, nil, next.unable, next.hook
	same := old == next.w
	s.flows.mu.Unlock()
	s.release(ctx, old)
	if same {
		return // it is as it was before
	}
	s.scheduler.Set(name, next.w.plan.Schedules)
	s.alerts.Set(name, next.w.plan.Alerts, next.w.plan.Health)
	s.flows.tellChanged()
	s.log.Info("the workflow's file has changed: new runs use it", "workflow", name, "digest", next.w.plan.Digest)
	s.Audit(ctx, event.Audit{By: "file watch", Action: "workflow.load", Target: name, Detail: next.w.plan.Digest, OK: true})
}

func (s *served) unloadFlows(ctx context.Context) {
	s.flows.mu.Lock()
	all := s.flows.of
	s.flows.of = map[string]*flow{}
	s.flows.mu.Unlock()
	for _, f := range all {
		s.release(ctx, f.w)
	}
}

// servedRoots tells which root workflows are served; nil: all of those that are
// loaded count.
func (h *Host) servedRoots() func(root string) bool {
	s := h.served.Load()
	if s == nil {
		return nil
	}
	return func(root string) bool { return s.flows.get(root) != nil }
}
