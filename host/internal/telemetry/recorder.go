package telemetry

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"wasmhost/host/event"
)

// recorder writes log records on a goroutine of its own: whoever reads the log may
// be slow, or not read at all, and a run does not wait for that.
type recorder struct {
	handler slog.Handler
	records chan slog.Record
	dropped func()
	stop    chan struct{}
	done    chan struct{}
}

// waitingRecords is how many records wait at most.
const waitingRecords = 4096

func newRecorder(l *slog.Logger, dropped func()) *recorder {
	r := &recorder{handler: l.Handler(), records: make(chan slog.Record, waitingRecords), dropped: dropped, stop: make(chan struct{}), done: make(chan struct{})}
	go r.work()
	return r
}

func (r *recorder) work() {
	defer close(r.done)
	for {
		select {
		case x := <-r.records:
			_ = r.handler.Handle(context.Background(), x) // there is nobody to tell
		case <-r.stop:
			for {
				select {
				case x := <-r.records:
					_ = r.handler.Handle(context.Background(), x)
				default:
					return
				}
			}
		}
	}
}

// close writes what is left, until ctx ends. The goroutine of a handler that blocks
// for ever is left behind.
func (r *recorder) close(ctx context.Context) error {
	close(r.stop)
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// record writes a record, or drops it. Attributes that say nothing are left out.
func (r *recorder) record(at time.Time, level slog.Level, message string, all ...slog.Attr) {
	if !r.handler.Enabled(context.Background(), level) {
		return
	}
	x := slog.NewRecord(at, level, message, 0)
	for _, a := range all {
		if a.Value.Any() != nil && !a.Equal(slog.String(a.Key, "")) && !a.Equal(slog.Int(a.Key, 0)) && !a.Equal(slog.Float64(a.Key, 0)) {
			x.AddAttrs(a)
		}
	}
	select {
	case <-r.stop:
		r.dropped()
		return
	default:
	}
	select {
	case r.records <- x:
	default:
		r.dropped()
	}
}

// event writes the noteworthy events of a run.
func (r *recorder) event(e *event.Event) {
	level, message := slog.LevelInfo, ""
	switch e.Type {
	case event.RunStarted:
		message = "run started"
	case event.RunResumed:
		message = "run goes on"
	case event.RunFinished:
		message = "run " + string(e.Status)
		switch e.Status {
		case event.Failed, event.Refused:
			level = slog.LevelError
		case event.Degraded, event.Cancelled:
			level = slog.LevelWarn
		}
	case event.NodeAttemptFailed:
		level, message = slog.LevelWarn, "attempt failed"
	case event.NodeFailed:
		level, message = slog.LevelWarn, "node failed"
		if e.Status == event.Cancelled {
			level, message = slog.LevelInfo, "node cancelled"
		}
	case event.NodeWaiting:
		message = "node waits"
	case event.FallbackUsed:
		level, message = slog.LevelWarn, "fallback used"
	default:
		return
	}
	if !r.handler.Enabled(context.Background(), level) {
		return
	}
	r.record(e.Time, level, message, slog.String("run", e.Run), slog.String("workflow", e.Workflow), slog.Int("level", e.Level), slog.String("node", e.Node),
		slog.Int("attempt", e.Attempt), slog.String("plugin", e.Plugin), slog.String("answered_by", e.AnsweredBy), slog.Float64("duration_ms", e.DurationMS),
		class(e.Error), code(e.Error), text(e.Error))
}

func class(e *event.Error) slog.Attr {
	if e == nil {
		return slog.Attr{}
	}
	return slog.String("class", e.Class)
}

func code(e *event.Error) slog.Attr {
	if e == nil {
		return slog.Attr{}
	}
	return slog.String("code", e.Code)
}

func text(e *event.Error) slog.Attr {
	if e == nil {
		return slog.Attr{}
	}
	return slog.String("error", shortened(e.Message))
}

func (r *recorder) breaker(workflow, from, to string, s event.BreakerState) {
	level := slog.LevelInfo
	if to == "open" {
		level = slog.LevelWarn
	}
	r.record(time.Now(), level, "breaker "+to, slog.String("workflow", workflow), slog.String("breaker", s.Key), slog.String("from", from),
		class(s.LastError), code(s.LastError), text(s.LastError))
}

func (r *recorder) swap(workflow string, x *event.SwapReport) {
	switch {
	case x.Refused != nil:
		r.record(time.Now(), slog.LevelError, "swap refused", slog.String("workflow", workflow), slog.String("plugin", x.Plugin), slog.String("mode", string(x.Mode)),
			slog.String("from", x.From), slog.String("to", x.To), class(x.Refused), code(x.Refused), text(x.Refused))
	case !x.Unchanged:
		r.record(time.Now(), slog.LevelInfo, "plugin swapped", slog.String("workflow", workflow), slog.String("plugin", x.Plugin), slog.String("mode", string(x.Mode)),
			slog.String("from", x.From), slog.String("to", x.To))
	}
}

func (r *recorder) trial(workflow, plugin string, t *event.TrialResult) {
	level := slog.LevelInfo
	if t.Outcome == "rolled_back" || t.Differ > 0 {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{slog.String("workflow", workflow), slog.String("plugin", plugin), slog.String("mode", string(t.Mode)),
		slog.String("digest", t.Digest), slog.Int("calls", t.Calls), slog.String("why", t.Reason)}
	if t.Mode == event.SwapShadow {
		attrs = append(attrs, slog.Int("differ", t.Differ), slog.Int("not_comparable", t.Skipped))
	} else {
		attrs = append(attrs, slog.Int("failures", t.Failures))
	}
	r.record(time.Now(), level, "trial "+strings.ReplaceAll(t.Outcome, "_", " "), attrs...)
}

func (r *recorder) rolledBack(workflow, plugin string) {
	r.record(time.Now(), slog.LevelWarn, "plugin rolled back", slog.String("workflow", workflow), slog.String("plugin", plugin))
}

func (r *recorder) alert(workflow, name, state string) {
	level := slog.LevelInfo
	if state == "firing" {
		level = slog.LevelError
	}
	r.record(time.Now(), level, "alert "+state, slog.String("workflow", workflow), slog.String("alert", name))
}

// lost says that a collector did not take spans.
func (r *recorder) lost(n int, err error) {
	r.record(time.Now(), slog.LevelWarn, "traces were not exported", slog.Int("spans", n), slog.String("error", shortened(err.Error())))
}
