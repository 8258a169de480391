//go:build unix

package torture

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"wasmhost/host"
	"wasmhost/host/event"
)

// Job is one run that somebody is to bring to its end.
type Job struct {
	ID   string
	Kind string
	Seed uint64
}

// driver brings runs to their end with what the API offers, from wherever they
// are: somebody may have died on the way before.
type driver struct {
	host *host.Host
	dir  string // of the workflows
	// say tells what was acknowledged: S run, N run node, E run status.
	say func(words ...string)
}

func (d *driver) drive(ctx context.Context, j Job) (*event.Result, error) {
	w, findings, err := d.host.Load(ctx, filepath.Join(d.dir, j.Kind+".toml"))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", err, findings)
	}
	for step := 0; ; step++ {
		info, err := d.host.RunInfo(ctx, j.ID)
		var r *host.Run
		switch {
		case code(err) == "not_found", err == nil && info.Status == event.Running && j.Seed%4 == 0:
			r, err = d.host.Start(ctx, w, host.Options{RunID: j.ID, Sink: d.sink(j)})
		case err != nil:
		case info.Status == event.Waiting:
			r, err = d.decide(ctx, j)
		case info.Status == event.Failed && j.Kind == "mend":
			r, err = d.host.Retry(ctx, j.ID, host.RetryOptions{Sink: d.sink(j)})
		case info.Status.Ended():
			return d.host.RunResult(ctx, j.ID)
		default:
			r, err = d.host.Resume(ctx, j.ID, host.Options{Sink: d.sink(j)})
		}
		if err != nil {
			return nil, err
		}
		d.say("S", j.ID)
		result, err := r.Wait(ctx)
		if err != nil {
			return nil, err
		}
		d.say("E", j.ID, string(result.Status))
		if step == 100 {
			return nil, fmt.Errorf("run %s does not end: it is %s", j.ID, result.Status)
		}
	}
}

// decide answers what a run waits for.
func (d *driver) decide(ctx context.Context, j Job) (*host.Run, error) {
	if j.Kind == "approval" || j.Seed%3 == 0 {
		a := host.Approval{Output: event.Text("approved"), HasOutput: true, By: "somebody"}
		r, err := d.host.Approve(ctx, j.ID, a, host.Options{Sink: d.sink(j)})
		if code(err) != "ambiguous" {
			return r, err
		}
	}
	return d.host.Retry(ctx, j.ID, host.RetryOptions{Sink: d.sink(j)})
}

func (d *driver) sink(j Job) event.Sink {
	return event.SinkFunc(func(e *event.Event) {
		if e.Type == event.NodeSucceeded && e.Level == 0 {
			d.say("N", j.ID, e.Node)
		}
		d.say("", string(e.Type))
	})
}

func code(err error) string {
	var e *event.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// right says what is wrong with how a run has ended, or nothing.
func right(j Job, r *event.Result) string {
	k := kindOf(j.Kind)
	switch {
	case r.Status != k.Status:
		return fmt.Sprintf("it is %s (%v), not %s", r.Status, r.Error, k.Status)
	case r.Level != k.Level:
		return fmt.Sprintf("level %d answered, not %d", r.Level, k.Level)
	case k.Code != "" && (r.Error == nil || r.Error.Code != k.Code):
		return fmt.Sprintf("its error is %v, not %s", r.Error, k.Code)
	case k.Output != "" && strings.TrimSpace(string(r.Output.JSON())) != k.Output:
		return fmt.Sprintf("its output is %s, not %s", r.Output.JSON(), k.Output)
	}
	return ""
}
