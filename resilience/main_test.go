package resilience

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs a test in which time passes as soon as everybody waits.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func transient(message string) *Failure { return &Failure{Class: Transient, Message: message} }
func permanent(message string) *Failure { return &Failure{Class: Permanent, Message: message} }

// always is a function that answers with err.
func always(err error) func(context.Context, Attempt) (int, error) {
	return func(context.Context, Attempt) (int, error) { return 1, err }
}

// takes is a function that needs d and obeys its context.
func takes(d time.Duration, err error) func(context.Context, Attempt) (int, error) {
	return func(ctx context.Context, _ Attempt) (int, error) {
		if e := sleep(ctx, RealClock(), d); e != nil {
			return 0, e
		}
		return 1, err
	}
}

// script answers with one error after the other, nil for success; after the
// last it goes on with success.
func script(errs ...error) func(context.Context, Attempt) (int, error) {
	var mu sync.Mutex
	n := 0
	return func(context.Context, Attempt) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		n++
		if n <= len(errs) {
			return n, errs[n-1]
		}
		return n, nil
	}
}

// wantFailure checks code and class of an error of Do.
func wantFailure(t *testing.T, err error, code string, class Class) *Failure {
	t.Helper()
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a failure with code %q", err, code)
	}
	if f.Code != code || f.Class != class {
		t.Fatalf("got %s %q (%v), want %s %q", f.Class, f.Code, f, class, code)
	}
	return f
}

// trace is an observer that writes down what it is told, with the time since
// its beginning.
type trace struct {
	mu    sync.Mutex
	clock Clock
	start time.Time
	lines []string
}

func newTrace(clock Clock) *trace { return &trace{clock: clock, start: clock.Now()} }

func (r *trace) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf("%v ", r.clock.Now().Sub(r.start))+fmt.Sprintf(format, args...))
}

func (r *trace) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

func short(f *Failure) string {
	if f == nil {
		return "ok"
	}
	return fmt.Sprintf("%s/%s/%v", f.Class, f.Code, f.OutcomeUnknown)
}

func hedgeMark(a Attempt) string {
	if a.Hedge {
		return " hedge"
	}
	return ""
}

func (r *trace) AttemptStarted(a Attempt) {
	left := "never"
	if !a.Deadline.IsZero() {
		left = a.Deadline.Sub(r.start).String()
	}
	r.add("start %d%s until %s", a.Number, hedgeMark(a), left)
}

func (r *trace) AttemptEnded(a Attempt, f *Failure, d time.Duration) {
	r.add("end %d%s %s after %v", a.Number, hedgeMark(a), short(f), d)
}

func (r *trace) Retrying(next int, wait time.Duration, f *Failure) {
	r.add("retry %d in %v: %s", next, wait, short(f))
}

func (r *trace) Rejected(f *Failure) { r.add("rejected %s in %v", short(f), f.RetryAfter) }

// wantTrace compares with lines that are indented for reading.
func wantTrace(t *testing.T, r *trace, want string) {
	t.Helper()
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(want), "\n") {
		lines = append(lines, strings.TrimSpace(line))
	}
	if got := r.String(); got != strings.Join(lines, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(lines, "\n"))
	}
}
