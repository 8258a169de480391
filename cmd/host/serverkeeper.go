package main

import (
	"context"
	"errors"
	"time"

	"wasmhost/host"
	"wasmhost/host/event"
)

// server is the keeper at the other end of a connection. What it is asked goes on
// there, whoever follows it here.
type server struct{ *host.Client }

func (server) here() bool   { return false }
func (server) loading() int { return 0 }

// alive asks the server for a sign of life.
func (s server) alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := s.RunCounts(ctx, "")
	return err
}

// isAway reports whether an error is that nobody answers.
func isAway(err error) bool {
	return codeOf(err) == "unreachable" || errors.Is(err, context.DeadlineExceeded)
}

// mostEvents is how many events a server gives at once.
const mostEvents = 5000

// RunEvents are those of a run whose Seq is more than after, at most limit of
// them; 0: all.
func (s server) RunEvents(ctx context.Context, id string, after uint64, limit int) ([]*event.Event, error) {
	var all []*event.Event
	for {
		most := mostEvents
		if limit > 0 {
			most = min(most, limit-len(all))
		}
		page, err := s.Client.RunEvents(ctx, id, after, most)
		all = append(all, page...)
		if err != nil || len(page) < most || len(all) == limit {
			return all, err
		}
		after = page[len(page)-1].Seq
	}
}

func (s server) watch(ctx context.Context, id string, sink event.Sink) (going, error) {
	return s.follow(ctx, id, 0, sink), nil
}

func (s server) resume(ctx context.Context, id string, sink event.Sink) (going, error) {
	return s.goOn(ctx, id, sink, func() (*host.RunInfo, error) { return s.ResumeRun(ctx, id) })
}

func (s server) retry(ctx context.Context, id, from string, sink event.Sink) (going, error) {
	return s.goOn(ctx, id, sink, func() (*host.RunInfo, error) { return s.RetryRun(ctx, id, from) })
}

func (s server) approve(ctx context.Context, id string, answer host.Approval, sink event.Sink) (going, error) {
	return s.goOn(ctx, id, sink, func() (*host.RunInfo, error) { return s.ApproveRun(ctx, id, answer) })
}

// goOn changes a run and follows what comes of it, without what was before.
func (s server) goOn(ctx context.Context, id string, sink event.Sink, change func() (*host.RunInfo, error)) (going, error) {
	before, err := s.RunEvents(ctx, id, 0, 0)
	if err != nil {
		return nil, err
	}
	after := uint64(0)
	if n := len(before); n > 0 {
		after = before[n-1].Seq
	}
	info, err := change()
	if err != nil {
		return nil, err
	}
	return s.follow(ctx, info.ID, after, sink), nil
}

// follow tells the events of a run whose Seq is more than after.
func (s server) follow(ctx context.Context, id string, after uint64, sink event.Sink) going {
	ctx, cancel := context.WithCancelCause(ctx)
	f := &followed{server: s, id: id, after: after, sink: sink, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer cancel(nil)
		defer close(f.done)
		f.result, f.err = f.toEnd(ctx)
	}()
	return f
}

// followed is a run that goes on at a server.
type followed struct {
	server server
	id     string
	sink   event.Sink
	cancel context.CancelCauseFunc
	after  uint64 // what is told; only one goroutine at a time has it
	done   chan struct{}
	result *event.Result
	err    error
}

func (f *followed) ID() string     { return f.id }
func (f *followed) Recorded() bool { return true }

// Interrupt ends the following, and not the run.
func (f *followed) Interrupt(cause error) { f.cancel(cause) }

// Cancel ends the run.
func (f *followed) Cancel(cause error) {
	reason := ""
	if cause != nil {
		reason = cause.Error()
	}
	// Whether it was heard is seen in what the run does.
	go func() { _ = f.server.CancelRun(context.Background(), f.id, reason) }()
}

// Wait waits until the run has ended, or waits for a person.
func (f *followed) Wait(ctx context.Context) (*event.Result, error) {
	select {
	case <-f.done:
		return f.result, f.err
	case <-ctx.Done():
		f.cancel(context.Cause(ctx))
		<-f.done // nothing is told after this
		return nil, context.Cause(ctx)
	}
}

// glance is how often it is asked whether a run with a waiting node waits itself.
const glance = 500 * time.Millisecond

// toEnd follows the run until it has ended or waits for a person. A server that
// is away for a while, because it is started again, is waited for.
func (f *followed) toEnd(ctx context.Context) (*event.Result, error) {
	info, err := f.server.RunInfo(ctx, f.id)
	waits := err == nil && info.Status == event.Waiting
	if err == nil && !waits {
		waits, err = f.stream(ctx)
	}
	if err == nil && waits {
		err = f.recorded(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	}
	return f.server.RunResult(ctx, f.id)
}

// stream tells events as they come. waits says that the run waits for a person
// and nothing else is left to do.
func (f *followed) stream(ctx context.Context) (waits bool, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	asks := make(chan struct{}, 1)
	over := make(chan error, 1)
	go func() {
		over <- f.server.Follow(ctx, f.id, f.after, func(e *event.Event) error {
			f.tell(ctx, e)
			if e.Type == event.NodeWaiting {
				select {
				case asks <- struct{}{}:
				default:
				}
			}
			return nil
		})
	}()
	var tick <-chan time.Time
	for {
		select {
		case err := <-over:
			return false, err
		case <-asks:
			tick = time.After(0)
		case <-tick:
			info, err := f.server.RunInfo(ctx, f.id)
			if err == nil && info.Status == event.Waiting {
				stop()
				<-over
				return true, nil
			}
			tick = time.After(glance)
		}
	}
}

// recorded tells what was recorded until the run began to wait.
func (f *followed) recorded(ctx context.Context) error {
	events, err := f.server.RunEvents(ctx, f.id, f.after, 0)
	for _, e := range events {
		f.tell(ctx, e)
	}
	return err
}

// tell hands an event on, once.
func (f *followed) tell(ctx context.Context, e *event.Event) {
	if e.Seq <= f.after {
		return
	}
	f.after = e.Seq
	if e.Type == event.RunFinished && e.Result == nil {
		if r, err := f.server.RunResult(ctx, f.id); err == nil {
			with := *e
			with.Result = r
			e = &with
		}
	}
	f.sink.Emit(e)
}
